//! A smarthost that records what arrives: the other side of the box's outgoing mail.
//!
//! It takes every message, one connection a thread, until it is dropped. Bounded: 1,000 messages.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::accept;
use crate::client::PATIENCE;
use crate::office::Listener;

/// Messages kept.
const MESSAGES_MAX: usize = 1_000;

/// A message as the smarthost got it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// What stood behind MAIL FROM:.
    pub from: String,
    /// What stood behind each RCPT TO:.
    pub to: Vec<String>,
    /// The content with its line ends as they came, dots unstuffed.
    pub content: String,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    arrived: Condvar,
}

/// A running recorder.
pub struct Sink {
    /// Where it listens.
    pub at: SocketAddr,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sink at {}", self.at)
    }
}

impl Sink {
    /// Starts a recorder on a free port of `address`.
    ///
    /// # Errors
    /// No port can be had.
    pub fn start(address: IpAddr) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let at = accept::on_free_port(address, move |tcp| talk(tcp, &theirs))?;
        Ok(Self { at, shared })
    }

    /// Starts a recorder on a listening port of a station of the virtual office; each connection
    /// must come within a day.
    #[must_use]
    pub fn on(mut listener: Listener) -> Self {
        let at = SocketAddr::V4(listener.at());
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        // The thread lives as long as the test process; it only waits.
        std::thread::spawn(move || {
            while let Ok(stream) = listener.accept(Duration::from_secs(86_400)) {
                let shared = theirs.clone();
                std::thread::spawn(move || talk(stream, &shared).ok());
            }
        });
        Self { at, shared }
    }

    /// Waits until a message that fits has arrived, and gives it.
    ///
    /// # Errors
    /// None came within the patience of the tests.
    pub fn wait_for(&self, fits: impl Fn(&Received) -> bool) -> Result<Received> {
        let received = self.shared.received.lock().unwrap_or_else(PoisonError::into_inner);
        let (received, timeout) = self
            .shared
            .arrived
            .wait_timeout_while(received, PATIENCE, |all| !all.iter().any(&fits))
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            bail!("it did not arrive; what did: {:?}", *received);
        }
        received.iter().find(|m| fits(m)).cloned().ok_or_else(|| anyhow::anyhow!("gone"))
    }

    /// How many messages arrived.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn talk(wire: impl Read + Write, shared: &Shared) -> Result<()> {
    let mut lines = BufReader::new(wire);
    let mut message = Received::default();
    write!(lines.get_mut(), "220 sink.test ESMTP\r\n")?;
    loop {
        let line = read_line(&mut lines)?;
        let upper = line.to_ascii_uppercase();
        if upper.starts_with("EHLO") {
            write!(
                lines.get_mut(),
                "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE\r\n"
            )?;
        } else if upper.starts_with("MAIL FROM:") {
            message = Received { from: line.chars().skip(10).collect(), ..Received::default() };
            write!(lines.get_mut(), "250 2.1.0 ok\r\n")?;
        } else if upper.starts_with("RCPT TO:") {
            message.to.push(line.chars().skip(8).collect());
            write!(lines.get_mut(), "250 2.1.5 ok\r\n")?;
        } else if upper == "DATA" {
            write!(lines.get_mut(), "354 go\r\n")?;
            message.content = read_data(&mut lines)?;
            let mut all = shared.received.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() < MESSAGES_MAX {
                all.push(std::mem::take(&mut message));
            }
            drop(all);
            shared.arrived.notify_all();
            write!(lines.get_mut(), "250 2.0.0 recorded\r\n")?;
        } else if upper == "QUIT" {
            write!(lines.get_mut(), "221 2.0.0 bye\r\n")?;
            return Ok(());
        } else {
            write!(lines.get_mut(), "250 2.0.0 ok\r\n")?;
        }
    }
}

fn read_line(lines: &mut impl BufRead) -> Result<String> {
    let mut bytes = Vec::new();
    if lines.read_until(b'\n', &mut bytes)? == 0 {
        bail!("closed");
    }
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned())
}

fn read_data(lines: &mut impl BufRead) -> Result<String> {
    let mut content = String::new();
    loop {
        let mut bytes = Vec::new();
        if lines.read_until(b'\n', &mut bytes)? == 0 {
            bail!("closed in the middle of a message");
        }
        if bytes == b".\r\n" {
            return Ok(content);
        }
        let line = String::from_utf8_lossy(&bytes).into_owned();
        content.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
