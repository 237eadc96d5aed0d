//! One client from greeting to goodbye: reads commands, keeps the order that RFC 5321 §4.1.4 asks for,
//! sends away who wastes our time.

use base::DomainName;
use delivery::Delivery;
use session::{Conn, ConnError, Line};
use smtp::{Command, CommandError, HelloKind, Reply};
use store::Account;
use tokio::time::timeout;

use crate::transaction::Transaction;
use crate::{Role, limits, replies};

/// What comes after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next command.
    Command,
    /// The end.
    Close,
}

/// What a client called itself.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    pub(crate) kind: HelloKind,
    pub(crate) name: String,
}

/// Who wastes our time is counted here.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) errors: u32,
    pub(crate) refused_rcpt: u32,
    /// Commands since the last message.
    pub(crate) idle: u32,
    pub(crate) transactions: u32,
    pub(crate) auth_failures: u32,
}

/// One client.
pub(crate) struct Session {
    pub(crate) conn: Conn,
    pub(crate) role: Role,
    pub(crate) delivery: Delivery,
    pub(crate) hostname: String,
    pub(crate) hello: Option<Hello>,
    pub(crate) account: Option<Account>,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) counters: Counters,
}

/// Speaks with a client until the end.
pub(crate) async fn run(role: Role, delivery: Delivery, conn: Conn) {
    let hostname = ascii_hostname(&delivery.hostname());
    let mut session = Session {
        conn,
        role,
        delivery,
        hostname,
        hello: None,
        account: None,
        transaction: None,
        counters: Counters::default(),
    };
    let end = session.talk().await;
    session.part(end).await;
}

/// The set name in the form for the wire.
fn ascii_hostname(name: &str) -> String {
    DomainName::parse(name)
        .map_or_else(|_| "postroom.local".to_owned(), |name| name.as_str().to_owned())
}

impl Session {
    pub(crate) fn say(&mut self, reply: &Reply) {
        self.conn.write(&reply.to_bytes());
    }

    async fn talk(&mut self) -> Result<(), ConnError> {
        self.conn.set_timeout(limits::COMMAND);
        if let Some(refusal) = self.refusal_at_the_door().await? {
            self.say(&refusal);
            return self.linger().await;
        }
        let service = if self.role == Role::Lmtp { "LMTP" } else { "ESMTP" };
        // RFC 5321 §4.2: the greeting begins with our name.
        self.say(&Reply::plain(220, format!("{} {service} Postroom", self.hostname)));
        let mut limit = limits::FIRST_COMMAND;
        loop {
            // RFC 2920 §3.2: replies go out together once there is no further command to answer.
            if !self.conn.buffered().contains(&b'\n') || self.conn.pending_out() > 16 * 1024 {
                self.conn.flush().await?;
            }
            // An absolute limit: a byte now and then does not lengthen it.
            let read = timeout(limit, self.read_command()).await;
            let Some(line) = read.unwrap_or(Err(ConnError::TimedOut))? else { return Ok(()) };
            limit = limits::COMMAND;
            if self.answer(&line).await? == Next::Close {
                return Ok(());
            }
        }
    }

    async fn refusal_at_the_door(&mut self) -> Result<Option<Reply>, ConnError> {
        if !self.role.admits(self.conn.peer()) {
            return Ok(Some(replies::LOCAL_NETWORK_ONLY));
        }
        // RFC 5321 §4.3.1: the client waits for the greeting. Programs that send spam do not.
        if self.role == Role::Smtp
            && timeout(limits::EARLY_TALK, self.conn.readable()).await.is_ok()
        {
            if self.starts_tls_early() {
                return Ok(Some(replies::TLS_ON_PLAIN_PORT));
            }
            return Ok((!self.conn.buffered().is_empty()).then_some(replies::EARLY_TALKER));
        }
        Ok(None)
    }

    /// The record header of a TLS handshake (RFC 8446 §5.1).
    fn starts_tls_early(&self) -> bool {
        self.conn.buffered().first() == Some(&0x16)
    }

    /// The next line; `None` at the end of the stream or after what ends the session.
    async fn read_command(&mut self) -> Result<Option<Line>, ConnError> {
        self.conn.readable().await?;
        if self.starts_tls_early() {
            self.say(&replies::TLS_ON_PLAIN_PORT);
            self.linger().await?;
            return Ok(None);
        }
        match self.conn.read_line(limits::COMMAND_LINE_MAX).await? {
            Line::Eof => Ok(None),
            line => Ok(Some(line)),
        }
    }

    async fn answer(&mut self, line: &Line) -> Result<Next, ConnError> {
        let Line::Full(line) = line else {
            self.say(&replies::LINE_TOO_LONG);
            return Ok(self.count_error());
        };
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(err) => return self.answer_error(err, line).await,
        };
        if is_idle(&command) {
            self.counters.idle += 1;
            if self.counters.idle > limits::IDLE_COMMANDS_MAX {
                self.say(&replies::TOO_MANY_COMMANDS);
                return Ok(Next::Close);
            }
        }
        let reply = match command {
            Command::Hello(kind, name) => self.hello(kind, name),
            Command::Mail(mail) => return Ok(self.mail(mail)),
            Command::Rcpt(rcpt) => return Ok(self.rcpt(rcpt).await),
            Command::Data => return Box::pin(self.data()).await,
            Command::Bdat { size, is_last } => return Box::pin(self.bdat(size, is_last)).await,
            Command::Auth { mechanism, initial } => {
                return Box::pin(self.auth(&mechanism, initial)).await;
            }
            Command::StartTls => return self.start_tls().await,
            Command::Rset => {
                self.transaction = None;
                replies::OK
            }
            Command::Noop => replies::OK,
            Command::Vrfy => self.login_refusal().unwrap_or(replies::VRFY),
            Command::Help => replies::HELP,
            Command::NotImplemented => replies::NOT_IMPLEMENTED,
            Command::Quit => {
                self.say(&replies::BYE);
                return Ok(Next::Close);
            }
        };
        Ok(self.conclude(&reply))
    }

    /// Says a reply and counts it if it is a refusal.
    pub(crate) fn conclude(&mut self, reply: &Reply) -> Next {
        self.say(reply);
        if reply.is_refusal() { self.count_error() } else { Next::Command }
    }

    fn count_error(&mut self) -> Next {
        self.counters.errors += 1;
        if self.counters.errors < limits::ERRORS_MAX {
            return Next::Command;
        }
        tracing::info!(
            session = self.conn.session(),
            peer = %self.conn.peer(),
            "sent away after too many errors"
        );
        self.say(&replies::TOO_MANY_ERRORS);
        Next::Close
    }

    async fn answer_error(&mut self, err: CommandError, line: &[u8]) -> Result<Next, ConnError> {
        tracing::debug!(session = self.conn.session(), %err, "not a command");
        if err == CommandError::Unknown && self.hello.is_none() && is_http(line) {
            self.say(&replies::NOT_A_WEB_SERVER);
            self.linger().await?;
            return Ok(Next::Close);
        }
        self.say(&err.reply());
        if err == CommandError::ChunkSize {
            // Where the octets of the chunk end and the next command starts cannot be known.
            self.linger().await?;
            return Ok(Next::Close);
        }
        Ok(self.count_error())
    }

    /// What stands between a client and mail on a port that wants a login.
    pub(crate) fn login_refusal(&self) -> Option<Reply> {
        if !self.role.requires_login() || self.account.is_some() {
            return None;
        }
        Some(if self.conn.may_send_password() {
            replies::LOGIN_REQUIRED
        } else {
            replies::STARTTLS_FIRST
        })
    }

    async fn start_tls(&mut self) -> Result<Next, ConnError> {
        if self.conn.is_tls() {
            return Ok(self.conclude(&replies::TLS_ALREADY));
        }
        if self.account.is_some() {
            return Ok(self.conclude(&replies::TLS_AFTER_LOGIN));
        }
        self.say(&replies::READY_FOR_TLS);
        self.conn.flush().await?;
        self.conn.start_tls().await?;
        // RFC 3207 §4.2: what was known before TLS is forgotten.
        self.hello = None;
        self.transaction = None;
        Ok(Next::Command)
    }

    /// Lets a client that is still sending read what we said last: what it sends is thrown away, within
    /// narrow bounds, until it hangs up. Closing at once would reset the connection under our words.
    pub(crate) async fn linger(&mut self) -> Result<(), ConnError> {
        self.conn.flush().await?;
        let drain = async {
            let mut drained = 0;
            while drained < limits::LINGER_BYTES {
                let n = self.conn.fill().await?.len();
                if n == 0 {
                    break;
                }
                self.conn.consume(n);
                drained += n;
            }
            Ok::<(), ConnError>(())
        };
        match timeout(limits::LINGER, drain).await {
            Ok(Err(ConnError::Shutdown)) => Err(ConnError::Shutdown),
            _ => Ok(()),
        }
    }

    /// The last words, if there is somebody to hear them.
    async fn part(mut self, end: Result<(), ConnError>) {
        if let Err(err) = end {
            tracing::debug!(session = self.conn.session(), peer = %self.conn.peer(), %err, "ended");
            match err {
                // RFC 5321 §3.8: 421 before the connection is given up.
                ConnError::TimedOut => self.say(&replies::TIMED_OUT),
                ConnError::NoLogin => self.say(&replies::LOGIN_TIMED_OUT),
                ConnError::Shutdown => self.say(&replies::STOPPING),
                ConnError::Revoked => self.say(&replies::LOGIN_ENDED),
                ConnError::Flood => self.say(&replies::LINE_TOO_LONG),
                // Its sending side is closed; it may still read what it was promised.
                ConnError::Closed => {}
                _ => return,
            }
            self.conn.set_timeout(limits::LINGER);
        }
        self.conn.close().await;
    }
}

/// True for what brings no message forward by itself.
fn is_idle(command: &Command) -> bool {
    !matches!(
        command,
        Command::Rcpt(_) | Command::Data | Command::Bdat { size: 1.., .. } | Command::Quit
    )
}

/// A browser, or a page that makes one speak to us.
fn is_http(line: &[u8]) -> bool {
    [&b"GET "[..], b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"CONNECT "]
        .iter()
        .any(|verb| line.starts_with(verb))
}
