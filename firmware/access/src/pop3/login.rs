//! USER, PASS and AUTH. RFC 1939 §7, RFC 5034; the mechanisms are `session::sasl`'s.
//!
//! Passwords are checked by `session::Auth`; what a client hears tells nobody whether a name exists.

use session::sasl::{self, Exchange, Step};
use session::{Line, LoginError, Protocol, Refusal};

use super::maildrop::Maildrop;
use super::reply::{Answer, Fail, Outcome, bad, err, of_store, ok};
use super::session::Session;

impl Session {
    fn may_log_in(&self) -> Result<(), Fail> {
        if self.maildrop.is_some() {
            return Err(bad("You are logged in already"));
        }
        if !self.conn.may_send_password() {
            return Err(err("Use STLS or port 995 first"));
        }
        Ok(())
    }

    /// USER. Every name is taken: only with the password it becomes wrong.
    pub(super) fn user(&mut self, name: Vec<u8>) -> Outcome {
        self.may_log_in()?;
        self.user = Some(name);
        ok("Now the password")
    }

    /// PASS.
    pub(super) async fn pass(&mut self, password: &[u8]) -> Outcome {
        self.may_log_in()?;
        let Some(name) = self.user.take() else { return Err(bad("USER comes first")) };
        self.check(&String::from_utf8_lossy(&name), password).await
    }

    /// AUTH.
    pub(super) async fn auth(
        &mut self,
        mechanism: Option<&str>,
        initial: Option<Vec<u8>>,
    ) -> Outcome {
        self.may_log_in()?;
        match mechanism {
            // Older than any RFC on AUTH, and how Outlook asks.
            None => {
                self.say(format_args!("+OK Mechanisms follow"));
                for mechanism in sasl::mechanisms(&self.conn) {
                    self.say(format_args!("{}", mechanism.name()));
                }
                self.say(format_args!("."));
                Ok(Answer::Given)
            }
            Some(mechanism) => self.exchange(mechanism, initial).await,
        }
    }

    async fn exchange(&mut self, mechanism: &str, initial: Option<Vec<u8>>) -> Outcome {
        let Some(mut exchange) = Exchange::new(mechanism, &self.conn, Protocol::Pop3) else {
            return Err(err("[AUTH] This mechanism is not offered"));
        };
        let mut response = match initial {
            Some(initial) => initial,
            None => self.challenge(exchange.first_challenge()).await?,
        };
        loop {
            let Some(bytes) = sasl::decode_base64(&response) else {
                return Err(err("[AUTH] This is not base64"));
            };
            match exchange.step(&bytes).await {
                Ok(Step::Challenge(challenge)) => response = self.challenge(&challenge).await?,
                Ok(Step::Done(login)) => return self.enter(&login).await,
                Err(refused) => return Err(self.refused(exchange.login(), &refused)),
            }
        }
    }

    /// Asks for one response; the base64 text without its line end.
    async fn challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Fail> {
        self.say(format_args!("+ {}", sasl::encode_base64(challenge)));
        self.conn.flush().await?;
        self.conn.mask_next_line();
        let line = match self.conn.read_line(sasl::RESPONSE_MAX).await? {
            Line::Full(line) => line,
            Line::TooLong => return Err(err("[AUTH] The response is too long")),
            Line::Eof => return Err(Fail::End),
        };
        let text = line.trim_ascii_end().to_vec();
        // RFC 5034 §4: the client gives up.
        if text == b"*" { Err(err("Authentication cancelled")) } else { Ok(text) }
    }

    async fn check(&mut self, login: &str, password: &[u8]) -> Outcome {
        let auth = self.conn.ctx().auth.clone();
        let peer = self.conn.peer();
        match auth.login(login, password, peer, Protocol::Pop3).await {
            Ok(login) => self.enter(&login).await,
            Err(refused) => Err(self.refused(login, &refused)),
        }
    }

    fn refused(&self, login: &str, refused: &LoginError) -> Fail {
        let (session, peer) = (self.conn.session(), self.conn.peer());
        tracing::info!(session, %peer, account = login, err = %refused, "pop3 login refused");
        match refused {
            LoginError::AppPasswordNeeded | LoginError::OtherProtocol => {
                err(format!("[AUTH] {}", refused.advice().unwrap_or_default()))
            }
            LoginError::Wrong | LoginError::CodeNeeded | LoginError::WrongCode => {
                err("[AUTH] Wrong name or password")
            }
            LoginError::Throttled(_) => {
                err("[LOGIN-DELAY] Too many wrong tries, wait some minutes")
            }
            LoginError::Disabled => err("[AUTH] This account may not log in"),
            LoginError::Busy => err("[SYS/TEMP] Too busy, try again later"),
            LoginError::Unavailable => err("[SYS/TEMP] The password cannot be checked now"),
            LoginError::Malformed => err("[AUTH] This is not a message of the mechanism"),
            LoginError::NotAllowed => err("[AUTH] Acting as another is not allowed"),
            LoginError::Store(refused) => Fail::Answer(of_store(session, refused)),
        }
    }

    /// From AUTHORIZATION to TRANSACTION: with the lock, or not at all (RFC 1939 §4).
    async fn enter(&mut self, login: &session::Login) -> Outcome {
        let account = &login.account;
        let Some(lock) = self.maildrops.lock(account.id).await else {
            return Err(err("[IN-USE] Another POP3 session has this mailbox open"));
        };
        let maildrop = Maildrop::open(&self.store(), account.id, lock)?;
        match self.conn.set_login(account.id, login.app_password) {
            Ok(()) => {}
            Err(Refusal::Account) => {
                return Err(err("[SYS/TEMP] The account has too many connections"));
            }
            Err(_) => return Err(err("[SYS/TEMP] Too many connections, try again later")),
        }
        let messages = maildrop.uids.len();
        tracing::info!(
            session = self.conn.session(),
            peer = %self.conn.peer(),
            account = %account.address,
            tls = self.conn.is_tls(),
            "pop3 login"
        );
        self.logged_in(maildrop);
        Ok(Answer::Ok(format!("Logged in, {messages} messages").into()))
    }
}
