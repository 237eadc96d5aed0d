//! The listening sockets: bound here, or passed by PID 1 with their names.
//!
//! The daemon never needs a privilege: PID 1 binds the ports below 1024.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixStream as StdUnixStream;

use anyhow::{Context as _, Result, bail};
use base::box_link::{LINK_NAME, LISTEN_FDNAMES, SERVICES};
use listenfd::ListenFd;
use rustix::net::AddressFamily;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted on one socket.
const BACKLOG: i32 = 1024;

/// `SOCK_STREAM` of Linux, as listenfd wants it.
const SOCK_STREAM: i32 = 1;

/// What the daemon listens on.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// Service name and socket; a name may stand more than once.
    pub(crate) listeners: Vec<(&'static str, TcpListener)>,
    /// Our end of the link to PID 1.
    pub(crate) link: Option<StdUnixStream>,
}

/// The sockets that PID 1 passed, if it did.
pub(crate) fn passed(mut fds: ListenFd) -> Result<Option<Sockets>> {
    if fds.len() == 0 {
        return Ok(None);
    }
    let names = std::env::var(LISTEN_FDNAMES).context("sockets were passed without names")?;
    let mut sockets = Sockets::default();
    for (n, name) in names.split(':').enumerate() {
        if name == LINK_NAME {
            sockets.link = fds
                .take_custom(n, AddressFamily::UNIX.as_raw().into(), SOCK_STREAM, "unix stream")
                .context("the link to PID 1")?;
            continue;
        }
        let Some((service, _)) = SERVICES.iter().find(|(known, _)| *known == name) else {
            bail!("a socket was passed for {name:?}, which is no service");
        };
        let listener = fds.take_tcp_listener(n)?.with_context(|| format!("socket of {name}"))?;
        listener.set_nonblocking(true)?;
        sockets.listeners.push((service, TcpListener::from_std(listener)?));
    }
    Ok(Some(sockets))
}

/// Binds every service on every address; `::` beside `0.0.0.0` where nothing was said.
pub(crate) fn bind(addresses: &[IpAddr], port_offset: u16) -> Result<Sockets> {
    let mut sockets = Sockets::default();
    let by_default = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let all = if addresses.is_empty() { &by_default[..] } else { addresses };
    for (service, standard) in SERVICES {
        let port = standard.checked_add(port_offset).context("the port offset is too large")?;
        for &address in all {
            let at = SocketAddr::new(address, port);
            match bind_one(at) {
                Ok(listener) => sockets.listeners.push((service, listener)),
                // A machine without IPv6 serves IPv4; an address that was asked for must be had.
                Err(err) if addresses.is_empty() && address.is_ipv6() => {
                    tracing::info!(%at, %err, "no IPv6");
                }
                Err(err) => return Err(err).with_context(|| format!("{service} on {at}")),
            }
        }
    }
    Ok(sockets)
}

fn bind_one(at: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
