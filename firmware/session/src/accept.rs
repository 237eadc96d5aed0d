//! The accept loop: admission, TLS from the first byte where the port has it, one task a connection.
//!
//! A panic in a session ends its task and is logged; it never ends the loop.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UnixListener};

use crate::admission::{Permit, Refusal};
use crate::{Conn, Context};

/// A TLS handshake must end within this time.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// One server protocol on one kind of port.
pub trait Service: Send + Sync + 'static {
    /// `smtp`, `imaps`: for logs and counters.
    fn name(&self) -> &'static str;
    /// TLS from the first byte.
    fn implicit_tls(&self) -> bool;
    /// What a client is told, in plain text, when there is no place for it; empty to close without a word.
    fn busy_reply(&self, why: Refusal) -> &'static [u8];
    /// How long a connection may last without [`Conn::set_login`]; `None` where no login is needed.
    fn login_within(&self) -> Option<Duration> {
        None
    }
    /// Speaks with one client until the end.
    fn run(&self, conn: Conn) -> impl Future<Output = ()> + Send;
}

/// Accepts connections until the daemon stops.
pub async fn serve<S: Service>(listener: TcpListener, service: Arc<S>, ctx: Context) {
    loop {
        let accepted = tokio::select! {
            () = ctx.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (tcp, peer) = match accepted {
            Ok(pair) => pair,
            Err(err) => {
                // Out of descriptors, or the peer gave up: a short rest keeps this from spinning.
                tracing::warn!(service = service.name(), %err, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let address = peer.ip().to_canonical();
        let permit = match ctx.admission.admit(service.name(), address) {
            Ok(permit) => permit,
            Err(why) => {
                refuse(tcp, service.busy_reply(why));
                tracing::debug!(service = service.name(), peer = %address, ?why, "refused");
                continue;
            }
        };
        tokio::spawn(session(tcp, permit, address, service.clone(), ctx.clone()));
    }
}

/// Accepts processes of this machine until the daemon stops: those of the user `own_uid` and of root; all
/// others are closed without a word.
pub async fn serve_socket<S: Service>(
    listener: UnixListener,
    own_uid: u32,
    service: Arc<S>,
    ctx: Context,
) {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    loop {
        let accepted = tokio::select! {
            () = ctx.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(err) => {
                tracing::warn!(service = service.name(), %err, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let uid = match stream.peer_cred() {
            Ok(peer) if peer.uid() == own_uid || peer.uid() == 0 => peer.uid(),
            _ => continue,
        };
        let Ok(permit) = ctx.admission.admit(service.name(), here) else { continue };
        let conn = Conn::of_process(stream, uid, here, ctx.clone(), permit);
        let service = service.clone();
        tokio::spawn(async move { service.run(conn).await });
    }
}

/// Says no without waiting for anybody: what does not fit the socket's buffer is not said.
fn refuse(tcp: TcpStream, words: &'static [u8]) {
    if !words.is_empty() && tcp.try_write(words).is_err() {
        tracing::trace!("refusal not written");
    }
    drop(tcp);
}

async fn session<S: Service>(
    tcp: TcpStream,
    permit: Permit,
    address: IpAddr,
    service: Arc<S>,
    ctx: Context,
) {
    if let Err(err) = tcp.set_nodelay(true) {
        tracing::debug!(%err, "set_nodelay");
    }
    let shutdown = ctx.shutdown.clone();
    let mut conn = Conn::new(tcp, address, ctx, permit, service.login_within());
    if service.implicit_tls() {
        let handshake = tokio::select! {
            () = shutdown.cancelled() => return,
            done = tokio::time::timeout(HANDSHAKE_TIMEOUT, conn.accept_tls()) => done,
        };
        match handshake {
            Ok(Ok(())) => {}
            Ok(Err(err)) => {
                tracing::debug!(session = conn.session(), peer = %address, %err, "TLS failed");
                return;
            }
            Err(_) => {
                tracing::debug!(session = conn.session(), peer = %address, "TLS timed out");
                return;
            }
        }
    }
    service.run(conn).await;
}

/// Ends a stream: TLS close_notify where there is one, then FIN.
pub(crate) async fn end<W: AsyncWriteExt + Unpin>(mut stream: W) {
    let farewell = tokio::time::timeout(Duration::from_secs(2), stream.shutdown()).await;
    if !matches!(farewell, Ok(Ok(()))) {
        tracing::trace!("the peer did not wait for the farewell");
    }
}
