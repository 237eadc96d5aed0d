//! The one way in which an entry comes, changes and goes: with all rows that follow from it.

use base::AccountId;
use directory::{Attributes, Code, Refusal};

use super::account::AccountRow;
use super::tree::{self, Stored, id_key};
use super::views::{self, Meaning, Rows};
use super::{address_index, domain_alias, entry, group, place};
use crate::acl::Principal;
use crate::audit::entries::{self, Known, Why};
use crate::codec::account_key;
use crate::index::{T, View};
use crate::recovery::accounts;
use crate::writer::Tx;
use crate::{Entry, EntryId, StoreError, meta};

/// Addresses of one entry: a primary one and further ones.
const ADDRESSES_MAX: usize = 1_001;
/// Entries of one box.
const ENTRIES_MAX: u64 = 500_000;

/// Puts an entry: a new one, or a change of `before`. It becomes or ceases to be an account by what it
/// says. `Exists`, `AddressTaken`, `LimitReached`, `Refused`.
pub(crate) fn put(
    tx: &mut Tx<'_, '_>,
    before: Option<&Stored>,
    entry: Entry,
) -> Result<EntryId, StoreError> {
    put_as(tx, before, entry, Why::Act)
}

/// As [`put`], told in the audit log as `why` says.
pub(crate) fn put_as(
    tx: &mut Tx<'_, '_>,
    before: Option<&Stored>,
    mut entry: Entry,
    why: Why,
) -> Result<EntryId, StoreError> {
    check_place(tx, before, &entry)?;
    // A typed act may have put another name in the place of the one in the DN.
    let dn = directory::Dn::parse(&entry.written_dn).map_err(StoreError::Refused)?;
    directory::add_naming_values(&dn, &mut entry.attributes);
    check_schema(&dn, before, &entry)?;
    let meaning = Meaning::of(&tx.tables, &entry)?;
    check_names(tx, before, &entry, &meaning)?;
    let old = before.map(|stored| Meaning::of(&tx.tables, &stored.entry)).transpose()?;
    let old = old.unwrap_or_default();
    let known = entry.account;
    let mut is_new = false;
    entry.account = match (&meaning.account, known) {
        (None, _) => None,
        (Some(_), Some(id)) => Some(id),
        (Some(_), None) => match accounts::of_uuid(&tx.tables, &entry.uuid)? {
            Some(id) => Some(id),
            None => {
                is_new = true;
                Some(meta::next_account(tx)?)
            }
        },
    };
    let id = match before {
        Some(stored) => stored.id,
        None => meta::next_entry(tx)?,
    };
    let stored = Stored { id, entry };
    let (gone, rows) = views::change(&tx.tables, before, &stored)?;
    replace(tx, &gone, rows)?;
    tx.put(T::Entry, &id_key(id), &entry::encode(&stored.entry)?)?;
    tx.effects.directory_changed = true;
    if let Some(account) = stored.entry.account {
        let row = AccountRow { deleted_at: None, entry: id };
        tx.put(T::Account, &account_key(account), &row.encode())?;
        tx.remove(T::DeletedAccount, &account_key(account))?;
        if is_new {
            crate::mailbox::acts::create_defaults(tx, account)?;
        }
    } else if let (Some(account), Some(before)) = (known, before) {
        end_account(tx, account, &before.entry)?;
    }
    match (&old.group, &meaning.group) {
        (Some(old), Some(new)) if old != new => {
            let (old, new) = (Principal::Group(old.clone()), Principal::Group(new.clone()));
            crate::acl::acts::rename_principal(tx, &old, &new)?;
        }
        (Some(old), None) => {
            crate::acl::acts::drop_principal(tx, &Principal::Group(old.clone()))?;
        }
        _ => {}
    }
    wake(tx, &old, &meaning);
    let before = before.map(|stored| Known { entry: &stored.entry, meaning: &old });
    let after = Known { entry: &stored.entry, meaning: &meaning };
    entries::tell(tx, before, Some(after), why)?;
    Ok(id)
}

/// Removes an entry; what names it as a member does so no more. An account is kept for the retention time.
pub(crate) fn remove(tx: &mut Tx<'_, '_>, stored: &Stored) -> Result<(), StoreError> {
    remove_as(tx, stored, Why::Act)
}

/// As [`remove`], told in the audit log as `why` says.
pub(crate) fn remove_as(tx: &mut Tx<'_, '_>, stored: &Stored, why: Why) -> Result<(), StoreError> {
    let meaning = Meaning::of(&tx.tables, &stored.entry)?;
    let gone = views::rows(&tx.tables, stored)?;
    replace(tx, &gone, Rows::new())?;
    tx.remove(T::Entry, &id_key(stored.id))?;
    tx.effects.directory_changed = true;
    if let Some(account) = stored.entry.account {
        end_account(tx, account, &stored.entry)?;
    }
    if let Some(key) = &meaning.group {
        crate::acl::acts::drop_principal(tx, &Principal::Group(key.clone()))?;
    }
    wake(tx, &meaning, &Meaning::default());
    let before = Known { entry: &stored.entry, meaning: &meaning };
    entries::tell(tx, Some(before), None, why)?;
    change_member(tx, &stored.entry.dn, None)
}

/// In all entries that name `old` as a member stands `new`, or nothing.
pub(crate) fn change_member(
    tx: &mut Tx<'_, '_>,
    old: &str,
    new: Option<&str>,
) -> Result<(), StoreError> {
    for id in views::naming(&tx.tables, old)? {
        let before = tree::existing(&tx.tables, id)?;
        let mut entry = before.entry.clone();
        let Some(values) = entry.attributes.get_mut(entry::MEMBER) else { continue };
        let count = values.len();
        let is_old = |value: &Vec<u8>| {
            std::str::from_utf8(value).is_ok_and(|member| views::is_same(member, old))
        };
        let Some(at) = values.iter().position(is_old) else { continue };
        values.remove(at);
        if let Some(new) = new {
            values.insert(at.min(count), new.as_bytes().to_vec());
        }
        if values.is_empty() {
            entry.attributes.remove(entry::MEMBER);
        }
        entry.modified_at = tx.now;
        let why = if new.is_some() { Why::MovesAlong } else { Why::Consequence };
        put_as(tx, Some(&before), entry, why)?;
    }
    Ok(())
}

/// Row and mailboxes stay for the retention time, and what the account was.
fn end_account(tx: &mut Tx<'_, '_>, id: AccountId, entry: &Entry) -> Result<(), StoreError> {
    let row = AccountRow { deleted_at: Some(tx.now), entry: EntryId(0) };
    tx.put(T::Account, &account_key(id), &row.encode())?;
    accounts::bury(tx, id, entry.clone())
}

/// The entry is what its classes say. What is as before is not looked at again.
fn check_schema(
    dn: &directory::Dn,
    before: Option<&Stored>,
    entry: &Entry,
) -> Result<(), StoreError> {
    let attributes = for_schema(entry);
    let outcome = match before {
        Some(stored) => directory::validate_change(dn, &for_schema(&stored.entry), &attributes),
        None => directory::validate(dn, &attributes),
    };
    outcome.map_err(StoreError::Refused)
}

/// The attributes as the schema can look at them.
fn for_schema(entry: &Entry) -> Attributes {
    let mut attributes = entry.attributes.clone();
    // A group that nobody is in any more stays, which groupOfNames does not know. LDAP makes none.
    if entry.has_class(group::CLASS) && entry.values(entry::MEMBER).is_empty() {
        attributes.insert(entry::MEMBER.to_owned(), vec![entry.dn.clone().into_bytes()]);
    }
    // Addresses of RFC 6531 have no syntax in LDAP.
    let addresses = [entry::ADDRESS, entry::FURTHER, entry::TARGET, entry::FORWARD, entry::SEND_AS];
    for name in addresses.into_iter().chain([entry::CATCH_ALL]) {
        if let Some(values) = attributes.get_mut(name) {
            values.retain(|value| value.is_ascii());
            if values.is_empty() {
                attributes.remove(name);
            }
        }
    }
    attributes
}

/// The DN is free, and something stands above it.
fn check_place(tx: &Tx<'_, '_>, before: Option<&Stored>, entry: &Entry) -> Result<(), StoreError> {
    if before.is_none() && tx.len(T::Entry)? >= ENTRIES_MAX {
        return Err(StoreError::LimitReached("entries"));
    }
    let key = place::key_of(&entry.dn)?;
    match tree::id_of(&tx.tables, &key)? {
        Some(id) if before.is_none_or(|stored| stored.id != id) => Err(StoreError::Exists),
        _ => Ok(()),
    }
}

/// Addresses and the name of a group belong to one entry only.
fn check_names(
    tx: &Tx<'_, '_>,
    before: Option<&Stored>,
    entry: &Entry,
    meaning: &Meaning,
) -> Result<(), StoreError> {
    let account = before.map_or(entry.account, |stored| stored.entry.account);
    let id = before.map(|stored| stored.id);
    if meaning.addresses().count() > ADDRESSES_MAX {
        return Err(StoreError::LimitReached("addresses of an entry"));
    }
    for address in meaning.addresses() {
        match address_index::find(&tx.tables, address)? {
            None => {}
            Some(owner) if owner.is(account, id) => {}
            Some(_) => return Err(StoreError::AddressTaken(address.to_string())),
        }
    }
    if let Some(own) = &meaning.domain {
        domain_alias::check(&tx.tables, own, &meaning.domain_aliases)?;
    }
    let is_new_group = |key| Ok::<_, StoreError>(!tx.has(T::Group, key)?);
    if let Some(key) = &meaning.group
        && is_new_group(key.bytes())?
        && tx.len(T::Group)? >= group::GROUPS_MAX
    {
        return Err(StoreError::LimitReached("groups"));
    }
    if let Some(key) = &meaning.group
        && let Some(row) = tx.get(T::Group, key.bytes())?
        && id != Some(tree::decode_link(&row, "group row")?)
    {
        let text = "a group of that name exists in the domain";
        return Err(StoreError::Refused(Refusal::new(Code::ConstraintViolation, text)));
    }
    Ok(())
}

/// Takes away the rows that no longer follow and puts those that do.
fn replace(tx: &mut Tx<'_, '_>, gone: &Rows, rows: Rows) -> Result<(), StoreError> {
    for (table, key) in gone.keys() {
        if !rows.contains_key(&(*table, key.clone())) {
            tx.remove(*table, key)?;
        }
    }
    for ((table, key), value) in rows {
        if tx.get(table, &key)?.as_ref() != Some(&value) {
            tx.put(table, &key, &value)?;
        }
    }
    Ok(())
}

/// Rights come and go with groups.
fn wake(tx: &mut Tx<'_, '_>, old: &Meaning, new: &Meaning) {
    if old.group.is_some() || new.group.is_some() {
        tx.effects.accounts.insert(crate::OFFICE);
    }
}
