//! The list of a mailbox, one row. A mailbox without a row belongs to its owner alone.

use base::{AccountId, MailboxId};

use super::{AclEntry, Principal, Rights, index};
use crate::StoreError;
use crate::codec::{In, Out, mailbox_key};
use crate::directory::group::GroupKey;
use crate::index::{T, View};
use crate::writer::Tx;

/// Entries of one list.
pub(crate) const ENTRIES_MAX: usize = 256;

pub(crate) fn encode(entries: &[AclEntry]) -> Vec<u8> {
    let mut row = Out::versioned();
    for entry in entries {
        let (kind, name) = match &entry.principal {
            Principal::Account(id) => (1, id.0.to_be_bytes().to_vec()),
            Principal::Group(key) => (2, key.0.clone().into_bytes()),
            Principal::Anyone => (3, Vec::new()),
        };
        // A group's key is shorter than 64 KB by far; see `GroupKey`.
        let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
        row = row
            .u8(kind)
            .u8(entry.is_negative.into())
            .u32(entry.rights.bits().into())
            .u32(len)
            .bytes(&name);
    }
    row.0
}

pub(crate) fn decode(row: &[u8]) -> Result<Vec<AclEntry>, StoreError> {
    let bad = || StoreError::Damaged("access control list".to_owned());
    let mut row = In::versioned(row, "access control list")?;
    let mut entries = Vec::new();
    while !row.is_empty() {
        let kind = row.u8()?;
        let is_negative = row.u8()? == 1;
        let rights = u16::try_from(row.u32()?).ok().and_then(Rights::of_bits).ok_or_else(bad)?;
        let len = usize::try_from(row.u32()?).map_err(|_| bad())?;
        let name = row.slice(len)?;
        let principal = match kind {
            1 => Principal::Account(AccountId(In::plain(name, "account of a list").u32()?)),
            2 => Principal::Group(GroupKey(String::from_utf8(name.to_vec()).map_err(|_| bad())?)),
            3 if name.is_empty() => Principal::Anyone,
            _ => return Err(bad()),
        };
        entries.push(AclEntry { principal, is_negative, rights });
    }
    Ok(entries)
}

/// The list of a mailbox; empty where there is none.
pub(crate) fn load(view: &impl View, id: MailboxId) -> Result<Vec<AclEntry>, StoreError> {
    match view.get(T::Acl, &mailbox_key(id))? {
        Some(row) => decode(&row),
        None => Ok(Vec::new()),
    }
}

/// Replaces the list of a mailbox and moves the index with it.
pub(crate) fn put(
    tx: &mut Tx<'_, '_>,
    owner: AccountId,
    id: MailboxId,
    entries: &[AclEntry],
) -> Result<(), StoreError> {
    let old = load(&tx.tables, id)?;
    index::replace(tx, owner, id, &old, entries)?;
    if entries.is_empty() {
        tx.remove(T::Acl, &mailbox_key(id))?;
    } else {
        tx.put(T::Acl, &mailbox_key(id), &encode(entries))?;
    }
    Ok(())
}
