//! Flags and modseqs in blocks of 256 UIDs: marking a large mailbox read rewrites hundreds of rows, not
//! tens of thousands. A UID exists exactly if it stands in a block.

use base::{MailboxId, ModSeq, Uid, UidRanges};

use crate::StoreError;
use crate::codec::{In, Out, VERSION, pair_key};
use crate::index::{T, Tables, View};

/// Set in the stored system byte when keyword bits follow.
const HAS_KEYWORDS: u8 = 0x80;

/// Slot, system flags and modseq.
const ENTRY_BYTES: usize = 10;

/// What one message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Bits of [`crate::Flags`].
    pub(crate) system: u8,
    /// Bits of the mailbox's keywords.
    pub(crate) keywords: u64,
    pub(crate) modseq: ModSeq,
}

/// UID modulo 256 -> marks, ascending. A sorted list: blocks are mostly read from one end to the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    entries: Vec<(u8, Marks)>,
}

impl Block {
    pub(crate) fn new() -> Self {
        Self::default()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    fn find(&self, slot: u8) -> Result<usize, usize> {
        // A full block has each slot at its own place.
        match self.entries.get(usize::from(slot)) {
            Some((there, _)) if *there == slot => Ok(usize::from(slot)),
            _ => self.entries.binary_search_by_key(&slot, |entry| entry.0),
        }
    }
    pub(crate) fn get(&self, slot: &u8) -> Option<&Marks> {
        let at = self.find(*slot).ok()?;
        self.entries.get(at).map(|entry| &entry.1)
    }
    pub(crate) fn contains_key(&self, slot: &u8) -> bool {
        self.find(*slot).is_ok()
    }
    /// Sets the marks of a slot; the old ones, if it had some.
    pub(crate) fn insert(&mut self, slot: u8, marks: Marks) -> Option<Marks> {
        if self.entries.last().is_none_or(|last| last.0 < slot) {
            self.entries.push((slot, marks));
            return None;
        }
        match self.find(slot) {
            Ok(at) => self.entries.get_mut(at).map(|entry| std::mem::replace(&mut entry.1, marks)),
            Err(at) => {
                self.entries.insert(at, (slot, marks));
                None
            }
        }
    }
    /// Takes those out of which `is_meant` says so.
    pub(crate) fn take(&mut self, is_meant: impl Fn(u8) -> bool) -> Vec<(u8, Marks)> {
        self.entries.extract_if(.., |entry| is_meant(entry.0)).collect()
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&u8, &Marks)> {
        self.entries.iter().map(|(slot, marks)| (slot, marks))
    }
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&u8, &mut Marks)> {
        self.entries.iter_mut().map(|(slot, marks)| (&*slot, marks))
    }
    pub(crate) fn keys(&self) -> impl Iterator<Item = &u8> {
        self.entries.iter().map(|entry| &entry.0)
    }
    pub(crate) fn values(&self) -> impl Iterator<Item = &Marks> {
        self.entries.iter().map(|entry| &entry.1)
    }
    pub(crate) fn into_keys(self) -> impl Iterator<Item = u8> {
        self.entries.into_iter().map(|entry| entry.0)
    }
}

impl IntoIterator for Block {
    type Item = (u8, Marks);
    type IntoIter = std::vec::IntoIter<(u8, Marks)>;
    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
impl<const N: usize> From<[(u8, Marks); N]> for Block {
    fn from(entries: [(u8, Marks); N]) -> Self {
        let mut block = Self::new();
        for (slot, marks) in entries {
            block.insert(slot, marks);
        }
        block
    }
}

/// The block and the place in it of a UID.
pub(crate) fn place(uid: Uid) -> (u32, u8) {
    let [.., low] = uid.0.to_be_bytes();
    (uid.0 >> 8, low)
}

/// The UID at a place.
pub(crate) fn uid_at(block: u32, slot: u8) -> Uid {
    Uid(block << 8 | u32::from(slot))
}

pub(crate) fn decode(row: &[u8]) -> Result<Block, StoreError> {
    let mut row = In::versioned(row, "flag block")?;
    let mut block = Block { entries: Vec::with_capacity((row.left() / ENTRY_BYTES).min(256)) };
    while !row.is_empty() {
        let slot = row.u8()?;
        let system = row.u8()?;
        let modseq = ModSeq(row.u64()?);
        let keywords = if system & HAS_KEYWORDS == 0 { 0 } else { row.u64()? };
        block.insert(slot, Marks { system: system & !HAS_KEYWORDS, keywords, modseq });
    }
    Ok(block)
}

pub(crate) fn load(view: &impl View, mailbox: MailboxId, block: u32) -> Result<Block, StoreError> {
    match view.get(T::Flags, &pair_key(mailbox, block))? {
        Some(row) => decode(&row),
        None => Ok(Block::new()),
    }
}

/// Stores a block; an empty one has no row.
pub(crate) fn store(
    tables: &mut Tables<'_>,
    mailbox: MailboxId,
    number: u32,
    block: &Block,
) -> Result<(), StoreError> {
    let key = pair_key(mailbox, number);
    if block.is_empty() {
        return tables.remove(T::Flags, &key).map(|_| ());
    }
    let mut row = Vec::with_capacity(1 + block.entries.len() * (ENTRY_BYTES + 8));
    row.push(VERSION);
    for (slot, marks) in block.iter() {
        let mark = if marks.keywords == 0 { 0 } else { HAS_KEYWORDS };
        row.push(*slot);
        row.push(marks.system & !HAS_KEYWORDS | mark);
        row.extend_from_slice(&marks.modseq.0.to_be_bytes());
        if marks.keywords != 0 {
            row.extend_from_slice(&marks.keywords.to_be_bytes());
        }
    }
    tables.put(T::Flags, &key, &row)
}

/// Visits the blocks `first..=last` that exist, ascending.
pub(crate) fn scan(
    view: &impl View,
    mailbox: MailboxId,
    first: u32,
    last: u32,
    visit: &mut dyn FnMut(u32, Block) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    scan_rows(view, mailbox, first, last, &mut |number, row| visit(number, decode(row)?))
}

/// What [`scan_rows`] does with a row: `true` goes on.
type VisitRow<'v> = dyn FnMut(u32, &[u8]) -> Result<bool, StoreError> + 'v;

/// As [`scan`], with the rows as they are stored.
fn scan_rows(
    view: &impl View,
    mailbox: MailboxId,
    first: u32,
    last: u32,
    visit: &mut VisitRow<'_>,
) -> Result<(), StoreError> {
    let from = pair_key(mailbox, first);
    // The key behind the last one; 9 bytes, so greater than it and smaller than the next.
    let to = Out::default().bytes(&pair_key(mailbox, last)).u8(0).0;
    view.scan(T::Flags, &from, &to, &mut |key, row| {
        let mut key = In::plain(key, "flag block");
        key.u32()?;
        visit(key.u32()?, row)
    })
}

/// The numbers of the blocks that `uids` touches and that exist.
pub(crate) fn blocks_of(
    view: &impl View,
    mailbox: MailboxId,
    uids: &UidRanges,
) -> Result<Vec<u32>, StoreError> {
    let (Some(first), Some(last)) = (uids.first(), uids.last()) else { return Ok(Vec::new()) };
    let mut numbers = Vec::new();
    let ranges = uids.ranges();
    scan_rows(view, mailbox, place(first).0, place(last).0, &mut |number, _| {
        let (low, high) = (number << 8, number << 8 | 0xFF);
        let at = ranges.partition_point(|r| r.1 < low);
        if ranges.get(at).is_some_and(|r| r.0 <= high) {
            numbers.push(number);
        }
        Ok(true)
    })?;
    Ok(numbers)
}
