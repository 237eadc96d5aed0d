//! The face for the spool.

use base::{QueueId, Timestamp};
use tokio::sync::watch;

use crate::index::{T, View};
use crate::{Delivery, QueueEntry, RecipientUpdate, Store, StoreError, queue};

/// # Errors
/// All may fail with `Io`, `Index`, `Damaged` or (acts) `Closed`, after which the outcome is unknown.
impl Store {
    /// Entries with a recipient due at `now`, not on hold, earliest first.
    pub fn queue_due(&self, now: Timestamp, limit: usize) -> Result<Vec<QueueEntry>, StoreError> {
        queue::due(&self.snapshot()?, now, limit)
    }

    /// When the next entry that is not on hold falls due.
    pub fn queue_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        queue::next_due(&self.snapshot()?)
    }

    /// Records what became of recipients; an entry with none pending leaves the spool. `notices` (bounces,
    /// delay notices) are delivered in the same transaction. An entry that an admin deleted meanwhile
    /// stays gone, and its notices are not sent.
    pub async fn queue_settle(
        &self,
        id: QueueId,
        updates: Vec<RecipientUpdate>,
        notices: Vec<Delivery>,
    ) -> Result<(), StoreError> {
        self.act(move |tx| queue::settle(tx, id, &updates, &notices)).await
    }

    /// An entry by its id.
    pub fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, StoreError> {
        queue::find(&self.snapshot()?, id)
    }

    /// Entries behind `after`, by id, at most `limit`.
    pub fn queue_list(&self, after: QueueId, limit: usize) -> Result<Vec<QueueEntry>, StoreError> {
        queue::list(&self.snapshot()?, after, limit)
    }

    /// How many entries there are.
    pub fn queue_len(&self) -> Result<u64, StoreError> {
        self.snapshot()?.len(T::Queue)
    }

    /// Makes all pending recipients due now; false if there is no such entry.
    pub async fn queue_retry(&self, id: QueueId) -> Result<bool, StoreError> {
        self.act(move |tx| queue::retry(tx, id)).await
    }

    /// Holds an entry back or lets it go; false if there is no such entry.
    pub async fn queue_hold(&self, id: QueueId, hold: bool) -> Result<bool, StoreError> {
        self.act(move |tx| queue::hold(tx, id, hold)).await
    }

    /// Removes an entry without any notice; false if there is no such entry.
    pub async fn queue_delete(&self, id: QueueId) -> Result<bool, StoreError> {
        self.act(move |tx| queue::delete(tx, id)).await
    }

    /// Wakes when the spool changed.
    #[must_use]
    pub fn watch_queue(&self) -> watch::Receiver<u64> {
        self.inner.watchers.queue()
    }
}
