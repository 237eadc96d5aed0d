//! The accept loops of ports 443 and 80: admission by the budget, TLS, hyper with its limits.
//!
//! Over budget a client gets 503: on port 80 at once, on 443 from a few spare places, as it takes a handshake
//! to say it; when these are taken too, the connection is closed.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::error::ApiError;
use crate::guard::{Peer, PeerUid};
use crate::timed_stream::TimedStream;
use crate::{Web, headers, redirect};

/// A TLS handshake must end within this time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// A head must come within this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection may keep silent this long; longer than any answer takes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(180);
/// A client must take our bytes within this time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Answers under way may end within this time when the daemon stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a head.
const HEAD_MAX: usize = 32 * 1024;
/// Header fields.
const FIELDS_MAX: usize = 64;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 32;
/// Bytes that a client of HTTP/2 may send ahead; the least the protocol allows (RFC 9113 §6.9.2).
const H2_WINDOW: u32 = 65_535;
/// Connections on the unix socket.
const SOCKET_PLACES: usize = 64;
/// Connections that may be told 503 over TLS at once.
const SPARE_PLACES: usize = 16;

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\n\
    connection: close\r\n\r\n";

/// What answers a request.
#[derive(Clone)]
enum Answer {
    /// The API and the UI.
    Pages(Router),
    /// The same for a process of this machine, by its user.
    Socket(Router, u32),
    /// The way to HTTPS.
    Redirect(Web),
    /// 503.
    Busy,
}

impl Answer {
    async fn to(self, peer: IpAddr, request: hyper::Request<Incoming>) -> Response {
        match self {
            Self::Pages(router) => {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Peer(peer));
                match router.oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
            Self::Socket(router, uid) => {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(PeerUid(uid));
                match router.oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
            Self::Redirect(web) => redirect::to_https(&web, request.headers(), request.uri()),
            Self::Busy => headers::secure(ApiError::busy().into_response()).await,
        }
    }
}

impl Web {
    /// Serves HTTPS until the daemon stops.
    pub async fn serve_https(self, listener: TcpListener) {
        let router = self.router();
        let spare = Arc::new(Semaphore::new(SPARE_PLACES));
        while let Some((tcp, peer)) = self.accept(&listener).await {
            let web = self.clone();
            if let Ok(permit) = self.ctx().admission.admit("https", peer) {
                let answer = Answer::Pages(router.clone());
                tokio::spawn(async move {
                    let _permit = permit;
                    web.tls_connection(tcp, peer, answer).await;
                });
            } else if let Ok(place) = spare.clone().try_acquire_owned() {
                tokio::spawn(async move {
                    let _place = place;
                    web.tls_connection(tcp, peer, Answer::Busy).await;
                });
            } else {
                tracing::debug!(%peer, "https refused: budget");
            }
        }
    }

    /// Sends clients of port 80 to HTTPS until the daemon stops.
    pub async fn serve_http(self, listener: TcpListener) {
        while let Some((tcp, peer)) = self.accept(&listener).await {
            let web = self.clone();
            let Ok(permit) = self.ctx().admission.admit("http", peer) else {
                if let Err(err) = tcp.try_write(BUSY) {
                    tracing::trace!(%err, "the refusal was not taken");
                }
                continue;
            };
            tokio::spawn(async move {
                let _permit = permit;
                web.connection(tcp, peer, Answer::Redirect(web.clone())).await;
            });
        }
    }

    /// Serves the API to processes of this machine until the daemon stops: those of the user `own_uid` and
    /// of root are the admin, all others are closed without a word.
    pub async fn serve_socket(self, listener: UnixListener, own_uid: u32) {
        let router = self.router();
        let places = Arc::new(Semaphore::new(SOCKET_PLACES));
        loop {
            let accepted = tokio::select! {
                () = self.ctx().shutdown.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(err) => {
                    tracing::warn!(%err, "accept failed");
                    // Out of descriptors: without a pause this would spin.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let uid = stream.peer_cred().map(|peer| peer.uid());
            let (Ok(uid), Ok(place)) = (uid, places.clone().try_acquire_owned()) else { continue };
            if uid != own_uid && uid != 0 {
                tracing::info!(uid, "a process of another user was refused at the socket");
                continue;
            }
            let (web, answer) = (self.clone(), Answer::Socket(router.clone(), uid));
            tokio::spawn(async move {
                let _place = place;
                web.connection(stream, IpAddr::from([127, 0, 0, 1]), answer).await;
            });
        }
    }

    /// The next connection; `None` when the daemon stops.
    async fn accept(&self, listener: &TcpListener) -> Option<(TcpStream, IpAddr)> {
        loop {
            let accepted = tokio::select! {
                () = self.ctx().shutdown.cancelled() => return None,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    if let Err(err) = tcp.set_nodelay(true) {
                        tracing::trace!(%err, "no TCP_NODELAY");
                    }
                    return Some((tcp, peer.ip().to_canonical()));
                }
                Err(err) => {
                    tracing::warn!(%err, "accept failed");
                    // Out of descriptors: without a pause this would spin.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn tls_connection(&self, tcp: TcpStream, peer: IpAddr, answer: Answer) {
        let handshake = Box::pin(self.ctx().tls.web_acceptor().accept(tcp));
        let handshake = tokio::select! {
            () = self.ctx().shutdown.cancelled() => return,
            done = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake) => done,
        };
        match handshake {
            Ok(Ok(tls)) => Box::pin(self.connection(tls, peer, answer)).await,
            Ok(Err(err)) => tracing::debug!(%peer, %err, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake timed out"),
        }
    }

    async fn connection<T>(&self, stream: T, peer: IpAddr, answer: Answer)
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service = service_fn(move |request| {
            let answer = answer.clone();
            async move { Ok::<_, Infallible>(answer.to(peer, request).await) }
        });
        let stream = TimedStream::new(stream, IDLE_TIMEOUT, WRITE_TIMEOUT);
        let builder = limits();
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.ctx().shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(STOP_TIMEOUT, connection).await {
                    Ok(ended) => ended,
                    Err(_) => Ok(()),
                }
            }
        };
        if let Err(err) = ended {
            tracing::debug!(%peer, %err, "connection ended");
        }
    }
}

fn limits() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(FIELDS_MAX)
        .max_buf_size(HEAD_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        // hyper's own windows let every client leave a megabyte with us.
        .initial_stream_window_size(H2_WINDOW)
        .initial_connection_window_size(H2_WINDOW)
        .max_header_list_size(u32::try_from(HEAD_MAX).unwrap_or(u32::MAX))
        .max_send_buf_size(32 * 1024)
        .keep_alive_interval(Duration::from_secs(60))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
