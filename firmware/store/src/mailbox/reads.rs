//! What sessions read of mailboxes.

use base::{AccountId, MailboxId, ModSeq, Uid, UidRanges};

use super::keywords::Keywords;
use super::message_row::MessageRow;
use super::{flags, name, row};
use crate::codec::{In, Out, account_key, blob_key, message_key};
use crate::index::{Cursor, Snapshot, T, View};
use crate::{Flags, Mailbox, Row, StoreError, TextsRef};

pub(crate) fn mailbox(view: &impl View, id: MailboxId) -> Result<Option<Mailbox>, StoreError> {
    row::find(view, id)?.map(|row| row.show(view, id)).transpose()
}

pub(crate) fn mailboxes(view: &impl View, account: AccountId) -> Result<Vec<Mailbox>, StoreError> {
    let mut shown = Vec::new();
    for (id, _) in row::list(view, account)? {
        shown.push(row::existing(view, id)?.show(view, id)?);
    }
    Ok(shown)
}

pub(crate) fn by_name(
    view: &impl View,
    account: AccountId,
    text: &str,
) -> Result<Option<Mailbox>, StoreError> {
    // A name that cannot be is the name of no mailbox.
    let Ok(name) = name::normalize(text) else { return Ok(None) };
    match row::id_of_name(view, account, &name)? {
        Some(id) => mailbox(view, id),
        None => Ok(None),
    }
}

pub(crate) fn subscriptions(
    view: &impl View,
    account: AccountId,
) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    view.scan_prefix(T::Subscription, &account_key(account), &mut |key, _| {
        let mut key = In::plain(key, "subscription");
        key.u32()?;
        names.push(key.text()?);
        Ok(true)
    })?;
    Ok(names)
}

/// The UIDs of a mailbox, from its flag blocks: 256 of them a row.
pub(crate) fn uids(view: &impl View, id: MailboxId) -> Result<UidRanges, StoreError> {
    existing(view, id)?;
    let mut uids = UidRanges::new();
    flags::scan(view, id, 0, u32::MAX, &mut |number, block| {
        for slot in block.into_keys() {
            uids.insert(flags::uid_at(number, slot));
        }
        Ok(true)
    })?;
    Ok(uids)
}

/// The first message without `\Seen`.
pub(crate) fn first_unseen(view: &impl View, id: MailboxId) -> Result<Option<Uid>, StoreError> {
    let mut first = None;
    flags::scan(view, id, 0, u32::MAX, &mut |number, block| {
        let unseen = block.iter().find(|(_, marks)| marks.system & Flags::SEEN == 0);
        first = unseen.map(|(slot, _)| flags::uid_at(number, *slot));
        Ok(first.is_none())
    })?;
    Ok(first)
}

/// Bytes of the messages with `\Deleted`.
pub(crate) fn deleted_bytes(view: &impl View, id: MailboxId) -> Result<u64, StoreError> {
    if row::existing(view, id)?.deleted == 0 {
        return Ok(0);
    }
    let mut deleted = Vec::new();
    flags::scan(view, id, 0, u32::MAX, &mut |number, block| {
        for (slot, marks) in block {
            if marks.system & Flags::DELETED != 0 {
                deleted.push(flags::uid_at(number, slot));
            }
        }
        Ok(true)
    })?;
    let mut bytes = 0u64;
    for uid in deleted {
        bytes = bytes.saturating_add(super::message_row::existing(view, id, uid)?.size);
    }
    Ok(bytes)
}

/// Rows with `from <= uid <= to`, ascending, at most `limit`.
pub(crate) fn rows(
    view: &impl View,
    id: MailboxId,
    from: Uid,
    to: Uid,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let mut found = Vec::new();
    if limit == 0 {
        return existing(view, id).map(|()| found);
    }
    walk(view, id, from, to, &mut |row| {
        found.push(row);
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

/// Visits rows with `from <= uid <= to`, ascending, with their texts; `visit` says whether to go on.
pub(crate) fn walk_texts(
    view: &Snapshot,
    id: MailboxId,
    from: Uid,
    to: Uid,
    visit: &mut dyn FnMut(Row, TextsRef<'_>) -> bool,
) -> Result<(), StoreError> {
    let mut texts = Cursor::over(T::Text);
    walk(view, id, from, to, &mut |row| {
        let text =
            texts.get(view, &blob_key(row.blob))?.ok_or_else(|| crate::text::missing(row.blob))?;
        Ok(visit(row, TextsRef::decode(text)?))
    })
}

/// Visits the flags of messages with `from <= uid <= to`, ascending: blocks only, no message rows.
pub(crate) fn walk_flags(
    view: &impl View,
    id: MailboxId,
    from: Uid,
    to: Uid,
    visit: &mut dyn FnMut(Uid, &Flags, ModSeq) -> bool,
) -> Result<(), StoreError> {
    existing(view, id)?;
    let keywords = Keywords::load(view, id)?;
    flags::scan(view, id, flags::place(from).0, flags::place(to).0, &mut |number, block| {
        for (slot, marks) in block {
            let uid = flags::uid_at(number, slot);
            let shown = keywords.flags(marks.system, marks.keywords);
            if (from..=to).contains(&uid) && !visit(uid, &shown, marks.modseq) {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

fn existing(view: &impl View, id: MailboxId) -> Result<(), StoreError> {
    match row::find(view, id)? {
        Some(_) => Ok(()),
        None => Err(StoreError::NoSuchMailbox),
    }
}

fn walk(
    view: &impl View,
    id: MailboxId,
    from: Uid,
    to: Uid,
    visit: &mut dyn FnMut(Row) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    existing(view, id)?;
    if from > to {
        return Ok(());
    }
    let keywords = Keywords::load(view, id)?;
    let mut current = (u32::MAX, flags::Block::new());
    let end = Out::default().bytes(&message_key(id, to)).u8(0).0;
    view.scan(T::Message, &message_key(id, from), &end, &mut |key, value| {
        let mut key = In::plain(key, "message row");
        key.u32()?;
        let uid = Uid(key.u32()?);
        let message = MessageRow::decode(value)?;
        let (number, slot) = flags::place(uid);
        if current.0 != number {
            current = (number, flags::load(view, id, number)?);
        }
        let marks = current.1.get(&slot).ok_or_else(|| {
            StoreError::Damaged(format!("mailbox {id}: UID {uid} stands in no flag block"))
        })?;
        visit(Row {
            uid,
            flags: keywords.flags(marks.system, marks.keywords),
            modseq: marks.modseq,
            size: message.size,
            internal_date: message.internal_date,
            zone_minutes: message.zone_minutes,
            saved: message.saved,
            blob: message.blob,
        })
    })
}
