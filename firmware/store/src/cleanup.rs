//! Space comes back: a segment of which less than three quarters are live is emptied into the end of the
//! log, a little at a time, and then removed. Contents that nothing links end here.
//!
//! A segment is removed at a later look than the one that emptied it (readers look a content up and read it
//! soon), after a checkpoint (no replay needs it), and never while a snapshot is held. A crash anywhere
//! leaves a segment that is found empty again.
//!
//! Never here: a damaged content is moved. Its segment stays as it is, for whoever mends it.

mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use base::BlobId;

use crate::blob::{self, Blob};
use crate::codec::{In, blob_key};
use crate::index::{T, View};
use crate::{Store, StoreError, meta, segment_row};

/// Bytes of live records that one step moves (a larger one moves alone). With the caller's pauses between
/// steps this is the throttle.
const STEP_BYTES: u64 = 1024 * 1024;
/// Contents that one step moves or ends.
const STEP_CONTENTS: usize = 256;
/// Rows of contents that one step looks at.
const STEP_ROWS: u64 = 100_000;

/// What the clean-up remembers between its steps; all of it is found again after a restart.
#[derive(Debug, Default)]
pub(crate) struct Cleaning {
    /// The segment that is being emptied, and the content from which on to look.
    at: Option<(u32, BlobId)>,
    /// Empty segments with the look at which they became so.
    empty: BTreeMap<u32, u64>,
    /// Segments with a damaged content.
    stuck: BTreeSet<u32>,
    looks: u64,
}

/// What a step does.
#[derive(Debug)]
struct Step {
    segment: u32,
    contents: Vec<BlobId>,
    /// From where the next step looks; `None`: the segment is empty behind this one.
    next: Option<BlobId>,
}

impl Store {
    fn cleaning(&self) -> MutexGuard<'_, Cleaning> {
        self.inner.cleaning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a bounded part of a segment that is mostly dead; true if more is to do.
    pub(crate) async fn clean_step(&self) -> Result<bool, StoreError> {
        let store = self.clone();
        let step = tokio::task::spawn_blocking(move || store.plan_step());
        let Some(step) = step.await.map_err(|_| StoreError::Closed)?? else { return Ok(false) };
        let Step { segment, contents, next } = step;
        if !contents.is_empty() {
            self.check_space()?;
            self.act(move |tx| {
                contents.iter().try_for_each(|&id| blob::leave_segment(tx, id, segment))
            })
            .await?;
        }
        let mut cleaning = self.cleaning();
        cleaning.at = next.map(|next| (segment, next));
        if next.is_none() {
            let look = cleaning.looks;
            cleaning.empty.insert(segment, look);
        }
        Ok(true)
    }

    /// The segment that the clean-up takes next: the oldest that is mostly dead.
    fn next_to_clean(&self, view: &impl View) -> Result<Option<u32>, StoreError> {
        // Where the log is damaged nothing is moved or removed.
        if meta::lost(view)?.is_some() {
            return Ok(None);
        }
        let (end, _) = meta::log_end(view)?;
        let cleaning = self.cleaning();
        for segment in self.inner.segments.numbers()? {
            let is_out = cleaning.stuck.contains(&segment) || cleaning.empty.contains_key(&segment);
            if segment >= end.segment || is_out {
                continue;
            }
            let row = segment_row::of(view, segment)?;
            let total = match row.total {
                0 => self.inner.segments.len(segment)?,
                total => total,
            };
            if row.live.saturating_mul(4) < total.saturating_mul(3) {
                return Ok(Some(segment));
            }
        }
        Ok(None)
    }

    /// Bytes of empty segments that wait for rows of a segment beyond `covered`.
    fn waiting_bytes(&self, covered: u32) -> u64 {
        let waiting: Vec<u32> = self.cleaning().empty.range(covered..).map(|(n, _)| *n).collect();
        waiting.into_iter().map(|n| self.inner.segments.len(n).unwrap_or(0)).sum()
    }

    fn plan_step(&self) -> Result<Option<Step>, StoreError> {
        let view = self.snapshot()?;
        let Some(segment) = self.next_to_clean(&view)? else { return Ok(None) };
        let from = match self.cleaning().at {
            Some((at, from)) if at == segment => from,
            _ => BlobId(0),
        };
        let (mut contents, mut live, mut next) = (Vec::new(), Vec::new(), None);
        let (mut bytes, mut rows) = (0, 0);
        view.scan(T::Blob, &blob_key(from), &[], &mut |key, row| {
            let id = BlobId(In::plain(key, "content number").u64()?);
            if bytes >= STEP_BYTES || contents.len() >= STEP_CONTENTS || rows >= STEP_ROWS {
                next = Some(id);
                return Ok(false);
            }
            rows += 1;
            let content = Blob::decode(row)?;
            if content.place.segment == segment {
                contents.push(id);
                if content.links > 0 {
                    bytes += content.place.record_len();
                    live.push(content);
                }
            }
            Ok(true)
        })?;
        for content in &live {
            if let Err(e) = self.inner.segments.verify(&content.place, &content.hash) {
                tracing::error!(err = %e, segment, "a segment with damage is not cleaned up");
                self.cleaning().stuck.insert(segment);
                return Ok(None);
            }
        }
        Ok(Some(Step { segment, contents, next }))
    }

    /// Removes the segments that were empty at an earlier look.
    pub(crate) async fn remove_empty_segments(&self) -> Result<(), StoreError> {
        let due: Vec<u32> = {
            let mut cleaning = self.cleaning();
            cleaning.looks += 1;
            let now = cleaning.looks;
            let old = cleaning.empty.iter().filter(|(_, look)| now > **look + 1);
            old.map(|(segment, _)| *segment).collect()
        };
        if due.is_empty() || self.inner.holds.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        // No replay begins in them behind this.
        self.checkpoint().await?;
        let covered = self.covered();
        for segment in due {
            // Without the rows a lost index could not be made again. But mail must have room.
            if segment >= covered && !self.disk_is_low() {
                continue;
            }
            let is_gone = self.act(move |tx| {
                let row = segment_row::of(&tx.tables, segment)?;
                if row.live > 0 || tx.log.end().segment <= segment {
                    return Ok(false);
                }
                segment_row::remove(tx, segment)?;
                Ok(true)
            });
            if is_gone.await? && self.inner.holds.load(Ordering::SeqCst) == 0 {
                let segments = std::sync::Arc::clone(&self.inner.segments);
                let removed = tokio::task::spawn_blocking(move || segments.remove(segment));
                removed.await.map_err(|_| StoreError::Closed)??;
                tracing::info!(segment, "a segment was cleaned up");
            }
            self.cleaning().empty.remove(&segment);
        }
        Ok(())
    }
}
