//! The writing end of the log. Only the writer thread has it.
//!
//! A group is begun by its first record and ended by its changes; what a group that was given up left is
//! cut off, or the log goes on in a new segment that says where it goes on.

use std::sync::Arc;

use base::{BlobHash, BlobId};

use super::changes::{Packer, Tie};
use super::header::{Salt, SegmentHeader};
use super::record::encode_delivery;
use super::{
    FRAME_BYTES, Header, LoggedDelivery, Place, RECORD_HEADER_BYTES, SEGMENT_BYTES,
    SEGMENT_HEADER_BYTES, Segments, list, path_of,
};
use crate::replay::Replayed;
use crate::staging::StagedInner;
use crate::{DiskFile, StoreError};

/// Bytes of records that are gathered before they are written.
const GATHER_BYTES: usize = 1024 * 1024;

/// The end of the log: the next record goes here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogEnd {
    /// The segment; 0 before the first.
    pub(crate) segment: u32,
    /// Bytes in it.
    pub(crate) offset: u64,
}

/// The group that is being written.
#[derive(Debug, Default)]
struct Open {
    begin: LogEnd,
    contents: u32,
    tie: Tie,
    /// Segments that were begun.
    made: Vec<u32>,
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct Log {
    readers: Arc<Segments>,
    /// The last segment with its salt; `None`: the next record begins a new one.
    file: Option<(Arc<dyn DiskFile>, Salt)>,
    end: LogEnd,
    /// Records that stand before `end` and are not written yet.
    gathered: Vec<u8>,
    /// Highest segment number ever used here.
    last_number: u32,
    /// Segments that were left and of which the index does not know yet, with their bytes.
    left: Vec<(u32, u64)>,
    unsynced: bool,
    /// The changes of the open group may stand in the file: a replay would take them.
    is_whole: bool,
    open: Open,
    packer: Packer,
}

impl Log {
    /// Goes on where a replay ended. What stands behind is cut off unless it must stay; then a new segment
    /// is begun.
    pub(crate) fn open(
        readers: Arc<Segments>,
        Replayed { end, last_number, left, must_stay, .. }: Replayed,
    ) -> Result<Self, StoreError> {
        let mut log = Self {
            readers,
            file: None,
            end,
            gathered: Vec::new(),
            last_number,
            left,
            unsynced: false,
            is_whole: false,
            open: Open { begin: end, ..Open::default() },
            packer: Packer::new()?,
        };
        if must_stay {
            return Ok(log);
        }
        let numbers = list(&*log.readers.disk, &log.readers.dir)
            .map_err(StoreError::io("listing the segments"))?;
        for &number in numbers.iter().filter(|&&n| n > end.segment) {
            log.remove(number)?;
        }
        if end.segment > 0 {
            match log.reopen() {
                Ok(()) => {}
                // Mail goes on into a new segment; what was lost shows when it is read or checked.
                Err(e) => tracing::error!(err = %e, "the last segment is damaged"),
            }
        }
        Ok(log)
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let doing = "opening a segment";
        let path = path_of(&self.readers.dir, self.end.segment);
        let file = self.readers.disk.open(&path, false).map_err(StoreError::io(doing))?;
        let len = file.len().map_err(StoreError::io(doing))?;
        if len < self.end.offset {
            return Err(StoreError::Damaged(format!("segment {} is short", self.end.segment)));
        }
        if len > self.end.offset {
            tracing::info!(bytes = len - self.end.offset, "unacknowledged log tail cut off");
            file.set_len(self.end.offset).map_err(StoreError::io("cutting a segment"))?;
            file.sync_data().map_err(StoreError::io("cutting a segment"))?;
        }
        // A segment of format 1 has no salt: it takes no changes.
        let head = SegmentHeader::read(&*file, self.end.segment)?;
        self.file = head.map(|head| (file, head.salt));
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

    /// Begins a group.
    pub(crate) fn begin(&mut self) {
        self.open = Open { begin: self.end, ..Open::default() };
        self.is_whole = false;
    }

    /// Makes sure that there is room for a record, in a new segment if need be. Behind this, changes that
    /// the group appends stay in the segment.
    pub(crate) fn make_room(&mut self) -> Result<(), StoreError> {
        if self.file.is_none() || self.end.offset >= SEGMENT_BYTES { self.roll() } else { Ok(()) }
    }

    /// True if the group has records.
    pub(crate) fn has_records(&self) -> bool {
        self.open.contents > 0
    }

    /// Segments that were left since the last group, with their bytes.
    pub(crate) fn left(&self) -> &[(u32, u64)] {
        &self.left
    }

    /// The index knows the group.
    pub(crate) fn committed(&mut self) {
        self.left.clear();
        self.is_whole = false;
    }

    /// Begins the next segment.
    fn roll(&mut self) -> Result<(), StoreError> {
        self.sync()?;
        let number = self.last_number.checked_add(1).ok_or(StoreError::LimitReached("segments"))?;
        let doing = "making a segment";
        let header = SegmentHeader::new(number, self.end)?;
        let path = path_of(&self.readers.dir, number);
        let file = self.readers.disk.open(&path, true).map_err(StoreError::io(doing))?;
        self.last_number = number;
        self.open.made.push(number);
        file.set_len(0).map_err(StoreError::io(doing))?;
        file.write_at(&header.encode(), 0).map_err(StoreError::io(doing))?;
        self.readers.disk.sync_dir(&self.readers.dir).map_err(StoreError::io(doing))?;
        if self.end.segment > 0 {
            self.left.push((self.end.segment, self.end.offset));
        }
        self.file = Some((file, header.salt));
        self.end = LogEnd { segment: number, offset: SEGMENT_HEADER_BYTES };
        if self.open.contents == 0 {
            self.open.begin = self.end;
        }
        self.unsynced = true;
        Ok(())
    }

    /// Appends a content with its delivery record; durable after [`Log::sync`].
    pub(crate) fn append(
        &mut self,
        id: BlobId,
        staged: &StagedInner,
        delivery: &LoggedDelivery,
    ) -> Result<Place, StoreError> {
        self.make_room()?;
        let meta = encode_delivery(id, delivery)?;
        let too_long = || StoreError::Misuse("a delivery record over 4 GB");
        let header = Header {
            meta_len: u32::try_from(meta.len()).map_err(|_| too_long())?,
            frames: u32::try_from(staged.frames.len()).map_err(|_| StoreError::TooLarge)?,
            data_len: staged.packed.len(),
            size: staged.size,
            hash: staged.hash,
        };
        let head = header.encode(&meta, &staged.frames);
        let place = Place {
            segment: self.end.segment,
            offset: self.end.offset,
            table_at: u32::try_from(RECORD_HEADER_BYTES + meta.len()).map_err(|_| too_long())?,
            data_len: header.data_len,
            size: staged.size,
        };
        if let Some(sum) = head.get(RECORD_HEADER_BYTES - 8..RECORD_HEADER_BYTES)
            && let Ok(sum) = sum.try_into()
        {
            self.open.tie.add(sum);
        }
        self.open.contents += 1;
        self.write(&head)?;
        staged.packed.for_each_piece(FRAME_BYTES, |piece| self.write(piece))?;
        Ok(place)
    }

    /// Appends a content that stands in an older segment once more; durable after [`Log::sync`]. The
    /// caller has verified it: a replay gives up at a content that is damaged.
    pub(crate) fn append_copy(
        &mut self,
        id: BlobId,
        old: &Place,
        hash: BlobHash,
    ) -> Result<Place, StoreError> {
        let (delivery, frames) = self.readers.head_of(old)?;
        self.make_room()?;
        let meta = encode_delivery(id, &delivery)?;
        let too_long = || StoreError::Misuse("a delivery record over 4 GB");
        let header = Header {
            meta_len: u32::try_from(meta.len()).map_err(|_| too_long())?,
            frames: u32::try_from(frames.len()).map_err(|_| StoreError::TooLarge)?,
            data_len: old.data_len,
            size: old.size,
            hash,
        };
        let head = header.encode(&meta, &frames);
        let place = Place {
            segment: self.end.segment,
            offset: self.end.offset,
            table_at: u32::try_from(RECORD_HEADER_BYTES + meta.len()).map_err(|_| too_long())?,
            ..*old
        };
        if let Some(sum) = head.get(RECORD_HEADER_BYTES - 8..RECORD_HEADER_BYTES)
            && let Ok(sum) = sum.try_into()
        {
            self.open.tie.add(sum);
        }
        self.open.contents += 1;
        self.write(&head)?;
        let readers = Arc::clone(&self.readers);
        readers.each_packed_piece(old, &mut |piece| self.write(piece))?;
        Ok(place)
    }

    /// Ends the group with its changes. [`Log::make_room`] came before.
    pub(crate) fn append_changes(&mut self, group: u64, changes: &[u8]) -> Result<(), StoreError> {
        let Some((_, salt)) = &self.file else { return Err(StoreError::Closed) };
        let (begin, contents) = (self.open.begin, self.open.contents);
        let tie = &self.open.tie;
        let record = self.packer.encode((group, begin), (contents, tie), salt, changes)?;
        self.is_whole = true;
        self.write(&record)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.unsynced = true;
        self.gathered.extend_from_slice(bytes);
        self.end.offset += bytes.len() as u64;
        if self.gathered.len() >= GATHER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let Some((file, _)) = &self.file else { return Err(StoreError::Closed) };
        let at = self.end.offset - self.gathered.len() as u64;
        file.write_at(&self.gathered, at).map_err(StoreError::io("writing a segment"))?;
        self.gathered.clear();
        Ok(())
    }

    /// Makes all appended records durable.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        if !self.unsynced {
            return Ok(());
        }
        self.flush()?;
        if let Some((file, _)) = &self.file
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

    /// Gives up what was appended since `mark`, the end of the last good group. When this returns, no crash
    /// brings it back; an error means that this is not certain.
    pub(crate) fn roll_back(&mut self, mark: LogEnd) -> Result<(), StoreError> {
        self.gathered.clear();
        if self.end == mark && !self.unsynced && !self.is_whole {
            return Ok(());
        }
        for number in std::mem::take(&mut self.open.made) {
            if let Err(e) = self.remove(number) {
                tracing::warn!(err = %e, "an unused segment stays");
            }
        }
        let same = self.file.is_some() && self.end.segment == mark.segment;
        self.left.retain(|(segment, _)| *segment < mark.segment);
        self.end = mark;
        self.unsynced = false;
        if !same {
            self.file = None;
        }
        let was_whole = std::mem::take(&mut self.is_whole);
        if let Some((file, _)) = &self.file
            && let Err(e) = cut(&**file, mark.offset, was_whole)
        {
            tracing::warn!(err = %e, "a given-up record could not be cut off");
            self.file = None;
        }
        if was_whole && self.file.is_none() {
            // The new segment says where the log goes on: a replay passes over what was given up.
            self.open = Open { begin: mark, ..Open::default() };
            self.roll()?;
            self.sync()?;
        }
        Ok(())
    }
}

/// Cuts a file, for good if a crash must not bring back what is cut.
fn cut(file: &dyn DiskFile, len: u64, for_good: bool) -> std::io::Result<()> {
    file.set_len(len)?;
    if for_good { file.sync_data() } else { Ok(()) }
}
