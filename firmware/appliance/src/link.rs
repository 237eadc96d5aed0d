//! PID 1's end of the link to the daemon (see [`base::box_link`]): lines in, lines out.
//!
//! The daemon is not trusted: a line is at most [`LINE_MAX`] bytes, a daemon that does not read its
//! answers loses the link, and what can not be read is answered with a reason.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use base::box_link::{LINE_MAX, Reply, Request};

/// Requests handled in one turn; the rest wait, so that PID 1 looks after everything else too.
const REQUESTS_MAX: usize = 16;

/// The link.
#[derive(Debug)]
pub(crate) struct Link {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What a line asked for.
pub(crate) type Asked = Result<Request, String>;

impl Link {
    /// A new link and the daemon's end of it.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (stream, theirs) = UnixStream::pair()?;
        stream.set_nonblocking(true)?;
        Ok((Self { stream, buffer: Vec::new() }, theirs.into()))
    }

    /// The requests that have come. An error means the link is over.
    pub(crate) fn read(&mut self) -> io::Result<Vec<Asked>> {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => self.buffer.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(err) => return Err(err),
        }
        let mut asked = Vec::new();
        while asked.len() < REQUESTS_MAX
            && let Some(end) = self.buffer.iter().position(|b| *b == b'\n')
        {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            asked.push(serde_json::from_slice(&line).map_err(|err| format!("no request: {err}")));
        }
        if self.buffer.len() > LINE_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
        }
        Ok(asked)
    }

    /// True if a whole request waits in the buffer.
    pub(crate) fn has_more(&self) -> bool {
        self.buffer.contains(&b'\n')
    }

    /// Sends an answer. A daemon that lets answers pile up is told nothing more.
    pub(crate) fn answer(&mut self, reply: &Reply) -> io::Result<()> {
        let mut line = serde_json::to_vec(reply)?;
        if line.len() >= LINE_MAX {
            line = serde_json::to_vec(&Reply::Failed { reason: "too long".to_owned() })?;
        }
        line.push(b'\n');
        self.stream.write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;

    use super::*;

    #[test]
    fn requests_are_read_in_pieces_and_answered_in_turn() {
        let (mut link, theirs) = Link::pair().unwrap();
        let mut theirs = UnixStream::from(theirs);
        theirs.write_all(br#"{"do":"alive"}"#).unwrap();
        assert!(link.read().unwrap().is_empty(), "no end of line yet");
        theirs.write_all(b"\n{\"do\":\"fly\"}\n{\"do\":\"status\"}\n").unwrap();
        let asked = link.read().unwrap();
        assert_eq!(asked[0], Ok(Request::Alive));
        assert!(asked[1].is_err());
        assert_eq!(asked[2], Ok(Request::Status));
        link.answer(&Reply::Done).unwrap();
        let mut line = String::new();
        io::BufReader::new(theirs).read_line(&mut line).unwrap();
        assert_eq!(line, "{\"is\":\"done\"}\n");
    }

    #[test]
    fn an_endless_line_ends_the_link() {
        let (mut link, theirs) = Link::pair().unwrap();
        let mut theirs = UnixStream::from(theirs);
        let mut outcome = Ok(Vec::new());
        for _ in 0..8 {
            theirs.write_all(&[b'x'; 4096]).unwrap();
            outcome = link.read();
            if outcome.is_err() {
                break;
            }
        }
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_daemon_that_went_away_ends_the_link() {
        let (mut link, theirs) = Link::pair().unwrap();
        drop(theirs);
        assert_eq!(link.read().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
