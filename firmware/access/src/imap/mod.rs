//! The IMAP server on 143 and 993: IMAP4rev1 (RFC 3501) as IMAP4rev2 (RFC 9051) words it, with the
//! extensions of [`capability`].
//!
//! One file per command. The grammar is in [`parse`] and does no I/O; what a client knows of its mailbox
//! is in [`view`]; [`session`] reads commands, obeys and tells the news.
//!
//! Limits: a command 64 KB a line and 128 KB with its literals (8 KB and 16 KB before login); a message
//! as the budget says, streamed both ways; 10 bad commands before login; 30 minutes of silence.
//!
//! Never here: a message in memory as a whole, a map of a mailbox's messages per connection.

mod acl;
mod append;
mod authenticate;
mod binary;
mod capability;
mod catenate;
mod compress;
mod copy;
mod create;
mod delete;
mod emit;
mod enable;
mod expunge;
mod fetch;
pub(crate) mod fuzzing;
mod idle;
mod list;
mod listening;
mod metadata;
mod mutf7;
mod names;
mod notify;
mod objectid;
mod parse;
mod preview;
mod quick;
mod quota;
mod receive;
mod rename;
mod reply;
mod rights;
mod search;
mod section;
mod select;
mod session;
mod sort;
mod starttls;
mod status;
mod store;
mod subscribe;
mod thread;
mod vanished;
mod view;

use std::time::Duration;

use ::session::{Conn, Refusal, Service};

/// How long a connection may last without a login.
const LOGIN_WITHIN: Duration = Duration::from_secs(60);

/// The IMAP service of one kind of port.
#[derive(Clone, Copy, Debug)]
pub struct Imap {
    implicit_tls: bool,
}

impl Imap {
    /// Port 993 has TLS from the first byte, port 143 by STARTTLS.
    #[must_use]
    pub fn new(implicit_tls: bool) -> Self {
        Self { implicit_tls }
    }
}

impl Service for Imap {
    fn name(&self) -> &'static str {
        if self.implicit_tls { "imaps" } else { "imap" }
    }

    fn implicit_tls(&self) -> bool {
        self.implicit_tls
    }

    fn busy_reply(&self, why: Refusal) -> &'static [u8] {
        match why {
            Refusal::Address => b"* BYE [LIMIT] Too many connections from your address\r\n",
            _ => b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n",
        }
    }

    fn login_within(&self) -> Option<Duration> {
        Some(LOGIN_WITHIN)
    }

    async fn run(&self, conn: Conn) {
        session::Session::new(conn).serve().await;
    }
}
