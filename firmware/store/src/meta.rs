//! The table of counters: format, next ids, end of the log. Ids are never given twice.

use base::{AccountId, BlobId, MailboxId, QueueId};

use crate::StoreError;
use crate::codec::{In, Out};
use crate::index::{T, Tables, View};
use crate::segment::LogEnd;

/// The format that this code writes.
pub(crate) const FORMAT: u64 = 2;

const FORMAT_KEY: &[u8] = b"format";
const LOG_END_KEY: &[u8] = b"log_end";
const NEXT_ACCOUNT: &[u8] = b"next_account";
const NEXT_MAILBOX: &[u8] = b"next_mailbox";
const NEXT_QUEUE: &[u8] = b"next_queue";
const NEXT_CONTENT: &[u8] = b"next_content";
const NEXT_EXPUNGED: &[u8] = b"next_expunged";

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

/// Where the indexed part of the log ends.
pub(crate) fn log_end(view: &impl View) -> Result<LogEnd, StoreError> {
    let Some(row) = view.get(T::Meta, LOG_END_KEY)? else { return Ok(LogEnd::default()) };
    let mut row = In::versioned(&row, "end of the log")?;
    Ok(LogEnd { segment: row.u32()?, offset: row.u64()? })
}

pub(crate) fn put_log_end(tables: &mut Tables<'_>, end: LogEnd) -> Result<(), StoreError> {
    tables.put(T::Meta, LOG_END_KEY, &Out::versioned().u32(end.segment).u64(end.offset).0)
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
