//! Reading many messages in a row: one snapshot, one decompressor, buffers that stay, and what the last
//! message was read by is where the next one is looked for.
//!
//! For work off the runtime's threads that looks at message after message. Keep it short: the snapshot
//! holds back space in the index while it lives.

use std::sync::Arc;

use base::{BlobId, MailboxId, Uid};
use message::{MailHeader, Structure};
use zstd::bulk::Decompressor;

use crate::blob::{self, Blob};
use crate::codec::blob_key;
use crate::index::{Cursor, Snapshot, T};
use crate::mailbox::reads;
use crate::segment::{Ahead, Segments};
use crate::{READ_MAX, Row, Store, StoreError, text};

/// Reads messages of one snapshot.
pub struct Reading {
    store: Store,
    snapshot: Snapshot,
    contents: Cursor,
    texts: Cursor,
    segments: Arc<Segments>,
    decompressor: Decompressor<'static>,
    packed: Ahead,
    plain: Vec<u8>,
    /// Whose frame, and which, is in `plain`.
    have: Option<(BlobId, u64)>,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("have", &self.have).finish_non_exhaustive()
    }
}

impl Store {
    /// Begins to read messages as they are now.
    ///
    /// # Errors
    /// `Index`, `Io`.
    pub fn reading(&self) -> Result<Reading, StoreError> {
        Ok(Reading {
            store: self.clone(),
            snapshot: self.snapshot()?,
            contents: Cursor::over(T::Blob),
            texts: Cursor::over(T::Text),
            segments: Arc::clone(&self.inner.segments),
            decompressor: Decompressor::new().map_err(StoreError::io("making a decompressor"))?,
            packed: Ahead::default(),
            plain: Vec::new(),
            have: None,
        })
    }
}

/// # Errors
/// As [`Store`]'s methods of the same names.
impl Reading {
    /// Rows with `from <= uid <= to`, ascending, at most `limit`.
    pub fn rows(
        &self,
        mailbox: MailboxId,
        from: Uid,
        to: Uid,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        reads::rows(&self.snapshot, mailbox, from, to, limit)
    }

    /// The MIME structure of a content; its texts stand in `buffer`.
    pub fn structure<'b>(
        &mut self,
        blob: BlobId,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Structure<&'b str>, StoreError> {
        let row = self.texts.get(&self.snapshot, &blob_key(blob))?;
        let packed = text::packed(row.ok_or_else(|| text::missing(blob))?)?;
        buffer.clear();
        buffer.extend_from_slice(packed);
        text::unpack(buffer, blob)
    }

    /// The fields of ENVELOPE; the parts are not unpacked.
    pub fn mail_header(&self, blob: BlobId) -> Result<MailHeader, StoreError> {
        text::mail_header(&self.snapshot, blob)
    }

    /// The bytes of a content from a multiple of [`READ_MAX`] to the next, or to its end.
    pub fn frame(&mut self, blob: BlobId, number: u64) -> Result<&[u8], StoreError> {
        if self.have != Some((blob, number)) {
            self.have = None;
            let row = self.contents.get(&self.snapshot, &blob_key(blob))?;
            let place = Blob::decode(row.ok_or_else(|| blob::missing(blob))?)?.place;
            let (packed, plain) = (&mut self.packed, &mut self.plain);
            let read =
                self.segments.read_frame(&place, number, &mut self.decompressor, packed, plain);
            if read.is_err() {
                // Since the snapshot the content may have moved; if it is damaged, this says so too.
                let offset = number.saturating_mul(READ_MAX as u64);
                self.plain = self.store.read(&blob, offset, READ_MAX)?;
            }
            self.have = Some((blob, number));
        }
        Ok(&self.plain)
    }
}
