//! Reads the log behind what the index knows: group by group, each whole or not at all.
//!
//! Only the last group can be torn: each one is durable before the next begins. So a group that does not
//! verify, with nothing behind it, was never acknowledged; one with a later group behind it was, and is
//! damaged.

use std::collections::BTreeMap;

use base::BlobId;

use super::changes::{CHANGES_HEADER_BYTES, ChangesHeader, KIND_CHANGES, Tie};
use super::header::{SEGMENT_HEADER_BYTES, Salt, SegmentHeader};
use super::record::{KIND_CONTENT, MAGIC, decode_delivery};
use super::{Header, LogEnd, Place, RECORD_HEADER_BYTES, Segments, list};
use crate::{DiskFile, StoreError, text};

/// Bytes read at once when looking for records.
const PIECE: usize = 1024 * 1024;

/// A content of a group.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) id: BlobId,
    /// The row for the table of texts; `None` in a walk that passes contents over.
    pub(crate) texts: Option<Vec<u8>>,
}

/// A group that is what was written.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) number: u64,
    pub(crate) contents: Vec<Content>,
    pub(crate) changes: Vec<u8>,
    /// Where it ends.
    pub(crate) end: LogEnd,
}

/// What stands behind the last good group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing, or what was never acknowledged.
    Unacknowledged,
    /// A later group: what was acknowledged before it is damaged.
    Acknowledged,
}

/// A walk over the log.
#[derive(Debug)]
pub(crate) struct Scan<'s> {
    segments: &'s Segments,
    /// All segment files, ascending.
    numbers: Vec<u32>,
    /// The heads of the segments from the beginning of the walk on.
    heads: BTreeMap<u32, SegmentHeader>,
    at: LogEnd,
    group: u64,
    /// Contents are passed over by what their heads say.
    passes_over: bool,
}

enum Record {
    Content(Content, [u8; 8], LogEnd),
    Changes(ChangesHeader, Vec<u8>, LogEnd),
}

/// What is damaged is no record; an error of the disk stays one, so that nothing is cut off because of it.
fn readable<V>(outcome: Result<V, StoreError>) -> Result<Option<V>, StoreError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Damaged(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

impl<'s> Scan<'s> {
    /// A walk from `at`, the end of group `group`.
    pub(crate) fn new(segments: &'s Segments, at: LogEnd, group: u64) -> Result<Self, StoreError> {
        let numbers =
            list(&*segments.disk, &segments.dir).map_err(StoreError::io("listing the segments"))?;
        let mut heads = BTreeMap::new();
        for &number in numbers.iter().filter(|&&number| number >= at.segment) {
            if let Some(head) = SegmentHeader::read(&*segments.file(number)?, number)? {
                heads.insert(number, head);
            }
        }
        Ok(Self { segments, numbers, heads, at, group, passes_over: false })
    }

    /// A walk that looks at no content but at its head: for groups that have others behind them, and so were
    /// durable. A content that is damaged must not end the way to what came later.
    pub(crate) fn passing_over(
        segments: &'s Segments,
        at: LogEnd,
        group: u64,
    ) -> Result<Self, StoreError> {
        Ok(Self { passes_over: true, ..Self::new(segments, at, group)? })
    }

    /// True if the log goes on at the end of the last group.
    pub(crate) fn goes_on(&self) -> bool {
        self.numbers.contains(&self.end().segment)
    }

    /// The highest segment number in use.
    pub(crate) fn last_number(&self) -> u32 {
        self.numbers.last().copied().unwrap_or(0).max(self.at.segment)
    }

    /// The segment that was begun at `at`; of several the last, for those before were given up.
    fn next_segment(&self, at: LogEnd) -> Option<u32> {
        let mut later = self.heads.range(at.segment + 1..).rev();
        later.find(|(_, head)| head.behind == at).map(|(number, _)| *number)
    }

    /// Where the log goes on at `at`: here, or in a segment that was begun then.
    fn follow(&self, mut at: LogEnd) -> LogEnd {
        while let Some(segment) = self.next_segment(at) {
            at = LogEnd { segment, offset: SEGMENT_HEADER_BYTES };
        }
        at
    }

    /// The segments that the log left between the last good group and its end, with their bytes.
    pub(crate) fn left(&self) -> Vec<(u32, u64)> {
        let mut left = Vec::new();
        let mut at = self.at;
        while let Some(next) = self.next_segment(at) {
            if at.segment > 0 {
                left.push((at.segment, at.offset));
            }
            at = LogEnd { segment: next, offset: SEGMENT_HEADER_BYTES };
        }
        left
    }

    /// Where the next record would go.
    pub(crate) fn end(&self) -> LogEnd {
        self.follow(self.at)
    }

    /// The walk goes on behind this group.
    pub(crate) fn accept(&mut self, group: &Group) {
        (self.at, self.group) = (group.end, group.number);
    }

    /// The next group; `None` if none that is whole follows.
    pub(crate) fn next(&self) -> Result<Option<Group>, StoreError> {
        let begin = self.end();
        let mut at = begin;
        let mut tie = Tie::default();
        let mut contents = Vec::new();
        loop {
            if !contents.is_empty() {
                at = self.follow(at);
            }
            match self.record(at)? {
                None => return Ok(None),
                Some(Record::Content(content, sum, end)) => {
                    tie.add(&sum);
                    contents.push(content);
                    at = end;
                }
                Some(Record::Changes(header, changes, end)) => {
                    let fits = header.group == self.group + 1
                        && header.begin == begin
                        && header.contents as usize == contents.len()
                        && header.tie == tie.end();
                    if !fits {
                        return Ok(None);
                    }
                    return Ok(Some(Group { number: header.group, contents, changes, end }));
                }
            }
        }
    }

    fn record(&self, at: LogEnd) -> Result<Option<Record>, StoreError> {
        if !self.numbers.contains(&at.segment) {
            return Ok(None);
        }
        let file = self.segments.file(at.segment)?;
        let Some(head) = read::<CHANGES_HEADER_BYTES>(&*file, at.offset)? else { return Ok(None) };
        match (head.first_chunk::<4>(), head[5]) {
            (Some(MAGIC), KIND_CONTENT) => self.content(&*file, at),
            (Some(MAGIC), KIND_CHANGES) => {
                let Some(head_of) = self.heads.get(&at.segment) else { return Ok(None) };
                let found = changes_at(&*file, &head, at.offset, Some(&head_of.salt))?;
                Ok(found.map(|(header, changes)| {
                    let len = CHANGES_HEADER_BYTES as u64 + u64::from(header.stored_len);
                    let end = LogEnd { offset: at.offset + len, ..at };
                    Record::Changes(header, changes.unwrap_or_default(), end)
                }))
            }
            _ => Ok(None),
        }
    }

    fn content(&self, file: &dyn DiskFile, at: LogEnd) -> Result<Option<Record>, StoreError> {
        let Some(head) = read::<RECORD_HEADER_BYTES>(file, at.offset)? else { return Ok(None) };
        let Some(header) = readable(Header::decode(&head))? else { return Ok(None) };
        let file_len = file.len().map_err(StoreError::io("reading a segment"))?;
        let place = match header.place(at) {
            Some(place) if place.end() <= file_len => place,
            _ => return Ok(None),
        };
        let texts = if self.passes_over {
            None
        } else {
            let mut scanner = message::Scanner::new();
            let verified = self.segments.verify_with(&place, &header.hash, &mut |piece| {
                scanner.feed(piece);
            });
            if readable(verified)?.is_none() {
                return Ok(None);
            }
            Some(text::encode(&scanner.finish())?)
        };
        let tail = usize::try_from(header.tail_len()).unwrap_or(usize::MAX);
        let mut tail = vec![0; tail];
        file.read_at(&mut tail, at.offset + RECORD_HEADER_BYTES as u64)
            .map_err(StoreError::io("reading a segment"))?;
        if !Header::verify(&head, &tail) {
            return Ok(None);
        }
        let meta = tail.get(..header.meta_len as usize).unwrap_or_default();
        let Some((id, _)) = readable(decode_delivery(meta))? else { return Ok(None) };
        let content = Content { id, texts };
        let mut sum = [0; 8];
        sum.copy_from_slice(&head[RECORD_HEADER_BYTES - 8..]);
        let end = LogEnd { offset: place.end(), ..at };
        Ok(Some(Record::Content(content, sum, end)))
    }

    /// What stands behind the last good group.
    pub(crate) fn tail(&self) -> Result<Tail, StoreError> {
        let end = self.end();
        for &number in self.numbers.iter().filter(|&&number| number >= end.segment) {
            let from = if number == end.segment { end.offset } else { 0 };
            let salt = self.heads.get(&number).map(|head| &head.salt);
            if self.has_later_group(number, from, salt)? {
                return Ok(Tail::Acknowledged);
            }
        }
        Ok(Tail::Unacknowledged)
    }

    /// True if a record of changes stands there that is later than the next one.
    fn has_later_group(
        &self,
        number: u32,
        from: u64,
        salt: Option<&Salt>,
    ) -> Result<bool, StoreError> {
        let file = self.segments.file(number)?;
        let len = file.len().map_err(StoreError::io("reading a segment"))?;
        let mut at = from;
        while at + (CHANGES_HEADER_BYTES as u64) <= len {
            let size = usize::try_from(len - at).unwrap_or(PIECE).min(PIECE);
            let mut piece = vec![0; size];
            file.read_at(&mut piece, at).map_err(StoreError::io("reading a segment"))?;
            let places = piece.windows(MAGIC.len()).enumerate().filter(|(_, w)| *w == MAGIC);
            for (offset, _) in places {
                let offset = at + offset as u64;
                let Some(head) = read::<CHANGES_HEADER_BYTES>(&*file, offset)? else { continue };
                let Some((header, _)) = changes_at(&*file, &head, offset, salt)? else { continue };
                if header.group > self.group + 1 && header.begin.segment <= number {
                    return Ok(true);
                }
            }
            // A magic number may lie across the end of the piece.
            at += (size - (MAGIC.len() - 1)).max(1) as u64;
        }
        Ok(false)
    }
}

fn read<const N: usize>(file: &dyn DiskFile, at: u64) -> Result<Option<[u8; N]>, StoreError> {
    let mut bytes = [0; N];
    match file.read_at(&mut bytes, at) {
        Ok(()) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(StoreError::io("reading a segment")(e)),
    }
}

/// A head, and the changes if they could be verified.
type FoundChanges = (ChangesHeader, Option<Vec<u8>>);

/// The record of changes at `offset`. In a segment whose salt is lost its head must do.
fn changes_at(
    file: &dyn DiskFile,
    head: &[u8; CHANGES_HEADER_BYTES],
    offset: u64,
    salt: Option<&Salt>,
) -> Result<Option<FoundChanges>, StoreError> {
    let Some(header) = readable(ChangesHeader::decode(head))? else { return Ok(None) };
    let Some(salt) = salt else { return Ok(Some((header, None))) };
    let len = file.len().map_err(StoreError::io("reading a segment"))?;
    let at = offset + CHANGES_HEADER_BYTES as u64;
    if at + u64::from(header.stored_len) > len {
        return Ok(None);
    }
    let mut stored = vec![0; header.stored_len as usize];
    file.read_at(&mut stored, at).map_err(StoreError::io("reading a segment"))?;
    let changes = readable(header.open(head, salt, stored))?;
    Ok(changes.map(|changes| (header, Some(changes))))
}

impl Header {
    /// Where the content of a record at `at` is; `None` if its lengths cannot be.
    fn place(&self, at: LogEnd) -> Option<Place> {
        let table_at = u32::try_from(RECORD_HEADER_BYTES).ok()?.checked_add(self.meta_len)?;
        let is_possible = self.size < super::PLACE_MAX
            && self.data_len < super::PLACE_MAX
            && u64::from(self.frames) == self.size.div_ceil(super::FRAME_BYTES as u64);
        is_possible.then_some(Place {
            segment: at.segment,
            offset: at.offset,
            table_at,
            data_len: self.data_len,
            size: self.size,
        })
    }
}
