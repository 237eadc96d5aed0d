//! The face for the audit log. There is no way here to change or remove a row.

use tokio::sync::watch;

use crate::audit::{self, rows};
use crate::{AuditEvent, AuditFilter, AuditPage, Store, StoreError, meta};

/// # Errors
/// All may fail with `Io`, `Index`, `Damaged` or (acts) `Closed`, after which the outcome is unknown.
impl Store {
    /// Writes a row for something that is no act of the store: a sign-in, a restart. Acts write their own.
    /// It is done already: no judge is asked.
    pub async fn audit(&self, event: AuditEvent) -> Result<(), StoreError> {
        self.unjudged().act(move |tx| audit::note(tx, event.clone())).await
    }

    /// Rows with lower numbers than `before` (all, without), newest first, at most `limit`. A page may be
    /// short, or empty, and have a next one: so many rows are looked at and no more.
    pub fn audit_rows(
        &self,
        before: Option<u64>,
        limit: usize,
        filter: &AuditFilter,
    ) -> Result<AuditPage, StoreError> {
        rows::before(&self.snapshot()?, before, limit, filter)
    }

    /// Rows with higher numbers than `after`, oldest first, at most `limit`. `next` is the number of the last
    /// row that was looked at: the `after` of the next page.
    pub fn audit_after(
        &self,
        after: u64,
        limit: usize,
        filter: &AuditFilter,
    ) -> Result<AuditPage, StoreError> {
        rows::after(&self.snapshot()?, after, limit, filter)
    }

    /// How many rows have higher numbers than `after`, at most; none was taken away behind it.
    pub fn audit_len_after(&self, after: u64) -> Result<u64, StoreError> {
        Ok(meta::audit_next(&self.snapshot()?)?.saturating_sub(after.saturating_add(1)))
    }

    /// Wakes when the audit log has new rows.
    #[must_use]
    pub fn watch_audit(&self) -> watch::Receiver<u64> {
        self.inner.watchers.audit()
    }
}
