//! USER, PASS and AUTH. RFC 1939 §7, RFC 5034, RFC 4616 (PLAIN).
//!
//! Passwords are checked by `session::Auth`; what a client hears tells nobody whether a name exists.

use session::{Line, LoginError, sasl};

use super::capability::MECHANISMS;
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
                for mechanism in MECHANISMS {
                    self.say(format_args!("{mechanism}"));
                }
                self.say(format_args!("."));
                Ok(Answer::Given)
            }
            Some("PLAIN") => self.auth_plain(initial).await,
            Some("LOGIN") => self.auth_login(initial).await,
            Some(_) => Err(err("[AUTH] This mechanism is not offered")),
        }
    }

    async fn auth_plain(&mut self, initial: Option<Vec<u8>>) -> Outcome {
        let response = match initial {
            Some(initial) => initial,
            None => self.challenge("").await?,
        };
        let Some(plain) = sasl::decode_plain(&response) else {
            return Err(err("[AUTH] This is not a PLAIN message"));
        };
        // Nobody may act as somebody else.
        if !plain.authzid.is_empty() && plain.authzid != plain.login {
            return Err(err("[AUTH] Acting as another is not allowed"));
        }
        self.check(&plain.login, &plain.password).await
    }

    /// `Username:` and `Password:` in base64, as everybody asks.
    async fn auth_login(&mut self, initial: Option<Vec<u8>>) -> Outcome {
        let login = match initial {
            Some(initial) => initial,
            None => self.challenge("VXNlcm5hbWU6").await?,
        };
        let password = self.challenge("UGFzc3dvcmQ6").await?;
        let (Some(login), Some(password)) =
            (sasl::decode_base64(&login), sasl::decode_base64(&password))
        else {
            return Err(err("[AUTH] This is not base64"));
        };
        self.check(&String::from_utf8_lossy(&login), &password).await
    }

    /// Asks for one response; the base64 text without its line end.
    async fn challenge(&mut self, words: &str) -> Result<Vec<u8>, Fail> {
        self.say(format_args!("+ {words}"));
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
        let refused = match auth.login(login, password, peer).await {
            Ok(account) => return self.enter(&account).await,
            Err(refused) => refused,
        };
        let session = self.conn.session();
        tracing::info!(session, %peer, account = login, err = %refused, "pop3 login refused");
        Err(match refused {
            LoginError::Wrong => err("[AUTH] Wrong name or password"),
            LoginError::Throttled => err("[LOGIN-DELAY] Too many wrong tries, wait some minutes"),
            LoginError::Disabled => err("[AUTH] This account may not log in"),
            LoginError::Busy => err("[SYS/TEMP] Too busy, try again later"),
            LoginError::Store(refused) => Fail::Answer(of_store(session, &refused)),
        })
    }

    /// From AUTHORIZATION to TRANSACTION: with the lock, or not at all (RFC 1939 §4).
    async fn enter(&mut self, account: &store::Account) -> Outcome {
        let Some(lock) = self.maildrops.lock(account.id).await else {
            return Err(err("[IN-USE] Another POP3 session has this mailbox open"));
        };
        let maildrop = Maildrop::open(&self.store(), account.id, lock)?;
        if !self.conn.set_login(account.id) {
            return Err(err("[SYS/TEMP] The account has too many connections"));
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
