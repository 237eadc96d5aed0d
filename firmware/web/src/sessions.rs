//! Web sessions: who holds which cookie. In memory only; a restart signs everybody out.
//!
//! The cookie is 256 random bits; kept is only its hash, so that a dump of the memory signs nobody in.
//! Limits: as many as the budget says, then the one unused for longest goes; 30 minutes without a request
//! (12 hours in the wizard), 12 hours in all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{AccountId, Timestamp, hex};
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

impl Who {
    /// Who signs in with that number; the office's is the login `admin`'s.
    pub(crate) fn of(account: AccountId) -> Self {
        if account == store::OFFICE { Self::Admin } else { Self::Account(account) }
    }

    /// The account that connections and credentials count for; the login `admin` has the office's number.
    pub(crate) fn account(self) -> Option<AccountId> {
        match self {
            Self::Setup | Self::Token(_) | Self::Socket(_) => None,
            Self::Admin => Some(store::OFFICE),
            Self::Account(id) => Some(id),
        }
    }
}

/// The hash of a cookie.
pub(crate) type Key = [u8; 32];

/// Where a session was opened.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) address: IpAddr,
    /// What it calls itself, cut; empty if it does not.
    pub(crate) client: String,
    pub(crate) at: Timestamp,
}

/// A session, as it is told.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) number: u64,
    pub(crate) key: Key,
    pub(crate) who: Who,
    pub(crate) browser: Browser,
}

#[derive(Debug)]
struct Entry {
    who: Who,
    number: u64,
    browser: Browser,
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
    /// The number of the next one.
    next: AtomicU64,
    max: usize,
}

/// The key of a cookie's value.
pub(crate) fn key_of(token: &str) -> Key {
    *blake3::hash(token.as_bytes()).as_bytes()
}

impl Sessions {
    pub(crate) fn new(max: u32) -> Self {
        let max = usize::try_from(max).unwrap_or(usize::MAX).max(1);
        Self { entries: Mutex::default(), next: AtomicU64::new(1), max }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session; gives the cookie's value, or `None` when there is no randomness to be had.
    pub(crate) fn open(&self, who: Who, browser: Browser) -> Option<String> {
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
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { who, number, browser, created: now, seen: now };
        entries.insert(key_of(&token), entry);
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

    /// Those that stand for somebody, of one or all, the oldest first.
    pub(crate) fn list(&self, wanted: Option<Who>) -> Vec<Shown> {
        let now = Instant::now();
        let entries = self.entries();
        let live = entries.iter().filter(|(_, entry)| !entry.is_over(now));
        let shown = live.filter(|(_, entry)| wanted.is_none_or(|who| entry.who == who));
        let mut shown: Vec<Shown> = shown
            .map(|(key, entry)| Shown {
                number: entry.number,
                key: *key,
                who: entry.who,
                browser: entry.browser.clone(),
            })
            .collect();
        shown.sort_by_key(|it| it.number);
        shown
    }

    /// Ends the session of that number, if it is of `who` (or whosever it is); true if there was one.
    pub(crate) fn end(&self, number: u64, who: Option<Who>) -> bool {
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|_, it| it.number != number || who.is_some_and(|who| it.who != who));
        entries.len() < before
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

    fn browser() -> Browser {
        let address = IpAddr::from([192, 0, 2, 1]);
        Browser { address, client: "Firefox".to_owned(), at: Timestamp(7) }
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_end_by_themselves() {
        let sessions = Sessions::new(10);
        let idle = sessions.open(Who::Admin, browser()).unwrap();
        let busy = sessions.open(Who::Account(AccountId(1)), browser()).unwrap();
        let setup = sessions.open(Who::Setup, browser()).unwrap();
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
        let first = sessions.open(Who::Admin, browser()).unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = sessions.open(Who::Account(AccountId(1)), browser()).unwrap();
        let third = sessions.open(Who::Account(AccountId(1)), browser()).unwrap();
        assert!(sessions.find(&first).is_none() && sessions.find(&second).is_some());
        let (kept, _) = sessions.find(&third).unwrap();
        sessions.close_all(Who::Account(AccountId(1)), Some(&kept));
        assert!(sessions.find(&second).is_none() && sessions.find(&third).is_some());
        let [shown] = &sessions.list(Some(Who::Account(AccountId(1))))[..] else { panic!() };
        assert_eq!((shown.key, shown.browser.client.as_str()), (kept, "Firefox"));
        assert!(!sessions.end(shown.number, Some(Who::Admin)), "another's");
        assert!(sessions.end(shown.number, None) && !sessions.end(shown.number, None));
        sessions.close(&kept);
        assert!(sessions.find(&third).is_none() && sessions.find("").is_none());
    }
}
