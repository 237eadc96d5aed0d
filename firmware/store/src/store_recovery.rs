//! The face for what was deleted: listing, restoring, and the housekeeping that ends it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base::{AccountId, Address};

use crate::recovery::{
    DeletedAccount, DeletedFilter, DeletedPage, DeletedSum, Restored, accounts, age, block,
    listing, purging, restoring,
};
use crate::{Account, Store, StoreError, audit};

/// # Errors
/// Each method says which refusals are its own; all may fail with `Io`, `Index`, `Damaged` or (acts)
/// `Closed`, after which the outcome of the act is unknown.
impl Store {
    /// Messages of an account that were expunged within the retention time, oldest first, with ids of
    /// `from` or more, at most `limit`.
    pub fn deleted_messages(
        &self,
        account: AccountId,
        filter: &DeletedFilter,
        from: u64,
        limit: usize,
    ) -> Result<DeletedPage, StoreError> {
        listing::page(&self.snapshot()?, account, filter, from, limit)
    }

    /// How much of an account can be restored.
    pub fn deleted_sum(&self, account: AccountId) -> Result<DeletedSum, StoreError> {
        block::sum_of(&self.snapshot()?, account)
    }

    /// Brings deleted messages back: into the mailbox they were in, or `into`, which is made if absent.
    /// They get new UIDs and have no `\Deleted`. `NoSuchAccount`, `OverQuota`, `BadName`,
    /// `LimitReached` beyond 10,000.
    pub async fn restore_messages(
        &self,
        account: AccountId,
        ids: Vec<u64>,
        into: Option<String>,
    ) -> Result<Restored, StoreError> {
        self.act(move |tx| restoring::restore(tx, account, &ids, into.as_deref())).await
    }

    /// Deleted accounts behind `after`, by id, at most `limit`.
    pub fn deleted_accounts(
        &self,
        after: AccountId,
        limit: usize,
    ) -> Result<Vec<DeletedAccount>, StoreError> {
        accounts::list(&self.snapshot()?, after, limit)
    }

    /// What a deleted account was.
    pub fn deleted_account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        accounts::was(&self.snapshot()?, id)
    }

    /// Brings a deleted account back with its mail and its address. Returns the further addresses that it
    /// lost to somebody else. `NoSuchAccount`, `AddressTaken`, `NoSuchDomain`.
    pub async fn restore_account(&self, account: AccountId) -> Result<Vec<Address>, StoreError> {
        self.act_asked(move |tx| accounts::restore(tx, account)).await
    }

    /// One step of housekeeping; `passed` is the monotonic time since the last look, or since the store
    /// was opened; zero for a further step of the same look. Ends a bounded part of what is past the
    /// retention time, or moves a bounded part of a segment that is mostly dead; true if more is due.
    pub async fn keep_house(&self, passed: Duration) -> Result<bool, StoreError> {
        if !passed.is_zero() {
            let is_first = !self.inner.was_aged.swap(true, Ordering::Relaxed);
            self.act(move |tx| {
                let now = tx.now;
                age::advance(tx, passed, now, is_first)
            })
            .await?;
            self.keep_rows().await?;
            self.remove_empty_segments().await?;
        }
        let store = self.clone();
        let due = tokio::task::spawn_blocking(move || {
            purging::due(&store.snapshot()?, &store.settings())
        });
        let due = due.await.map_err(|_| StoreError::Closed)??;
        if audit::rows::is_long(&self.snapshot()?)? {
            self.act(|tx| audit::rows::trim(tx, audit::ROWS_MAX)).await?;
            return Ok(true);
        }
        if due.is_empty() {
            return self.clean_step().await;
        }
        self.act(move |tx| purging::purge(tx, &due)).await?;
        Ok(true)
    }
}
