//! Messages leave a mailbox.

use base::{MailboxId, ModSeq, Uid, UidRanges};

use super::row::{self, MailboxRow};
use super::{changes, flags, message_row, usage};
use crate::codec::message_key;
use crate::index::T;
use crate::writer::Tx;
use crate::{Flags, StoreError, blob};

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
    let mailbox = remove(tx, id, &gone)?;
    Ok((gone, mailbox.highest_modseq))
}

/// Removes messages that exist, one change of the mailbox.
pub(crate) fn remove(
    tx: &mut Tx<'_, '_>,
    id: MailboxId,
    gone: &UidRanges,
) -> Result<MailboxRow, StoreError> {
    let mut mailbox = row::existing(&tx.tables, id)?;
    if gone.is_empty() {
        return Ok(mailbox);
    }
    let modseq = mailbox.next_modseq()?;
    let mut bytes = 0u64;
    for number in flags::blocks_of(&tx.tables, id, gone)? {
        let mut block = flags::load(&tx.tables, id, number)?;
        let going: Vec<u8> =
            block.keys().copied().filter(|&s| gone.contains(flags::uid_at(number, s))).collect();
        for slot in going {
            let Some(marks) = block.remove(&slot) else { continue };
            bytes = bytes.saturating_add(remove_row(tx, id, flags::uid_at(number, slot))?);
            mailbox.exists = mailbox.exists.saturating_sub(1);
            mailbox.unseen -= u32::from(marks.system & Flags::SEEN == 0).min(mailbox.unseen);
            mailbox.deleted -= u32::from(marks.system & Flags::DELETED != 0).min(mailbox.deleted);
        }
        flags::store(tx, id, number, &block)?;
    }
    mailbox.bytes = mailbox.bytes.saturating_sub(bytes);
    changes::log(tx, id, &mut mailbox, modseq, changes::Kind::Expunged, gone)?;
    row::put_changed(tx, id, &mailbox)?;
    usage::release(tx, mailbox.account, gone.len(), bytes)?;
    Ok(mailbox)
}

/// Removes one message's row; returns its size.
fn remove_row(tx: &mut Tx<'_, '_>, id: MailboxId, uid: Uid) -> Result<u64, StoreError> {
    let message = message_row::existing(&tx.tables, id, uid)?;
    tx.remove(T::Message, &message_key(id, uid))?;
    blob::unlink(tx, message.blob)?;
    Ok(message.size)
}
