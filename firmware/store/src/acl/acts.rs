//! Changes of lists: SETACL and DELETEACL, and what becomes of a list with its mailbox.

use base::{AccountId, MailboxId};

use super::{AclEntry, AclOp, OFFICE, Principal, Rights, index, principal, row as list};
use crate::StoreError;
use crate::codec::In;
use crate::index::{T, View};
use crate::mailbox::row;
use crate::writer::Tx;

/// Wakes who may see a mailbox, because its name changed.
pub(crate) fn wake(tx: &mut Tx<'_, '_>, id: MailboxId) -> Result<(), StoreError> {
    let entries = list::load(&tx.tables, id)?;
    wake_all(tx, id, &entries)
}

/// Wakes whom a change of a list may concern: who has the mailbox open, and who may see it come or go.
fn wake_all(tx: &mut Tx<'_, '_>, id: MailboxId, entries: &[AclEntry]) -> Result<(), StoreError> {
    let mailbox = row::existing(&tx.tables, id)?;
    tx.effects.touched.insert(id, mailbox.highest_modseq);
    tx.effects.accounts.insert(mailbox.account);
    for entry in entries {
        match entry.principal {
            Principal::Account(id) => tx.effects.accounts.insert(id),
            // Who that is nobody counts: the office's watchers look.
            Principal::Group(_) | Principal::Anyone => tx.effects.accounts.insert(OFFICE),
        };
    }
    Ok(())
}

/// Changes the rights of one identifier. `NoSuchAccount` if it names nobody.
pub(crate) fn set(
    tx: &mut Tx<'_, '_>,
    id: MailboxId,
    identifier: &str,
    op: AclOp,
    rights: Rights,
) -> Result<(), StoreError> {
    let mailbox = row::existing(&tx.tables, id)?;
    let (who, is_negative) =
        principal::parse(&tx.tables, identifier)?.ok_or(StoreError::NoSuchAccount)?;
    let mut entries = list::load(&tx.tables, id)?;
    let before = entries.clone();
    let is_owner = !is_negative && who == Principal::Account(mailbox.account);
    let at = entries.iter().position(|e| e.principal == who && e.is_negative == is_negative);
    let default = if is_owner { Rights::ALL } else { Rights::NONE };
    let old = at.and_then(|at| entries.get(at)).map_or(default, |entry| entry.rights);
    let mut new = match op {
        AclOp::Replace => rights,
        AclOp::Add => old.and(rights),
        AclOp::Remove => old.without(rights),
    };
    if is_owner {
        new = new.and(Rights::OWNER);
    }
    entries.retain(|e| e.principal != who || e.is_negative != is_negative);
    // An owner with all rights is what a list without him says.
    let is_said = if is_owner { new != Rights::ALL } else { new != Rights::NONE };
    if is_said {
        if entries.len() >= list::ENTRIES_MAX {
            return Err(StoreError::LimitReached("entries of an access control list"));
        }
        entries.insert(
            at.unwrap_or(entries.len()),
            AclEntry { principal: who, is_negative, rights: new },
        );
    }
    if entries == before {
        return Ok(());
    }
    list::put(tx, mailbox.account, id, &entries)?;
    wake_all(tx, id, &[before, entries].concat())
}

/// A new mailbox takes over the list of its parent (RFC 4314 §4, CREATE). At the top of the office the one
/// who made it has all rights.
pub(crate) fn inherit(
    tx: &mut Tx<'_, '_>,
    owner: AccountId,
    name: &str,
    id: MailboxId,
    maker: Option<AccountId>,
) -> Result<(), StoreError> {
    let parent = match name.rsplit_once('/') {
        Some((parent, _)) => row::id_of_name(&tx.tables, owner, parent)?,
        None => None,
    };
    let entries = match (parent, maker) {
        (Some(parent), _) => list::load(&tx.tables, parent)?,
        (None, Some(maker)) if owner == OFFICE => vec![AclEntry {
            principal: Principal::Account(maker),
            is_negative: false,
            rights: Rights::ALL,
        }],
        _ => Vec::new(),
    };
    tx.effects.accounts.insert(owner);
    if entries.is_empty() {
        return Ok(());
    }
    list::put(tx, owner, id, &entries)?;
    wake_all(tx, id, &entries)
}

/// The list goes with its mailbox.
pub(crate) fn forget(
    tx: &mut Tx<'_, '_>,
    owner: AccountId,
    id: MailboxId,
) -> Result<(), StoreError> {
    let entries = list::load(&tx.tables, id)?;
    if entries.is_empty() {
        tx.effects.accounts.insert(owner);
        return Ok(());
    }
    wake_all(tx, id, &entries)?;
    list::put(tx, owner, id, &[])
}

/// Takes a principal that is no more out of all lists that give it something, so that a later one of the
/// same name gets nothing.
pub(crate) fn drop_principal(tx: &mut Tx<'_, '_>, principal: &Principal) -> Result<(), StoreError> {
    let mut ids = std::collections::BTreeSet::new();
    index::mailboxes(&tx.tables, principal, usize::MAX, &mut ids)?;
    for id in ids {
        let Some(mailbox) = row::find(&tx.tables, id)? else { continue };
        let mut entries = list::load(&tx.tables, id)?;
        entries.retain(|entry| entry.principal != *principal);
        list::put(tx, mailbox.account, id, &entries)?;
        tx.effects.touched.insert(id, mailbox.highest_modseq);
    }
    Ok(())
}

/// Takes an account whose time is over out of the lists that name it, of at most `most` mailboxes; returns of
/// how many. What was taken from it goes too: its id is never given again.
pub(crate) fn forget_account(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    most: usize,
) -> Result<usize, StoreError> {
    let gone = Principal::Account(account);
    let mut naming = Vec::new();
    // Entries that take away are in no index.
    tx.tables.scan(T::Acl, &[], &[], &mut |key, value| {
        let id = MailboxId(In::plain(key, "key of a list").u32()?);
        // A list that cannot be read is for `check` to tell.
        if let Ok(entries) = list::decode(value)
            && entries.iter().any(|entry| entry.principal == gone)
        {
            naming.push((id, entries));
        }
        Ok(naming.len() < most)
    })?;
    let count = naming.len();
    for (id, mut entries) in naming {
        let Some(mailbox) = row::find(&tx.tables, id)? else { continue };
        entries.retain(|entry| entry.principal != gone);
        list::put(tx, mailbox.account, id, &entries)?;
    }
    Ok(count)
}

/// A group has another name: its rights stay.
pub(crate) fn rename_principal(
    tx: &mut Tx<'_, '_>,
    old: &Principal,
    new: &Principal,
) -> Result<(), StoreError> {
    let mut naming = Vec::new();
    // Entries that take away are in no index.
    tx.tables.scan(T::Acl, &[], &[], &mut |key, value| {
        let entries = list::decode(value)?;
        if entries.iter().any(|entry| entry.principal == *old) {
            naming.push((MailboxId(In::plain(key, "key of a list").u32()?), entries));
        }
        Ok(true)
    })?;
    for (id, mut entries) in naming {
        let Some(mailbox) = row::find(&tx.tables, id)? else { continue };
        for entry in entries.iter_mut().filter(|entry| entry.principal == *old) {
            entry.principal = new.clone();
        }
        list::put(tx, mailbox.account, id, &entries)?;
        tx.effects.touched.insert(id, mailbox.highest_modseq);
    }
    Ok(())
}

/// The list as it is told: the owner first, then in the order in which entries came.
pub(crate) fn show(view: &impl View, id: MailboxId) -> Result<Vec<(String, Rights)>, StoreError> {
    let mailbox = row::existing(view, id)?;
    let entries = list::load(view, id)?;
    let owner = Principal::Account(mailbox.account);
    let is_owner = |e: &AclEntry| e.principal == owner && !e.is_negative;
    let mut shown = Vec::with_capacity(entries.len() + 1);
    if let Some(name) = principal::show(view, &owner, false)? {
        let rights = entries.iter().find(|e| is_owner(e)).map_or(Rights::ALL, |e| e.rights);
        shown.push((name, rights));
    }
    for entry in entries.iter().filter(|entry| !is_owner(entry)) {
        if let Some(name) = principal::show(view, &entry.principal, entry.is_negative)? {
            shown.push((name, entry.rights));
        }
    }
    Ok(shown)
}

/// Whether an identifier is the owner's, who always keeps some rights; `None` if it names nobody.
pub(crate) fn is_owner(
    view: &impl View,
    id: MailboxId,
    identifier: &str,
) -> Result<Option<bool>, StoreError> {
    let mailbox = row::existing(view, id)?;
    let owner = Principal::Account(mailbox.account);
    Ok(principal::parse(view, identifier)?.map(|(who, is_negative)| !is_negative && who == owner))
}
