//! Messages come into a mailbox: UIDs and one modseq are given, flags, counts and usage move with them.

use base::{BlobId, MailboxId, ModSeq, Timestamp, Uid, UidRanges};

use super::flags::{self, Block, Marks};
use super::message_row::MessageRow;
use super::row::{self, MailboxRow};
use super::{changes, usage};
use crate::codec::message_key;
use crate::index::T;
use crate::writer::Tx;
use crate::{Flags, StoreError};

/// A message to add; its content is linked by the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) blob: BlobId,
    pub(crate) size: u64,
    pub(crate) internal_date: Timestamp,
    /// Minutes east of UTC.
    pub(crate) zone_minutes: i16,
    /// Bits of [`Flags`].
    pub(crate) system: u8,
    /// Bits of the target's keywords.
    pub(crate) keywords: u64,
}

/// An addition of any number of messages to one mailbox, one change of it.
#[derive(Debug)]
pub(crate) struct Adding {
    id: MailboxId,
    row: MailboxRow,
    modseq: ModSeq,
    number: u32,
    block: Block,
    added: UidRanges,
    bytes: u64,
}

impl Adding {
    pub(crate) fn begin(tx: &Tx<'_, '_>, id: MailboxId) -> Result<Self, StoreError> {
        let row = row::existing(&tx.tables, id)?;
        let modseq = row.next_modseq()?;
        let number = flags::place(row.uid_next).0;
        let block = flags::load(&tx.tables, id, number)?;
        Ok(Self { id, row, modseq, number, block, added: UidRanges::new(), bytes: 0 })
    }

    pub(crate) fn modseq(&self) -> ModSeq {
        self.modseq
    }

    /// Adds one message and gives it the next UID.
    pub(crate) fn add(&mut self, tx: &mut Tx<'_, '_>, new: &Incoming) -> Result<Uid, StoreError> {
        let uid = self.row.uid_next;
        let next = uid.0.checked_add(1).ok_or(StoreError::LimitReached("UIDs of a mailbox"))?;
        let (number, slot) = flags::place(uid);
        if number != self.number {
            flags::store(tx, self.id, self.number, &self.block)?;
            self.number = number;
            self.block = Block::new();
        }
        let system = new.system & Flags::ALL;
        self.block.insert(slot, Marks { system, keywords: new.keywords, modseq: self.modseq });
        let message = MessageRow {
            size: new.size,
            internal_date: new.internal_date,
            zone_minutes: new.zone_minutes,
            saved: Some(tx.now),
            blob: new.blob,
        };
        tx.put_row(T::Message, &message_key(self.id, uid), message.encode())?;
        self.row.uid_next = Uid(next);
        self.row.exists += 1;
        self.row.unseen += u32::from(system & Flags::SEEN == 0);
        self.row.deleted += u32::from(system & Flags::DELETED != 0);
        self.row.bytes = self.row.bytes.saturating_add(new.size);
        self.bytes = self.bytes.saturating_add(new.size);
        self.added.insert(uid);
        Ok(uid)
    }

    /// Stores what is common to all.
    pub(crate) fn end(mut self, tx: &mut Tx<'_, '_>) -> Result<MailboxRow, StoreError> {
        if self.added.is_empty() {
            return Ok(self.row);
        }
        flags::store(tx, self.id, self.number, &self.block)?;
        let kind = changes::Kind::Added;
        changes::log(tx, self.id, &mut self.row, self.modseq, kind, &self.added)?;
        row::put_changed(tx, self.id, &self.row)?;
        usage::charge(tx, self.row.account, self.added.len(), self.bytes)?;
        Ok(self.row)
    }
}
