//! The POP3 server on 110 and 995: RFC 1939 with CAPA and response codes (RFC 2449, RFC 3206), STLS
//! (RFC 2595) and AUTH (RFC 5034).
//!
//! One file per group of commands. The grammar is in [`parse`] and does no I/O; what a session knows of
//! its maildrop is in [`maildrop`]. The maildrop is INBOX as it stood at the login; one session an
//! account has it. What a client reads with RETR gets `\Seen` when it says QUIT, in the same act that
//! removes what it deleted: an IMAP client beside it shows what the POP3 client has.
//!
//! APOP is not offered: it needs the password in the clear in the store. UTF8 and LANG are not
//! either.
//!
//! Limits: a command 4 KB, a SASL response 12 KB; 10 bad commands before login, 100 in a row after it;
//! 60 seconds to log in, 10 minutes of silence after it. A message is streamed, lists come by pages.
//!
//! Never here: a message in memory as a whole, a map of the maildrop's messages per connection.

mod capability;
mod listing;
mod login;
mod maildrop;
pub(crate) mod parse;
mod reply;
mod retrieve;
mod session;
mod tls;
mod update;

use std::time::Duration;

use ::session::{Conn, Refusal, Service};

pub use maildrop::Maildrops;

/// How long a connection may last without a login.
const LOGIN_WITHIN: Duration = Duration::from_secs(60);

/// The POP3 service of one kind of port.
#[derive(Clone, Debug)]
pub struct Pop3 {
    implicit_tls: bool,
    maildrops: Maildrops,
}

impl Pop3 {
    /// Port 995 has TLS from the first byte, port 110 by STLS. All ports share `maildrops`.
    #[must_use]
    pub fn new(implicit_tls: bool, maildrops: Maildrops) -> Self {
        Self { implicit_tls, maildrops }
    }
}

impl Service for Pop3 {
    fn name(&self) -> &'static str {
        if self.implicit_tls { "pop3s" } else { "pop3" }
    }

    fn implicit_tls(&self) -> bool {
        self.implicit_tls
    }

    fn busy_reply(&self, why: Refusal) -> &'static [u8] {
        match why {
            Refusal::Address => b"-ERR [SYS/TEMP] Too many connections from your address\r\n",
            _ => b"-ERR [SYS/TEMP] Too many connections, try again later\r\n",
        }
    }

    fn login_within(&self) -> Option<Duration> {
        Some(LOGIN_WITHIN)
    }

    async fn run(&self, conn: Conn) {
        session::Session::new(conn, self.maildrops.clone()).serve().await;
    }
}
