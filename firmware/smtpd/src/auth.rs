//! AUTH. RFC 4954; the mechanisms are `session::sasl`'s.
//!
//! No password is asked for or taken in plain text, the loopback excepted. What the client hears never
//! tells an unknown name from a wrong password.

use session::sasl::{self, Exchange, Step};
use session::{ConnError, Line, Login, LoginError, Protocol};
use smtp::{HelloKind, Reply};

use crate::session::{Next, Session};
use crate::{limits, replies};

/// The exchange is over before there was a password.
enum Broken {
    Said(Reply),
    Gone(ConnError),
}

impl From<ConnError> for Broken {
    fn from(err: ConnError) -> Self {
        Self::Gone(err)
    }
}

impl Session {
    pub(crate) async fn auth(
        &mut self,
        mechanism: &str,
        initial: Option<String>,
    ) -> Result<Next, ConnError> {
        if let Some(refusal) = self.auth_refusal() {
            return Ok(self.conclude(&refusal));
        }
        let Some(mut exchange) = Exchange::new(mechanism, &self.conn, Protocol::Smtp) else {
            return Ok(self.conclude(&replies::UNKNOWN_MECHANISM));
        };
        match self.exchange(&mut exchange, initial).await {
            Ok(Ok(login)) => Ok(self.logged_in(*login)),
            Ok(Err(err)) => Ok(self.login_failed(&err)),
            Err(Broken::Said(reply)) => Ok(self.conclude(&reply)),
            Err(Broken::Gone(err)) => Err(err),
        }
    }

    /// Carries the messages of the mechanism.
    async fn exchange(
        &mut self,
        exchange: &mut Exchange,
        initial: Option<String>,
    ) -> Result<Result<Box<Login>, LoginError>, Broken> {
        let mut response = match initial {
            Some(initial) => initial.into_bytes(),
            None => self.ask(exchange.first_challenge()).await?,
        };
        loop {
            let Some(bytes) = sasl::decode_base64(&response) else {
                return Err(Broken::Said(replies::BAD_BASE64));
            };
            match exchange.step(&bytes).await {
                Ok(Step::Challenge(challenge)) => response = self.ask(&challenge).await?,
                Ok(Step::Done(login)) => return Ok(Ok(login)),
                Err(LoginError::Malformed) => return Err(Broken::Said(replies::BAD_BASE64)),
                Err(err) => return Ok(Err(err)),
            }
        }
    }

    fn auth_refusal(&self) -> Option<Reply> {
        if !self.role.offers_auth() {
            return Some(replies::NOT_IMPLEMENTED);
        }
        match &self.hello {
            Some(hello) if hello.kind != HelloKind::Helo => {}
            _ => return Some(replies::HELLO_FIRST),
        }
        // RFC 4954 §4: once a session, and not during a mail transaction.
        if self.account.is_some() {
            return Some(replies::AUTH_ALREADY);
        }
        if self.transaction.is_some() {
            return Some(replies::AUTH_IN_MAIL);
        }
        (!self.conn.may_send_password()).then_some(replies::ENCRYPTION_REQUIRED)
    }

    /// Sends a challenge and reads the response, still in base64.
    async fn ask(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Broken> {
        self.say(&replies::challenge(sasl::encode_base64(challenge)));
        self.conn.flush().await?;
        self.conn.mask_next_line();
        let read = self.conn.read_line(limits::SASL_LINE_MAX);
        let line = tokio::time::timeout(limits::COMMAND, read).await;
        match line.unwrap_or(Err(ConnError::TimedOut))? {
            Line::Full(line) => match line.strip_suffix(b"\r\n") {
                // RFC 4954 §4: `*` cancels.
                Some(b"*") => Err(Broken::Said(replies::CANCELLED)),
                Some(response) => Ok(response.to_vec()),
                None => Err(Broken::Said(smtp::CommandError::BareLineEnd.reply())),
            },
            Line::TooLong => Err(Broken::Said(replies::SASL_TOO_LONG)),
            Line::Eof => Err(Broken::Gone(ConnError::Closed)),
        }
    }

    fn logged_in(&mut self, login: Login) -> Next {
        let Login { account, app_password } = login;
        if let Some(hello) = &self.hello {
            self.conn.set_client(&hello.name);
        }
        if self.conn.set_login(account.id, app_password).is_err() {
            self.say(&replies::TOO_MANY_OF_ACCOUNT);
            return Next::Close;
        }
        tracing::info!(
            session = self.conn.session(),
            peer = %self.conn.peer(),
            account = %account.id,
            service = self.role.name(),
            "login"
        );
        self.account = Some(account);
        self.counters.idle = 0;
        self.conclude(&replies::LOGGED_IN)
    }

    fn login_failed(&mut self, err: &LoginError) -> Next {
        let reply = match err {
            LoginError::AppPasswordNeeded => replies::APP_PASSWORD_NEEDED,
            LoginError::OtherProtocol => replies::OTHER_PROTOCOL,
            LoginError::Wrong
            | LoginError::CodeNeeded
            | LoginError::WrongCode
            | LoginError::NotAllowed
            | LoginError::Malformed => replies::WRONG_PASSWORD,
            // Only who has the right password is told.
            LoginError::Disabled => replies::LOGIN_DISABLED,
            LoginError::Throttled(_)
            | LoginError::Busy
            | LoginError::Unavailable
            | LoginError::Store(_) => replies::LOGIN_LATER,
        };
        tracing::info!(
            session = self.conn.session(),
            peer = %self.conn.peer(),
            service = self.role.name(),
            reply = reply.code(),
            %err,
            "login refused"
        );
        self.count_failure(&reply)
    }

    fn count_failure(&mut self, reply: &Reply) -> Next {
        self.counters.auth_failures += 1;
        if self.counters.auth_failures >= limits::AUTH_FAILURES_MAX {
            self.say(reply);
            self.say(&replies::TOO_MANY_ERRORS);
            return Next::Close;
        }
        self.conclude(reply)
    }
}
