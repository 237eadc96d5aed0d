//! The LDAP server on 389 and 636: RFC 4510 to RFC 4519 over the directory of the store.
//!
//! One file per group of operations. `directory::frame` says where a message ends, [`message`], [`filter`] and
//! [`controls`] what it says; they do no I/O. Who may do what is decided in `session::rules`, what an entry
//! must be in `directory` and by the store's acts.
//!
//! Limits: a message 64 KB before the bind; 16 MB and a share of the tier's budget after it; 16 operations
//! that wait, what comes behind them is read later; 60 seconds to bind, 15 minutes of silence after it; a
//! search 30 seconds and 10,000 entries (500 for those who did not bind). A search keeps the numbers of its
//! entries, not the entries: a client that reads slowly holds four bytes an entry.
//!
//! Never here: an OID of Active Directory, by which Outlook would take this server for one; a password in
//! an answer or a log.

mod asker;
mod bind;
mod compare;
mod controls;
mod extended;
mod filter;
mod finding;
#[expect(clippy::expect_used, reason = "a fuzzer says so by failing")]
pub mod fuzzing;
mod list;
mod message;
mod password;
mod reply;
mod root;
mod search;
mod seen;
mod select;
mod session;
mod trace;
mod view;
mod write;

use std::sync::Arc;
use std::time::Duration;

use ::session::{Conn, Refusal, Service};
use base::TierBudget;
use directory::{ber, frame};
use tokio::sync::Semaphore;

use crate::finding::Finding;

/// How long a connection may last without a bind.
const BIND_WITHIN: Duration = Duration::from_secs(60);
/// What a large message is counted in, bytes.
const LARGE_UNIT: usize = 64 * 1024;

/// `Notice of Disconnection` (RFC 4511 §4.4.1) with busy (51).
const BUSY: &[u8] =
    b"\x30\x24\x02\x01\x00\x78\x1f\x0a\x01\x33\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036";

/// The LDAP service of one kind of port. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ldap {
    implicit_tls: bool,
    large: Large,
    finding: Finding,
}

/// The room for messages above [`LARGE_UNIT`], of all connections together.
#[derive(Clone, Debug)]
pub(crate) struct Large {
    pub(crate) room: Arc<Semaphore>,
    /// The largest message that is taken, bytes.
    pub(crate) max: usize,
}

impl Large {
    fn of(budget: &TierBudget) -> Self {
        let megabyte = 1024 * 1024;
        let room = usize::try_from(budget.store_memory_mb / 4).unwrap_or(1).max(1) * megabyte;
        let max = (room / 2).min(16 * megabyte);
        Self { room: Arc::new(Semaphore::new(room / LARGE_UNIT)), max }
    }

    /// The units that a message of `len` bytes takes.
    pub(crate) fn units(len: usize) -> u32 {
        u32::try_from(len.div_ceil(LARGE_UNIT)).unwrap_or(u32::MAX)
    }
}

impl Ldap {
    /// The service of port 389, where TLS begins by StartTLS; [`Ldap::over_tls`] makes that of 636.
    #[must_use]
    pub fn new(budget: &TierBudget) -> Self {
        Self { implicit_tls: false, large: Large::of(budget), finding: Finding::new(budget) }
    }

    /// The same service with TLS from the first byte; both share what limits large messages and searches.
    #[must_use]
    pub fn over_tls(&self) -> Self {
        Self { implicit_tls: true, ..self.clone() }
    }
}

impl Service for Ldap {
    fn name(&self) -> &'static str {
        if self.implicit_tls { "ldaps" } else { "ldap" }
    }

    fn implicit_tls(&self) -> bool {
        self.implicit_tls
    }

    fn busy_reply(&self, _: Refusal) -> &'static [u8] {
        if self.implicit_tls { b"" } else { BUSY }
    }

    fn login_within(&self) -> Option<Duration> {
        Some(BIND_WITHIN)
    }

    async fn run(&self, conn: Conn) {
        session::Session::new(conn, self).serve().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busy_reply_is_a_notice_of_disconnection() {
        assert_eq!(BUSY, reply::notice(directory::Code::Busy, ""));
    }
}
