//! LOGIN and AUTHENTICATE. RFC 9051 §6.2.2 and §6.2.3, RFC 4959 (SASL-IR); the mechanisms
//! are `session::sasl`'s.
//!
//! Passwords are checked by `session::Auth`; what a client hears tells nobody whether a name exists.

use session::sasl::{self, Exchange, Step};
use session::{Line, LoginError, Protocol};

use super::reply::{Answer, Fail, Outcome, no, of_store};
use super::session::Session;

impl Session {
    fn may_log_in(&self) -> Result<(), Fail> {
        if self.account.is_some() {
            return Err(Fail::Answer(Answer::Bad("you are logged in already".into())));
        }
        if !self.conn.may_send_password() {
            return Err(no("[PRIVACYREQUIRED] Use STARTTLS or port 993 first"));
        }
        Ok(())
    }

    /// LOGIN.
    pub(super) async fn login(&mut self, login: &[u8], password: &[u8]) -> Outcome {
        self.may_log_in()?;
        self.check(&String::from_utf8_lossy(login), password).await
    }

    async fn check(&mut self, login: &str, password: &[u8]) -> Outcome {
        let auth = self.conn.ctx().auth.clone();
        match auth.login(login, password, self.conn.peer(), Protocol::Imap).await {
            Ok(login) => self.log_in(&login),
            Err(err) => Err(self.refused(login, &err)),
        }
    }

    /// RFC 5530 §3: a client must be able to tell a wrong password from what passes.
    fn refused(&self, login: &str, err: &LoginError) -> Fail {
        let (session, peer) = (self.conn.session(), self.conn.peer());
        tracing::info!(session, %peer, account = login, %err, "imap login refused");
        match err {
            // RFC 5530 §3; where there are words on what to do, RFC 9051 §7.1: a client must show an ALERT.
            LoginError::AppPasswordNeeded | LoginError::OtherProtocol => {
                no(format!("[ALERT] {}", err.advice().unwrap_or_default()))
            }
            LoginError::Wrong | LoginError::CodeNeeded | LoginError::WrongCode => {
                no("[AUTHENTICATIONFAILED] Wrong name or password")
            }
            LoginError::Throttled(_) => no("[LIMIT] Too many wrong tries, wait some minutes"),
            LoginError::Disabled => no("[CONTACTADMIN] This account may not log in"),
            LoginError::Busy => no("[UNAVAILABLE] Too busy, try again later"),
            LoginError::Unavailable => no("[UNAVAILABLE] The password cannot be checked now"),
            LoginError::Malformed => {
                no("[AUTHENTICATIONFAILED] This is not a message of the mechanism")
            }
            LoginError::NotAllowed => no("[AUTHORIZATIONFAILED] Acting as another is not allowed"),
            LoginError::Store(err) => Fail::Answer(of_store(session, err)),
        }
    }

    /// AUTHENTICATE.
    pub(super) async fn authenticate(
        &mut self,
        mechanism: &str,
        initial: Option<Vec<u8>>,
    ) -> Outcome {
        self.may_log_in()?;
        let Some(mut exchange) = Exchange::new(mechanism, &self.conn, Protocol::Imap) else {
            return Err(no("[CANNOT] This mechanism is not offered"));
        };
        let mut response = match initial {
            Some(initial) => initial,
            None => self.challenge(exchange.first_challenge()).await?,
        };
        loop {
            let Some(bytes) = sasl::decode_base64(&response) else {
                return Err(no("[AUTHENTICATIONFAILED] This is not base64"));
            };
            match exchange.step(&bytes).await {
                Ok(Step::Challenge(challenge)) => response = self.challenge(&challenge).await?,
                Ok(Step::Done(login)) => return self.log_in(&login),
                Err(err) => return Err(self.refused(exchange.login(), &err)),
            }
        }
    }

    /// Asks for one response; the base64 text without its line end.
    async fn challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Fail> {
        self.conn.write(format!("+ {}\r\n", sasl::encode_base64(challenge)).as_bytes());
        self.conn.flush().await?;
        self.conn.mask_next_line();
        let line = match self.conn.read_line(sasl::RESPONSE_MAX).await? {
            Line::Full(line) => line,
            Line::TooLong => return Err(no("[AUTHENTICATIONFAILED] The response is too long")),
            Line::Eof => return Err(Fail::End),
        };
        let text = line.trim_ascii_end().to_vec();
        // RFC 9051 §6.2.2: the client gives up.
        if text == b"*" {
            return Err(Fail::Answer(Answer::Bad("authentication cancelled".into())));
        }
        Ok(text)
    }
}
