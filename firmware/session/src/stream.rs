//! The byte stream under a connection: TCP or memory, plain or TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use crate::deflate::Deflated;

/// A client's stream. TLS states are boxed: they are large and a plain session should not pay for them.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    /// Of this machine; never TLS.
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
    Memory(DuplexStream),
    MemoryTls(Box<TlsStream<DuplexStream>>),
    /// RFC 4978, over one of the others.
    Deflated(Box<Deflated>),
    /// Between plain and TLS, and after a failed handshake: every use is an error.
    Gone,
}

impl Stream {
    pub(crate) fn tls(&self) -> Option<&rustls::ServerConnection> {
        match self {
            Self::Tls(stream) => Some(stream.get_ref().1),
            Self::MemoryTls(stream) => Some(stream.get_ref().1),
            Self::Deflated(stream) => stream.inner().tls(),
            _ => None,
        }
    }
}

macro_rules! each {
    ($self:ident, $stream:ident => $call:expr, $gone:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => $call,
            Stream::Unix($stream) => $call,
            Stream::Tls($stream) => $call,
            Stream::Memory($stream) => $call,
            Stream::MemoryTls($stream) => $call,
            Stream::Deflated($stream) => $call,
            Stream::Gone => $gone,
        }
    };
}

fn gone<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf), gone())
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes), gone())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx), gone())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx), gone())
    }
}
