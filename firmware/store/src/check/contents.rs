//! Contents: link counts, places, bytes, texts; settings and counters.

use base::BlobId;

use super::{Walk, rows_of};
use crate::blob::{self, Blob};
use crate::index::{T, View};
use crate::segment::Segments;
use crate::{StoreError, meta, settings, text};

fn id_of(key: &[u8]) -> Option<BlobId> {
    <[u8; 8]>::try_from(key).ok().map(|key| BlobId(u64::from_be_bytes(key)))
}

pub(super) fn walk(walk: &mut Walk<'_>, segments: &Segments) -> Result<(), StoreError> {
    let (end, _) = meta::log_end(walk.view)?;
    let mut keys = Vec::new();
    walk.view.scan(T::Blob, &[], &[], &mut |key, _| {
        keys.push(key.to_vec());
        Ok(true)
    })?;
    let highest = keys.last().and_then(|key| id_of(key));
    for key in keys {
        let Some(id) = id_of(&key) else {
            walk.problem("a content has a key that is no number".to_owned());
            continue;
        };
        walk.report.blobs += 1;
        let row = walk.view.get(T::Blob, &key)?.unwrap_or_default();
        let Some(blob) = walk.note(Blob::decode(&row)) else { continue };
        let links = walk.links.remove(&id).unwrap_or(0);
        walk.expect(blob.links == links, || {
            format!("content {id} says it has {} links, it has {links}", blob.links)
        });
        let place = blob.place;
        if links > 0 {
            *walk.live.entry(place.segment).or_default() += place.record_len();
        }
        let is_behind = place.segment > end.segment
            || (place.segment == end.segment && place.end() > end.offset);
        walk.expect(!is_behind, || format!("content {id} stands behind the end of the log"));
        walk.note(segments.verify(&place, &blob.hash));
        walk.note(text::imap_texts(walk.view, id));
        walk.note(blob::line_octets(walk.view, id, place.size));
        walk.note(text::structure(walk.view, id));
        let found = walk.note(blob::number_of(walk.view, &blob.hash));
        walk.expect(found.is_none_or(|found| found == Some(id)), || {
            format!("content {id} is not found by its hash {}", blob.hash)
        });
    }
    let missing: Vec<BlobId> = walk.links.keys().copied().collect();
    for id in missing {
        walk.problem(format!("content {id} is linked but missing"));
    }
    let (texts, blobs) = (walk.view.len(T::Text)?, walk.report.blobs);
    walk.expect(texts == blobs, || format!("{texts} texts for {blobs} contents"));
    let mut strays = 0u64;
    walk.view.scan(T::LineOctets, &[], &[], &mut |key, _| {
        strays += u64::from(!walk.view.has(T::Blob, key)?);
        Ok(true)
    })?;
    walk.expect(strays == 0, || format!("{strays} rows of line octets without a content"));
    let hashes = walk.view.len(T::Hash)?;
    walk.expect(hashes == blobs, || format!("{hashes} hashes for {blobs} contents"));
    walk.note(settings::load(walk.view));
    walk.note(settings::tls_identity(walk.view));
    for (key, row) in rows_of(walk.view, T::Meta, b"next_")? {
        let name = String::from_utf8_lossy(&key).into_owned();
        let highest = match key.as_slice() {
            b"next_account" => walk.accounts.last().map(|id| u64::from(id.0)),
            b"next_content" => highest.map(|id| id.0),
            b"next_mailbox" => walk.mailboxes.last().map(|id| u64::from(id.0)),
            b"next_entry" => last_entry_id(walk.view)?,
            b"next_expunged" => walk.deleted_blocks.last().copied(),
            b"next_queue" => last_queue_id(walk.view)?,
            // The walks of their own tables look at the others.
            _ => None,
        };
        let next = crate::codec::In::versioned(&row, "counter").and_then(|mut row| row.u64());
        let Some(next) = walk.note(next) else { continue };
        walk.expect(highest.is_none_or(|highest| highest < next), || {
            format!("counter {name} would give an id again")
        });
    }
    Ok(())
}

fn last_queue_id(view: &impl View) -> Result<Option<u64>, StoreError> {
    let mut last = None;
    view.scan(T::Queue, &[], &[], &mut |key, _| {
        last = <[u8; 8]>::try_from(key).ok().map(u64::from_be_bytes);
        Ok(true)
    })?;
    Ok(last)
}

fn last_entry_id(view: &impl View) -> Result<Option<u64>, StoreError> {
    let mut last = None;
    view.scan(T::Entry, &[], &[], &mut |key, _| {
        last = <[u8; 4]>::try_from(key).ok().map(|id| u32::from_be_bytes(id).into());
        Ok(true)
    })?;
    Ok(last)
}
