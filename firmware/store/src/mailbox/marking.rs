//! STORE: flags change, all of one act under one modseq.

use base::{MailboxId, ModSeq, UidRanges};

use super::changes;
use super::flags::{self, Marks};
use super::keywords::{self, Keywords};
use super::row::{self, MailboxRow};
use crate::writer::Tx;
use crate::{FlagOp, FlagOutcome, Flags, Rights, StoreError};

/// A change of flags.
#[derive(Debug)]
pub(crate) struct Marking {
    pub(crate) mailbox: MailboxId,
    pub(crate) uids: UidRanges,
    pub(crate) op: FlagOp,
    pub(crate) flags: Flags,
    pub(crate) unchanged_since: Option<ModSeq>,
    /// Flags that these do not allow stay as they are.
    pub(crate) rights: Rights,
}

impl Marking {
    pub(crate) fn apply(&self, tx: &mut Tx<'_, '_>) -> Result<FlagOutcome, StoreError> {
        let id = self.mailbox;
        let mut mailbox = row::existing(&tx.tables, id)?;
        let modseq = mailbox.next_modseq()?;
        let blocks = flags::blocks_of(&tx.tables, id, &self.uids)?;
        let bits = match self.op {
            FlagOp::Remove => Keywords::load(&tx.tables, id)?.known_bits(&self.flags),
            // Nothing to mark, nothing to name.
            _ if blocks.is_empty() => 0,
            FlagOp::Add | FlagOp::Replace => keywords::bits(tx, id, &self.flags)?,
        };
        let keywords = Keywords::load(&tx.tables, id)?;
        let before = mailbox.highest_modseq;
        let mut outcome = FlagOutcome { before, modseq: before, ..FlagOutcome::default() };
        let mut changed = UidRanges::new();
        for number in blocks {
            let mut block = flags::load(&tx.tables, id, number)?;
            let unchanged = changed.len();
            for (slot, marks) in block.iter_mut() {
                let uid = flags::uid_at(number, *slot);
                if !self.uids.contains(uid) {
                    continue;
                }
                // RFC 7162 §3.1.3: left alone, and told in MODIFIED.
                if self.unchanged_since.is_some_and(|since| marks.modseq > since) {
                    outcome.modified.insert(uid);
                    continue;
                }
                let new = self.marked(marks, bits, modseq);
                if (new.system, new.keywords) != (marks.system, marks.keywords) {
                    recount(&mut mailbox, marks.system, new.system);
                    *marks = new;
                    changed.insert(uid);
                }
                let shown = keywords.flags(marks.system, marks.keywords);
                outcome.rows.push((uid, shown, marks.modseq));
            }
            if changed.len() != unchanged {
                flags::store(tx, id, number, &block)?;
            }
        }
        if !changed.is_empty() {
            changes::log(tx, id, &mut mailbox, modseq, changes::Kind::Flags, &changed)?;
            row::put_changed(tx, id, &mailbox)?;
            outcome.modseq = modseq;
        }
        Ok(outcome)
    }

    fn marked(&self, old: &Marks, bits: u64, modseq: ModSeq) -> Marks {
        let (mask, may_keywords) = self.rights.flags();
        let system = self.flags.system & mask;
        let bits = if may_keywords { bits } else { 0 };
        let (system, keywords) = match self.op {
            FlagOp::Replace => {
                let kept = if may_keywords { 0 } else { old.keywords };
                (old.system & !mask | system, kept | bits)
            }
            FlagOp::Add => (old.system | system, old.keywords | bits),
            FlagOp::Remove => (old.system & !system, old.keywords & !bits),
        };
        Marks { system, keywords, modseq }
    }
}

/// Moves the mailbox's counts with one message's flags.
fn recount(mailbox: &mut MailboxRow, old: u8, new: u8) {
    let step = |count: &mut u32, was: bool, is: bool| match (was, is) {
        (false, true) => *count = count.saturating_add(1),
        (true, false) => *count = count.saturating_sub(1),
        _ => {}
    };
    step(&mut mailbox.unseen, old & Flags::SEEN == 0, new & Flags::SEEN == 0);
    step(&mut mailbox.deleted, old & Flags::DELETED != 0, new & Flags::DELETED != 0);
}
