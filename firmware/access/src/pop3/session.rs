//! One POP3 session: the states of RFC 1939 §3, the turn of command and answer.
//!
//! Memory: between commands a session holds its connection, a name and the ranges of its maildrop.
//! Whatever a command needs lives in a boxed future that ends with the command.

use std::time::Duration;

use session::{Conn, ConnError, Line};
use store::Store;

use super::maildrop::{Maildrop, Maildrops};
use super::parse::{self, Command};
use super::reply::{Answer, Fail, Outcome, bad, of_store, ok};

/// RFC 1939 §3: at least 10 minutes.
const AUTOLOGOUT: Duration = Duration::from_secs(10 * 60);
/// Longest command. RFC 2449 §4 says 255; passwords and responses may be longer.
const LINE_MAX: usize = 4 * 1024;
/// Bad commands and wrong logins before the login.
const BAD_BEFORE_LOGIN_MAX: u32 = 10;
/// Bad commands in a row after it.
const BAD_IN_A_ROW_MAX: u32 = 100;
/// Bytes that may wait to be sent before a flush.
const FLUSH_AT: usize = 16 * 1024;

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) conn: Conn,
    pub(super) maildrops: Maildrops,
    /// USER's name, until PASS.
    pub(super) user: Option<Vec<u8>>,
    /// In the TRANSACTION state.
    pub(super) maildrop: Option<Box<Maildrop>>,
    bad_commands: u32,
}

/// Sends what waits if it is enough to be worth it.
pub(super) async fn flush_if_full(conn: &mut Conn) -> Result<(), ConnError> {
    if conn.pending_out() > FLUSH_AT { conn.flush().await } else { Ok(()) }
}

impl Session {
    pub(super) fn new(conn: Conn, maildrops: Maildrops) -> Self {
        Self { conn, maildrops, user: None, maildrop: None, bad_commands: 0 }
    }

    pub(super) fn store(&self) -> Store {
        self.conn.ctx().store.clone()
    }

    /// The maildrop, or the answer that a login comes first.
    pub(super) fn maildrop(&mut self) -> Result<&mut Maildrop, Fail> {
        self.maildrop.as_deref_mut().ok_or_else(|| bad("Log in first"))
    }

    /// Writes one line.
    pub(super) fn say(&mut self, text: std::fmt::Arguments<'_>) {
        self.conn.write(format!("{text}\r\n").as_bytes());
    }

    /// Counts the login as right.
    pub(super) fn logged_in(&mut self, maildrop: Maildrop) {
        self.conn.set_timeout(AUTOLOGOUT);
        self.maildrop = Some(Box::new(maildrop));
        self.bad_commands = 0;
    }

    /// Speaks with the client until the end.
    pub(super) async fn serve(mut self) {
        self.say(format_args!("+OK Postroom ready"));
        let fail = loop {
            if let Err(fail) = self.turn().await {
                break fail;
            }
        };
        // The next login need not wait until the client took the goodbye.
        self.maildrop = None;
        Box::pin(self.farewell(fail)).await;
    }

    async fn farewell(mut self, fail: Fail) {
        let text = match &fail {
            Fail::Bye(text) => Some(*text),
            Fail::Conn(ConnError::NoLogin) => Some("No login in time"),
            Fail::Conn(ConnError::Flood) => Some("The command line does not end"),
            Fail::Conn(ConnError::Shutdown) => Some("[SYS/TEMP] The server is stopping"),
            Fail::Conn(ConnError::Revoked) => Some("[SYS/TEMP] This login was ended"),
            // RFC 1939 §3: who keeps silent for too long is cut off without a word.
            _ => None,
        };
        if let Some(text) = text {
            self.say(format_args!("-ERR {text}"));
        }
        tracing::debug!(session = self.conn.session(), ?fail, "pop3 session over");
        self.conn.close().await;
    }

    /// One command and its answer.
    async fn turn(&mut self) -> Result<(), Fail> {
        // RFC 2449 §6.6: answers to commands that came together go together.
        if self.conn.buffered().contains(&b'\n') {
            flush_if_full(&mut self.conn).await?;
        } else {
            self.conn.flush().await?;
            self.conn.readable().await?;
        }
        // A TLS ClientHello has no line end: without a look it would wait for one.
        if self.maildrop.is_none() && self.conn.buffered().starts_with(&[0x16, 0x03]) {
            return Err(Fail::Bye("This port speaks plain text first: use STLS, or port 995"));
        }
        let line = match self.conn.read_line(LINE_MAX).await? {
            Line::Full(line) => line,
            Line::TooLong => {
                return self.answer(&Answer::Bad("The command line is too long".into()));
            }
            Line::Eof => return Err(Fail::End),
        };
        let outcome = match parse::command(&line) {
            Ok(command) => Box::pin(self.obey(command)).await,
            Err(bad) => Err(bad.into()),
        };
        match outcome {
            Ok(answer) | Err(Fail::Answer(answer)) => self.answer(&answer),
            Err(Fail::Store(err)) => {
                let answer = of_store(self.conn.session(), &err);
                self.answer(&answer)
            }
            Err(fail) => Err(fail),
        }
    }

    /// Writes an answer and counts the bad ones.
    pub(super) fn answer(&mut self, answer: &Answer) -> Result<(), Fail> {
        match answer {
            Answer::Ok(text) => self.say(format_args!("+OK {text}")),
            Answer::Err(text) | Answer::Bad(text) => self.say(format_args!("-ERR {text}")),
            Answer::Given => return Ok(()),
        }
        let is_in = self.maildrop.is_some();
        match answer {
            Answer::Bad(_) => self.bad_commands += 1,
            Answer::Err(_) if !is_in => self.bad_commands += 1,
            _ if is_in => self.bad_commands = 0,
            _ => {}
        }
        let max = if is_in { BAD_IN_A_ROW_MAX } else { BAD_BEFORE_LOGIN_MAX };
        if self.bad_commands >= max { Err(Fail::Bye("Too many bad commands")) } else { Ok(()) }
    }

    async fn obey(&mut self, command: Command) -> Outcome {
        match command {
            Command::Capa => self.capa(),
            Command::Quit => self.quit().await,
            Command::User(name) => self.user(name),
            Command::Pass(password) => self.pass(&password).await,
            Command::Auth { mechanism, initial } => self.auth(mechanism.as_deref(), initial).await,
            Command::Stls => self.stls().await,
            Command::Http => Err(Fail::Bye("This is a mail server")),
            command => self.obey_in_transaction(command).await,
        }
    }

    async fn obey_in_transaction(&mut self, command: Command) -> Outcome {
        self.maildrop()?;
        match command {
            Command::Stat => self.stat().await,
            Command::List(None) => self.list_all().await,
            Command::List(Some(message)) => self.list_one(message),
            Command::Uidl(None) => self.uidl_all().await,
            Command::Uidl(Some(message)) => self.uidl_one(message),
            Command::Retr(message) => self.retr(message).await,
            Command::Top { message, lines } => self.top(message, lines).await,
            Command::Dele(message) => self.dele(message),
            Command::Rset => self.rset(),
            _ => ok("Nothing done"),
        }
    }
}
