//! Flags and modseqs in blocks of 256 UIDs: marking a large mailbox read rewrites hundreds of rows, not
//! tens of thousands. A UID exists exactly if it stands in a block.

use std::collections::BTreeMap;

use base::{MailboxId, ModSeq, Uid, UidRanges};

use crate::StoreError;
use crate::codec::{In, Out, pair_key};
use crate::index::{T, Tables, View};

/// Set in the stored system byte when keyword bits follow.
const HAS_KEYWORDS: u8 = 0x80;

/// What one message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Bits of [`crate::Flags`].
    pub(crate) system: u8,
    /// Bits of the mailbox's keywords.
    pub(crate) keywords: u64,
    pub(crate) modseq: ModSeq,
}

/// UID modulo 256 -> marks.
pub(crate) type Block = BTreeMap<u8, Marks>;

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
    let mut block = Block::new();
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
    let mut row = Out::versioned();
    for (slot, marks) in block {
        let mark = if marks.keywords == 0 { 0 } else { HAS_KEYWORDS };
        row = row.u8(*slot).u8(marks.system & !HAS_KEYWORDS | mark).u64(marks.modseq.0);
        if marks.keywords != 0 {
            row = row.u64(marks.keywords);
        }
    }
    tables.put(T::Flags, &key, &row.0)
}

/// Visits the blocks `first..=last` that exist, ascending.
pub(crate) fn scan(
    view: &impl View,
    mailbox: MailboxId,
    first: u32,
    last: u32,
    visit: &mut dyn FnMut(u32, Block) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let from = pair_key(mailbox, first);
    // The key behind the last one; 9 bytes, so greater than it and smaller than the next.
    let to = Out::default().bytes(&pair_key(mailbox, last)).u8(0).0;
    view.scan(T::Flags, &from, &to, &mut |key, row| {
        let mut key = In::plain(key, "flag block");
        key.u32()?;
        visit(key.u32()?, decode(row)?)
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
    scan(view, mailbox, place(first).0, place(last).0, &mut |number, _| {
        let (low, high) = (number << 8, number << 8 | 0xFF);
        let at = ranges.partition_point(|r| r.1 < low);
        if ranges.get(at).is_some_and(|r| r.0 <= high) {
            numbers.push(number);
        }
        Ok(true)
    })?;
    Ok(numbers)
}
