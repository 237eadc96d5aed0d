//! What an account may do with a mailbox, and which mailboxes of others it sees.

use std::collections::BTreeSet;

use base::{AccountId, MailboxId};

use super::namespace::Owners;
use super::{AclEntry, Found, OFFICE, Principal, Rights, index, row as list};
use crate::StoreError;
use crate::directory::{account, group};
use crate::index::View;
use crate::mailbox::row::{self, MailboxRow};

/// Mailboxes of others that one account is shown.
const SHOWN_MAX: usize = 10_000;

fn names(view: &impl View, principal: &Principal, account: AccountId) -> Result<bool, StoreError> {
    Ok(match principal {
        Principal::Account(id) => *id == account,
        Principal::Group(key) => group::has_member(view, key, account)?,
        Principal::Anyone => true,
    })
}

/// RFC 4314 §2: the union of what is given, without the union of what is taken away.
pub(crate) fn rights(
    view: &impl View,
    account: AccountId,
    id: MailboxId,
    mailbox: &MailboxRow,
) -> Result<Rights, StoreError> {
    let is_owner = mailbox.account == account;
    if !is_owner && mailbox.account != OFFICE && !account::lives(view, mailbox.account)? {
        return Ok(Rights::NONE);
    }
    let entries = list::load(view, id)?;
    let has_own =
        |entry: &AclEntry| !entry.is_negative && entry.principal == Principal::Account(account);
    let mut given = Rights::NONE;
    if is_owner && !entries.iter().any(has_own) {
        given = Rights::ALL;
    }
    let mut taken = Rights::NONE;
    for entry in &entries {
        if names(view, &entry.principal, account)? {
            let side = if entry.is_negative { &mut taken } else { &mut given };
            *side = side.and(entry.rights);
        }
    }
    let rights = given.without(taken);
    let keeps = is_owner || mailbox.account == OFFICE && account::is_admin(view, account)?;
    Ok(if keeps { rights.and(Rights::OWNER) } else { rights })
}

/// The mailboxes of others and of the office of which the account may know, by name.
pub(crate) fn shown(view: &impl View, account: AccountId) -> Result<Vec<Found>, StoreError> {
    let mut ids = BTreeSet::new();
    index::mailboxes(view, &Principal::Account(account), SHOWN_MAX, &mut ids)?;
    index::mailboxes(view, &Principal::Anyone, SHOWN_MAX, &mut ids)?;
    for key in group::of_account(view, account)? {
        index::mailboxes(view, &Principal::Group(key), SHOWN_MAX, &mut ids)?;
    }
    if account::is_admin(view, account)? {
        ids.extend(row::list(view, OFFICE)?.into_iter().map(|(id, _)| id));
    }
    let mut owners = Owners::default();
    let mut found = Vec::new();
    for id in ids {
        let Some(mailbox) = row::find(view, id)? else { continue };
        if mailbox.account == account {
            continue;
        }
        let rights = rights(view, account, id, &mailbox)?;
        if !rights.has(Rights::LOOKUP) {
            continue;
        }
        let Some(name) = owners.shown(view, mailbox.account, &mailbox.name)? else { continue };
        found.push(found_as(view, id, &mailbox, name, rights)?);
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// A mailbox of somebody else with its special use hidden: `\Sent` of another is not this account's.
pub(crate) fn found_as(
    view: &impl View,
    id: MailboxId,
    row: &MailboxRow,
    name: String,
    rights: Rights,
) -> Result<Found, StoreError> {
    let mut mailbox = row.show(view, id)?;
    mailbox.special_use = None;
    Ok(Found { mailbox, name, rights })
}
