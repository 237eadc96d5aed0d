//! The writing end of the log. Only the writer thread has it.
//!
//! Bytes behind the indexed end belong to acts that were not acknowledged: they are cut off at open and
//! when a group is given up.

use std::sync::Arc;

use super::{
    FRAME_BYTES, Header, LoggedDelivery, Place, RECORD_HEADER_BYTES, SEGMENT_BYTES,
    SEGMENT_HEADER_BYTES, Segments, header_of, list, path_of,
};
use crate::codec::to_postcard;
use crate::staging::StagedInner;
use crate::{DiskFile, StoreError};

/// The end of the log: the next record goes here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogEnd {
    /// The segment; 0 before the first.
    pub(crate) segment: u32,
    /// Bytes in it.
    pub(crate) offset: u64,
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct Log {
    readers: Arc<Segments>,
    file: Option<Arc<dyn DiskFile>>,
    end: LogEnd,
    /// Highest segment number ever used here.
    last_number: u32,
    unsynced: bool,
}

impl Log {
    /// Goes on behind the last indexed record; what stands behind it was never acknowledged.
    pub(crate) fn open(readers: Arc<Segments>, indexed: LogEnd) -> Result<Self, StoreError> {
        let numbers =
            list(&*readers.disk, &readers.dir).map_err(StoreError::io("listing the segments"))?;
        let mut log = Self {
            readers,
            file: None,
            end: indexed,
            last_number: indexed.segment,
            unsynced: false,
        };
        for &number in numbers.iter().filter(|&&n| n > indexed.segment) {
            log.remove(number)?;
        }
        if indexed.segment > 0 {
            match log.reopen() {
                Ok(()) => {}
                // Mail goes on into a new segment; what was lost shows when it is read or checked.
                Err(e) => tracing::error!(err = %e, "the last segment is damaged"),
            }
        }
        Ok(log)
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let path = path_of(&self.readers.dir, self.end.segment);
        let file =
            self.readers.disk.open(&path, false).map_err(StoreError::io("opening a segment"))?;
        let len = file.len().map_err(StoreError::io("opening a segment"))?;
        if len < self.end.offset {
            return Err(StoreError::Damaged(format!("segment {} is short", self.end.segment)));
        }
        if len > self.end.offset {
            tracing::info!(bytes = len - self.end.offset, "unacknowledged log tail cut off");
            file.set_len(self.end.offset).map_err(StoreError::io("cutting a segment"))?;
        }
        self.file = Some(file);
        Ok(())
    }

    fn remove(&mut self, number: u32) -> Result<(), StoreError> {
        self.readers.forget(number);
        let (disk, dir) = (&self.readers.disk, &self.readers.dir);
        disk.remove(&path_of(dir, number)).map_err(StoreError::io("removing a segment"))?;
        disk.sync_dir(dir).map_err(StoreError::io("removing a segment"))
    }

    pub(crate) fn end(&self) -> LogEnd {
        self.end
    }

    /// Begins the next segment.
    fn roll(&mut self) -> Result<(), StoreError> {
        self.sync()?;
        let number = self.last_number.checked_add(1).ok_or(StoreError::LimitReached("segments"))?;
        let doing = "making a segment";
        let path = path_of(&self.readers.dir, number);
        let file = self.readers.disk.open(&path, true).map_err(StoreError::io(doing))?;
        self.last_number = number;
        file.set_len(0).map_err(StoreError::io(doing))?;
        file.write_at(&header_of(number), 0).map_err(StoreError::io(doing))?;
        self.readers.disk.sync_dir(&self.readers.dir).map_err(StoreError::io(doing))?;
        self.file = Some(file);
        self.end = LogEnd { segment: number, offset: SEGMENT_HEADER_BYTES };
        self.unsynced = true;
        Ok(())
    }

    /// Appends a content with its delivery record; durable after [`Log::sync`].
    pub(crate) fn append(
        &mut self,
        staged: &StagedInner,
        delivery: &LoggedDelivery,
    ) -> Result<Place, StoreError> {
        if self.file.is_none() || self.end.offset >= SEGMENT_BYTES {
            self.roll()?;
        }
        let meta = to_postcard(delivery)?;
        let header = Header {
            meta_len: u32::try_from(meta.len())
                .map_err(|_| StoreError::Misuse("a delivery record over 4 GB"))?,
            frames: u32::try_from(staged.frames.len()).map_err(|_| StoreError::TooLarge)?,
            data_len: staged.packed.len(),
            size: staged.size,
            hash: staged.hash,
        };
        let head = header.encode(&meta, &staged.frames);
        let place = Place {
            segment: self.end.segment,
            offset: self.end.offset,
            table_at: u32::try_from(RECORD_HEADER_BYTES + meta.len())
                .map_err(|_| StoreError::Misuse("a delivery record over 4 GB"))?,
            data_len: header.data_len,
            size: staged.size,
        };
        let Some(file) = &self.file else { return Err(StoreError::Closed) };
        self.unsynced = true;
        write_record(&**file, self.end.offset, &head, staged)?;
        self.end.offset = place.end();
        Ok(place)
    }

    /// Makes all appended records durable.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        if !self.unsynced {
            return Ok(());
        }
        if let Some(file) = &self.file
            && let Err(e) = file.sync_data()
        {
            // After a failed sync the kernel may have dropped the pages and report the next sync as
            // good: never write behind them again.
            self.file = None;
            return Err(StoreError::io("syncing a segment")(e));
        }
        self.unsynced = false;
        Ok(())
    }

    /// Gives up what was appended since `mark`.
    pub(crate) fn roll_back(&mut self, mark: LogEnd) {
        if self.end == mark && !self.unsynced {
            return;
        }
        for number in mark.segment + 1..=self.last_number {
            if let Err(e) = self.remove(number) {
                tracing::warn!(err = %e, "an unused segment stays until the next start");
            }
        }
        let same = self.file.is_some() && self.end.segment == mark.segment;
        self.end = mark;
        self.unsynced = false;
        if !same {
            self.file = None;
        }
        if let Some(file) = &self.file
            && let Err(e) = file.set_len(mark.offset)
        {
            // The next record goes into a new segment.
            tracing::warn!(err = %e, "a given-up record could not be cut off");
            self.file = None;
        }
    }
}

fn write_record(
    file: &dyn DiskFile,
    mut at: u64,
    head: &[u8],
    staged: &StagedInner,
) -> Result<(), StoreError> {
    file.write_at(head, at).map_err(StoreError::io("writing a segment"))?;
    at += head.len() as u64;
    staged.packed.for_each_piece(FRAME_BYTES, |piece| {
        file.write_at(piece, at).map_err(StoreError::io("writing a segment"))?;
        at += piece.len() as u64;
        Ok(())
    })
}
