//! The texts of contents whose rows came from a copy: made again from the contents themselves.

use base::BlobId;
use redb::Database;

use crate::blob::Blob;
use crate::codec::{In, blob_key};
use crate::index::{self, Snapshot, T, Tables, View as _};
use crate::segment::Segments;
use crate::{StoreError, text};

/// Contents of one transaction.
const PER_COMMIT: usize = 1_000;

/// Makes the rows that are missing; how many contents there were, and how many of them are damaged: they get
/// the texts of an empty message, and who reads them is told of the damage.
pub(super) fn make(database: &Database, segments: &Segments) -> Result<(u64, u64), StoreError> {
    let (mut count, mut damaged) = (0, 0);
    let mut from = BlobId(0);
    loop {
        let (found, next) = missing(&Snapshot::of(database)?, from)?;
        count += found.len() as u64;
        let transaction = index::begin(database)?;
        let mut tables = Tables::open(&transaction);
        for (id, content) in found {
            let mut scanner = message::Scanner::new();
            let mut take = |piece: &[u8]| scanner.feed(piece);
            let row = match segments.verify_with(&content.place, &content.hash, &mut take) {
                Ok(()) => text::encode(&scanner.finish())?,
                Err(StoreError::Damaged(why)) => {
                    tracing::warn!(%id, why, "a content is damaged");
                    damaged += 1;
                    text::encode(&message::Scanner::new().finish())?
                }
                Err(other) => return Err(other),
            };
            tables.put_derived(T::Text, &blob_key(id), &row)?;
        }
        tables.flush()?;
        drop(tables);
        transaction.commit().map_err(StoreError::index("committing"))?;
        index::checkpoint(database)?;
        match next {
            Some(next) => from = next,
            None => return Ok((count, damaged)),
        }
    }
}

/// Contents from `from` on that have no texts, and where to go on.
type Missing = (Vec<(BlobId, Blob)>, Option<BlobId>);

fn missing(view: &Snapshot, from: BlobId) -> Result<Missing, StoreError> {
    let mut found = Vec::new();
    let mut next = None;
    view.scan(T::Blob, &blob_key(from), &[], &mut |key, row| {
        let id = BlobId(In::plain(key, "content number").u64()?);
        if found.len() >= PER_COMMIT {
            next = Some(id);
            return Ok(false);
        }
        // A row that cannot be read is found by the repair behind this.
        if let Ok(content) = Blob::decode(row)
            && !view.has(T::Text, key)?
        {
            found.push((id, content));
        }
        Ok(true)
    })?;
    Ok((found, next))
}
