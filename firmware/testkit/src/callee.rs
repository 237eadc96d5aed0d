//! Somebody who is called by HTTP: records the requests and answers what the test says, in order.
//!
//! HTTP/1.1, one request a connection, bodies with a Content-Length. Bounded: 1,000 requests.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};

use anyhow::{Context as _, Result, bail};

use crate::accept;
use crate::client::PATIENCE;

/// Requests kept.
const REQUESTS_MAX: usize = 1_000;
/// Bytes of a body.
const BODY_MAX: u64 = 1024 * 1024;

/// A request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// `POST /path HTTP/1.1`.
    pub line: String,
    /// Fields by their names in lower case.
    pub fields: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// What a request is answered.
enum Answer {
    Now(Vec<u8>),
    /// 204, when nobody holds the other end any more.
    Later(mpsc::Receiver<()>),
}

/// Holds an answer back until it is dropped.
#[derive(Debug)]
pub struct Held {
    _sender: mpsc::Sender<()>,
}

#[derive(Default)]
struct State {
    called: VecDeque<Called>,
    answers: VecDeque<Answer>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running server.
pub struct Callee {
    /// Where it listens.
    pub at: SocketAddr,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Callee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Callee at {}", self.at)
    }
}

impl Callee {
    /// Starts a server on a free port of `address`; it answers 204 to what it has no other answer for.
    ///
    /// # Errors
    /// No port can be had.
    pub fn start(address: IpAddr) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let at = accept::on_free_port(address, move |tcp| talk(tcp, &theirs))?;
        Ok(Self { at, shared })
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    /// One of the next requests is answered so.
    pub fn answer(&self, status: u16, body: &str) {
        let length = body.len();
        self.answer_raw(format!(
            "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ));
    }

    /// One of the next requests is answered with these bytes; none at all leaves it without an answer until
    /// the caller goes.
    pub fn answer_raw(&self, bytes: impl Into<Vec<u8>>) {
        self.shared.state().answers.push_back(Answer::Now(bytes.into()));
    }

    /// One of the next requests waits for its answer, 204, until what is returned is dropped.
    #[must_use]
    pub fn hold(&self) -> Held {
        let (sender, receiver) = mpsc::channel();
        self.shared.state().answers.push_back(Answer::Later(receiver));
        Held { _sender: sender }
    }

    /// The next request; waits for it.
    ///
    /// # Errors
    /// None came in time.
    pub fn next(&self) -> Result<Called> {
        let waiting =
            self.shared
                .arrived
                .wait_timeout_while(self.shared.state(), PATIENCE, |state| state.called.is_empty());
        let (mut state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        state.called.pop_front().context("nobody called")
    }

    /// How many requests came and were not taken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.state().called.len()
    }
}

fn talk(tcp: TcpStream, shared: &Shared) -> Result<()> {
    let mut writer = tcp.try_clone()?;
    let mut reader = BufReader::new(tcp);
    let called = read(&mut reader)?;
    let answer = {
        let mut state = shared.state();
        if state.called.len() >= REQUESTS_MAX {
            bail!("too many requests");
        }
        state.called.push_back(called);
        state.answers.pop_front()
    };
    shared.arrived.notify_all();
    let no_content = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_vec();
    let answer = match answer {
        Some(Answer::Now(answer)) => answer,
        Some(Answer::Later(held)) => {
            // Nothing is ever sent: the end of waiting is the sender's end.
            let _dropped = held.recv().is_err();
            no_content
        }
        None => no_content,
    };
    if answer.is_empty() {
        // The caller gives up, or the test is over.
        let _rest = reader.read_to_end(&mut Vec::new()).is_err();
    }
    writer.write_all(&answer)?;
    Ok(())
}

fn read(reader: &mut BufReader<TcpStream>) -> Result<Called> {
    let mut called = Called::default();
    let mut line = || -> Result<String> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    called.line = line()?;
    loop {
        let field = line()?;
        let Some((name, value)) = field.split_once(':') else { break };
        called.fields.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length: u64 = called.fields.get("content-length").map_or(Ok(0), |text| text.parse())?;
    reader.take(length.min(BODY_MAX)).read_to_string(&mut called.body)?;
    Ok(called)
}
