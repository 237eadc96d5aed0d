//! When the rows of the index are written once more, so that a lost index can be made again though segments
//! of the log go.
//!
//! They are due as soon as there are none that lead on, and else once the log behind them and the segments
//! that wait for them are four times their size, and a segment at least: what is written for them stays a
//! fraction of what the log takes.

use std::sync::{MutexGuard, PoisonError};

use crate::rows_file::{self, RowsFile};
use crate::segment::SEGMENT_BYTES;
use crate::{Store, StoreError, meta};

/// How much more there must be to save than the rows were large.
const WORTH: u64 = 4;

impl Store {
    fn rows_file(&self) -> MutexGuard<'_, Option<RowsFile>> {
        self.inner.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The segments below this one are no longer needed for what they say of rows.
    pub(super) fn covered(&self) -> u32 {
        self.rows_file().map_or(0, |rows| rows.end.segment)
    }

    /// Writes the rows if they are due. That they cannot be written keeps nothing else from being done.
    pub(crate) async fn keep_rows(&self) -> Result<(), StoreError> {
        let store = self.clone();
        let kept = tokio::task::spawn_blocking(move || {
            if !store.disk_is_low() && store.rows_are_due()? { store.write_rows() } else { Ok(()) }
        });
        match kept.await.map_err(|_| StoreError::Closed)? {
            Err(e @ (StoreError::Io { .. } | StoreError::DiskFull)) => {
                tracing::warn!(err = %e, "the rows of the index could not be kept");
                Ok(())
            }
            other => other,
        }
    }

    fn rows_are_due(&self) -> Result<bool, StoreError> {
        let Some(rows) = *self.rows_file() else { return Ok(true) };
        let view = self.snapshot()?;
        let (end, _) = meta::log_end(&view)?;
        let numbers = self.inner.segments.numbers()?;
        let leads_on = meta::unlogged(&view)? <= rows.group && numbers.contains(&rows.end.segment);
        if !leads_on {
            return Ok(true);
        }
        let mut bytes = 0u64;
        for number in numbers.into_iter().filter(|n| (rows.end.segment..=end.segment).contains(n)) {
            bytes += self.inner.segments.len(number)?;
        }
        let behind = bytes.saturating_sub(rows.end.offset);
        let waiting = self.waiting_bytes(rows.end.segment);
        Ok(behind + waiting >= SEGMENT_BYTES.max(rows.bytes.saturating_mul(WORTH)))
    }

    fn write_rows(&self) -> Result<(), StoreError> {
        let options = &self.inner.options;
        let written = rows_file::write(&*options.disk, &options.dir, &self.snapshot()?)?;
        tracing::info!(
            bytes = written.bytes,
            group = written.group,
            "the rows of the index are kept"
        );
        *self.rows_file() = Some(written);
        Ok(())
    }
}
