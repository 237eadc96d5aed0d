//! A mailbox as POP3 has it: sizes by pages while a session lasts, and one act at its end.

use base::{MailboxId, Uid, UidRanges};

use super::marking::Marking;
use super::message_row::MessageRow;
use super::{expunging, flags, row};
use crate::codec::{In, Out, message_key};
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{DropRow, FlagOp, Flags, Rights, StoreError, blob};

/// Messages with `from <= uid <= to`, ascending, at most `limit`.
pub(crate) fn rows(
    view: &impl View,
    id: MailboxId,
    from: Uid,
    to: Uid,
    limit: usize,
) -> Result<Vec<DropRow>, StoreError> {
    let mut found = Vec::new();
    if row::find(view, id)?.is_none() {
        return Err(StoreError::NoSuchMailbox);
    }
    if limit == 0 || from > to {
        return Ok(found);
    }
    let end = Out::default().bytes(&message_key(id, to)).u8(0).0;
    view.scan(T::Message, &message_key(id, from), &end, &mut |key, value| {
        let mut key = In::plain(key, "message row");
        key.u32()?;
        let uid = Uid(key.u32()?);
        let message = MessageRow::decode(value)?;
        found.push(DropRow { uid, octets: message.size, size: message.size, blob: message.blob });
        Ok(found.len() < limit)
    })?;
    // A store of mail that came by SMTP only has no such row.
    if view.len(T::LineOctets)? > 0 {
        for row in &mut found {
            row.octets = blob::line_octets(view, row.blob, row.size)?;
        }
    }
    Ok(found)
}

/// RFC 1939 §6: what was read gets `\Seen`, what was deleted goes, in one act. What another session
/// expunged meanwhile is no error.
pub(crate) fn update(
    tx: &mut Tx<'_, '_>,
    id: MailboxId,
    seen: &UidRanges,
    deleted: &UidRanges,
) -> Result<UidRanges, StoreError> {
    row::existing(&tx.tables, id)?;
    if !seen.is_empty() {
        let flags = Flags { system: Flags::SEEN, keywords: Vec::new() };
        let uids = seen.clone();
        let op = FlagOp::Add;
        let rights = Rights::ALL;
        Marking { mailbox: id, uids, op, flags, unchanged_since: None, rights }.apply(tx)?;
    }
    let mut gone = UidRanges::new();
    for number in flags::blocks_of(&tx.tables, id, deleted)? {
        let block = flags::load(&tx.tables, id, number)?;
        let there = block.keys().map(|&slot| flags::uid_at(number, slot));
        there.filter(|&uid| deleted.contains(uid)).for_each(|uid| gone.insert(uid));
    }
    expunging::remove(tx, id, &gone, expunging::Leaving::Kept)?;
    Ok(gone)
}
