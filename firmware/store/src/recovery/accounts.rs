//! Deleted accounts: what they were stands beside the account's row until the retention time is over.
//! Their mailboxes stay as they are; entry and addresses are free for others.

use base::{AccountId, Address};

use super::{DeletedAccount, Obstacle, age};
use crate::audit::entries::Why;
use crate::codec::{In, Out, account_key};
use crate::directory::account::{self, AccountRow};
use crate::directory::views::Claims;
use crate::directory::{address_index, domain, entry, tree, writing};
use crate::index::{T, Tables, View};
use crate::mailbox::usage;
use crate::writer::Tx;
use crate::{Account, Entry, StoreError};

/// What a deleted account was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grave {
    /// The store's age when it was deleted.
    pub(crate) age: u64,
    pub(crate) entry: Entry,
}

impl Grave {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut fields = In::versioned(row, "deleted account")?;
        Ok(Self { age: fields.u64()?, entry: entry::decode(fields.rest())? })
    }

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        Ok(Out::versioned().u64(self.age).bytes(&entry::encode(&self.entry)?).0)
    }
}

pub(crate) fn find(view: &impl View, id: AccountId) -> Result<Option<Grave>, StoreError> {
    view.get(T::DeletedAccount, &account_key(id))?.map(|row| Grave::decode(&row)).transpose()
}

/// The account that it was.
pub(crate) fn was(view: &impl View, id: AccountId) -> Result<Option<Account>, StoreError> {
    find(view, id)?.map(|grave| account::account_of(view, id, &grave.entry)).transpose()
}

/// Keeps the entry of an account that is being deleted.
pub(crate) fn bury(tables: &mut Tables<'_>, id: AccountId, entry: Entry) -> Result<(), StoreError> {
    let grave = Grave { age: age::now(tables)?, entry };
    tables.put(T::DeletedAccount, &account_key(id), &grave.encode()?)
}

/// Deleted accounts behind `after`, by id.
pub(crate) fn list(
    view: &impl View,
    after: AccountId,
    limit: usize,
) -> Result<Vec<DeletedAccount>, StoreError> {
    let mut found = Vec::new();
    let Some(first) = after.0.checked_add(1) else { return Ok(found) };
    if limit == 0 {
        return Ok(found);
    }
    view.scan(T::DeletedAccount, &first.to_be_bytes(), &[], &mut |key, row| {
        let id = AccountId(In::plain(key, "account id").u32()?);
        let grave = Grave::decode(row)?;
        let used = usage::of(view, id)?;
        let row = view.get(T::Account, &account_key(id))?;
        let row = row.map(|row| AccountRow::decode(&row)).transpose()?;
        let address = account::claims(view, &grave.entry)?.primary;
        found.push(DeletedAccount {
            id,
            obstacle: obstacle(view, &address, &grave.entry)?,
            address,
            name: grave.entry.first(entry::NAME).unwrap_or_default().to_owned(),
            deleted_at: row.and_then(|row| row.deleted_at).unwrap_or_default(),
            messages: used.messages,
            bytes: used.bytes,
        });
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

/// What [`restore`] would say.
fn obstacle(
    view: &impl View,
    address: &Address,
    entry: &Entry,
) -> Result<Option<Obstacle>, StoreError> {
    match address_index::must_be_free(view, address) {
        Err(StoreError::NoSuchDomain) => Ok(Some(Obstacle::NoDomain)),
        Err(StoreError::AddressTaken(_)) => Ok(Some(Obstacle::AddressTaken)),
        Err(err) => Err(err),
        Ok(()) => {
            let is_there = tree::find(view, &entry.dn)?.is_some();
            Ok(is_there.then_some(Obstacle::NameTaken))
        }
    }
}

/// Who administered a domain that goes does not come back as who administers another one of its name.
pub(crate) fn forget_manager(tables: &mut Tables<'_>, domain: &str) -> Result<(), StoreError> {
    let mut graves = Vec::new();
    tables.scan(T::DeletedAccount, &[], &[], &mut |key, row| {
        let grave = Grave::decode(row)?;
        if grave.entry.texts(entry::MANAGES).any(|name| name.eq_ignore_ascii_case(domain)) {
            graves.push((key.to_vec(), grave));
        }
        Ok(true)
    })?;
    for (key, mut grave) in graves {
        let kept = grave.entry.texts(entry::MANAGES).filter(|n| !n.eq_ignore_ascii_case(domain));
        let kept: Vec<String> = kept.map(str::to_owned).collect();
        grave.entry.set(entry::MANAGES, kept);
        tables.put(T::DeletedAccount, &key, &grave.encode()?)?;
    }
    Ok(())
}

/// Brings a deleted account back with its address and mailboxes. Returns the further addresses that
/// somebody else has now, or whose domain is gone; they are lost to it.
pub(crate) fn restore(tx: &mut Tx<'_, '_>, id: AccountId) -> Result<Vec<Address>, StoreError> {
    let Grave { mut entry, .. } = find(&tx.tables, id)?.ok_or(StoreError::NoSuchAccount)?;
    let Claims { primary, further } = account::claims(&tx.tables, &entry)?;
    address_index::must_be_free(&tx.tables, &primary)?;
    if tree::find(&tx.tables, &entry.dn)?.is_some() {
        return Err(StoreError::Exists);
    }
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    for further in &further {
        let is_free = domain::exists(&tx.tables, further.domain())?
            && address_index::find(&tx.tables, further)?.is_none();
        if is_free { kept.push(further.clone()) } else { lost.push(further.clone()) }
    }
    account::set_aliases(&mut entry, &primary, &further, &kept);
    entry.modified_at = tx.now;
    entry.account = Some(id);
    writing::put_as(tx, None, entry, Why::Restore)?;
    Ok(lost)
}

/// The deleted account of an entry that ceased to be one.
pub(crate) fn of_uuid(view: &impl View, uuid: &[u8; 16]) -> Result<Option<AccountId>, StoreError> {
    let mut found = None;
    view.scan(T::DeletedAccount, &[], &[], &mut |key, row| {
        if Grave::decode(row)?.entry.uuid == *uuid {
            found = Some(AccountId(In::plain(key, "account id").u32()?));
        }
        Ok(found.is_none())
    })?;
    Ok(found)
}
