//! The one list of mechanisms, and the exchange of each: responses in, challenges out, an account at the
//! end.

use std::net::IpAddr;

use store::Account;

use super::scram::{Binding, ClientFirst, Waiting};
use super::split_plain;
use crate::auth::ScramUser;
use crate::{Auth, Conn, Login, LoginError, Protocol};

/// How a client may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 7677, bound to the TLS connection (RFC 9266).
    ScramSha256Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 4616.
    Plain,
    /// Never a standard; what Outlook asks for.
    Login,
}

const ALL: [Mechanism; 4] =
    [Mechanism::ScramSha256Plus, Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login];

impl Mechanism {
    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }
}

/// What a connection is offered, the best first; nothing where a password must not cross it.
#[must_use]
pub fn mechanisms(conn: &Conn) -> Vec<Mechanism> {
    let can_bind = conn.channel_binding().is_some();
    let is_offered = |mechanism: &Mechanism| *mechanism != Mechanism::ScramSha256Plus || can_bind;
    if conn.may_send_password() { ALL.into_iter().filter(is_offered).collect() } else { Vec::new() }
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// The client is sent this and answers.
    Challenge(Vec<u8>),
    /// The client is who it says.
    Done(Box<Login>),
}

enum State {
    Plain,
    /// LOGIN, before the name.
    Name,
    /// LOGIN, behind it.
    Password,
    First {
        is_plus: bool,
    },
    Final(Box<(Waiting, ScramUser)>),
    /// Everything is proved; the client has our proof and says nothing more.
    Proved(Box<Login>),
    Over,
}

/// One attempt to log in.
pub struct Exchange {
    state: State,
    auth: Auth,
    peer: IpAddr,
    protocol: Protocol,
    login: String,
    channel_binding: Option<[u8; 32]>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("login", &self.login).finish_non_exhaustive()
    }
}

impl Exchange {
    /// Begins an exchange; `None` if the connection is not offered a mechanism of that name.
    #[must_use]
    pub fn new(name: &str, conn: &Conn, protocol: Protocol) -> Option<Self> {
        let mechanism =
            mechanisms(conn).into_iter().find(|m| m.name().eq_ignore_ascii_case(name))?;
        let state = match mechanism {
            Mechanism::ScramSha256Plus => State::First { is_plus: true },
            Mechanism::ScramSha256 => State::First { is_plus: false },
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::Name,
        };
        Some(Self {
            state,
            auth: conn.ctx().auth.clone(),
            peer: conn.peer(),
            protocol,
            login: String::new(),
            channel_binding: conn.channel_binding(),
        })
    }

    /// What a client without an initial response is asked.
    #[must_use]
    pub fn first_challenge(&self) -> &'static [u8] {
        if matches!(self.state, State::Name) { b"Username:" } else { b"" }
    }

    /// The name that was given, for the log.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.login
    }

    /// True if the challenge is the last one and needs no response: a protocol that can send it along with
    /// its yes takes one more step with the empty response.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        matches!(self.state, State::Proved(_))
    }

    /// Takes the client's next response.
    ///
    /// # Errors
    /// Why the login is refused; the exchange is over then.
    pub async fn step(&mut self, response: &[u8]) -> Result<Step, LoginError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Plain => self.plain(response).await,
            State::Name => {
                self.login = String::from_utf8_lossy(response).into_owned();
                self.state = State::Password;
                Ok(Step::Challenge(b"Password:".to_vec()))
            }
            State::Password => Ok(Step::Done(Box::new(self.log_in(response).await?))),
            State::First { is_plus } => self.scram_first(is_plus, response).await,
            State::Final(exchange) => self.scram_final(*exchange, response).await,
            State::Proved(login) if response.is_empty() => Ok(Step::Done(login)),
            State::Proved(_) | State::Over => Err(LoginError::Malformed),
        }
    }

    async fn plain(&mut self, response: &[u8]) -> Result<Step, LoginError> {
        let plain = split_plain(response).ok_or(LoginError::Malformed)?;
        self.login = plain.login;
        let login = self.log_in(&plain.password).await?;
        self.may_act_as(&plain.authzid, &login.account)?;
        Ok(Step::Done(Box::new(login)))
    }

    async fn log_in(&self, password: &[u8]) -> Result<Login, LoginError> {
        self.auth.login(&self.login, password, self.peer, self.protocol).await
    }

    /// RFC 4616 §2, RFC 5802 §5.1: whom to act as; here one may be oneself by any of one's names. Asked
    /// behind the password, so that it tells nobody whether a name exists.
    fn may_act_as(&self, authzid: &str, account: &Account) -> Result<(), LoginError> {
        if authzid.is_empty() || self.is_oneself(authzid, account)? {
            return Ok(());
        }
        Err(LoginError::NotAllowed)
    }

    fn is_oneself(&self, authzid: &str, account: &Account) -> Result<bool, LoginError> {
        let mut name = authzid;
        // RFC 4513 §5.2.1.8: there a name says of which kind it is.
        if self.protocol == Protocol::Ldap {
            if let Some(dn) = authzid.strip_prefix("dn:") {
                let entry = self.auth.store().entry(dn)?;
                return Ok(entry.is_some_and(|entry| entry.account == Some(account.id)));
            }
            name = authzid.strip_prefix("u:").unwrap_or(authzid);
        }
        Ok(name == self.login || self.auth.is_name_of(name, account)?)
    }

    async fn scram_first(&mut self, is_plus: bool, message: &[u8]) -> Result<Step, LoginError> {
        let first = ClientFirst::parse(message).ok_or(LoginError::Malformed)?;
        // RFC 5802 §6: who could bind and was offered it has been told otherwise on the way.
        let is_downgraded = first.binding == Binding::Unoffered && self.channel_binding.is_some();
        if is_plus != (first.binding == Binding::Exporter) || is_downgraded {
            return Err(LoginError::Malformed);
        }
        self.login.clone_from(&first.login);
        let user = self.auth.scram_user(&first.login, self.peer, self.protocol).await?;
        let binding = self.channel_binding.filter(|_| is_plus);
        let asked = user.verifiers.first().ok_or(LoginError::Busy)?;
        let waiting = Waiting::new(first, asked, binding).ok_or(LoginError::Busy)?;
        let challenge = waiting.challenge().as_bytes().to_vec();
        self.state = State::Final(Box::new((waiting, user)));
        Ok(Step::Challenge(challenge))
    }

    async fn scram_final(
        &mut self,
        (waiting, user): (Waiting, ScramUser),
        message: &[u8],
    ) -> Result<Step, LoginError> {
        let Some((proved, answer)) = waiting.finish(&user.verifiers, message) else {
            // Counted as a wrong try: a guess could hide in what is not well formed.
            return match self.auth.scram_proved(user, None, self.peer).await {
                Err(LoginError::Wrong) | Ok(_) => Err(LoginError::Malformed),
                Err(err) => Err(err),
            };
        };
        let login = self.auth.scram_proved(user, proved, self.peer).await?;
        self.may_act_as(waiting.authzid(), &login.account)?;
        self.state = State::Proved(Box::new(login));
        Ok(Step::Challenge(answer.into_bytes()))
    }
}
