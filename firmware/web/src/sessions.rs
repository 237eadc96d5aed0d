//! Web sessions: who holds which cookie. In memory only; a restart signs everybody out.
//!
//! The cookie is 256 random bits; kept is only its hash, so that a dump of the memory signs nobody in.
//! Limits: as many as the budget says, then the one unused for longest goes; 30 minutes without a request
//! (12 hours in the wizard), 12 hours in all.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{AccountId, hex};
use tokio::time::Instant;

/// Without a request, a session ends after this.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// In any case it ends after this.
const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);

/// Whom a session stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Somebody who typed the setup code.
    Setup,
    /// The login `admin`.
    Admin,
    /// An account.
    Account(AccountId),
    /// A token of the API, by its number. Never a session.
    Token(u32),
    /// A process of this machine at the unix socket, by its user. Never a session.
    Socket(u32),
}

/// The hash of a cookie.
pub(crate) type Key = [u8; 32];

#[derive(Debug)]
struct Entry {
    who: Who,
    created: Instant,
    seen: Instant,
}

impl Entry {
    fn is_over(&self, now: Instant) -> bool {
        let idle = if self.who == Who::Setup { ABSOLUTE } else { IDLE };
        now.duration_since(self.created) >= ABSOLUTE || now.duration_since(self.seen) >= idle
    }
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    entries: Mutex<BTreeMap<Key, Entry>>,
    max: usize,
}

fn key_of(token: &str) -> Key {
    *blake3::hash(token.as_bytes()).as_bytes()
}

impl Sessions {
    pub(crate) fn new(max: u32) -> Self {
        let max = usize::try_from(max).unwrap_or(usize::MAX).max(1);
        Self { entries: Mutex::default(), max }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session; gives the cookie's value, or `None` when there is no randomness to be had.
    pub(crate) fn open(&self, who: Who) -> Option<String> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).ok()?;
        let token = hex::encode(&random);
        let now = Instant::now();
        let mut entries = self.entries();
        if entries.len() >= self.max {
            entries.retain(|_, entry| !entry.is_over(now));
        }
        if entries.len() >= self.max {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.seen).map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                entries.remove(&oldest);
            }
        }
        entries.insert(key_of(&token), Entry { who, created: now, seen: now });
        Some(token)
    }

    /// Whose cookie this is; counts as a request.
    pub(crate) fn find(&self, token: &str) -> Option<(Key, Who)> {
        let key = key_of(token);
        let now = Instant::now();
        let mut entries = self.entries();
        let entry = entries.get_mut(&key)?;
        if entry.is_over(now) {
            entries.remove(&key);
            return None;
        }
        entry.seen = now;
        Some((key, entry.who))
    }

    /// Ends a session.
    pub(crate) fn close(&self, key: &Key) {
        self.entries().remove(key);
    }

    /// Ends all sessions of `who` but `kept`.
    pub(crate) fn close_all(&self, who: Who, kept: Option<&Key>) {
        self.entries().retain(|key, entry| entry.who != who || kept == Some(key));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let now = Instant::now();
        self.entries().values().filter(|entry| !entry.is_over(now)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sessions_end_by_themselves() {
        let sessions = Sessions::new(10);
        let idle = sessions.open(Who::Admin).unwrap();
        let busy = sessions.open(Who::Account(AccountId(1))).unwrap();
        let setup = sessions.open(Who::Setup).unwrap();
        for _ in 0..23 {
            tokio::time::advance(Duration::from_secs(29 * 60)).await;
            assert!(sessions.find(&busy).is_some());
        }
        assert!(sessions.find(&idle).is_none());
        assert!(sessions.find(&setup).is_some(), "the wizard waits for the admin's coffee");
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(sessions.find(&busy).is_none() && sessions.find(&setup).is_none());
        assert_eq!(sessions.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_makes_room_and_a_person_can_be_signed_out() {
        let sessions = Sessions::new(2);
        let first = sessions.open(Who::Admin).unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = sessions.open(Who::Account(AccountId(1))).unwrap();
        let third = sessions.open(Who::Account(AccountId(1))).unwrap();
        assert!(sessions.find(&first).is_none() && sessions.find(&second).is_some());
        let (kept, _) = sessions.find(&third).unwrap();
        sessions.close_all(Who::Account(AccountId(1)), Some(&kept));
        assert!(sessions.find(&second).is_none() && sessions.find(&third).is_some());
        sessions.close(&kept);
        assert!(sessions.find(&third).is_none() && sessions.find("").is_none());
    }
}
