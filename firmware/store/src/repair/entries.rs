//! The directory: what follows from entries is made again where it is not what it should be.

use super::{Repair, rows_of};
use crate::EntryId;
use crate::StoreError;
use crate::codec::{In, account_key};
use crate::directory::account::AccountRow;
use crate::directory::tree::{self, Stored};
use crate::directory::{domain, entry, place, views};
use crate::index::{T, View};

impl Repair<'_, '_, '_> {
    /// All rows that follow from entries.
    pub(super) fn entries(&mut self) -> Result<(), StoreError> {
        let mut all = Vec::new();
        for (key, row) in rows_of(&self.tx.tables, T::Entry, &[])? {
            let Ok(id) = In::plain(&key, "number of an entry").u32().map(EntryId) else { continue };
            match entry::decode(&row) {
                Ok(entry) => all.push(Stored { id, entry }),
                Err(e) => self.done.push(format!("entry {} cannot be read and stays: {e}", id.0)),
            }
        }
        if self.follows(&all)? {
            return Ok(());
        }
        self.done.push("the directory is indexed anew".to_owned());
        for table in views::TABLES {
            self.tx.remove_prefix(table, &[])?;
        }
        // Places are found by domains, members by their DNs.
        for stored in &all {
            let key = place::key_of(&stored.entry.dn)?;
            self.tx.put(T::EntryDn, &key, &tree::link(stored.id))?;
            let is_domain = stored.entry.has_class(domain::CLASS);
            if let (true, Some(name)) = (is_domain, place::domain_of(&key)) {
                self.tx.put(T::Domain, name.as_str().as_bytes(), &tree::link(stored.id))?;
            }
        }
        for stored in &all {
            for ((table, key), value) in views::rows(&self.tx.tables, stored)? {
                self.tx.put(table, &key, &value)?;
            }
            if let Some(id) = stored.entry.account {
                let row = AccountRow { deleted_at: None, entry: stored.id };
                self.tx.put(T::Account, &account_key(id), &row.encode())?;
            }
        }
        Ok(())
    }

    /// True if all rows are what follows from the entries.
    fn follows(&self, all: &[Stored]) -> Result<bool, StoreError> {
        let view = &self.tx.tables;
        let mut expected = std::collections::BTreeSet::new();
        for stored in all {
            for ((table, key), value) in views::rows(view, stored)? {
                if view.get(table, &key)?.as_ref() != Some(&value) {
                    return Ok(false);
                }
                expected.insert((table, key));
            }
            if let Some(id) = stored.entry.account {
                let row = AccountRow { deleted_at: None, entry: stored.id };
                if view.get(T::Account, &account_key(id))? != Some(row.encode()) {
                    return Ok(false);
                }
            }
        }
        let mut len = 0;
        for table in views::TABLES {
            len += view.len(table)?;
        }
        Ok(len == expected.len() as u64)
    }
}
