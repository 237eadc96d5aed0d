//! Bytes to and from the other side, each step with a time limit.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::reply::NotSmtp;
use crate::client::tls::is_certificate_error;
use crate::client::{Cause, ClientError, Peer, Reply, TlsClient};
use crate::outbound::Stage;

/// Longest line of a reply.
const LINE_MAX: usize = 4096;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(super) struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// What is being done, for errors.
    pub(super) stage: Stage,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// A stream that stands in while TLS takes the real one.
fn nothing() -> Box<dyn Stream> {
    Box::new(tokio::io::join(tokio::io::empty(), tokio::io::sink()))
}

impl Wire {
    pub(super) async fn connect(address: SocketAddr, limit: Duration) -> Result<Self, ClientError> {
        let failed = |cause| ClientError { stage: Stage::Connect, cause };
        let stream = timeout(limit, TcpStream::connect(address))
            .await
            .map_err(|_| failed(Cause::Timeout))?
            .map_err(|err| failed(Cause::Io(err)))?;
        // Commands and replies go back and forth: waiting for more bytes only costs time.
        stream.set_nodelay(true).map_err(|err| failed(Cause::Io(err)))?;
        Ok(Self { stream: Box::new(stream), buffer: Vec::new(), stage: Stage::Connect })
    }

    pub(super) fn failed(&self, cause: Cause) -> ClientError {
        ClientError { stage: self.stage, cause }
    }

    pub(super) fn refused(&self, reply: Reply) -> ClientError {
        self.failed(Cause::Refused(reply))
    }

    pub(super) async fn start_tls(
        &mut self,
        tls: &TlsClient,
        peer: &Peer,
        limit: Duration,
    ) -> Result<(), ClientError> {
        self.stage = Stage::Tls;
        // RFC 3207 §4.2, CVE-2011-0411: what came before TLS is forgotten.
        self.buffer.clear();
        let stream = std::mem::replace(&mut self.stream, nothing());
        let connect = tls.connect(stream, &peer.host, peer.address.ip(), peer.is_verified);
        let stream = match timeout(limit, Box::pin(connect)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(err)) if is_certificate_error(&err) => {
                return Err(self.failed(Cause::Certificate(err)));
            }
            Ok(Err(err)) => return Err(self.failed(Cause::Tls(err))),
            Err(_) => return Err(self.failed(Cause::Timeout)),
        };
        self.stream = Box::new(stream);
        Ok(())
    }

    /// Sends all of `bytes` and flushes.
    pub(super) async fn send(&mut self, bytes: &[u8], limit: Duration) -> Result<(), ClientError> {
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout(limit, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(err)) => Err(self.io_error(err)),
            Err(_) => Err(self.failed(Cause::Timeout)),
        }
    }

    /// Reads a whole reply.
    pub(super) async fn reply(&mut self, limit: Duration) -> Result<Reply, ClientError> {
        match timeout(limit, self.read_reply()).await {
            Ok(reply) => reply,
            Err(_) => Err(self.failed(Cause::Timeout)),
        }
    }

    async fn read_reply(&mut self) -> Result<Reply, ClientError> {
        let mut reply = Reply::default();
        let mut lines = 0;
        loop {
            let line = self.read_line().await?;
            lines += 1;
            // A host that sends lines without end is none.
            let pushed = if lines > 1000 { Err(NotSmtp) } else { reply.push(&line) };
            match pushed {
                Ok(true) => return Ok(reply),
                Ok(false) => {}
                Err(NotSmtp) => return Err(self.failed(Cause::NotSmtp)),
            }
        }
    }

    async fn read_line(&mut self) -> Result<Vec<u8>, ClientError> {
        loop {
            if let Some(at) = self.buffer.iter().position(|&b| b == b'\n') {
                return Ok(self.buffer.drain(..=at).collect());
            }
            if self.buffer.len() > LINE_MAX {
                return Err(self.failed(Cause::NotSmtp));
            }
            let mut chunk = [0; 1024];
            match self.stream.read(&mut chunk).await {
                Ok(0) => return Err(self.failed(Cause::Closed)),
                Ok(n) => self.buffer.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(err) => return Err(self.io_error(err)),
            }
        }
    }

    fn io_error(&self, err: io::Error) -> ClientError {
        let is_lost = matches!(
            err.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
        );
        self.failed(if is_lost { Cause::Closed } else { Cause::Io(err) })
    }
}
