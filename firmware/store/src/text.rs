//! The table of texts: IMAP responses and the structure of each content, made once when it is staged.

use base::BlobHash;

use crate::codec::{In, Out};
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

fn row(view: &impl View, hash: &BlobHash) -> Result<Vec<u8>, StoreError> {
    view.get(T::Text, &hash.0)?
        .ok_or_else(|| StoreError::Damaged(format!("message {hash} has no texts")))
}

pub(crate) fn imap_texts(view: &impl View, hash: &BlobHash) -> Result<ImapTexts, StoreError> {
    let row = row(view, hash)?;
    let [envelope, body, bodystructure, _] = fields(&row)?;
    Ok(ImapTexts {
        envelope: envelope.to_vec(),
        body: body.to_vec(),
        bodystructure: bodystructure.to_vec(),
    })
}

pub(crate) fn structure(
    view: &impl View,
    hash: &BlobHash,
) -> Result<message::Structure, StoreError> {
    let row = row(view, hash)?;
    let [.., packed] = fields(&row)?;
    postcard::from_bytes(packed)
        .map_err(|e| StoreError::Damaged(format!("structure of message {hash}: {e}")))
}
