//! The maildrop: INBOX as it stood at the login, and the lock that one session an account holds.
//! RFC 1939 §4.
//!
//! It is a set of UID ranges, not a map of messages: 100,000 messages are a few dozen bytes. Message
//! numbers are counted in it and never change.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{AccountId, MailboxId, Uid, UidRanges, UidValidity};
use store::{DropRow, Store, StoreError};
use tokio::sync::Notify;

use super::reply::{Answer, Fail};

/// How long a login waits for another session to end: a client that hangs up and comes back at once may
/// be here before its old connection is seen to be gone.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Which accounts have their maildrop in use. Cheap to clone; all POP3 ports share one.
#[derive(Clone, Debug, Default)]
pub struct Maildrops {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    in_use: Mutex<BTreeSet<AccountId>>,
    released: Notify,
}

impl Shared {
    fn in_use(&self) -> MutexGuard<'_, BTreeSet<AccountId>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The exclusive use of a maildrop, given back when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    shared: Arc<Shared>,
    account: AccountId,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.shared.in_use().remove(&self.account);
        self.shared.released.notify_waiters();
    }
}

impl Maildrops {
    fn try_lock(&self, account: AccountId) -> Option<Lock> {
        let is_free = self.shared.in_use().insert(account);
        is_free.then(|| Lock { shared: self.shared.clone(), account })
    }

    /// The lock of an account's maildrop; `None` if another session keeps it.
    pub(super) async fn lock(&self, account: AccountId) -> Option<Lock> {
        let waiting = async {
            loop {
                // Watch first and try then: what is released in between wakes.
                let released = self.shared.released.notified();
                if let Some(lock) = self.try_lock(account) {
                    return lock;
                }
                released.await;
            }
        };
        tokio::time::timeout(LOCK_WAIT, waiting).await.ok()
    }
}

/// The messages of a session.
#[derive(Debug)]
pub(super) struct Maildrop {
    pub(super) mailbox: MailboxId,
    pub(super) uid_validity: UidValidity,
    pub(super) uids: UidRanges,
    /// Marked by DELE.
    pub(super) deleted: UidRanges,
    /// Read by RETR.
    pub(super) seen: UidRanges,
    /// Octets of all messages, once they were counted.
    pub(super) octets: Option<u64>,
    /// Octets of what is marked.
    pub(super) deleted_octets: u64,
    /// Held as long as the maildrop is known.
    _lock: Lock,
}

impl Maildrop {
    /// INBOX as it stands now.
    pub(super) fn open(store: &Store, account: AccountId, lock: Lock) -> Result<Self, StoreError> {
        let inbox = store.mailbox_by_name(account, "INBOX")?.ok_or(StoreError::NoSuchMailbox)?;
        Ok(Self {
            mailbox: inbox.id,
            uid_validity: inbox.uid_validity,
            uids: store.uids(inbox.id)?,
            deleted: UidRanges::new(),
            seen: UidRanges::new(),
            octets: None,
            deleted_octets: 0,
            _lock: lock,
        })
    }

    /// How many messages are not marked as deleted.
    pub(super) fn count(&self) -> u64 {
        self.uids.len() - self.deleted.len()
    }

    /// The UID of a message that is there and not marked as deleted.
    pub(super) fn uid(&self, message: u32) -> Result<Uid, Fail> {
        let missing = |text: String| Fail::Answer(Answer::Err(text.into()));
        match self.uids.at_seq(message) {
            Some(uid) if self.deleted.contains(uid) => {
                Err(missing(format!("Message {message} is deleted already")))
            }
            Some(uid) => Ok(uid),
            None => Err(missing(format!("No such message, there are {} here", self.uids.len()))),
        }
    }

    /// The message, if another session has not expunged it meanwhile.
    pub(super) fn row(&self, store: &Store, uid: Uid) -> Result<Option<DropRow>, StoreError> {
        Ok(store.drop_rows(self.mailbox, uid, uid, 1)?.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_session_has_the_maildrop() {
        let maildrops = Maildrops::default();
        let first = maildrops.lock(AccountId(1)).await.unwrap();
        assert!(maildrops.try_lock(AccountId(1)).is_none());
        assert!(maildrops.try_lock(AccountId(2)).is_some(), "another's is free");
        let waiting = tokio::spawn({
            let maildrops = maildrops.clone();
            async move { maildrops.lock(AccountId(1)).await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.unwrap(), "who waits gets it when it is released");
        assert!(maildrops.shared.in_use().is_empty());
    }
}
