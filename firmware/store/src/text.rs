//! The table of texts: IMAP responses and the structure of each content, made once when it is staged.

use base::BlobId;

use crate::codec::{In, Out, blob_key};
use crate::index::{T, View};
use crate::{ImapTexts, StoreError};

/// The row of a content: ENVELOPE, BODY, BODYSTRUCTURE and the structure in postcard.
pub(crate) fn encode(structure: &message::Structure) -> Result<Vec<u8>, StoreError> {
    let packed = postcard::to_allocvec(structure)
        .map_err(|_| StoreError::Misuse("a structure that cannot be written"))?;
    let fields =
        [structure.imap_envelope(), structure.imap_body(false), structure.imap_body(true), packed];
    let mut row = Out::versioned();
    for field in fields {
        let len = u32::try_from(field.len()).map_err(|_| StoreError::TooLarge)?;
        row = row.u32(len).bytes(&field);
    }
    Ok(row.0)
}

/// The four fields of a row.
fn fields(row: &[u8]) -> Result<[&[u8]; 4], StoreError> {
    let mut row = In::versioned(row, "message texts")?;
    let mut fields: [&[u8]; 4] = [&[]; 4];
    for field in &mut fields {
        let len = row.u32()?;
        *field = row.slice(len as usize)?;
    }
    Ok(fields)
}

fn row(view: &impl View, id: BlobId) -> Result<Vec<u8>, StoreError> {
    view.get(T::Text, &blob_key(id))?.ok_or_else(|| missing(id))
}

pub(crate) fn missing(id: BlobId) -> StoreError {
    StoreError::Damaged(format!("content {id} has no texts"))
}

/// The texts of a content where they stand, not copied.
#[derive(Clone, Copy, Debug)]
pub struct TextsRef<'a> {
    fields: [&'a [u8]; 4],
}

impl<'a> TextsRef<'a> {
    pub(crate) fn decode(row: &'a [u8]) -> Result<Self, StoreError> {
        Ok(Self { fields: fields(row)? })
    }
    /// ENVELOPE.
    #[must_use]
    pub fn envelope(&self) -> &'a [u8] {
        self.fields[0]
    }
    /// BODY.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.fields[1]
    }
    /// BODYSTRUCTURE.
    #[must_use]
    pub fn bodystructure(&self) -> &'a [u8] {
        self.fields[2]
    }
    /// The MIME structure.
    ///
    /// # Errors
    /// `Damaged`.
    pub fn structure(&self) -> Result<message::Structure, StoreError> {
        postcard::from_bytes(self.fields[3])
            .map_err(|e| StoreError::Damaged(format!("structure of a message: {e}")))
    }
}

pub(crate) fn imap_texts(view: &impl View, id: BlobId) -> Result<ImapTexts, StoreError> {
    let row = row(view, id)?;
    let [envelope, body, bodystructure, _] = fields(&row)?;
    Ok(ImapTexts {
        envelope: envelope.to_vec(),
        body: body.to_vec(),
        bodystructure: bodystructure.to_vec(),
    })
}

pub(crate) fn structure(view: &impl View, id: BlobId) -> Result<message::Structure, StoreError> {
    unpack(packed(&row(view, id)?)?, id)
}

/// The structure in a row, as [`unpack`] takes it.
pub(crate) fn packed(row: &[u8]) -> Result<&[u8], StoreError> {
    let [.., packed] = fields(row)?;
    Ok(packed)
}

/// The structure of a content; its texts may stay where they stand.
pub(crate) fn unpack<'a, S: serde::Deserialize<'a>>(
    packed: &'a [u8],
    id: BlobId,
) -> Result<message::Structure<S>, StoreError> {
    postcard::from_bytes(packed)
        .map_err(|e| StoreError::Damaged(format!("structure of content {id}: {e}")))
}

/// The first fields of a structure; postcard needs no more of the row than is read.
pub(crate) fn mail_header(view: &impl View, id: BlobId) -> Result<message::MailHeader, StoreError> {
    let row = row(view, id)?;
    let [.., packed] = fields(&row)?;
    let first: Result<((u64, u32, message::MailHeader), _), _> = postcard::take_from_bytes(packed);
    first
        .map(|((_, _, header), _)| header)
        .map_err(|e| StoreError::Damaged(format!("structure of content {id}: {e}")))
}

#[cfg(test)]
mod tests {

    #[test]
    fn the_header_is_the_structures() {
        let mut scanner = message::Scanner::new();
        scanner.feed(b"From: a@b\r\nSubject: x\r\nReferences: <a@b> <c@d>\r\n\r\nbody\r\n");
        let structure = scanner.finish();
        let packed = postcard::to_allocvec(&structure).unwrap();
        let ((size, received, header), _): ((u64, u32, message::MailHeader), _) =
            postcard::take_from_bytes(&packed).unwrap();
        assert_eq!((size, received), (structure.size, structure.received));
        assert_eq!(header, structure.header);
    }
}
