//! Who waits for anything that happens to an account: its messages, its names, what it sees of others.
//!
//! A watcher is one waker under any number of accounts. It is there only while somebody holds it, and says
//! only that it is worth looking.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use base::AccountId;
use tokio::sync::Notify;

/// The wakers of all accounts.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<BTreeMap<AccountId, Vec<Weak<Notify>>>>);

impl Accounts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountId, Vec<Weak<Notify>>>> {
        match self.0.lock() {
            Ok(accounts) => accounts,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// One waker under all of `ids`. Wakers that nobody holds any more go when their account is met.
    pub(super) fn watch(&self, ids: &BTreeSet<AccountId>) -> Arc<Notify> {
        let waker = Arc::new(Notify::new());
        let mut accounts = self.lock();
        for id in ids {
            let waiting = accounts.entry(*id).or_default();
            waiting.retain(|other| other.strong_count() > 0);
            waiting.push(Arc::downgrade(&waker));
        }
        waker
    }

    /// Wakes the watchers of `ids`. A wake that comes between two waits is kept.
    pub(super) fn fire(&self, ids: &BTreeSet<AccountId>) {
        if ids.is_empty() {
            return;
        }
        let mut accounts = self.lock();
        for id in ids {
            let Some(waiting) = accounts.get_mut(id) else { continue };
            waiting.retain(|waker| match waker.upgrade() {
                Some(waker) => {
                    waker.notify_one();
                    true
                }
                None => false,
            });
            if waiting.is_empty() {
                accounts.remove(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wake_is_kept_and_the_dead_are_forgotten() {
        let accounts = Accounts::default();
        let (anna, bert) = (AccountId(1), AccountId(2));
        let both = accounts.watch(&BTreeSet::from([anna, bert]));
        let one = accounts.watch(&BTreeSet::from([anna]));
        accounts.fire(&BTreeSet::from([bert]));
        both.notified().await;
        drop(one);
        accounts.fire(&BTreeSet::from([anna]));
        both.notified().await;
        assert_eq!(accounts.lock().get(&anna).map(Vec::len), Some(1));
        drop(both);
        accounts.fire(&BTreeSet::from([anna, bert]));
        assert!(accounts.lock().is_empty());
    }
}
