//! Messages leave a mailbox: for the retention time, to another one, or for good.

use base::{MailboxId, ModSeq, UidRanges};

use super::row::{self, MailboxRow};
use super::{changes, flags, message_row, usage};
use crate::recovery::keeping::Keeper;
use crate::writer::Tx;
use crate::{Flags, StoreError, blob};

/// What becomes of messages that leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// They can be restored for the retention time.
    Kept,
    /// They are past their time.
    Gone,
    /// They are elsewhere (MOVE), and their contents' links with them.
    Moved,
}

/// What has `\Deleted` goes, within `uids` if given.
pub(crate) fn expunge(
    tx: &mut Tx<'_, '_>,
    id: MailboxId,
    uids: Option<&UidRanges>,
) -> Result<(UidRanges, ModSeq), StoreError> {
    let mailbox = row::existing(&tx.tables, id)?;
    let mut gone = UidRanges::new();
    if mailbox.deleted > 0 {
        flags::scan(&tx.tables, id, 0, u32::MAX, &mut |number, block| {
            for (slot, marks) in block {
                let uid = flags::uid_at(number, slot);
                let is_meant = uids.is_none_or(|uids| uids.contains(uid));
                if marks.system & Flags::DELETED != 0 && is_meant {
                    gone.insert(uid);
                }
            }
            Ok(true)
        })?;
    }
    let mailbox = remove(tx, id, &gone, Leaving::Kept)?;
    Ok((gone, mailbox.highest_modseq))
}

/// Removes messages that exist, one change of the mailbox.
pub(crate) fn remove(
    tx: &mut Tx<'_, '_>,
    id: MailboxId,
    gone: &UidRanges,
    leaving: Leaving,
) -> Result<MailboxRow, StoreError> {
    let mut mailbox = row::existing(&tx.tables, id)?;
    if gone.is_empty() {
        return Ok(mailbox);
    }
    let modseq = mailbox.next_modseq()?;
    let mut keeper = match leaving {
        Leaving::Kept => Some(Keeper::begin(tx, id, &mailbox)?),
        Leaving::Gone | Leaving::Moved => None,
    };
    let mut rows = message_row::take(tx, id, gone)?.into_iter();
    let mut bytes = 0u64;
    for number in flags::blocks_of(&tx.tables, id, gone)? {
        let mut block = flags::load(&tx.tables, id, number)?;
        for (slot, marks) in block.take(|slot| gone.contains(flags::uid_at(number, slot))) {
            let uid = flags::uid_at(number, slot);
            let row = rows.next().filter(|row| row.0 == uid);
            let (_, message) = row.ok_or_else(|| message_row::missing(id, uid))?;
            match &mut keeper {
                Some(keeper) => keeper.keep(tx, uid, &marks, message)?,
                None if leaving == Leaving::Gone => blob::unlink(tx, message.blob)?,
                None => {}
            }
            bytes = bytes.saturating_add(message.size);
            mailbox.exists = mailbox.exists.saturating_sub(1);
            mailbox.unseen -= u32::from(marks.system & Flags::SEEN == 0).min(mailbox.unseen);
            mailbox.deleted -= u32::from(marks.system & Flags::DELETED != 0).min(mailbox.deleted);
        }
        flags::store(tx, id, number, &block)?;
    }
    if let Some(keeper) = keeper {
        keeper.end(tx)?;
    }
    mailbox.bytes = mailbox.bytes.saturating_sub(bytes);
    changes::log(tx, id, &mut mailbox, modseq, changes::Kind::Expunged, gone)?;
    row::put_changed(tx, id, &mailbox)?;
    usage::release(tx, mailbox.account, gone.len(), bytes)?;
    Ok(mailbox)
}
