//! The table of counters: format, next ids, end of the log. Ids are never given twice.

use base::{AccountId, BlobId, MailboxId, QueueId};

use crate::codec::{In, Out};
use crate::index::{T, Tables, View};
use crate::segment::LogEnd;
use crate::{EntryId, StoreError};

/// The format that this code writes.
pub(crate) const FORMAT: u64 = 3;
/// The oldest format that this code upgrades.
pub(crate) const OLDEST_FORMAT: u64 = 1;

const FORMAT_KEY: &[u8] = b"format";
const LOG_END_KEY: &[u8] = b"log_end";
/// Version 1 had no group number.
const LOG_END_VERSION: u8 = 2;
const LOST_KEY: &[u8] = b"lost";
const UNLOGGED_KEY: &[u8] = b"unlogged";
const NEXT_ACCOUNT: &[u8] = b"next_account";
const NEXT_MAILBOX: &[u8] = b"next_mailbox";
const NEXT_QUEUE: &[u8] = b"next_queue";
const NEXT_CONTENT: &[u8] = b"next_content";
const NEXT_EXPUNGED: &[u8] = b"next_expunged";
const NEXT_ENTRY: &[u8] = b"next_entry";
const NEXT_AUDIT: &[u8] = b"next_audit";
const NEXT_WEBHOOK: &[u8] = b"next_webhook";

fn number(view: &impl View, key: &[u8]) -> Result<Option<u64>, StoreError> {
    let Some(row) = view.get(T::Meta, key)? else { return Ok(None) };
    Ok(Some(In::versioned(&row, "counter")?.u64()?))
}

/// The format of this store; `None` in a new one.
pub(crate) fn format(view: &impl View) -> Result<Option<u64>, StoreError> {
    number(view, FORMAT_KEY)
}

pub(crate) fn put_format(tables: &mut Tables<'_>) -> Result<(), StoreError> {
    tables.put(T::Meta, FORMAT_KEY, &Out::versioned().u64(FORMAT).0)
}

/// Where the indexed part of the log ends, and the number of its last group.
pub(crate) fn log_end(view: &impl View) -> Result<(LogEnd, u64), StoreError> {
    let Some(row) = view.get(T::Meta, LOG_END_KEY)? else { return Ok((LogEnd::default(), 0)) };
    let mut row = In::of_version(LOG_END_VERSION, &row, "end of the log")?;
    Ok((LogEnd { segment: row.u32()?, offset: row.u64()? }, row.u64()?))
}

/// The end of the log as format 1 wrote it.
pub(crate) fn old_log_end(view: &impl View) -> Result<LogEnd, StoreError> {
    let Some(row) = view.get(T::Meta, LOG_END_KEY)? else { return Ok(LogEnd::default()) };
    let mut row = In::versioned(&row, "end of the log")?;
    Ok(LogEnd { segment: row.u32()?, offset: row.u64()? })
}

/// A replay knows the end by itself, so it does not stand among the changes of a group.
pub(crate) fn put_log_end(
    tables: &mut Tables<'_>,
    end: LogEnd,
    group: u64,
) -> Result<(), StoreError> {
    let row = Out::of_version(LOG_END_VERSION).u32(end.segment).u64(end.offset).u64(group);
    tables.put_derived(T::Meta, LOG_END_KEY, &row.0)
}

/// A part of the log that was acknowledged and could not be replayed: from where, up to which segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) from: LogEnd,
    pub(crate) to_segment: u32,
}

/// What was lost last, if anything was.
pub(crate) fn lost(view: &impl View) -> Result<Option<Lost>, StoreError> {
    let Some(row) = view.get(T::Meta, LOST_KEY)? else { return Ok(None) };
    let mut row = In::versioned(&row, "lost part of the log")?;
    let from = LogEnd { segment: row.u32()?, offset: row.u64()? };
    Ok(Some(Lost { from, to_segment: row.u32()? }))
}

pub(crate) fn put_lost(tables: &mut Tables<'_>, lost: Lost) -> Result<(), StoreError> {
    let row = Out::versioned().u32(lost.from.segment).u64(lost.from.offset).u32(lost.to_segment);
    tables.put(T::Meta, LOST_KEY, &row.0)
}

/// The last group whose changes were too large for the log; 0 for none.
pub(crate) fn unlogged(view: &impl View) -> Result<u64, StoreError> {
    Ok(number(view, UNLOGGED_KEY)?.unwrap_or(0))
}

/// The log cannot be gone through beyond this group: only rows of a later time lead on.
pub(crate) fn put_unlogged(tables: &mut Tables<'_>, group: u64) -> Result<(), StoreError> {
    tables.put_derived(T::Meta, UNLOGGED_KEY, &Out::versioned().u64(group).0)
}

/// Counts on behind contents that an upgrade has numbered.
pub(crate) fn put_next_content(tables: &mut Tables<'_>, next: BlobId) -> Result<(), StoreError> {
    tables.put(T::Meta, NEXT_CONTENT, &Out::versioned().u64(next.0).0)
}

/// The next number of a counter that begins at 1.
fn next(tables: &mut Tables<'_>, key: &[u8]) -> Result<u64, StoreError> {
    let now = number(tables, key)?.unwrap_or(1);
    let after = now.checked_add(1).ok_or(StoreError::LimitReached("ids"))?;
    tables.put(T::Meta, key, &Out::versioned().u64(after).0)?;
    Ok(now)
}

fn next_small(tables: &mut Tables<'_>, key: &[u8]) -> Result<u32, StoreError> {
    u32::try_from(next(tables, key)?).map_err(|_| StoreError::LimitReached("ids"))
}

pub(crate) fn next_account(tables: &mut Tables<'_>) -> Result<AccountId, StoreError> {
    next_small(tables, NEXT_ACCOUNT).map(AccountId)
}

pub(crate) fn next_mailbox(tables: &mut Tables<'_>) -> Result<MailboxId, StoreError> {
    next_small(tables, NEXT_MAILBOX).map(MailboxId)
}

pub(crate) fn next_content(tables: &mut Tables<'_>) -> Result<BlobId, StoreError> {
    next(tables, NEXT_CONTENT).map(BlobId)
}

pub(crate) fn next_queue(tables: &mut Tables<'_>) -> Result<QueueId, StoreError> {
    next(tables, NEXT_QUEUE).map(QueueId)
}

/// The number of the next block of deleted messages.
pub(crate) fn next_expunged(tables: &mut Tables<'_>) -> Result<u64, StoreError> {
    next(tables, NEXT_EXPUNGED)
}

/// The number of the next entry of the directory.
pub(crate) fn next_entry(tables: &mut Tables<'_>) -> Result<EntryId, StoreError> {
    next_small(tables, NEXT_ENTRY).map(EntryId)
}

/// The number of the next row of the audit log.
pub(crate) fn next_audit(tables: &mut Tables<'_>) -> Result<u64, StoreError> {
    next(tables, NEXT_AUDIT)
}

/// The number that the next row of the audit log gets.
pub(crate) fn audit_next(view: &impl View) -> Result<u64, StoreError> {
    Ok(number(view, NEXT_AUDIT)?.unwrap_or(1))
}

/// The number of the next webhook.
pub(crate) fn next_webhook(tables: &mut Tables<'_>) -> Result<u32, StoreError> {
    next_small(tables, NEXT_WEBHOOK)
}

/// The number that the next webhook gets.
pub(crate) fn webhook_next(view: &impl View) -> Result<u64, StoreError> {
    Ok(number(view, NEXT_WEBHOOK)?.unwrap_or(1))
}
