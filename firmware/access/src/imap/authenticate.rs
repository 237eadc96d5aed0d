//! LOGIN and AUTHENTICATE. RFC 9051 §6.2.2 and §6.2.3, RFC 4616 (PLAIN), RFC 4959 (SASL-IR).
//!
//! Passwords are checked by `session::Auth`; what a client hears tells nobody whether a name exists.

use session::{Line, LoginError, sasl};

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
        let peer = self.conn.peer();
        let err = match auth.login(login, password, peer).await {
            Ok(account) => return self.log_in(&account),
            Err(err) => err,
        };
        tracing::info!(session = self.conn.session(), %peer, account = login, %err, "imap login refused");
        Err(match err {
            LoginError::Wrong => no("[AUTHENTICATIONFAILED] Wrong name or password"),
            LoginError::Throttled => no("[LIMIT] Too many wrong tries, wait some minutes"),
            LoginError::Disabled => no("[CONTACTADMIN] This account may not log in"),
            LoginError::Busy => no("[UNAVAILABLE] Too busy, try again later"),
            LoginError::Store(err) => Fail::Answer(of_store(self.conn.session(), &err)),
        })
    }

    /// AUTHENTICATE.
    pub(super) async fn authenticate(
        &mut self,
        mechanism: &str,
        initial: Option<Vec<u8>>,
    ) -> Outcome {
        self.may_log_in()?;
        match mechanism {
            "PLAIN" => {
                let response = match initial {
                    Some(initial) => initial,
                    None => self.challenge(b"+ \r\n").await?,
                };
                let Some(plain) = sasl::decode_plain(&response) else {
                    return Err(no("[AUTHENTICATIONFAILED] This is not a PLAIN message"));
                };
                // Nobody may act as somebody else.
                if !plain.authzid.is_empty() && plain.authzid != plain.login {
                    return Err(no("[AUTHORIZATIONFAILED] Acting as another is not allowed"));
                }
                self.check(&plain.login, &plain.password).await
            }
            "LOGIN" => {
                // `Username:` and `Password:` in base64, as everybody asks.
                let login = match initial {
                    Some(initial) => initial,
                    None => self.challenge(b"+ VXNlcm5hbWU6\r\n").await?,
                };
                let password = self.challenge(b"+ UGFzc3dvcmQ6\r\n").await?;
                let (Some(login), Some(password)) =
                    (sasl::decode_base64(&login), sasl::decode_base64(&password))
                else {
                    return Err(no("[AUTHENTICATIONFAILED] This is not base64"));
                };
                self.check(&String::from_utf8_lossy(&login), &password).await
            }
            _ => Err(no("[CANNOT] This mechanism is not offered")),
        }
    }

    /// Asks for one response; the base64 text without its line end.
    async fn challenge(&mut self, words: &[u8]) -> Result<Vec<u8>, Fail> {
        self.conn.write(words);
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
