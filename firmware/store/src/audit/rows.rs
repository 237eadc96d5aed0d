//! The rows of the audit log in the index: written, read by pages, the oldest taken away.

use std::net::IpAddr;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AuditChange, AuditEvent, AuditFilter, AuditPage, AuditRow, ROWS_MAX, the_box};
use crate::codec::{In, from_postcard, to_postcard};
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{Origin, StoreError, Via, meta};

/// Rows that one page looks at; where few fit the filter, a page is short and has a next one.
const LOOKED_AT_MAX: u64 = 20_000;
/// Rows read at once on the way back.
const CHUNK: u64 = 256;
/// Rows that one act of housekeeping takes away.
const TRIMMED_MAX: u64 = 1_000;

/// A row as it is stored.
#[derive(Serialize, Deserialize)]
struct Record {
    at: Timestamp,
    who: String,
    via: Via,
    address: Option<IpAddr>,
    action: String,
    target: String,
    changes: Vec<AuditChange>,
}

/// Writes the next row, in the name of the act that runs.
pub(super) fn append(tx: &mut Tx<'_, '_>, event: AuditEvent) -> Result<(), StoreError> {
    let origin = tx.origin.as_deref().cloned().unwrap_or_else(the_box);
    let AuditEvent { action, target, changes } = event;
    let Origin { who, via, address } = origin;
    let record = Record { at: tx.now, who, via, address, action, target, changes };
    let seq = meta::next_audit(tx)?;
    tx.put(T::Audit, &seq.to_be_bytes(), &to_postcard(&record)?)?;
    tx.effects.audit_changed = true;
    Ok(())
}

pub(crate) fn decode(key: &[u8], row: &[u8]) -> Result<AuditRow, StoreError> {
    let seq = In::plain(key, "number of an audit row").u64()?;
    let Record { at, who, via, address, action, target, changes } =
        from_postcard(row, "audit row")?;
    let event = AuditEvent { action, target, changes };
    Ok(AuditRow { seq, at, origin: Origin { who, via, address }, event })
}

impl AuditFilter {
    fn takes(&self, row: &AuditRow) -> bool {
        let has = |text: &str, part: &str| {
            part.is_empty() || text.to_lowercase().contains(&part.to_lowercase())
        };
        has(&row.origin.who, &self.who)
            && has(&row.event.target, &self.target)
            && (self.action.is_empty() || row.event.is_of(&self.action))
            && self.since.is_none_or(|since| row.at >= since)
            && self.until.is_none_or(|until| row.at < until)
    }
}

fn range(
    view: &impl View,
    from: u64,
    to: u64,
    visit: &mut dyn FnMut(AuditRow) -> bool,
) -> Result<(), StoreError> {
    view.scan(T::Audit, &from.to_be_bytes(), &to.to_be_bytes(), &mut |key, row| {
        Ok(visit(decode(key, row)?))
    })
}

/// The number of the oldest row.
pub(crate) fn first(view: &impl View) -> Result<Option<u64>, StoreError> {
    let mut found = None;
    view.scan(T::Audit, &[], &[], &mut |key, _| {
        found = Some(In::plain(key, "number of an audit row").u64()?);
        Ok(false)
    })?;
    Ok(found)
}

/// Rows with lower numbers than `before`, newest first.
pub(crate) fn before(
    view: &impl View,
    before: Option<u64>,
    limit: usize,
    filter: &AuditFilter,
) -> Result<AuditPage, StoreError> {
    let mut page = AuditPage::default();
    let Some(first) = first(view)? else { return Ok(page) };
    let mut to = meta::audit_next(view)?.min(before.unwrap_or(u64::MAX));
    let end = to.saturating_sub(LOOKED_AT_MAX).max(first);
    while to > end {
        let from = to.saturating_sub(CHUNK).max(end);
        let mut rows = Vec::new();
        range(view, from, to, &mut |row| {
            rows.push(row);
            true
        })?;
        for row in rows.into_iter().rev().filter(|row| filter.takes(row)) {
            if page.rows.len() == limit {
                page.next = page.rows.last().map(|row| row.seq);
                return Ok(page);
            }
            page.rows.push(row);
        }
        to = from;
    }
    page.next = (end > first).then_some(end);
    Ok(page)
}

/// Rows with higher numbers than `after`, oldest first.
pub(crate) fn after(
    view: &impl View,
    after: u64,
    limit: usize,
    filter: &AuditFilter,
) -> Result<AuditPage, StoreError> {
    let mut page = AuditPage::default();
    let (mut looked_at, from) = (0, after.saturating_add(1));
    range(view, from, u64::MAX, &mut |row| {
        looked_at += 1;
        page.next = Some(row.seq);
        if filter.takes(&row) {
            page.rows.push(row);
        }
        page.rows.len() < limit && looked_at < LOOKED_AT_MAX
    })?;
    Ok(page)
}

/// True if there are more rows than are kept.
pub(crate) fn is_long(view: &impl View) -> Result<bool, StoreError> {
    Ok(view.len(T::Audit)? > ROWS_MAX)
}

/// Takes the oldest rows away that are too many, a bounded number of them.
pub(crate) fn trim(tx: &mut Tx<'_, '_>, rows_max: u64) -> Result<(), StoreError> {
    let surplus = tx.len(T::Audit)?.saturating_sub(rows_max).min(TRIMMED_MAX);
    let Some(first) = first(&tx.tables)?.filter(|_| surplus > 0) else { return Ok(()) };
    let mut keys = Vec::new();
    tx.tables.scan(T::Audit, &first.to_be_bytes(), &[], &mut |key, _| {
        keys.push(key.to_vec());
        Ok((keys.len() as u64) < surplus)
    })?;
    for key in keys {
        tx.remove(T::Audit, &key)?;
    }
    Ok(())
}
