//! The entries by number and by DN.

use super::{entry, place};
use crate::codec::{In, Out};
use crate::index::{T, View};
use crate::{Entry, EntryId, StoreError};

/// An entry and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: EntryId,
    pub(crate) entry: Entry,
}

pub(crate) fn id_key(id: EntryId) -> [u8; 4] {
    id.0.to_be_bytes()
}

/// Version and number: the row of everything that leads to an entry.
pub(crate) fn link(id: EntryId) -> Vec<u8> {
    Out::of_version(LINK_VERSION).u32(id.0).0
}

/// Version 1 of such rows had the DN.
const LINK_VERSION: u8 = 2;

/// Reads what [`link`] wrote.
pub(crate) fn decode_link(row: &[u8], what: &'static str) -> Result<EntryId, StoreError> {
    In::of_version(LINK_VERSION, row, what)?.u32().map(EntryId)
}

/// The number of the entry whose key this is.
pub(crate) fn id_of(view: &impl View, key: &[u8]) -> Result<Option<EntryId>, StoreError> {
    view.get(T::EntryDn, key)?.map(|row| decode_link(&row, "row of a DN")).transpose()
}

/// The entry of a number.
pub(crate) fn load(view: &impl View, id: EntryId) -> Result<Option<Entry>, StoreError> {
    view.get(T::Entry, &id_key(id))?.map(|row| entry::decode(&row)).transpose()
}

/// The DN of an entry, without a look at the rest: a group may have very many members.
pub(crate) fn written_dn(view: &impl View, id: EntryId) -> Result<String, StoreError> {
    match view.get(T::Entry, &id_key(id))? {
        Some(row) => entry::decode_written_dn(&row),
        None => Err(missing(id)),
    }
}

fn missing(id: EntryId) -> StoreError {
    StoreError::Damaged(format!("entry {} is missing", id.0))
}

/// The entry of a row that leads to it.
pub(crate) fn existing(view: &impl View, id: EntryId) -> Result<Stored, StoreError> {
    let entry = load(view, id)?;
    let entry = entry.ok_or_else(|| missing(id))?;
    Ok(Stored { id, entry })
}

/// The entry of a DN; `None` also for a text that is none.
pub(crate) fn find(view: &impl View, dn: &str) -> Result<Option<Stored>, StoreError> {
    let Ok(key) = place::key_of(dn) else { return Ok(None) };
    id_of(view, &key)?.map(|id| existing(view, id)).transpose()
}

/// True if something stands below the entry of this key.
pub(crate) fn has_children(view: &impl View, key: &[u8]) -> Result<bool, StoreError> {
    let mut found = false;
    view.scan_prefix(T::EntryDn, key, &mut |below, _| {
        found = below != key;
        Ok(!found)
    })?;
    Ok(found)
}
