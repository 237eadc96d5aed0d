//! A stream compressed both ways by raw DEFLATE. RFC 4978, RFC 1951.
//!
//! Memory: what the client may refer back to is kept (32 KB and the decoder's tables); the encoder and all
//! buffers go when the connection waits. Each flush ends at a byte, so the next encoder begins anew and
//! refers to nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::admission::Compressing;
use crate::stream::Stream;

/// Compressed bytes taken from the stream at once.
const READ_BYTES: usize = 4 * 1024;
/// Plain bytes compressed at once.
const WRITE_BYTES: usize = 16 * 1024;
/// Compressed bytes that may wait before no more are made.
const WAITING_MAX: usize = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Deflated {
    inner: Stream,
    inflate: Decompress,
    /// Compressed bytes that came and are not decoded yet.
    came: Vec<u8>,
    used: usize,
    /// The decoder may hold more than it could give.
    holds_more: bool,
    is_over: bool,
    deflate: Option<Box<Compress>>,
    /// Something was written since the last flush.
    is_dirty: bool,
    /// Compressed bytes that wait to be sent.
    going: Vec<u8>,
    sent: usize,
    _place: Compressing,
}

impl Deflated {
    /// Compresses what goes over `inner`; `came` is what the client has sent already.
    pub(crate) fn new(inner: Stream, came: Vec<u8>, place: Compressing) -> Self {
        Self {
            inner,
            inflate: Decompress::new(false),
            came,
            used: 0,
            holds_more: false,
            is_over: false,
            deflate: None,
            is_dirty: false,
            going: Vec::new(),
            sent: 0,
            _place: place,
        }
    }

    pub(crate) fn inner(&self) -> &Stream {
        &self.inner
    }

    /// Decodes into `buf`; true if something came out or the end is known.
    fn decode(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<bool> {
        let waiting = self.came.get(self.used..).unwrap_or_default();
        if waiting.is_empty() && !self.holds_more {
            return Ok(false);
        }
        let out = buf.initialize_unfilled();
        let room = out.len();
        let (read, made) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(waiting, out, FlushDecompress::None)
            .map_err(|err| io::Error::new(io::ErrorKind::InvalidData, err))?;
        let read = usize::try_from(self.inflate.total_in() - read).unwrap_or(usize::MAX);
        let made = usize::try_from(self.inflate.total_out() - made).unwrap_or(0).min(room);
        self.used = self.used.saturating_add(read).min(self.came.len());
        if self.used == self.came.len() {
            self.came = Vec::new();
            self.used = 0;
        }
        self.holds_more = made == room;
        buf.advance(made);
        // RFC 4978 §3: the stream goes on until the connection ends.
        self.is_over |= status == Status::StreamEnd;
        Ok(made > 0 || self.is_over)
    }

    /// Encodes; gives how many bytes of `plain` were taken.
    fn encode(&mut self, plain: &[u8], flush: FlushCompress) -> io::Result<usize> {
        let deflate =
            self.deflate.get_or_insert_with(|| Box::new(Compress::new(Compression::fast(), false)));
        let before = deflate.total_in();
        let mut rest = plain;
        loop {
            let (read, made) = (deflate.total_in(), deflate.total_out());
            let mut out = [0; 4 * 1024];
            deflate
                .compress(rest, &mut out, flush)
                .map_err(|err| io::Error::new(io::ErrorKind::InvalidData, err))?;
            let read = usize::try_from(deflate.total_in() - read).unwrap_or(usize::MAX);
            let made = usize::try_from(deflate.total_out() - made).unwrap_or(0);
            rest = rest.get(read..).unwrap_or_default();
            self.going.extend_from_slice(out.get(..made).unwrap_or(&out));
            // A full buffer says that more may come; a flush is through when it is not full.
            if made < out.len() && (rest.is_empty() || read == 0 && made == 0) {
                break;
            }
        }
        Ok(usize::try_from(deflate.total_in() - before).unwrap_or(usize::MAX))
    }

    /// Sends what waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.going.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let taken = ready!(Pin::new(&mut self.inner).poll_write(cx, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += taken;
        }
        self.going = Vec::new();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Deflated {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if this.is_over || this.decode(buf)? {
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0u8; READ_BYTES];
            let mut came = ReadBuf::new(&mut bytes);
            match Pin::new(&mut this.inner).poll_read(cx, &mut came) {
                Poll::Ready(Ok(())) if came.filled().is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => this.came.extend_from_slice(came.filled()),
                Poll::Ready(Err(err)) => return Poll::Ready(Err(err)),
                Poll::Pending => {
                    // All that was written is flushed: the next encoder refers to nothing before it.
                    if !this.is_dirty {
                        this.deflate = None;
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

impl AsyncWrite for Deflated {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.going.len() - this.sent > WAITING_MAX {
            ready!(this.poll_send(cx))?;
        }
        let piece = bytes.get(..bytes.len().min(WRITE_BYTES)).unwrap_or(bytes);
        this.is_dirty = true;
        Poll::Ready(this.encode(piece, FlushCompress::None))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.is_dirty) {
            this.encode(&[], FlushCompress::Sync)?;
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use base::{Tier, TierBudget};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::Admission;

    /// Talk of all sizes comes through unchanged, and an idle stream holds no encoder and no buffer.
    #[tokio::test]
    async fn what_is_written_is_read() {
        let admission = Admission::new(&TierBudget::of(Tier::OneGb));
        let (one, other) = tokio::io::duplex(700);
        let place = || admission.begin_compression().unwrap();
        let mut ours = Deflated::new(Stream::Memory(one), Vec::new(), place());
        let mut theirs = Deflated::new(Stream::Memory(other), Vec::new(), place());
        let mut state = 1u32;
        for size in [1usize, 7, 3_000, 16_384, 100_000, 300_000] {
            let text: Vec<u8> = (0..size)
                .map(|n| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if n % 3 == 0 { (state >> 24) as u8 } else { b'x' }
                })
                .collect();
            let sent = text.clone();
            let (sending, reading) = (
                async {
                    ours.write_all(&sent).await.unwrap();
                    ours.flush().await.unwrap();
                },
                async {
                    let mut got = vec![0; size];
                    theirs.read_exact(&mut got).await.unwrap();
                    got
                },
            );
            let ((), got) = tokio::join!(sending, reading);
            assert!(got == text, "{size}");
            let mut byte = [0; 1];
            let wait = std::time::Duration::from_millis(1);
            assert!(tokio::time::timeout(wait, ours.read_exact(&mut byte)).await.is_err());
            assert!(ours.deflate.is_none() && ours.going.capacity() == 0);
            assert!(ours.came.capacity() == 0);
        }
        ours.shutdown().await.unwrap();
        assert_eq!(theirs.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_is_no_deflate_ends_the_stream() {
        let admission = Admission::new(&TierBudget::of(Tier::OneGb));
        let (one, _other) = tokio::io::duplex(64);
        let place = admission.begin_compression().unwrap();
        let mut ours = Deflated::new(Stream::Memory(one), b"a NOOP\r\n\xff\xff".to_vec(), place);
        let mut got = Vec::new();
        let err = ours.read_to_end(&mut got).await.unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::InvalidData);
    }
}
