//! Where the servers of the tests listen: a thread waits, each connection gets one of its own.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use anyhow::Result;

use crate::client::PATIENCE;

/// Listens on a free port of `address` and lets `talk` have each connection; answers where.
///
/// # Errors
/// No port can be had.
pub(crate) fn on_free_port(
    address: IpAddr,
    talk: impl Fn(TcpStream) -> Result<()> + Clone + Send + 'static,
) -> Result<SocketAddr> {
    let listener = TcpListener::bind((address, 0))?;
    let at = listener.local_addr()?;
    // The thread lives as long as the test process; it only waits.
    std::thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let talk = talk.clone();
            std::thread::spawn(move || {
                tcp.set_read_timeout(Some(PATIENCE))?;
                talk(tcp)
            });
        }
    });
    Ok(at)
}
