//! What lists, annotations and credentials say of mailboxes and accounts that are not there, and the index of the lists.

use std::collections::BTreeSet;

use base::{AccountId, MailboxId};

use super::{Repair, rows_of};
use crate::acl::{OFFICE, Principal, index, row as list};
use crate::codec::{In, VERSION, account_key, mailbox_key};
use crate::index::{T, View as _};
use crate::mailbox::row;
use crate::{StoreError, credential};

impl Repair<'_, '_, '_> {
    /// Rows of the audit log that cannot be read; the others stay as they are.
    pub(super) fn audit(&mut self) -> Result<(), StoreError> {
        for (key, value) in rows_of(&self.tx.tables, T::Audit, &[])? {
            if let Err(e) = crate::audit::rows::decode(&key, &value) {
                self.done.push(format!("a row of the audit log is taken away: {e}"));
                self.tx.remove(T::Audit, &key)?;
            }
        }
        self.webhooks()
    }

    /// Webhooks that cannot be read, with all their rows: the admin sets them anew.
    fn webhooks(&mut self) -> Result<(), StoreError> {
        let rows = rows_of(&self.tx.tables, T::Webhook, &[])?;
        for (key, value) in &rows {
            let Err(e) = crate::webhook::decode(key, value) else { continue };
            self.done.push(format!("a webhook is taken away: {e}"));
            let id = key.get(..4).unwrap_or(key);
            for (key, _) in rows.iter().filter(|(key, _)| key.starts_with(id)) {
                self.tx.remove(T::Webhook, key)?;
            }
        }
        Ok(())
    }

    fn has_account(&self, id: AccountId) -> Result<bool, StoreError> {
        self.tx.has(T::Account, &account_key(id))
    }

    fn has_mailbox(&self, id: MailboxId) -> Result<bool, StoreError> {
        self.tx.has(T::Mailbox, &mailbox_key(id))
    }

    /// Access control lists, then their index as they say it.
    pub(super) fn lists(&mut self) -> Result<(), StoreError> {
        let mut expected = BTreeSet::new();
        for (key, value) in rows_of(&self.tx.tables, T::Acl, &[])? {
            let id = In::plain(&key, "key of a list").u32().map(MailboxId);
            let (Ok(id), Ok(mut entries)) = (id, list::decode(&value)) else {
                self.done.push("an access control list that cannot be read is taken away".into());
                self.tx.remove(T::Acl, &key)?;
                continue;
            };
            let Ok(Some(mailbox)) = row::find(&self.tx.tables, id) else {
                if !self.has_mailbox(id)? {
                    self.done.push(format!("the list of mailbox {id}, which is not there"));
                    self.tx.remove(T::Acl, &key)?;
                }
                continue;
            };
            let before = entries.len();
            for account in entries.iter().filter_map(account_of).collect::<BTreeSet<_>>() {
                if !self.has_account(account)? {
                    entries.retain(|entry| account_of(entry) != Some(account));
                }
            }
            if entries.len() != before {
                self.done.push(format!("the list of mailbox {id} named accounts that are gone"));
                match entries.is_empty() {
                    true => drop(self.tx.remove(T::Acl, &key)?),
                    false => self.tx.put(T::Acl, &key, &list::encode(&entries))?,
                }
            }
            expected.extend(index::keys(mailbox.account, id, &entries));
        }
        let found: BTreeSet<Vec<u8>> =
            rows_of(&self.tx.tables, T::AclPrincipal, &[])?.into_iter().map(|row| row.0).collect();
        if found == expected {
            return Ok(());
        }
        self.done.push("the index of the access control lists".to_owned());
        for key in found.difference(&expected) {
            self.tx.remove(T::AclPrincipal, key)?;
        }
        for key in expected.difference(&found) {
            self.tx.put(T::AclPrincipal, key, &[VERSION])?;
        }
        Ok(())
    }

    /// Annotations of mailboxes or accounts that are gone.
    pub(super) fn annotations(&mut self) -> Result<(), StoreError> {
        for (key, _) in rows_of(&self.tx.tables, T::Annotation, &[])? {
            let mut ids = In::plain(&key, "key of an annotation");
            let (mailbox, holder) = (ids.u32().map(MailboxId), ids.u32().map(AccountId));
            let is_kept = match (mailbox, holder) {
                (Ok(mailbox), Ok(holder)) => {
                    (mailbox == MailboxId(0) || self.has_mailbox(mailbox)?)
                        && (holder == OFFICE || self.has_account(holder)?)
                }
                _ => false,
            };
            if !is_kept {
                self.done.push("an annotation of what is not there".to_owned());
                self.tx.remove(T::Annotation, &key)?;
            }
        }
        Ok(())
    }

    /// Credentials of accounts that are gone, and those that cannot be read.
    pub(super) fn credentials(&mut self) -> Result<(), StoreError> {
        for (key, value) in rows_of(&self.tx.tables, T::Credential, &[])? {
            let is_kept = match credential::of_key(&key) {
                Ok((holder, _)) => {
                    credential::decode(&value).is_ok()
                        && (holder == OFFICE || self.has_account(holder)?)
                }
                Err(_) => false,
            };
            if !is_kept {
                self.done.push("an app password or second factor of nobody".to_owned());
                self.tx.remove(T::Credential, &key)?;
            }
        }
        Ok(())
    }
}

fn account_of(entry: &crate::acl::AclEntry) -> Option<AccountId> {
    match entry.principal {
        Principal::Account(id) => Some(id),
        Principal::Group(_) | Principal::Anyone => None,
    }
}
