//! Access control lists against their index, annotations against the mailboxes that they are about, and whose
//! credentials there are.

use std::collections::BTreeSet;

use base::{AccountId, MailboxId};

use super::{Walk, rows_of};
use crate::acl::{OFFICE, Principal, index, row as list};
use crate::codec::In;
use crate::index::T;
use crate::mailbox::row;
use crate::{StoreError, annotation, credential};

pub(super) fn walk(walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let view = walk.view;
    let mut expected = BTreeSet::new();
    for (key, value) in rows_of(view, T::Acl, &[])? {
        let Some(id) = walk.note(In::plain(&key, "key of a list").u32()).map(MailboxId) else {
            continue;
        };
        let Some(entries) = walk.note(list::decode(&value)) else { continue };
        for entry in &entries {
            if let Principal::Account(account) = entry.principal {
                let is_there = walk.accounts.contains(&account);
                walk.expect(is_there, || {
                    format!("the list of mailbox {id} names account {account}, which is not there")
                });
            }
        }
        match walk.note(row::find(view, id)).flatten() {
            Some(mailbox) => expected.extend(index::keys(mailbox.account, id, &entries)),
            None => walk.problem(format!("a list is of mailbox {id}, which is not there")),
        }
    }
    let found: BTreeSet<Vec<u8>> =
        rows_of(view, T::AclPrincipal, &[])?.into_iter().map(|(key, _)| key).collect();
    walk.expect(found == expected, || {
        format!("{} rights are indexed, {} stand in lists", found.len(), expected.len())
    });
    for (key, value) in rows_of(view, T::Annotation, &[])? {
        let mut ids = In::plain(&key, "key of an annotation");
        let id = walk.note(ids.u32()).map(MailboxId);
        let holder = walk.note(ids.u32()).map(AccountId);
        walk.note(annotation::decode(&value));
        // Shared ones are under the office.
        let has_holder = holder.is_none_or(|id| id == OFFICE || walk.accounts.contains(&id));
        walk.expect(has_holder, || {
            format!("an annotation is of account {holder:?}, which is not there")
        });
        let is_there = id.is_none_or(|id| id == MailboxId(0) || walk.mailboxes.contains(&id));
        walk.expect(is_there, || format!("an annotation is of {id:?}, which is not there"));
    }
    for (key, value) in rows_of(view, T::Credential, &[])? {
        walk.note(credential::decode(&value));
        let holder = walk.note(credential::of_key(&key)).map(|(id, _)| id);
        let has_holder = holder.is_none_or(|id| id == OFFICE || walk.accounts.contains(&id));
        walk.expect(has_holder, || {
            format!("a credential is of account {holder:?}, which is not there")
        });
    }
    Ok(())
}
