//! From format 1, which named contents by their hash and never replayed its log, to format 2; and from there
//! on (`entries`). One transaction: a crash leaves the one or the other.
//!
//! A copy of the old index stays as `index.v1` or `index.v2`: with it and the segments the version before
//! opens again, without what came since.

mod entries;

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AccountId, BlobHash, BlobId, QueueId, Timestamp};
use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};
use serde::Deserialize;

use self::entries::OldAccountRow;
use crate::blob::{self, Blob};
use crate::codec::{In, Out, blob_key, from_postcard};
use crate::directory::account;
use crate::index::{self, T, Tables, View};
use crate::mailbox::message_row::MessageRow;
use crate::recovery::accounts;
use crate::segment::{LogEnd, Place, Segments};
use crate::segment_row::{self, SegmentRow};
use crate::spool::{Envelope, QueueRecipient};
use crate::{DiskFile, QueueEntry, StoreError, meta, queue};

const BLOB: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("blob");
const TEXT: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("text");
/// Rows of a table that are rewritten at once.
const PAGE: usize = 1_000;
/// Bytes copied at once.
const PIECE: usize = 1024 * 1024;

/// An entry of the spool as format 1 wrote it.
#[derive(Deserialize)]
struct OldEntry {
    id: QueueId,
    envelope: Envelope,
    blob: BlobHash,
    size: u64,
    skip: u32,
    queued_at: Timestamp,
    hold: bool,
    recipients: Vec<QueueRecipient>,
}

/// Copies the index, so that there is a way back.
pub(crate) fn keep(from: &dyn DiskFile, to: &Arc<dyn DiskFile>) -> std::io::Result<()> {
    let len = from.len()?;
    to.set_len(0)?;
    let mut at = 0;
    while at < len {
        let mut piece = vec![0; usize::try_from(len - at).unwrap_or(PIECE).min(PIECE)];
        from.read_at(&mut piece, at)?;
        to.write_at(&piece, at)?;
        at += piece.len() as u64;
    }
    to.sync_data()
}

/// Brings an index of format `from` to this one, in one transaction. Of format 2 the log must have been
/// replayed before: its changes are of the rows as they were.
pub(crate) fn run(
    database: &Database,
    segments: &Segments,
    from: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    tracing::info!(from, to = meta::FORMAT, "the store is brought to a later format");
    let mut transaction = index::begin(database)?;
    index::make_durable(&mut transaction)?;
    let mut tables = Tables::open(&transaction);
    tables.make_all()?;
    if from == meta::OLDEST_FORMAT {
        let end = meta::old_log_end(&tables)?;
        contents(&transaction, &mut tables, segments, end)?;
        messages(&mut tables)?;
        spool(&mut tables)?;
        graves(&mut tables)?;
        meta::put_log_end(&mut tables, end, 0)?;
    }
    entries::run(&mut tables, now)?;
    meta::put_format(&mut tables)?;
    tables.flush()?;
    drop(tables);
    if from == meta::OLDEST_FORMAT {
        for old in [BLOB, TEXT] {
            transaction.delete_table(old).map_err(StoreError::index("dropping a table"))?;
        }
    }
    transaction.commit().map_err(StoreError::index("committing"))
}

fn old_place(row: &[u8]) -> Result<(Place, u64), StoreError> {
    let mut row = In::versioned(row, "content row")?;
    let place = Place::decode(&mut row)?;
    Ok((place, row.u64()?))
}

/// Numbers the contents in the order in which they stand in the log.
fn contents(
    transaction: &WriteTransaction,
    tables: &mut Tables<'_>,
    segments: &Segments,
    end: LogEnd,
) -> Result<(), StoreError> {
    let opening = "opening a table";
    let blobs = transaction.open_table(BLOB).map_err(StoreError::index(opening))?;
    let texts = transaction.open_table(TEXT).map_err(StoreError::index(opening))?;
    let mut order = Vec::new();
    for row in blobs.range::<&[u8]>(..).map_err(StoreError::index("reading a range"))? {
        let (key, value) = row.map_err(StoreError::index("reading a range"))?;
        let hash = BlobHash(In::plain(key.value(), "content hash").take()?);
        let (place, _) = old_place(value.value())?;
        order.push((place.segment, place.offset, hash));
    }
    order.sort_unstable();
    let mut rows = BTreeMap::<u32, SegmentRow>::new();
    let mut id = BlobId(1);
    for (_, _, hash) in order {
        let missing = || StoreError::Damaged(format!("message {hash} has no row"));
        let get = |table: &redb::Table<'_, &'static [u8], &'static [u8]>| {
            let row = table.get(hash.0.as_slice()).map_err(StoreError::index("reading a row"))?;
            row.map(|row| row.value().to_vec()).ok_or_else(missing)
        };
        let (place, links) = old_place(&get(&blobs)?)?;
        let row = rows.entry(place.segment).or_default();
        row.live += if links > 0 { place.record_len() } else { 0 };
        tables.put(T::Blob, &blob_key(id), &Blob { place, links, hash }.encode())?;
        tables.put(T::Hash, &hash.0, &Out::versioned().u64(id.0).0)?;
        tables.put(T::Text, &blob_key(id), &get(&texts)?)?;
        id.0 += 1;
    }
    for (segment, mut row) in rows {
        if segment < end.segment {
            row.total = segments.len(segment).unwrap_or(0);
        }
        segment_row::put(tables, segment, row)?;
    }
    meta::put_next_content(tables, id)
}

/// Makes a row of the old one.
type NewRow = dyn Fn(&Tables<'_>, &[u8]) -> Result<Vec<u8>, StoreError>;

/// Rewrites all rows of a table, a page at a time.
fn rewrite(tables: &mut Tables<'_>, table: T, new: &NewRow) -> Result<(), StoreError> {
    let mut from = Vec::new();
    loop {
        let mut page = Vec::new();
        tables.scan(table, &from, &[], &mut |key, row| {
            page.push((key.to_vec(), row.to_vec()));
            Ok(page.len() < PAGE)
        })?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        from = Out::default().bytes(last).u8(0).0;
        for (key, row) in page {
            let row = new(tables, &row)?;
            tables.put(table, &key, &row)?;
        }
    }
}

fn number(tables: &Tables<'_>, hash: &BlobHash) -> Result<BlobId, StoreError> {
    let missing = || StoreError::Damaged(format!("message {hash} is linked but missing"));
    blob::number_of(tables, hash)?.ok_or_else(missing)
}

fn messages(tables: &mut Tables<'_>) -> Result<(), StoreError> {
    rewrite(tables, T::Message, &|tables, row| {
        let mut row = In::versioned(row, "message row")?;
        let (size, internal_date) = (row.u64()?, Timestamp(row.u64()?.cast_signed()));
        let blob = number(tables, &BlobHash(row.take()?))?;
        Ok(MessageRow { size, internal_date, zone_minutes: 0, saved: None, blob }.encode())
    })
}

/// Format 1 kept nothing of a deleted account but its row and mailboxes; its mail can be restored all the
/// same, and goes when the retention time is over.
fn graves(tables: &mut Tables<'_>) -> Result<(), StoreError> {
    let mut deleted = Vec::new();
    tables.scan(T::Account, &[], &[], &mut |key, row| {
        let row = OldAccountRow::decode(row)?;
        if let Some(at) = row.deleted_at {
            deleted.push((AccountId(In::plain(key, "account id").u32()?), row.dn, at));
        }
        Ok(true)
    })?;
    for (id, dn, at) in deleted {
        match account::remains(id, &dn, at)? {
            Some(entry) => accounts::bury(tables, id, entry)?,
            None => tracing::warn!(%id, "a deleted account cannot be restored"),
        }
    }
    Ok(())
}

fn spool(tables: &mut Tables<'_>) -> Result<(), StoreError> {
    rewrite(tables, T::Queue, &|tables, row| {
        let old: OldEntry = from_postcard(row, "queue entry")?;
        queue::encode(&QueueEntry {
            id: old.id,
            envelope: old.envelope,
            blob: number(tables, &old.blob)?,
            size: old.size,
            skip: old.skip,
            queued_at: old.queued_at,
            hold: old.hold,
            recipients: old.recipients,
        })
    })
}
