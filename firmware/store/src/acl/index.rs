//! From a principal to the mailboxes whose lists name it: what makes LIST cost what an account may see,
//! not what the office has.

use base::{AccountId, MailboxId};

use super::{AclEntry, Principal};
use crate::StoreError;
use crate::codec::{In, Out, VERSION};
use crate::index::{T, View};
use crate::writer::Tx;

/// What all keys of a principal begin with.
pub(crate) fn prefix(principal: &Principal) -> Vec<u8> {
    match principal {
        Principal::Account(id) => Out::default().u8(1).u32(id.0).0,
        Principal::Group(key) => Out::default().u8(2).bytes(key.0.as_bytes()).u8(0).0,
        Principal::Anyone => vec![3],
    }
}

fn key(principal: &Principal, owner: AccountId, id: MailboxId) -> Vec<u8> {
    Out(prefix(principal)).u32(owner.0).u32(id.0).0
}

/// The keys of one list: those whom it gives something.
pub(crate) fn keys(owner: AccountId, id: MailboxId, entries: &[AclEntry]) -> Vec<Vec<u8>> {
    let gives = entries.iter().filter(|entry| !entry.is_negative);
    gives.map(|entry| key(&entry.principal, owner, id)).collect()
}

/// Moves the index from one list of a mailbox to the next.
pub(crate) fn replace(
    tx: &mut Tx<'_, '_>,
    owner: AccountId,
    id: MailboxId,
    old: &[AclEntry],
    new: &[AclEntry],
) -> Result<(), StoreError> {
    let (old, new) = (keys(owner, id, old), keys(owner, id, new));
    for key in old.iter().filter(|key| !new.contains(key)) {
        tx.remove(T::AclPrincipal, key)?;
    }
    for key in new.iter().filter(|key| !old.contains(key)) {
        tx.put(T::AclPrincipal, key, &[VERSION])?;
    }
    Ok(())
}

/// The mailboxes whose lists give something to a principal, at most `max`, into `found`.
pub(crate) fn mailboxes(
    view: &impl View,
    principal: &Principal,
    max: usize,
    found: &mut std::collections::BTreeSet<MailboxId>,
) -> Result<(), StoreError> {
    let prefix = prefix(principal);
    view.scan_prefix(T::AclPrincipal, &prefix, &mut |key, _| {
        let mut rest = In::plain(key.get(prefix.len()..).unwrap_or_default(), "key of a principal");
        rest.u32()?;
        found.insert(MailboxId(rest.u32()?));
        Ok(found.len() < max)
    })
}
