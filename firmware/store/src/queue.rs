//! The spool: envelopes with recipients that are not settled, and when they are due.
//!
//! An entry stands in the due table exactly if it is not on hold; its time is that of the first pending
//! recipient.

use base::{BlobId, QueueId, Timestamp};

use crate::codec::{In, Out, from_postcard_of, queue_key, time_key, time_of_key, to_postcard_of};
use crate::index::{T, Tables, View};
use crate::staging::Staged;
use crate::writer::Tx;
use crate::{
    AuditChange, AuditEvent, Delivery, NewQueueEntry, QueueEntry, QueueRecipient, RecipientState,
    RecipientUpdate, StoreError, audit, blob, delivering,
};

/// Version 1 named the content by its hash.
const VERSION: u8 = 2;

/// When the entry is due; `None` when nothing is pending or it is on hold.
pub(crate) fn due_of(entry: &QueueEntry) -> Option<Timestamp> {
    if entry.hold {
        return None;
    }
    let pending = entry.recipients.iter().filter(|r| r.state == RecipientState::Pending);
    pending.map(|r| r.next_attempt_at).min()
}

fn due_key(at: Timestamp, id: QueueId) -> Vec<u8> {
    Out::default().u64(time_key(at)).u64(id.0).0
}

/// Time and entry of a key of the due table.
pub(crate) fn decode_due(key: &[u8]) -> Result<(Timestamp, QueueId), StoreError> {
    let mut key = In::plain(key, "due time");
    Ok((time_of_key(key.u64()?), QueueId(key.u64()?)))
}

pub(crate) fn encode(entry: &QueueEntry) -> Result<Vec<u8>, StoreError> {
    to_postcard_of(VERSION, entry)
}

pub(crate) fn decode(row: &[u8]) -> Result<QueueEntry, StoreError> {
    from_postcard_of(VERSION, row, "queue entry")
}

pub(crate) fn find(view: &impl View, id: QueueId) -> Result<Option<QueueEntry>, StoreError> {
    view.get(T::Queue, &queue_key(id))?.map(|row| decode(&row)).transpose()
}

/// Replaces the entry's due time and row.
fn put(tx: &mut Tx<'_, '_>, old: Option<&QueueEntry>, new: &QueueEntry) -> Result<(), StoreError> {
    put_due(tx, new.id, old.and_then(due_of), due_of(new))?;
    tx.put(T::Queue, &queue_key(new.id), &encode(new)?)?;
    tx.effects.queue_changed = true;
    Ok(())
}

fn put_due(
    tables: &mut Tables<'_>,
    id: QueueId,
    old: Option<Timestamp>,
    new: Option<Timestamp>,
) -> Result<(), StoreError> {
    if old == new {
        return Ok(());
    }
    if let Some(at) = old {
        tables.remove(T::QueueDue, &due_key(at, id))?;
    }
    if let Some(at) = new {
        put_due_row(tables, at, id)?;
    }
    Ok(())
}

/// The row that says when an entry is due.
pub(crate) fn put_due_row(
    tables: &mut Tables<'_>,
    at: Timestamp,
    id: QueueId,
) -> Result<(), StoreError> {
    tables.put(T::QueueDue, &due_key(at, id), &[crate::codec::VERSION])
}

fn remove(tx: &mut Tx<'_, '_>, entry: &QueueEntry) -> Result<(), StoreError> {
    put_due(tx, entry.id, due_of(entry), None)?;
    tx.remove(T::Queue, &queue_key(entry.id))?;
    blob::unlink(tx, entry.blob)?;
    tx.effects.queue_changed = true;
    Ok(())
}

/// Refuses one entry more than `limit`.
pub(crate) fn check_room(view: &impl View, limit: u64) -> Result<(), StoreError> {
    if view.len(T::Queue)? >= limit { Err(StoreError::QueueFull) } else { Ok(()) }
}

/// A new entry, due at once. The caller links the content.
pub(crate) fn put_new(
    tx: &mut Tx<'_, '_>,
    id: QueueId,
    new: &NewQueueEntry,
    message: &Staged,
    content: BlobId,
) -> Result<(), StoreError> {
    let now = tx.now;
    let recipient = |(address, orcpt, notify): &(base::Address, Option<String>, crate::Notify)| {
        QueueRecipient {
            address: address.clone(),
            orcpt: orcpt.clone(),
            notify: *notify,
            state: RecipientState::Pending,
            next_attempt_at: now,
            attempts: 0,
            last_reply: None,
            last_host: None,
            delay_notified: false,
        }
    };
    let entry = QueueEntry {
        id,
        envelope: new.envelope.clone(),
        blob: content,
        size: message.size(),
        skip: new.skip,
        queued_at: now,
        hold: false,
        recipients: new.recipients.iter().map(recipient).collect(),
    };
    put(tx, None, &entry)
}

/// Records what became of recipients and delivers the notices about it. An entry that is gone (an admin
/// deleted it during the attempt) stays gone, and no notice is sent about it.
pub(crate) fn settle(
    tx: &mut Tx<'_, '_>,
    id: QueueId,
    updates: &[RecipientUpdate],
    notices: &[Delivery],
) -> Result<(), StoreError> {
    let Some(old) = find(&tx.tables, id)? else { return Ok(()) };
    let mut new = old.clone();
    for update in updates {
        let place = new
            .recipients
            .get_mut(update.index)
            .ok_or(StoreError::Misuse("no such recipient in the queue entry"))?;
        place.clone_from(&update.recipient);
    }
    if new.recipients.iter().any(|r| r.state == RecipientState::Pending) {
        put(tx, Some(&old), &new)?;
    } else {
        remove(tx, &old)?;
    }
    for notice in notices {
        // No limit here: a settled recipient without its bounce would be a lost message.
        delivering::deliver(tx, notice, None)?;
    }
    Ok(())
}

/// Makes all pending recipients due now; false if there is no such entry.
pub(crate) fn retry(tx: &mut Tx<'_, '_>, id: QueueId) -> Result<bool, StoreError> {
    let Some(old) = find(&tx.tables, id)? else { return Ok(false) };
    let mut new = old.clone();
    for recipient in &mut new.recipients {
        if recipient.state == RecipientState::Pending {
            recipient.next_attempt_at = tx.now;
        }
    }
    put(tx, Some(&old), &new)?;
    audit::note(tx, told("queue.retry", &old))?;
    Ok(true)
}

/// What the audit log tells of an entry.
fn told(action: &str, entry: &QueueEntry) -> AuditEvent {
    let recipients = entry.recipients.iter().map(|r| r.address.to_string()).collect();
    let sender = entry.envelope.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut event = AuditEvent::new(action, entry.id.to_string()).with("sender", sender, "");
    event.changes.push(AuditChange {
        name: "recipients".to_owned(),
        before: recipients,
        after: Vec::new(),
    });
    event
}

pub(crate) fn hold(tx: &mut Tx<'_, '_>, id: QueueId, hold: bool) -> Result<bool, StoreError> {
    let Some(old) = find(&tx.tables, id)? else { return Ok(false) };
    let new = QueueEntry { hold, ..old.clone() };
    put(tx, Some(&old), &new)?;
    let action = if hold { "queue.hold" } else { "queue.release" };
    audit::note(tx, told(action, &old))?;
    Ok(true)
}

pub(crate) fn delete(tx: &mut Tx<'_, '_>, id: QueueId) -> Result<bool, StoreError> {
    let Some(entry) = find(&tx.tables, id)? else { return Ok(false) };
    remove(tx, &entry)?;
    audit::note(tx, told("queue.delete", &entry))?;
    Ok(true)
}

/// Nobody waits this long: what is due later was written under a clock that was set back since.
const STRAY_SECS: i64 = 24 * 3600;

/// True if a recipient that waits until `at` is to be tried at `now`: its time has come, or it is so far
/// ahead that only a clock set back explains it.
#[must_use]
pub fn is_due(at: Timestamp, now: Timestamp) -> bool {
    at <= now || at >= now.plus_secs(STRAY_SECS)
}

/// Entries due at `now`, earliest first, then those of a clock that was ahead.
pub(crate) fn due(
    view: &impl View,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<QueueEntry>, StoreError> {
    let mut ids = Vec::new();
    let end = Out::default().u64(time_key(Timestamp(now.0.saturating_add(1)))).0;
    let stray = Out::default().u64(time_key(now.plus_secs(STRAY_SECS))).0;
    for (from, to) in [(&[][..], &end[..]), (&stray[..], &[][..])] {
        view.scan(T::QueueDue, from, to, &mut |key, _| {
            if ids.len() < limit {
                ids.push(decode_due(key)?.1);
            }
            Ok(ids.len() < limit)
        })?;
    }
    let missing = |id| StoreError::Damaged(format!("queue entry {id} is missing"));
    ids.into_iter().map(|id| find(view, id)?.ok_or_else(|| missing(id))).collect()
}

pub(crate) fn next_due(view: &impl View) -> Result<Option<Timestamp>, StoreError> {
    let mut first = None;
    view.scan(T::QueueDue, &[], &[], &mut |key, _| {
        first = Some(decode_due(key)?.0);
        Ok(false)
    })?;
    Ok(first)
}

/// Entries behind `after`, by id.
pub(crate) fn list(
    view: &impl View,
    after: QueueId,
    limit: usize,
) -> Result<Vec<QueueEntry>, StoreError> {
    let mut entries = Vec::new();
    let Some(first) = after.0.checked_add(1) else { return Ok(entries) };
    if limit == 0 {
        return Ok(entries);
    }
    view.scan(T::Queue, &queue_key(QueueId(first)), &[], &mut |_, row| {
        entries.push(decode(row)?);
        Ok(entries.len() < limit)
    })?;
    Ok(entries)
}
