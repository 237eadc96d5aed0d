//! The directory: every row that follows from an entry is there, and no other; every entry has its place.

use std::collections::BTreeMap;

use base::AccountId;

use super::{Walk, rows_of};
use crate::codec::{In, account_key};
use crate::directory::account::AccountRow;
use crate::directory::tree::{self, Stored};
use crate::directory::views::{self, Meaning};
use crate::directory::{entry, place};
use crate::index::{T, View};
use crate::{EntryId, StoreError};

pub(super) fn walk(walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let view = walk.view;
    for (key, row) in rows_of(view, T::Account, &[])? {
        let Some(id) = walk.note(In::plain(&key, "account id").u32()).map(AccountId) else {
            continue;
        };
        walk.accounts.insert(id);
        let Some(row) = walk.note(AccountRow::decode(&row)) else { continue };
        if row.deleted_at.is_none() {
            let found = walk.note(tree::existing(view, row.entry));
            walk.expect(found.is_none_or(|stored| stored.entry.account == Some(id)), || {
                format!("account {id}: its entry is another's")
            });
        }
    }
    let mut expected = BTreeMap::<T, u64>::new();
    for (key, row) in rows_of(view, T::Entry, &[])? {
        let id = walk.note(In::plain(&key, "number of an entry").u32()).map(EntryId);
        let (Some(id), Some(entry)) = (id, walk.note(entry::decode(&row))) else { continue };
        check_entry(walk, &Stored { id, entry }, &mut expected)?;
    }
    for table in views::TABLES {
        let (found, expected) = (view.len(table)?, expected.remove(&table).unwrap_or_default());
        walk.expect(found == expected, || {
            format!("the table {table:?} has {found} rows, from entries follow {expected}")
        });
    }
    Ok(())
}

fn check_entry(
    walk: &mut Walk<'_>,
    stored: &Stored,
    expected: &mut BTreeMap<T, u64>,
) -> Result<(), StoreError> {
    let (view, dn) = (walk.view, &stored.entry.dn);
    let Some(key) = walk.note(place::key_of(dn)) else { return Ok(()) };
    let Some(meaning) = walk.note(Meaning::of(view, &stored.entry)) else { return Ok(()) };
    let has_parent = match place::parent(&key) {
        Some(parent) => tree::id_of(view, parent)?.is_some(),
        None => false,
    };
    walk.expect(has_parent || meaning.domain.is_some(), || format!("nothing stands above {dn}"));
    walk.expect(meaning.account.is_some() == stored.entry.account.is_some(), || {
        format!("{dn} is an account and is not")
    });
    if let Some(id) = stored.entry.account {
        let row = view.get(T::Account, &account_key(id))?;
        let row = row.map(|row| AccountRow::decode(&row)).transpose();
        let is_its = |row: AccountRow| row.deleted_at.is_none() && row.entry == stored.id;
        let found = walk.note(row).flatten();
        walk.expect(found.is_some_and(is_its), || format!("{dn} is not found as account {id}"));
    }
    let Some(rows) = walk.note(views::rows(view, stored)) else { return Ok(()) };
    for ((table, key), value) in rows {
        // Those of groups are counted with the group.
        if table != T::Membership || meaning.group.is_some() {
            *expected.entry(table).or_default() += 1;
        }
        let found = view.get(table, &key)?;
        walk.expect(found.as_ref() == Some(&value), || {
            let key = String::from_utf8_lossy(&key).replace(char::is_control, " ");
            format!("{dn}: the row {key:?} of {table:?} is missing or another's")
        });
    }
    Ok(())
}
