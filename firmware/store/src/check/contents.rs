//! Contents: link counts, places, bytes, texts; settings and counters.

use base::BlobHash;

use super::{Walk, rows_of};
use crate::blob::Blob;
use crate::index::{T, View};
use crate::segment::Segments;
use crate::{StoreError, meta, settings, text};

fn hash_of(key: &[u8]) -> Option<BlobHash> {
    <[u8; 32]>::try_from(key).ok().map(BlobHash)
}

pub(super) fn walk(walk: &mut Walk<'_>, segments: &Segments) -> Result<(), StoreError> {
    let end = meta::log_end(walk.view)?;
    let mut keys = Vec::new();
    walk.view.scan(T::Blob, &[], &[], &mut |key, _| {
        keys.push(key.to_vec());
        Ok(true)
    })?;
    for key in keys {
        let Some(hash) = hash_of(&key) else {
            walk.problem("a content has a key that is no hash".to_owned());
            continue;
        };
        walk.report.blobs += 1;
        let row = walk.view.get(T::Blob, &key)?.unwrap_or_default();
        let Some(blob) = walk.note(Blob::decode(&row)) else { continue };
        let links = walk.links.remove(&hash).unwrap_or(0);
        walk.expect(blob.links == links, || {
            format!("message {hash} says it has {} links, it has {links}", blob.links)
        });
        let place = blob.place;
        let is_behind = place.segment > end.segment
            || (place.segment == end.segment && place.end() > end.offset);
        walk.expect(!is_behind, || format!("message {hash} stands behind the end of the log"));
        walk.note(segments.verify(&place, &hash));
        walk.note(text::imap_texts(walk.view, &hash));
        walk.note(text::structure(walk.view, &hash));
    }
    let missing: Vec<BlobHash> = walk.links.keys().copied().collect();
    for hash in missing {
        walk.problem(format!("message {hash} is linked but missing"));
    }
    let (texts, blobs) = (walk.view.len(T::Text)?, walk.report.blobs);
    walk.expect(texts == blobs, || format!("{texts} texts for {blobs} contents"));
    walk.note(settings::load(walk.view));
    walk.note(settings::tls_identity(walk.view));
    for (key, row) in rows_of(walk.view, T::Meta, b"next_")? {
        let name = String::from_utf8_lossy(&key).into_owned();
        let highest = match key.as_slice() {
            b"next_account" => walk.accounts.last().map(|id| u64::from(id.0)),
            b"next_mailbox" => walk.mailboxes.last().map(|id| u64::from(id.0)),
            _ => last_queue_id(walk.view)?,
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
