//! A stream that gives up on a client that keeps silent or takes nothing. hyper limits the time of a head, but
//! not that of a keep-alive pause, a body's trickle or a reader that has stopped.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// The stream. Time counts only while a read or a write waits.
#[derive(Debug)]
pub(crate) struct TimedStream<T> {
    stream: T,
    reading: Waiting,
    writing: Waiting,
}

#[derive(Debug)]
struct Waiting {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
    is_armed: bool,
}

impl Waiting {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: Box::pin(tokio::time::sleep(limit)), is_armed: false }
    }

    /// Passes on what the stream said; an error once it has said nothing for too long.
    fn limit<R>(&mut self, cx: &mut Context<'_>, said: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if said.is_ready() {
            self.is_armed = false;
            return said;
        }
        if !self.is_armed {
            self.is_armed = true;
            self.timer.as_mut().reset(Instant::now() + self.limit);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T> TimedStream<T> {
    pub(crate) fn new(stream: T, read_limit: Duration, write_limit: Duration) -> Self {
        Self { stream, reading: Waiting::new(read_limit), writing: Waiting::new(write_limit) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TimedStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.reading.limit(cx, said)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimedStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let said = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.writing.limit(cx, said)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.stream).poll_flush(cx);
        self.writing.limit(cx, said)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.writing.limit(cx, said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn silence_and_stubbornness_end() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let mut ours = TimedStream::new(ours, Duration::from_secs(10), Duration::from_secs(5));
        theirs.write_all(b"hi").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(ours.read(&mut buf).await.unwrap(), 2);
        assert_eq!(ours.read(&mut buf).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(ours.write_all(&[0; 9]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let mut taken = [0; 8];
        theirs.read_exact(&mut taken).await.unwrap();
        assert!(ours.write_all(b"x").await.is_ok(), "the time starts anew");
    }
}
