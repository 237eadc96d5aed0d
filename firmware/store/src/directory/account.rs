//! Accounts: entries of people with our auxiliary class, found by id and by address.

use base::{AccountId, Address, DomainName, Timestamp};

use super::address_index::{self, Owner};
use super::{dn, entry, group};
use crate::acl::OFFICE;
use crate::codec::{In, Out, account_key};
use crate::index::{T, Tables, View};
use crate::mailbox::{acts, usage};
use crate::recovery::accounts;
use crate::writer::Tx;
use crate::{Account, AccountChange, AccountState, Entry, NewAccount, Quota, Settings, StoreError};

/// Further addresses of one account.
const ALIASES_MAX: usize = 1_000;
/// How LDAP servers mark a password that is a PHC string of argon2.
const ARGON2: &str = "{ARGON2}";

const CLASSES: [&str; 7] = [
    "top",
    "person",
    "organizationalPerson",
    "inetOrgPerson",
    "inetLocalMailRecipient",
    "postroomAccount",
    "uidObject",
];

/// The row of an account; it outlives the entry for the retention time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountRow {
    /// When the account was deleted.
    pub(crate) deleted_at: Option<Timestamp>,
    pub(crate) dn: String,
}

impl AccountRow {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut row = In::versioned(row, "account row")?;
        let is_deleted = row.u8()? == 1;
        let at = Timestamp(row.u64()?.cast_signed());
        Ok(Self { deleted_at: is_deleted.then_some(at), dn: row.text()? })
    }

    fn encode(&self) -> Vec<u8> {
        let at = self.deleted_at.unwrap_or_default();
        Out::versioned()
            .u8(self.deleted_at.is_some().into())
            .u64(at.0.cast_unsigned())
            .bytes(self.dn.as_bytes())
            .0
    }
}

fn live_row(view: &impl View, id: AccountId) -> Result<Option<AccountRow>, StoreError> {
    let row = view.get(T::Account, &account_key(id))?;
    let row = row.map(|row| AccountRow::decode(&row)).transpose()?;
    Ok(row.filter(|row| row.deleted_at.is_none()))
}

/// True if the account is there and not deleted.
pub(crate) fn lives(view: &impl View, id: AccountId) -> Result<bool, StoreError> {
    Ok(live_row(view, id)?.is_some())
}

/// Refuses an account that is not there (any more). The office owns mailboxes without being one.
pub(crate) fn must_live(view: &impl View, id: AccountId) -> Result<(), StoreError> {
    if id == OFFICE || lives(view, id)? { Ok(()) } else { Err(StoreError::NoSuchAccount) }
}

/// True if the account may administer the box.
pub(crate) fn is_admin(view: &impl View, id: AccountId) -> Result<bool, StoreError> {
    Ok(live_entry(view, id)?.is_some_and(|entry| entry.first(entry::ROLE) == Some("admin")))
}

fn live_entry(view: &impl View, id: AccountId) -> Result<Option<Entry>, StoreError> {
    live_row(view, id)?.map(|row| entry::existing(view, &row.dn)).transpose()
}

/// The typed view of an entry.
fn account_of(id: AccountId, entry: &Entry) -> Result<Account, StoreError> {
    let password = entry.first(entry::PASSWORD);
    Ok(Account {
        id,
        address: entry.address()?,
        name: entry.first(entry::NAME).unwrap_or_default().to_owned(),
        aliases: entry.addresses(entry::FURTHER),
        quota_bytes: entry.first(entry::QUOTA).and_then(|text| text.parse().ok()),
        quota_messages: entry.first(entry::QUOTA_MESSAGES).and_then(|text| text.parse().ok()),
        state: match entry.first(entry::STATUS) {
            Some("disabled") => AccountState::Disabled,
            _ => AccountState::Active,
        },
        is_admin: entry.first(entry::ROLE) == Some("admin"),
        language: entry.first(entry::LANGUAGE).map(str::to_owned),
        password_hash: password.map(|p| p.strip_prefix(ARGON2).unwrap_or(p).to_owned()),
        scram_verifier: entry.first(entry::VERIFIER).map(str::to_owned),
    })
}

pub(crate) fn find(view: &impl View, id: AccountId) -> Result<Option<Account>, StoreError> {
    live_entry(view, id)?.map(|entry| account_of(id, &entry)).transpose()
}

pub(crate) fn by_address(
    view: &impl View,
    address: &Address,
) -> Result<Option<Account>, StoreError> {
    match address_index::find(view, address)? {
        Some(Owner::Primary(id) | Owner::Further(id)) => find(view, id),
        Some(Owner::Alias) | None => Ok(None),
    }
}

/// Ids of accounts that live, ascending, behind `after`.
fn live_ids(
    view: &impl View,
    after: AccountId,
    limit: usize,
) -> Result<Vec<AccountId>, StoreError> {
    let mut ids = Vec::new();
    let Some(first) = after.0.checked_add(1) else { return Ok(ids) };
    if limit == 0 {
        return Ok(ids);
    }
    view.scan(T::Account, &first.to_be_bytes(), &[], &mut |key, row| {
        if AccountRow::decode(row)?.deleted_at.is_none() {
            ids.push(AccountId(In::plain(key, "account id").u32()?));
        }
        Ok(ids.len() < limit)
    })?;
    Ok(ids)
}

pub(crate) fn list(
    view: &impl View,
    after: AccountId,
    limit: usize,
) -> Result<Vec<Account>, StoreError> {
    let mut accounts = Vec::new();
    for id in live_ids(view, after, limit)? {
        accounts.extend(find(view, id)?);
    }
    Ok(accounts)
}

pub(crate) fn len(view: &impl View) -> Result<u64, StoreError> {
    let mut count = 0;
    view.scan(T::Account, &[], &[], &mut |_, row| {
        count += u64::from(AccountRow::decode(row)?.deleted_at.is_none());
        Ok(true)
    })?;
    Ok(count)
}

/// Who takes the postmaster's mail of a domain: the oldest active admin, else the oldest active account
/// of the domain, else of the box.
pub(crate) fn postmaster(
    view: &impl View,
    domain: &DomainName,
) -> Result<Option<AccountId>, StoreError> {
    let (mut of_domain, mut of_box) = (None, None);
    for id in live_ids(view, AccountId(0), usize::MAX)? {
        let Some(account) = find(view, id)? else { continue };
        if account.state != AccountState::Active {
            continue;
        }
        if account.is_admin {
            return Ok(Some(id));
        }
        if account.address.domain() == domain {
            of_domain.get_or_insert(id);
        }
        of_box.get_or_insert(id);
    }
    Ok(of_domain.or(of_box))
}

/// The limits of an account: (bytes, messages). Its own stand before the default; 0 is without limit. An
/// account that is deleted has the default.
pub(crate) fn limits(
    view: &impl View,
    settings: &Settings,
    id: AccountId,
) -> Result<(Option<u64>, Option<u64>), StoreError> {
    if id == OFFICE {
        return Ok((None, None));
    }
    let entry = live_entry(view, id)?;
    let own = |name| -> Option<u64> { entry.as_ref()?.first(name)?.parse().ok() };
    let bytes = own(entry::QUOTA).or(settings.default_quota_bytes);
    let messages = own(entry::QUOTA_MESSAGES).or(settings.default_quota_messages);
    Ok((bytes.filter(|limit| *limit > 0), messages.filter(|limit| *limit > 0)))
}

/// What an account uses and may use.
pub(crate) fn quota(
    view: &impl View,
    settings: &Settings,
    id: AccountId,
) -> Result<Quota, StoreError> {
    must_live(view, id)?;
    let (limit_bytes, limit_messages) = limits(view, settings, id)?;
    let used = usage::of(view, id)?;
    let (used_bytes, used_messages) = (used.bytes, used.messages);
    Ok(Quota { used_bytes, limit_bytes, used_messages, limit_messages })
}

/// Refuses what does not fit any more.
pub(crate) fn check_quota(
    tx: &Tx<'_, '_>,
    id: AccountId,
    messages: u64,
    bytes: u64,
) -> Result<(), StoreError> {
    let quota = quota(&tx.tables, &tx.effects.settings, id)?;
    if quota.has_room(messages, bytes) { Ok(()) } else { Err(StoreError::OverQuota) }
}

/// Refuses further addresses that are taken, foreign, double or the account's own. `id` is the account
/// that may have some of them already.
fn check_aliases(
    view: &impl View,
    id: Option<AccountId>,
    primary: &Address,
    aliases: &[Address],
) -> Result<(), StoreError> {
    if aliases.len() > ALIASES_MAX {
        return Err(StoreError::LimitReached("addresses of an account"));
    }
    let mut seen = std::collections::BTreeSet::from([primary.key()]);
    for alias in aliases {
        if !seen.insert(alias.key()) {
            return Err(StoreError::AddressTaken(alias.to_string()));
        }
        match (address_index::find(view, alias)?, id) {
            (Some(Owner::Further(owner)), Some(id)) if owner == id => {}
            _ => address_index::must_be_free(view, alias)?,
        }
    }
    Ok(())
}

/// Name of people, with what `person` demands: `cn` and `sn` (RFC 4519 §3.12).
fn set_name(entry: &mut Entry, name: &str, address: &Address) {
    let name = if name.trim().is_empty() { address.local() } else { name.trim() };
    entry.set(entry::NAME, [name]);
    entry.set(entry::SURNAME, [name.rsplit(' ').next().unwrap_or(name)]);
}

fn set_password(entry: &mut Entry, hash: Option<&String>) {
    let (hash, verifier) = match hash.map(|hash| hash.split_once(' ')) {
        Some(Some((hash, verifier))) => (Some(hash), Some(verifier)),
        _ => (hash.map(String::as_str), None),
    };
    // What came from another server says its own scheme.
    let stored =
        hash.map(
            |hash| {
                if hash.starts_with('{') { hash.to_owned() } else { format!("{ARGON2}{hash}") }
            },
        );
    // The same password again without its verifier: the known one still belongs to it.
    if verifier.is_none() && entry.first(entry::PASSWORD) == stored.as_deref() {
        return;
    }
    entry.set(entry::PASSWORD, stored);
    entry.set(entry::VERIFIER, verifier);
}

/// Stores the verifier of a password that is still the account's.
pub(crate) fn add_verifier(
    tx: &mut Tx<'_, '_>,
    id: AccountId,
    hash: &str,
    verifier: &str,
) -> Result<(), StoreError> {
    let mut entry = live_entry(&tx.tables, id)?.ok_or(StoreError::NoSuchAccount)?;
    if entry.first(entry::PASSWORD).and_then(|p| p.strip_prefix(ARGON2)) != Some(hash) {
        return Ok(());
    }
    entry.set(entry::VERIFIER, [verifier]);
    entry::put(tx, &entry)
}

/// Puts another hash in the place of `old`, if that is still the account's.
pub(crate) fn replace_password(
    tx: &mut Tx<'_, '_>,
    id: AccountId,
    old: &str,
    new: &str,
) -> Result<(), StoreError> {
    let mut entry = live_entry(&tx.tables, id)?.ok_or(StoreError::NoSuchAccount)?;
    let current = entry.first(entry::PASSWORD).map(|p| p.strip_prefix(ARGON2).unwrap_or(p));
    if current != Some(old) {
        return Ok(());
    }
    set_password(&mut entry, Some(&new.to_owned()));
    entry::put(tx, &entry)
}

fn set_role(entry: &mut Entry, is_admin: bool) {
    entry.set(entry::ROLE, [if is_admin { "admin" } else { "user" }]);
}

pub(crate) fn create(tx: &mut Tx<'_, '_>, new: &NewAccount) -> Result<AccountId, StoreError> {
    address_index::must_be_free(&tx.tables, &new.address)?;
    check_aliases(&tx.tables, None, &new.address, &new.aliases)?;
    let dn = dn::of_account(&new.address);
    if tx.has(T::Entry, dn.as_bytes())? {
        return Err(StoreError::Exists);
    }
    let mut entry = entry::new(dn.clone(), &CLASSES, tx.now)?;
    let id = crate::meta::next_account(tx)?;
    entry.set(entry::ID, [id.to_string()]);
    entry.set("uid", [new.address.local().to_lowercase()]);
    entry.set(entry::ADDRESS, [new.address.to_string()]);
    entry.set(entry::FURTHER, new.aliases.iter().map(Address::to_string));
    entry.set(entry::QUOTA, new.quota_bytes.map(|bytes| bytes.to_string()));
    entry.set(entry::STATUS, ["active"]);
    set_name(&mut entry, &new.name, &new.address);
    set_role(&mut entry, new.is_admin);
    set_password(&mut entry, new.password_hash.as_ref());
    entry::put(tx, &entry)?;
    tx.put(T::Account, &account_key(id), &AccountRow { deleted_at: None, dn }.encode())?;
    address_index::claim(tx, &new.address, Owner::Primary(id))?;
    claim_aliases(tx, id, &new.aliases)?;
    acts::create_defaults(tx, id)?;
    Ok(id)
}

/// What can be said of a deleted account of which format 1 kept no more than the DN: restored, it needs a
/// new password.
pub(crate) fn remains(
    id: AccountId,
    dn: &str,
    deleted_at: Timestamp,
) -> Result<Option<Entry>, StoreError> {
    let Some(address) = dn::address_of_account(dn) else { return Ok(None) };
    let mut entry = entry::new(dn.to_owned(), &CLASSES, deleted_at)?;
    entry.set(entry::ID, [id.to_string()]);
    entry.set("uid", [address.local().to_lowercase()]);
    entry.set(entry::ADDRESS, [address.to_string()]);
    entry.set(entry::STATUS, ["active"]);
    set_name(&mut entry, "", &address);
    set_role(&mut entry, false);
    Ok(Some(entry))
}

fn claim_aliases(
    tables: &mut Tables<'_>,
    id: AccountId,
    aliases: &[Address],
) -> Result<(), StoreError> {
    aliases.iter().try_for_each(|alias| address_index::claim(tables, alias, Owner::Further(id)))
}

pub(crate) fn update(
    tx: &mut Tx<'_, '_>,
    id: AccountId,
    change: &AccountChange,
) -> Result<(), StoreError> {
    let mut entry = live_entry(&tx.tables, id)?.ok_or(StoreError::NoSuchAccount)?;
    let address = entry.address()?;
    if let Some(aliases) = &change.aliases {
        check_aliases(&tx.tables, Some(id), &address, aliases)?;
        for old in entry.addresses(entry::FURTHER) {
            address_index::release(tx, &old)?;
        }
        claim_aliases(tx, id, aliases)?;
        entry.set(entry::FURTHER, aliases.iter().map(Address::to_string));
    }
    if let Some(name) = &change.name {
        set_name(&mut entry, name, &address);
    }
    if let Some(quota) = change.quota_bytes {
        entry.set(entry::QUOTA, quota.map(|bytes| bytes.to_string()));
    }
    if let Some(quota) = change.quota_messages {
        entry.set(entry::QUOTA_MESSAGES, quota.map(|messages| messages.to_string()));
    }
    match change.state {
        Some(AccountState::Active) => entry.set(entry::STATUS, ["active"]),
        Some(AccountState::Disabled) => entry.set(entry::STATUS, ["disabled"]),
        None => {}
    }
    if let Some(is_admin) = change.is_admin {
        set_role(&mut entry, is_admin);
    }
    if let Some(language) = &change.language {
        entry.set(entry::LANGUAGE, language.as_ref());
    }
    if change.password_hash.is_some() {
        set_password(&mut entry, change.password_hash.as_ref());
    }
    entry.modified_at = tx.now;
    entry::put(tx, &entry)
}

/// The entry and the addresses go; row, mailboxes and usage stay for the retention time.
pub(crate) fn delete(tx: &mut Tx<'_, '_>, id: AccountId) -> Result<(), StoreError> {
    let entry = live_entry(&tx.tables, id)?.ok_or(StoreError::NoSuchAccount)?;
    let account = account_of(id, &entry)?;
    for address in account.aliases.iter().chain([&account.address]) {
        address_index::release(tx, address)?;
    }
    group::leave_all(tx, id, &account.address)?;
    entry::remove(tx, &entry.dn)?;
    let row = AccountRow { deleted_at: Some(tx.now), dn: entry.dn.clone() };
    tx.put(T::Account, &account_key(id), &row.encode())?;
    accounts::bury(tx, id, entry)
}

/// Makes a deleted account live again; the caller has put its entry and asked for its addresses.
pub(crate) fn bring_back(
    tables: &mut Tables<'_>,
    id: AccountId,
    dn: &str,
    primary: &Address,
    further: &[Address],
) -> Result<(), StoreError> {
    address_index::claim(tables, primary, Owner::Primary(id))?;
    claim_aliases(tables, id, further)?;
    let row = AccountRow { deleted_at: None, dn: dn.to_owned() };
    tables.put(T::Account, &account_key(id), &row.encode())
}
