//! The daemon's end of the link to PID 1: one request at a time, one reply each.
//!
//! A link that failed in the middle of an exchange is given up: a late reply would be taken for the next
//! one's. An exchange goes to its end in a task of its own: a browser that goes away must not cost the link.
//! Limits: [`LINE_MAX`] bytes a line, 30 seconds a reply.

use std::sync::Arc;
use std::time::Duration;

use base::box_link::{BoxStatus, LINE_MAX, Reply, Request};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

/// PID 1 answers within this time; setting the network may take a while.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Why PID 1 could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The link failed before, or just now.
    #[error("the link to PID 1 is lost")]
    Lost,
    /// The link failed now.
    #[error("the link to PID 1 failed")]
    Io(#[source] std::io::Error),
    /// No reply in time.
    #[error("PID 1 does not answer")]
    Timeout,
    /// The reply is none.
    #[error("PID 1 answered what cannot be read")]
    Garbled(#[source] serde_json::Error),
    /// PID 1 answered that it could not.
    #[error("PID 1 refused: {0}")]
    Refused(String),
}

/// The link. Cheap to clone; all clones are one link.
#[derive(Clone, Debug)]
pub struct BoxLink {
    stream: Arc<Mutex<Option<BufReader<UnixStream>>>>,
}

impl BoxLink {
    /// The link over the socket that PID 1 passed.
    #[must_use]
    pub fn new(stream: UnixStream) -> Self {
        Self { stream: Arc::new(Mutex::new(Some(BufReader::new(stream)))) }
    }

    /// Asks PID 1.
    ///
    /// # Errors
    /// [`LinkError`], but not [`LinkError::Refused`]: that is a reply here.
    pub async fn ask(&self, request: &Request) -> Result<Reply, LinkError> {
        let mut line = serde_json::to_vec(request).map_err(LinkError::Garbled)?;
        line.push(b'\n');
        let link = self.stream.clone();
        let exchange = async move {
            let mut guard = link.lock().await;
            let mut stream = guard.take().ok_or(LinkError::Lost)?;
            let answer = tokio::time::timeout(REPLY_TIMEOUT, exchange(&mut stream, &line)).await;
            let answer = answer.map_err(|_| LinkError::Timeout)??;
            *guard = Some(stream);
            Ok(answer)
        };
        let answer = tokio::spawn(exchange).await.map_err(|_| LinkError::Lost)?;
        serde_json::from_slice(&answer?).map_err(LinkError::Garbled)
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn request(&self, request: &Request) -> Result<(), LinkError> {
        match self.ask(request).await? {
            Reply::Done | Reply::Status { .. } => Ok(()),
            Reply::Failed { reason } => Err(LinkError::Refused(reason)),
        }
    }

    /// The state of the box.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn status(&self) -> Result<BoxStatus, LinkError> {
        match self.ask(&Request::Status).await? {
            Reply::Status { status } => Ok(status),
            Reply::Failed { reason } => Err(LinkError::Refused(reason)),
            Reply::Done => Err(LinkError::Refused("no status in the reply".to_owned())),
        }
    }
}

async fn exchange(stream: &mut BufReader<UnixStream>, line: &[u8]) -> Result<Vec<u8>, LinkError> {
    stream.write_all(line).await.map_err(LinkError::Io)?;
    let mut answer = Vec::new();
    let limit = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
    stream.take(limit).read_until(b'\n', &mut answer).await.map_err(LinkError::Io)?;
    if answer.last() == Some(&b'\n') { Ok(answer) } else { Err(LinkError::Lost) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PID 1 that answers each line with the next of `replies`, then hangs up.
    fn pid1(replies: &'static [&'static str]) -> BoxLink {
        let (ours, theirs) = UnixStream::pair().unwrap();
        tokio::spawn(async move {
            let mut theirs = BufReader::new(theirs);
            for reply in replies {
                let mut line = String::new();
                theirs.read_line(&mut line).await.unwrap();
                assert!(line.starts_with("{\"do\":"), "{line}");
                theirs.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        BoxLink::new(ours)
    }

    #[tokio::test]
    async fn replies_come_in_turn() {
        let link = pid1(&[
            "{\"is\":\"done\"}\n",
            "{\"is\":\"failed\",\"reason\":\"no cable\"}\n",
            "{\"is\":\"nonsense\"}\n",
            "{\"is\":\"done\"",
        ]);
        assert!(link.request(&Request::Alive).await.is_ok());
        let refused = link.status().await.unwrap_err();
        assert_eq!(refused.to_string(), "PID 1 refused: no cable");
        assert!(matches!(link.ask(&Request::Status).await, Err(LinkError::Garbled(_))));
        assert!(matches!(link.ask(&Request::Status).await, Err(LinkError::Lost)), "half a line");
        assert!(matches!(link.ask(&Request::Status).await, Err(LinkError::Lost)), "for good");
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_the_link_whole() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let link = BoxLink::new(ours);
        let impatient = {
            let link = link.clone();
            tokio::spawn(async move { link.status().await })
        };
        let mut theirs = BufReader::new(theirs);
        let mut line = String::new();
        theirs.read_line(&mut line).await.unwrap();
        impatient.abort();
        assert!(impatient.await.unwrap_err().is_cancelled());
        theirs.write_all(b"{\"is\":\"failed\",\"reason\":\"to the first\"}\n").await.unwrap();
        let next = tokio::spawn(async move { link.request(&Request::Alive).await });
        line.clear();
        theirs.read_line(&mut line).await.unwrap();
        assert!(line.contains("alive"), "{line}");
        theirs.write_all(b"{\"is\":\"done\"}\n").await.unwrap();
        assert!(next.await.unwrap().is_ok(), "gets its own reply");
    }
}
