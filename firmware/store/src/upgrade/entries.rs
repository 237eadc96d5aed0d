//! From format 2, whose directory was found by DN texts, to format 3, whose entries have numbers, a tree
//! and an index of their values. Domains get their containers.

#[cfg(test)]
mod tests;

use base::{AccountId, DomainName, Timestamp};

use crate::codec::{In, account_key};
use crate::directory::account::AccountRow;
use crate::directory::tree::{self, Stored, id_key};
use crate::directory::{domain, entry, place, views};
use crate::index::{T, Tables, View};
use crate::{Entry, EntryId, StoreError, meta};

/// The row of an account in formats 1 and 2.
#[derive(Clone, Debug)]
pub(super) struct OldAccountRow {
    pub(super) deleted_at: Option<Timestamp>,
    pub(super) dn: String,
}

impl OldAccountRow {
    pub(super) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut row = In::versioned(row, "account row")?;
        let is_deleted = row.u8()? == 1;
        let at = Timestamp(row.u64()?.cast_signed());
        Ok(Self { deleted_at: is_deleted.then_some(at), dn: row.text()? })
    }
}

/// Rewrites the directory. What followed from entries is made again from them.
pub(super) fn run(tables: &mut Tables<'_>, now: Timestamp) -> Result<(), StoreError> {
    let mut entries = Vec::new();
    tables.scan(T::Entry, &[], &[], &mut |_, row| {
        entries.push(entry::decode(row)?);
        Ok(true)
    })?;
    tables.remove_prefix(T::Entry, &[])?;
    for table in views::TABLES {
        tables.remove_prefix(table, &[])?;
    }
    // Above before below, and members before groups.
    entries.sort_by_cached_key(|entry| (entry.has_class("groupOfNames"), entry.dn.len()));
    let mut stored = Vec::with_capacity(entries.len());
    for mut entry in entries {
        entry.dn = directory::Dn::parse(&entry.dn).map_err(StoreError::Refused)?.normalised();
        let is_domain = entry.has_class(domain::CLASS);
        let name = place::domain_of(&place::key_of(&entry.dn)?);
        put(tables, entry, &mut stored)?;
        if let (true, Some(name)) = (is_domain, name) {
            containers(tables, &name, now, &mut stored)?;
        }
    }
    accounts(tables)?;
    for stored in &stored {
        for ((table, key), value) in views::rows(tables, stored)? {
            tables.put(table, &key, &value)?;
        }
    }
    Ok(())
}

/// An entry gets its number and its place; a domain also its row, by which the places below are found.
fn put(
    tables: &mut Tables<'_>,
    entry: Entry,
    stored: &mut Vec<Stored>,
) -> Result<EntryId, StoreError> {
    let id = meta::next_entry(tables)?;
    let key = place::key_of(&entry.dn)?;
    tables.put(T::EntryDn, &key, &tree::link(id))?;
    if let (true, Some(name)) = (entry.has_class(domain::CLASS), place::domain_of(&key)) {
        tables.put(T::Domain, name.as_str().as_bytes(), &tree::link(id))?;
    }
    tables.put(T::Entry, &id_key(id), &entry::encode(&entry)?)?;
    stored.push(Stored { id, entry });
    Ok(id)
}

fn containers(
    tables: &mut Tables<'_>,
    name: &DomainName,
    now: Timestamp,
    stored: &mut Vec<Stored>,
) -> Result<(), StoreError> {
    for container in place::CONTAINERS {
        put(tables, domain::container(name, container, now)?, stored)?;
    }
    Ok(())
}

/// Rows of accounts name the entry's number.
fn accounts(tables: &mut Tables<'_>) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    tables.scan(T::Account, &[], &[], &mut |key, row| {
        let id = AccountId(In::plain(key, "account id").u32()?);
        rows.push((id, OldAccountRow::decode(row)?));
        Ok(true)
    })?;
    for (id, old) in rows {
        let entry = match old.deleted_at {
            Some(_) => EntryId(0),
            None => {
                tree::find(tables, &old.dn)?
                    .ok_or_else(|| StoreError::Damaged(format!("entry {} is missing", old.dn)))?
                    .id
            }
        };
        let row = AccountRow { deleted_at: old.deleted_at, entry };
        tables.put(T::Account, &account_key(id), &row.encode())?;
    }
    Ok(())
}
