//! Contents by hash: one copy per message, whoever receives it, with a count of its links.
//!
//! Links are message rows and queue entries. A content that nobody links stays, row and bytes, until
//! the clean-up of the log takes it; a later message of the same hash finds it again.

use base::BlobHash;

use crate::StoreError;
use crate::codec::{In, Out};
use crate::index::{T, Tables, View};
use crate::segment::{LoggedDelivery, Place};
use crate::staging::StagedInner;
use crate::writer::Tx;

/// No offset, length or size is this large: 1 TB.
const PLACE_MAX: u64 = 1 << 40;

/// A content's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) place: Place,
    pub(crate) links: u64,
}

impl Blob {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut row = In::versioned(row, "content row")?;
        let place = Place {
            segment: row.u32()?,
            offset: row.u64()?,
            table_at: row.u32()?,
            data_len: row.u64()?,
            size: row.u64()?,
        };
        // A damaged row must not ask for memory or overflow a sum.
        if place.offset.max(place.data_len).max(place.size) >= PLACE_MAX {
            return Err(StoreError::Damaged("content row with an impossible place".to_owned()));
        }
        Ok(Self { place, links: row.u64()? })
    }

    fn encode(&self) -> Vec<u8> {
        Out::versioned()
            .u32(self.place.segment)
            .u64(self.place.offset)
            .u32(self.place.table_at)
            .u64(self.place.data_len)
            .u64(self.place.size)
            .u64(self.links)
            .0
    }
}

pub(crate) fn find(view: &impl View, hash: &BlobHash) -> Result<Option<Blob>, StoreError> {
    view.get(T::Blob, &hash.0)?.map(|row| Blob::decode(&row)).transpose()
}

/// The row of a content that something links.
pub(crate) fn linked(view: &impl View, hash: &BlobHash) -> Result<Blob, StoreError> {
    find(view, hash)?.ok_or_else(|| StoreError::Damaged(format!("message {hash} is missing")))
}

/// Adds `count` links to a content that exists.
pub(crate) fn link(tables: &mut Tables<'_>, hash: &BlobHash, count: u64) -> Result<(), StoreError> {
    let mut blob = linked(tables, hash)?;
    blob.links += count;
    tables.put(T::Blob, &hash.0, &blob.encode())
}

/// Takes a link away.
pub(crate) fn unlink(tables: &mut Tables<'_>, hash: &BlobHash) -> Result<(), StoreError> {
    let mut blob = linked(tables, hash)?;
    blob.links = blob
        .links
        .checked_sub(1)
        .ok_or_else(|| StoreError::Damaged(format!("message {hash} has too few links")))?;
    tables.put(T::Blob, &hash.0, &blob.encode())
}

/// Brings a staged content in, with `count` links; its bytes are written only if they are new.
pub(crate) fn bring(
    tx: &mut Tx<'_, '_>,
    staged: &StagedInner,
    delivery: &LoggedDelivery,
    count: u64,
) -> Result<(), StoreError> {
    if tx.has(T::Blob, &staged.hash.0)? {
        return link(tx, &staged.hash, count);
    }
    let place = tx.log.append(staged, delivery)?;
    tx.put(T::Blob, &staged.hash.0, &Blob { place, links: count }.encode())?;
    tx.put(T::Text, &staged.hash.0, &staged.texts)
}
