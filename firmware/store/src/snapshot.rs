//! A consistent state of the store that is held while it is copied: a read transaction of the index, and
//! the segments it names, none of which is removed meanwhile. For backup and replication.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::index::{self, Snapshot};
use crate::{Store, StoreError, disk, meta, segment};

/// A held state; released when it is dropped.
pub struct Held {
    store: Store,
    snapshot: Snapshot,
    segments: Vec<(PathBuf, u64)>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("segments", &self.segments).finish_non_exhaustive()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.store.inner.holds.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Store {
    /// Holds the last committed state: all of it is durable in the segments or in the index that
    /// [`Held::copy_index`] writes.
    ///
    /// # Errors
    /// `Index`, `Io`.
    pub fn hold(&self) -> Result<Held, StoreError> {
        // First the hold, then the state: no segment of it can go in between.
        self.inner.holds.fetch_add(1, Ordering::SeqCst);
        let taken = self.snapshot().and_then(|snapshot| {
            let segments = self.segments_of(&snapshot)?;
            Ok((snapshot, segments))
        });
        match taken {
            Ok((snapshot, segments)) => Ok(Held { store: self.clone(), snapshot, segments }),
            Err(e) => {
                self.inner.holds.fetch_sub(1, Ordering::SeqCst);
                Err(e)
            }
        }
    }

    /// Files and lengths: whole segments, and of the last one what the state knows.
    fn segments_of(&self, snapshot: &Snapshot) -> Result<Vec<(PathBuf, u64)>, StoreError> {
        let (end, _) = meta::log_end(snapshot)?;
        let dir = disk::segments_path(&self.inner.options.dir);
        let mut found = Vec::new();
        for number in self.inner.segments.numbers()? {
            let len = match number.cmp(&end.segment) {
                std::cmp::Ordering::Less => self.inner.segments.len(number)?,
                std::cmp::Ordering::Equal => end.offset,
                std::cmp::Ordering::Greater => continue,
            };
            found.push((segment::path_of(&dir, number), len));
        }
        Ok(found)
    }
}

impl Held {
    /// The segment files with the bytes of each that belong to the state, ascending. The last one grows
    /// behind its length; the others do not change.
    #[must_use]
    pub fn segments(&self) -> &[(PathBuf, u64)] {
        &self.segments
    }

    /// Writes the index of the state into a new file, durably. Takes as long as the index is large: not on
    /// a thread that must not wait.
    ///
    /// # Errors
    /// `Open` if the file cannot be made; `Index`.
    pub fn copy_index(&self, to: &Path) -> Result<(), StoreError> {
        let options = &self.store.inner.options;
        let file = options
            .disk
            .open(to, true)
            .and_then(|file| file.set_len(0).map(|()| file))
            .map_err(|e| StoreError::Open(format!("{}: {e}", to.display())))?;
        let copy = index::open(file, options.cache_bytes / 4)?;
        self.snapshot.copy_to(&copy)
    }
}
