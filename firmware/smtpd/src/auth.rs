//! AUTH PLAIN and LOGIN. RFC 4954, RFC 4616.
//!
//! No password is asked for or taken in plain text, the loopback excepted. What the client hears never
//! tells an unknown name from a wrong password.

use session::{ConnError, Line, LoginError, sasl};
use smtp::{HelloKind, Mechanism, Reply};

use crate::session::{Next, Session};
use crate::{limits, replies};

/// `Username:` and `Password:` in base64, as Outlook expects them.
const USERNAME: &str = "VXNlcm5hbWU6";
const PASSWORD: &str = "UGFzc3dvcmQ6";

struct Credentials {
    login: String,
    password: Vec<u8>,
}

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
        mechanism: Option<Mechanism>,
        initial: Option<String>,
    ) -> Result<Next, ConnError> {
        if let Some(refusal) = self.auth_refusal() {
            return Ok(self.conclude(&refusal));
        }
        let credentials = match mechanism {
            Some(Mechanism::Plain) => self.plain(initial).await,
            Some(Mechanism::Login) => self.login_exchange(initial).await,
            None => Err(Broken::Said(replies::UNKNOWN_MECHANISM)),
        };
        match credentials {
            Ok(credentials) => Ok(self.check(&credentials).await),
            Err(Broken::Said(reply)) if reply == replies::WRONG_PASSWORD => {
                Ok(self.count_failure(&reply))
            }
            Err(Broken::Said(reply)) => Ok(self.conclude(&reply)),
            Err(Broken::Gone(err)) => Err(err),
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

    async fn plain(&mut self, initial: Option<String>) -> Result<Credentials, Broken> {
        let response = match initial {
            Some(initial) => initial.into_bytes(),
            None => self.ask("").await?,
        };
        let Some(plain) = sasl::decode_plain(&response) else {
            return Err(Broken::Said(replies::BAD_BASE64));
        };
        // RFC 4616 §2: nobody acts as somebody else here.
        if !plain.authzid.is_empty() && plain.authzid != plain.login {
            return Err(Broken::Said(replies::WRONG_PASSWORD));
        }
        Ok(Credentials { login: plain.login, password: plain.password })
    }

    async fn login_exchange(&mut self, initial: Option<String>) -> Result<Credentials, Broken> {
        let login = match initial {
            Some(initial) => initial.into_bytes(),
            None => self.ask(USERNAME).await?,
        };
        let password = self.ask(PASSWORD).await?;
        let login = sasl::decode_base64(&login).and_then(|login| String::from_utf8(login).ok());
        match (login, sasl::decode_base64(&password)) {
            (Some(login), Some(password)) => Ok(Credentials { login, password }),
            _ => Err(Broken::Said(replies::BAD_BASE64)),
        }
    }

    /// Sends a challenge and reads the response, still in base64.
    async fn ask(&mut self, challenge: &'static str) -> Result<Vec<u8>, Broken> {
        self.say(&replies::challenge(challenge));
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

    async fn check(&mut self, credentials: &Credentials) -> Next {
        let auth = self.conn.ctx().auth.clone();
        let peer = self.conn.peer();
        match auth.login(&credentials.login, &credentials.password, peer).await {
            Ok(account) => self.logged_in(account),
            Err(err) => self.login_failed(&err),
        }
    }

    fn logged_in(&mut self, account: store::Account) -> Next {
        if !self.conn.set_login(account.id) {
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
            LoginError::Wrong | LoginError::Disabled => replies::WRONG_PASSWORD,
            LoginError::Throttled | LoginError::Busy | LoginError::Store(_) => replies::LOGIN_LATER,
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
