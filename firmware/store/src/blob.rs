//! Contents: one copy per message, whoever receives it, with a number in the order of arrival and a count
//! of its links. The number makes neighbours of what arrived together: a mailbox is read in order.
//!
//! Links are message rows and queue entries. A content that nobody links stays, row and bytes, until
//! the clean-up of the log takes it; a later message of the same hash finds it again.

use base::{BlobHash, BlobId};

use crate::StoreError;
use crate::codec::{In, Out, blob_key};
use crate::index::{T, Tables, View};
use crate::segment::{LoggedDelivery, Place};
use crate::segment_row;
use crate::staging::StagedInner;
use crate::writer::Tx;

/// Version 1 had the hash as its key.
const VERSION: u8 = 2;

/// Numbers that may lie between two contents for which one walk is cheaper than two searches.
const GAP_MAX: u64 = 8;

/// A content's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) place: Place,
    pub(crate) links: u64,
    pub(crate) hash: BlobHash,
}

impl Blob {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut row = In::of_version(VERSION, row, "content row")?;
        let place = Place::decode(&mut row)?;
        Ok(Self { place, links: row.u64()?, hash: BlobHash(row.take()?) })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        Out::of_version(VERSION)
            .u32(self.place.segment)
            .u64(self.place.offset)
            .u32(self.place.table_at)
            .u64(self.place.data_len)
            .u64(self.place.size)
            .u64(self.links)
            .bytes(&self.hash.0)
            .0
    }
}

pub(crate) fn find(view: &impl View, id: BlobId) -> Result<Option<Blob>, StoreError> {
    view.get(T::Blob, &blob_key(id))?.map(|row| Blob::decode(&row)).transpose()
}

/// The number of a content, if it is stored.
pub(crate) fn number_of(view: &impl View, hash: &BlobHash) -> Result<Option<BlobId>, StoreError> {
    let Some(row) = view.get(T::Hash, &hash.0)? else { return Ok(None) };
    Ok(Some(BlobId(In::versioned(&row, "content hash")?.u64()?)))
}

/// Octets of a content's lines with CRLF, as POP3 counts them. Few differ from their size: what came by
/// SMTP does not.
pub(crate) fn line_octets(view: &impl View, id: BlobId, size: u64) -> Result<u64, StoreError> {
    match view.get(T::LineOctets, &blob_key(id))? {
        Some(row) => In::versioned(&row, "line octets")?.u64(),
        None => Ok(size),
    }
}

/// Makes a content found by its hash.
pub(crate) fn put_hash(
    tables: &mut Tables<'_>,
    hash: &BlobHash,
    id: BlobId,
) -> Result<(), StoreError> {
    tables.put(T::Hash, &hash.0, &Out::versioned().u64(id.0).0)
}

/// The row of a content that something links.
pub(crate) fn linked(view: &impl View, id: BlobId) -> Result<Blob, StoreError> {
    find(view, id)?.ok_or_else(|| missing(id))
}

pub(crate) fn missing(id: BlobId) -> StoreError {
    StoreError::Damaged(format!("content {id} is missing"))
}

/// Adds `count` links to a content that exists.
pub(crate) fn link(tables: &mut Tables<'_>, id: BlobId, count: u64) -> Result<(), StoreError> {
    let blob = linked(tables, id)?;
    add_links(tables, id, blob, count)
}

/// Adds a link to each of `ids`, to one that stands there twice two: a walk over neighbours, not a search
/// for each.
pub(crate) fn link_each(tables: &mut Tables<'_>, mut ids: Vec<BlobId>) -> Result<(), StoreError> {
    ids.sort_unstable();
    for near in ids.chunk_by(|a, b| b.0 - a.0 <= GAP_MAX) {
        let (Some(&first), Some(&last)) = (near.first(), near.last()) else { continue };
        let to = blob_key(BlobId(last.0.saturating_add(1)));
        let mut same = near.chunk_by(|a, b| a == b).peekable();
        let mut found = Vec::with_capacity(near.len());
        tables.scan(T::Blob, &blob_key(first), &to, &mut |key, row| {
            let id = BlobId(In::plain(key, "content number").u64()?);
            if let Some(links) = same.next_if(|links| links.first() == Some(&id)) {
                found.push((id, Blob::decode(row)?, links.len() as u64));
            }
            Ok(true)
        })?;
        if let Some(&missing) = same.next().and_then(|links| links.first()) {
            return Err(StoreError::Damaged(format!("content {missing} is missing")));
        }
        for (id, blob, count) in found {
            add_links(tables, id, blob, count)?;
        }
    }
    Ok(())
}

fn add_links(
    tables: &mut Tables<'_>,
    id: BlobId,
    mut blob: Blob,
    count: u64,
) -> Result<(), StoreError> {
    if blob.links == 0 && count > 0 {
        segment_row::add_live(tables, &blob.place)?;
    }
    blob.links += count;
    tables.put_row(T::Blob, &blob_key(id), blob.encode())
}

/// Takes a link away.
pub(crate) fn unlink(tables: &mut Tables<'_>, id: BlobId) -> Result<(), StoreError> {
    let mut blob = linked(tables, id)?;
    blob.links = blob
        .links
        .checked_sub(1)
        .ok_or_else(|| StoreError::Damaged(format!("content {id} has too few links")))?;
    if blob.links == 0 {
        segment_row::take_live(tables, &blob.place)?;
    }
    tables.put_row(T::Blob, &blob_key(id), blob.encode())
}

/// The number that a staged content has or will have; [`bring`] must follow in the same act.
pub(crate) fn number(tx: &mut Tx<'_, '_>, staged: &StagedInner) -> Result<BlobId, StoreError> {
    match number_of(&tx.tables, &staged.hash)? {
        Some(id) => Ok(id),
        None => crate::meta::next_content(tx),
    }
}

/// Brings a staged content in under its [`number`], with `count` links; its bytes are written only if
/// they are new.
pub(crate) fn bring(
    tx: &mut Tx<'_, '_>,
    id: BlobId,
    staged: &StagedInner,
    delivery: &LoggedDelivery,
    count: u64,
) -> Result<(), StoreError> {
    let key = blob_key(id);
    if tx.has(T::Blob, &key)? {
        return link(tx, id, count);
    }
    let place = tx.log.append(id, staged, delivery)?;
    if count > 0 {
        segment_row::add_live(tx, &place)?;
    }
    let blob = Blob { place, links: count, hash: staged.hash };
    tx.put(T::Blob, &key, &blob.encode())?;
    put_hash(tx, &staged.hash, id)?;
    if staged.line_octets != staged.size {
        tx.put(T::LineOctets, &key, &Out::versioned().u64(staged.line_octets).0)?;
    }
    tx.put_derived(T::Text, &key, &staged.texts)
}

/// Takes a content out of a segment: what something links goes to the end of the log, all else ends, with
/// its hash and texts. Nothing happens to one that stands elsewhere by now.
pub(crate) fn leave_segment(
    tx: &mut Tx<'_, '_>,
    id: BlobId,
    segment: u32,
) -> Result<(), StoreError> {
    let key = blob_key(id);
    let Some(mut blob) = find(&tx.tables, id)?.filter(|blob| blob.place.segment == segment) else {
        return Ok(());
    };
    if blob.links == 0 {
        for table in [T::Blob, T::Text, T::LineOctets] {
            tx.remove(table, &key)?;
        }
        return tx.remove(T::Hash, &blob.hash.0).map(|_| ());
    }
    segment_row::take_live(tx, &blob.place)?;
    blob.place = tx.log.append_copy(id, &blob.place, blob.hash)?;
    segment_row::add_live(tx, &blob.place)?;
    tx.put(T::Blob, &key, &blob.encode())
}
