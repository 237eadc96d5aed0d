//! One client connection with its framing: lines, pieces of bytes, a write buffer, STARTTLS.
//!
//! An idle connection holds no buffer: bytes are read through the stack and kept only while they wait to be
//! used. Every wait ends by the time limit, the login limit or the daemon's stop.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use base::AccountId;
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use crate::accept::{HANDSHAKE_TIMEOUT, end};
use crate::admission::{Compressing, Permit, Refusal};
use crate::deflate::Deflated;
use crate::live::{self, Details};
use crate::stream::Stream;
use crate::{Context, trace};

/// Bytes taken from the stream at once.
const READ_BYTES: usize = 8 * 1024;
/// Bytes that may wait unread before `fill` stops reading on.
const BUFFER_MAX: usize = 64 * 1024;
/// How much of an over-long line is thrown away before the client is cut off.
const DISCARD_MAX: usize = 1024 * 1024;
/// How long work goes on for a client that has closed its sending side.
const LAST_WORD: Duration = Duration::from_secs(5);
/// Time limit of a wait until [`Conn::set_timeout`] says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub enum ConnError {
    /// The client went away.
    #[error("closed by the peer")]
    Closed,
    /// The client kept silent, or took nothing, for too long.
    #[error("timed out")]
    TimedOut,
    /// No login within the limit.
    #[error("no login in time")]
    NoLogin,
    /// An over-long line that would not end.
    #[error("flooded")]
    Flood,
    /// The network said no.
    #[error("network error")]
    Io(#[from] io::Error),
    /// The handshake failed.
    #[error("TLS handshake failed")]
    Tls(#[source] io::Error),
    /// The account may not go on: it was disabled, or has another password.
    #[error("the login was revoked")]
    Revoked,
    /// The daemon stops.
    #[error("shutting down")]
    Shutdown,
}

/// What [`Conn::read_line`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line with its terminator as it came; it ends at the first LF.
    Full(Vec<u8>),
    /// The line was longer than allowed; it was thrown away up to its LF.
    TooLong,
    /// The client has sent its last byte; an unfinished line is dropped.
    Eof,
}

/// One client connection.
#[derive(Debug)]
pub struct Conn {
    stream: Stream,
    ctx: Context,
    peer: IpAddr,
    session: String,
    permit: Permit,
    /// What the client calls itself, until somebody is logged in.
    client: Option<Box<str>>,
    input: Vec<u8>,
    /// Bytes of `input` that are used up.
    used: usize,
    output: Vec<u8>,
    timeout: Duration,
    login_by: Option<Instant>,
    /// When the client was last heard, as [`crate::Admission`] counts: a password that it sends is checked later.
    heard_at: u64,
    mask_next: bool,
    /// The user at the other end of a unix socket.
    uid: Option<u32>,
}

impl Conn {
    pub(crate) fn new(
        tcp: TcpStream,
        peer: IpAddr,
        ctx: Context,
        permit: Permit,
        login_within: Option<Duration>,
    ) -> Self {
        let login_by = login_within.map(|within| Instant::now() + within);
        Self { login_by, ..Self::over(Stream::Plain(tcp), peer, ctx, permit) }
    }

    fn over(stream: Stream, peer: IpAddr, ctx: Context, permit: Permit) -> Self {
        Self {
            stream,
            peer,
            session: live::name_of(permit.number()),
            heard_at: ctx.admission.now(),
            permit,
            client: None,
            input: Vec::new(),
            used: 0,
            output: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            login_by: None,
            mask_next: false,
            uid: None,
            ctx,
        }
    }

    /// A connection of a process of this machine, which the kernel says is of that user.
    pub(crate) fn of_process(
        stream: UnixStream,
        uid: u32,
        peer: IpAddr,
        ctx: Context,
        permit: Permit,
    ) -> Self {
        Self { uid: Some(uid), ..Self::over(Stream::Unix(stream), peer, ctx, permit) }
    }

    /// The user at the other end, for a process of this machine that came by a unix socket.
    #[must_use]
    pub fn peer_uid(&self) -> Option<u32> {
        self.uid
    }

    /// A connection in memory with its other end, for tests; `None` when the budget is full.
    #[must_use]
    pub fn in_memory(ctx: Context, peer: IpAddr) -> Option<(Self, DuplexStream)> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let permit = ctx.admission.admit("memory", peer).ok()?;
        Some((Self::over(Stream::Memory(ours), peer, ctx, permit), theirs))
    }

    /// The daemon's parts.
    #[must_use]
    pub fn ctx(&self) -> &Context {
        &self.ctx
    }

    /// The client's address.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The connection's name in the logs.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// True once TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.stream.tls().is_some()
    }

    /// True if the client is on this very machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.peer.is_loopback()
    }

    /// True if a password may cross this connection: TLS, or the loopback.
    #[must_use]
    pub fn may_send_password(&self) -> bool {
        self.is_tls() || self.is_loopback()
    }

    /// `TLSv1_3 TLS13_AES_256_GCM_SHA384`, for the Received field.
    #[must_use]
    pub fn tls_description(&self) -> Option<String> {
        let tls = self.stream.tls()?;
        let version = tls.protocol_version()?;
        let suite = tls.negotiated_cipher_suite()?.suite();
        Some(format!("{version:?} {suite:?}"))
    }

    /// The `tls-exporter` channel binding (RFC 9266): TLS 1.3 only, where it needs no further condition.
    #[must_use]
    pub fn channel_binding(&self) -> Option<[u8; 32]> {
        let tls = self.stream.tls()?;
        if tls.protocol_version()? != rustls::ProtocolVersion::TLSv1_3 {
            return None;
        }
        tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
    }

    /// True once both sides compress.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        matches!(self.stream, Stream::Deflated(_))
    }

    /// A place among the connections that compress, each of which holds a window; `None` when they are all
    /// taken.
    #[must_use]
    pub fn reserve_compression(&self) -> Option<Compressing> {
        self.ctx.admission.begin_compression()
    }

    /// Compresses from here on, both ways (RFC 4978 §3); what came already counts as compressed. Nothing may
    /// wait to be sent.
    pub fn start_compression(&mut self, place: Compressing) {
        let came = self.buffered().to_vec();
        self.input = Vec::new();
        self.used = 0;
        let inner = std::mem::replace(&mut self.stream, Stream::Gone);
        self.stream = Stream::Deflated(Box::new(Deflated::new(inner, came, place)));
    }

    /// Limits each following wait, for the client's bytes or for the client to take ours.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Counts the connection for an account and lifts the login limit. `app_password` is the number of the one
    /// that was used.
    ///
    /// # Errors
    /// The account, or the box, has its maximum of connections already; or its logins were ended since the
    /// client spoke: it has another password, perhaps, than the one that was checked.
    pub fn set_login(
        &mut self,
        account: AccountId,
        app_password: Option<u32>,
    ) -> Result<(), Refusal> {
        let tls = self.stream.tls().and_then(|tls| tls.protocol_version());
        let tls = tls.and_then(|version| match version {
            rustls::ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            rustls::ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            _ => None,
        });
        let since = self.ctx.clock.now();
        let client = self.client.take();
        let details = Details { since, tls, app_password, client };
        self.permit.set_account(account, details, self.heard_at)?;
        self.login_by = None;
        Ok(())
    }

    /// Logs in again after all logins of the account were ended by what its owner did on this connection.
    ///
    /// # Errors
    /// As [`Conn::set_login`].
    pub fn renew_login(
        &mut self,
        account: AccountId,
        app_password: Option<u32>,
    ) -> Result<(), Refusal> {
        self.heard_at = self.ctx.admission.now();
        self.set_login(account, app_password)
    }

    /// The number of the app password that was used.
    #[must_use]
    pub fn app_password(&self) -> Option<u32> {
        self.permit.live().and_then(live::Live::app_password)
    }

    /// What the client calls itself, for the list of logins.
    pub fn set_client(&mut self, text: &str) {
        let name = live::client_name(text);
        match self.permit.live() {
            Some(login) => login.set_client(name),
            None => self.client = name,
        }
    }

    /// The wire trace shows the next line read as `<secret>`.
    pub fn mask_next_line(&mut self) {
        self.mask_next = true;
    }

    /// Bytes that wait to be used.
    #[must_use]
    pub fn buffered(&self) -> &[u8] {
        self.input.get(self.used..).unwrap_or_default()
    }

    /// Memory of the read buffer, bytes.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.input.capacity()
    }

    /// Marks `n` buffered bytes as used.
    pub fn consume(&mut self, n: usize) {
        self.used = (self.used + n).min(self.input.len());
        if self.used == self.input.len() {
            self.input.clear();
            self.used = 0;
            if self.input.capacity() > READ_BYTES {
                self.input = Vec::new();
            }
        }
    }

    /// Reads what is there, at least one byte; `Ok(0)` at the end. Cancel-safe, holds no buffer while it
    /// waits.
    async fn read_more(&mut self) -> Result<usize, ConnError> {
        if self.output.is_empty() {
            // An idle connection keeps no write buffer.
            self.output = Vec::new();
        }
        if self.buffered().is_empty() {
            self.input = Vec::new();
            self.used = 0;
        } else if self.used > 0 {
            // An unfinished line moves to the front: a client whose reads never end with a line would
            // make the buffer grow without end.
            self.input.drain(..self.used);
            self.used = 0;
        }
        let (stream, input, shutdown) = (&mut self.stream, &mut self.input, &self.ctx.shutdown);
        let reading = poll_fn(|cx| {
            let mut bytes = [0u8; READ_BYTES];
            let mut buf = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) => {
                    input.extend_from_slice(buf.filled());
                    Poll::Ready(Ok(buf.filled().len()))
                }
                Poll::Ready(Err(err)) => Poll::Ready(Err(err)),
                Poll::Pending => Poll::Pending,
            }
        });
        let by_timeout = Instant::now() + self.timeout;
        let (by, over) = match self.login_by {
            Some(login_by) if login_by < by_timeout => (login_by, ConnError::NoLogin),
            _ => (by_timeout, ConnError::TimedOut),
        };
        let revoked = self.permit.live();
        tokio::select! {
            biased;
            () = cancelled(revoked) => Err(ConnError::Revoked),
            read = reading => match read {
                Ok(n) => {
                    self.heard_at = self.ctx.admission.now();
                    Ok(n)
                }
                // What a client that just goes away looks like under TLS or TCP.
                Err(err) if is_goodbye(&err) => Err(ConnError::Closed),
                Err(err) => Err(ConnError::Io(err)),
            },
            () = shutdown.cancelled() => Err(ConnError::Shutdown),
            () = tokio::time::sleep_until(by) => Err(over),
        }
    }

    /// Waits for more bytes than there are, for framing of the server's own; `Ok(0)` at the end of the
    /// stream. The caller keeps [`Conn::buffered`] bounded. Cancel-safe.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn more(&mut self) -> Result<usize, ConnError> {
        self.read_more().await
    }

    /// Waits until there are bytes and gives them (at most 64 KB); empty at the end of the stream.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn fill(&mut self) -> Result<&[u8], ConnError> {
        if self.buffered().is_empty() {
            self.read_more().await?;
        }
        Ok(self.buffered())
    }

    /// Waits until there are bytes or the stream's end. Cancel-safe.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn readable(&mut self) -> Result<(), ConnError> {
        self.fill().await.map(|_| ())
    }

    /// Returns when nobody waits for an answer any more: to be raced with long work. What the client sends
    /// meanwhile is kept for later, up to the size of the buffer. A client that has sent its last byte may
    /// still read: it has [`LAST_WORD`]. Cancel-safe.
    pub async fn gone(&mut self) -> ConnError {
        loop {
            if self.buffered().len() > BUFFER_MAX {
                // Nothing more is read; the limits go on.
                let waiting = tokio::time::sleep(LAST_WORD);
                let revoked = self.permit.live();
                tokio::select! {
                    () = self.ctx.shutdown.cancelled() => return ConnError::Shutdown,
                    () = cancelled(revoked) => return ConnError::Revoked,
                    () = waiting => continue,
                }
            }
            match self.read_more().await {
                Ok(0) => {
                    tokio::time::sleep(LAST_WORD).await;
                    return ConnError::Closed;
                }
                Ok(_) => {}
                Err(err) => return err,
            }
        }
    }

    /// Reads a line of at most `max` bytes, terminator included.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn read_line(&mut self, max: usize) -> Result<Line, ConnError> {
        let mut searched = 0;
        loop {
            let waiting = self.buffered();
            let fresh = waiting.get(searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|&b| b == b'\n') {
                let len = searched + at + 1;
                if len > max {
                    self.consume(len);
                    return Ok(Line::TooLong);
                }
                let line = waiting.get(..len).unwrap_or_default().to_vec();
                self.consume(len);
                let secret = std::mem::take(&mut self.mask_next);
                trace::client(&self.session, &line, secret);
                return Ok(Line::Full(line));
            }
            searched = waiting.len();
            if searched > max.min(BUFFER_MAX) {
                return self.discard_line().await;
            }
            if self.read_more().await? == 0 {
                return Ok(Line::Eof);
            }
        }
    }

    /// Throws away what is left of a line.
    async fn discard_line(&mut self) -> Result<Line, ConnError> {
        let mut discarded = 0;
        loop {
            let waiting = self.buffered();
            if let Some(at) = waiting.iter().position(|&b| b == b'\n') {
                self.consume(at + 1);
                return Ok(Line::TooLong);
            }
            let len = waiting.len();
            discarded += len;
            self.consume(len);
            if discarded > DISCARD_MAX {
                return Err(ConnError::Flood);
            }
            if self.read_more().await? == 0 {
                return Ok(Line::Eof);
            }
        }
    }

    /// Puts bytes into the write buffer. The server flushes when [`Conn::pending_out`] says it is time.
    pub fn write(&mut self, bytes: &[u8]) {
        trace::server(&self.session, bytes);
        self.output.extend_from_slice(bytes);
    }

    /// Lets `build` put bytes straight into the write buffer; it must leave alone what is in it.
    pub fn write_with(&mut self, build: impl FnOnce(&mut Vec<u8>)) {
        let before = self.output.len();
        build(&mut self.output);
        trace::server(&self.session, self.output.get(before..).unwrap_or_default());
    }

    /// Puts bytes into the write buffer that the wire trace only counts (message content).
    pub fn write_content(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Shows the wire trace, while it is on, a message of the client in words; they hold no secret.
    pub fn trace_client(&self, words: impl FnOnce() -> String) {
        trace::words(&self.session, 'C', words);
    }

    /// The same of a message of the server.
    pub fn trace_server(&self, words: impl FnOnce() -> String) {
        trace::words(&self.session, 'S', words);
    }

    /// Bytes in the write buffer.
    #[must_use]
    pub fn pending_out(&self) -> usize {
        self.output.len()
    }

    /// Sends the write buffer; waits until the network took it.
    ///
    /// # Errors
    /// The connection is over; a client that takes nothing within the time limit is cut off.
    pub async fn flush(&mut self) -> Result<(), ConnError> {
        if self.output.is_empty() {
            return Ok(());
        }
        let (stream, output) = (&mut self.stream, &self.output);
        let writing = async {
            stream.write_all(output).await?;
            stream.flush().await
        };
        let done = tokio::time::timeout(self.timeout, writing).await;
        // More of the same answer fills it again; a wait for the client gives it back.
        self.output.clear();
        match done {
            Ok(Ok(())) => Ok(()),
            Ok(Err(err)) if is_goodbye(&err) => Err(ConnError::Closed),
            Ok(Err(err)) => Err(ConnError::Io(err)),
            Err(_) => Err(ConnError::TimedOut),
        }
    }

    /// Turns TLS on after the go-ahead was flushed. What the client sent before the handshake is dropped:
    /// it came in plain text and could be anybody's (RFC 3207 §4.2, CVE-2011-0411).
    ///
    /// # Errors
    /// The handshake failed; the connection is of no use then.
    pub async fn start_tls(&mut self) -> Result<(), ConnError> {
        self.input = Vec::new();
        self.used = 0;
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, self.accept_tls()).await {
            Ok(done) => done,
            Err(_) => Err(ConnError::TimedOut),
        }
    }

    pub(crate) async fn accept_tls(&mut self) -> Result<(), ConnError> {
        let acceptor = self.ctx.tls.mail_acceptor();
        let plain = std::mem::replace(&mut self.stream, Stream::Gone);
        // Boxed: a handshake's future is large and would stay part of every session's.
        self.stream = match plain {
            Stream::Plain(tcp) => {
                let tls = Box::pin(acceptor.accept(tcp)).await.map_err(ConnError::Tls)?;
                Stream::Tls(Box::new(tls))
            }
            Stream::Memory(pipe) => {
                let tls = Box::pin(acceptor.accept(pipe)).await.map_err(ConnError::Tls)?;
                Stream::MemoryTls(Box::new(tls))
            }
            _ => return Err(ConnError::Tls(io::ErrorKind::AlreadyExists.into())),
        };
        Ok(())
    }

    /// Says goodbye: flushes, closes TLS and the stream.
    pub async fn close(mut self) {
        if self.flush().await.is_ok() {
            end(self.stream).await;
        }
    }
}

/// Waits for the end of a login, for ever where there is none.
async fn cancelled(login: Option<&live::Live>) {
    match login {
        Some(login) => login.over().await,
        None => std::future::pending().await,
    }
}

fn is_goodbye(err: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(err.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
