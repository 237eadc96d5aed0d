//! Accounts: entries of people with our auxiliary class, found by id and by address.

use base::{AccountId, Address, DomainName, Timestamp};

use directory::Attributes;

use super::address_index::{self, Owner};
use super::place::{self, Place};
use super::tree::{self, Stored};
use super::views::{Claims, Meaning};
use super::{dn, domain, domain_alias, entry, source, writing};
use crate::acl::OFFICE;
use crate::audit::entries::Why;
use crate::codec::{In, Out, account_key};
use crate::index::{T, View};
use crate::mailbox::usage;
use crate::writer::Tx;
use crate::{
    Account, AccountChange, AccountState, Entry, EntryId, NewAccount, Quota, SendAs, Settings,
    StoreError,
};

/// Further addresses of one account.
const ALIASES_MAX: usize = 1_000;
/// Addresses that the mail of one account goes on to: more is a group's work.
pub(crate) const FORWARD_MAX: usize = 20;
/// Further sender addresses of one account.
pub(crate) const SEND_AS_MAX: usize = 1_000;
/// How LDAP servers mark a password that is a PHC string of argon2.
const ARGON2: &str = "{ARGON2}";

/// Our class.
const CLASS: &str = "postroomAccount";
/// The class of further addresses.
const RECIPIENT: &str = "inetLocalMailRecipient";
const CLASSES: [&str; 7] =
    ["top", "person", "organizationalPerson", "inetOrgPerson", RECIPIENT, CLASS, "uidObject"];
/// Who is of one of these can be an account.
pub(crate) const PERSONS: [&str; 2] = ["inetOrgPerson", CLASS];
/// Version 1 had the DN.
const ROW_VERSION: u8 = 2;

/// The row of an account; it outlives the entry for the retention time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountRow {
    /// When the account was deleted.
    pub(crate) deleted_at: Option<Timestamp>,
    /// Its entry; of no meaning once it is deleted.
    pub(crate) entry: EntryId,
}

impl AccountRow {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut row = In::of_version(ROW_VERSION, row, "account row")?;
        let is_deleted = row.u8()? == 1;
        let at = Timestamp(row.u64()?.cast_signed());
        Ok(Self { deleted_at: is_deleted.then_some(at), entry: EntryId(row.u32()?) })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let at = self.deleted_at.unwrap_or_default();
        Out::of_version(ROW_VERSION)
            .u8(self.deleted_at.is_some().into())
            .u64(at.0.cast_unsigned())
            .u32(self.entry.0)
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

/// The entry of an account that lives.
pub(crate) fn stored(view: &impl View, id: AccountId) -> Result<Option<Stored>, StoreError> {
    live_row(view, id)?.map(|row| tree::existing(view, row.entry)).transpose()
}

/// The entry of an account that is not deleted.
pub(crate) fn live_entry(view: &impl View, id: AccountId) -> Result<Option<Entry>, StoreError> {
    Ok(stored(view, id)?.map(|stored| stored.entry))
}

/// The addresses of the entry of an account; of one that is deleted also where its domain is gone.
pub(crate) fn claims(view: &impl View, entry: &Entry) -> Result<Claims, StoreError> {
    if let Some(claims) = Meaning::of(view, entry)?.account {
        return Ok(claims);
    }
    let mut all = entry.addresses(entry::ADDRESS).into_iter();
    let further = entry.addresses(entry::FURTHER);
    match all.next() {
        Some(primary) => Ok(Claims { primary, further: all.chain(further).collect() }),
        None => Err(StoreError::Damaged(format!("{} has no address", entry.dn))),
    }
}

/// The typed view of an entry.
pub(crate) fn account_of(
    view: &impl View,
    id: AccountId,
    entry: &Entry,
) -> Result<Account, StoreError> {
    let password = entry.first(entry::PASSWORD);
    let claims = claims(view, entry)?;
    Ok(Account {
        id,
        address: claims.primary,
        name: entry.first(entry::NAME).unwrap_or_default().to_owned(),
        aliases: claims.further,
        quota_bytes: entry.first(entry::QUOTA).and_then(|text| text.parse().ok()),
        quota_messages: entry.first(entry::QUOTA_MESSAGES).and_then(|text| text.parse().ok()),
        state: state_of(entry),
        is_admin: entry.first(entry::ROLE) == Some("admin"),
        manages: entry.texts(entry::MANAGES).filter_map(|t| DomainName::parse(t).ok()).collect(),
        send_as: send_as(entry),
        forward: entry.addresses(entry::FORWARD),
        forward_keep: entry.first(entry::FORWARD_KEEP) != Some("FALSE"),
        language: entry.first(entry::LANGUAGE).map(str::to_owned),
        password_hash: password.map(|p| p.strip_prefix(ARGON2).unwrap_or(p).to_owned()),
        scram_verifier: entry.first(entry::VERIFIER).map(str::to_owned),
        source: source::of_account(entry).map(Box::new),
    })
}

/// The value of userPassword for a hash: that of another server says its own scheme.
#[must_use]
pub fn password_value(hash: &str) -> String {
    if hash.starts_with('{') { hash.to_owned() } else { format!("{ARGON2}{hash}") }
}

/// What an account may do by its entry.
pub(crate) fn state_of(entry: &Entry) -> AccountState {
    match entry.first(entry::STATUS) {
        Some("suspended") => AccountState::Suspended,
        // Who may not log in at the external directory may not here.
        _ if source::is_locked_out(entry) => AccountState::Disabled,
        Some("disabled") => AccountState::Disabled,
        _ => AccountState::Active,
    }
}

/// What an entry says of a state.
fn word_of(state: AccountState) -> &'static str {
    match state {
        AccountState::Active => "active",
        AccountState::Disabled => "disabled",
        AccountState::Suspended => "suspended",
    }
}

/// Where an account's mail goes on to.
pub(crate) struct Forwarding {
    pub(crate) to: Vec<Address>,
    /// A copy stays.
    pub(crate) keeps: bool,
}

/// What the entry of an account says of forwarding; `None`: its mail stays, as that of one that is suspended.
pub(crate) fn forwarding(entry: &Entry) -> Option<Forwarding> {
    if state_of(entry) == AccountState::Suspended {
        return None;
    }
    let to = entry.addresses(entry::FORWARD);
    let keeps = entry.first(entry::FORWARD_KEEP) != Some("FALSE");
    (!to.is_empty()).then_some(Forwarding { to, keeps })
}

/// What the entry of an account says that it may send with.
pub(crate) fn send_as(entry: &Entry) -> Vec<SendAs> {
    entry.texts(entry::SEND_AS).filter_map(SendAs::parse).collect()
}

pub(crate) fn find(view: &impl View, id: AccountId) -> Result<Option<Account>, StoreError> {
    live_entry(view, id)?.map(|entry| account_of(view, id, &entry)).transpose()
}

pub(crate) fn by_address(
    view: &impl View,
    address: &Address,
) -> Result<Option<Account>, StoreError> {
    match address_index::find(view, &domain_alias::canonical(view, address)?)? {
        Some(Owner::Primary(id) | Owner::Further(id)) => find(view, id),
        Some(Owner::Alias(_) | Owner::Group(_)) | None => Ok(None),
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

/// The limits of an account: (bytes, messages). Its own stand before those of the domain that its entry is in,
/// and these before the default; 0 is without limit. An
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
    let read =
        |entry: &Option<Entry>, name| -> Option<u64> { entry.as_ref()?.first(name)?.parse().ok() };
    let (mut bytes, mut messages) =
        (read(&entry, entry::QUOTA), read(&entry, entry::QUOTA_MESSAGES));
    if let Some(own) = &entry
        && (bytes.is_none() || messages.is_none())
        && let Some(place) = Place::of(view, &place::key_of(&own.dn)?)?
    {
        let domain = domain::stored(view, &place.domain)?.map(|stored| stored.entry);
        bytes = bytes.or_else(|| read(&domain, entry::QUOTA));
        messages = messages.or_else(|| read(&domain, entry::QUOTA_MESSAGES));
    }
    let bytes = bytes.or(settings.default_quota_bytes);
    let messages = messages.or(settings.default_quota_messages);
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
    let others: Vec<String> = entry.texts(entry::NAME).skip(1).map(str::to_owned).collect();
    let others = others.into_iter().filter(|other| other.to_lowercase() != name.to_lowercase());
    entry.set(entry::NAME, [name.to_owned()].into_iter().chain(others));
    if entry.first(entry::DISPLAY_NAME).is_some() {
        entry.set(entry::DISPLAY_NAME, [name]);
    }
    entry.set(entry::SURNAME, [name.rsplit(' ').next().unwrap_or(name)]);
}

pub(crate) fn set_password(entry: &mut Entry, hash: Option<&String>) {
    let (hash, verifier) = match hash.map(|hash| hash.split_once(' ')) {
        Some(Some((hash, verifier))) => (Some(hash), Some(verifier)),
        _ => (hash.map(String::as_str), None),
    };
    let stored = hash.map(password_value);
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
    let before = stored(&tx.tables, id)?.ok_or(StoreError::NoSuchAccount)?;
    let mut entry = before.entry.clone();
    if entry.first(entry::PASSWORD).and_then(|p| p.strip_prefix(ARGON2)) != Some(hash) {
        return Ok(());
    }
    entry.set(entry::VERIFIER, [verifier]);
    entry.add_class(CLASS);
    // The password is the same: nobody did anything.
    writing::put_as(tx, Some(&before), entry, Why::Silent).map(drop)
}

/// Puts another hash in the place of `old`, if that is still the account's.
pub(crate) fn replace_password(
    tx: &mut Tx<'_, '_>,
    id: AccountId,
    old: &str,
    new: &str,
) -> Result<(), StoreError> {
    let before = stored(&tx.tables, id)?.ok_or(StoreError::NoSuchAccount)?;
    let mut entry = before.entry.clone();
    let current = entry.first(entry::PASSWORD).map(|p| p.strip_prefix(ARGON2).unwrap_or(p));
    if current != Some(old) {
        return Ok(());
    }
    set_password(&mut entry, Some(&new.to_owned()));
    entry.add_class(CLASS);
    // The password is the same: nobody did anything.
    writing::put_as(tx, Some(&before), entry, Why::Silent).map(drop)
}

fn set_role(entry: &mut Entry, is_admin: bool) {
    entry.set(entry::ROLE, [if is_admin { "admin" } else { "user" }]);
}

pub(crate) fn create(tx: &mut Tx<'_, '_>, new: &NewAccount) -> Result<AccountId, StoreError> {
    create_with(tx, new, &AccountChange::default(), &Attributes::new())
}

/// The same with what is to be said of it beyond [`NewAccount`].
pub(crate) fn create_with(
    tx: &mut Tx<'_, '_>,
    new: &NewAccount,
    change: &AccountChange,
    attributes: &Attributes,
) -> Result<AccountId, StoreError> {
    address_index::must_be_free(&tx.tables, &new.address)?;
    check_aliases(&tx.tables, None, &new.address, &new.aliases)?;
    let mut entry = entry::new(dn::of_account(&new.address), &CLASSES, tx.now)?;
    entry.set("uid", [new.address.local().to_lowercase()]);
    entry.set(entry::ADDRESS, [new.address.to_string()]);
    entry.set(entry::FURTHER, new.aliases.iter().map(Address::to_string));
    entry.set(entry::QUOTA, new.quota_bytes.map(|bytes| bytes.to_string()));
    entry.set(entry::STATUS, ["active"]);
    set_name(&mut entry, &new.name, &new.address);
    set_role(&mut entry, new.is_admin);
    set_password(&mut entry, new.password_hash.as_ref());
    set_plain(&tx.tables, &mut entry, change)?;
    entry.attributes.extend(attributes.clone());
    let id = writing::put(tx, None, entry)?;
    let made = tree::existing(&tx.tables, id)?.entry;
    made.account.ok_or_else(|| StoreError::Damaged(format!("{} is no account", made.dn)))
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
    entry.account = Some(id);
    entry.set("uid", [address.local().to_lowercase()]);
    entry.set(entry::ADDRESS, [address.to_string()]);
    entry.set(entry::STATUS, ["active"]);
    set_name(&mut entry, "", &address);
    set_role(&mut entry, false);
    Ok(Some(entry))
}

/// Gives an account these further addresses, and no others.
pub(crate) fn set_aliases(entry: &mut Entry, primary: &Address, old: &[Address], new: &[Address]) {
    let is_gone = |address: &Address| {
        let is = |other: &Address| other.key() == address.key();
        !is(primary) && old.iter().any(is) && !new.iter().any(is)
    };
    // `mail` may have some of them too, and others that are not ours.
    if let Some(mail) = entry.attributes.get_mut(entry::ADDRESS) {
        mail.retain(|value| {
            let address = std::str::from_utf8(value).ok().and_then(|t| Address::parse(t).ok());
            !address.is_some_and(|address| is_gone(&address))
        });
    }
    let mail: Vec<String> = entry.addresses(entry::ADDRESS).iter().map(Address::key).collect();
    let others = new.iter().filter(|address| !mail.contains(&address.key()));
    let others: Vec<String> = others.map(Address::to_string).collect();
    if !others.is_empty() {
        entry.add_class(RECIPIENT);
    }
    entry.set(entry::FURTHER, others);
}

/// `NoSuchDomain`, but for what it manages already.
fn set_manages(
    view: &impl View,
    entry: &mut Entry,
    domains: &[DomainName],
) -> Result<(), StoreError> {
    for name in domains {
        let is_known = entry.texts(entry::MANAGES).any(|old| old == name.as_str());
        if !is_known && !domain::exists(view, name)? {
            return Err(StoreError::NoSuchDomain);
        }
    }
    let names: std::collections::BTreeSet<&str> = domains.iter().map(DomainName::as_str).collect();
    entry.set(entry::MANAGES, names);
    Ok(())
}

pub(crate) fn update(
    tx: &mut Tx<'_, '_>,
    id: AccountId,
    change: &AccountChange,
) -> Result<(), StoreError> {
    update_with(tx, id, change, &Attributes::new())
}

/// What stands in an entry as it was said.
fn set_plain(
    view: &impl View,
    entry: &mut Entry,
    change: &AccountChange,
) -> Result<(), StoreError> {
    if let Some(quota) = change.quota_messages {
        entry.set(entry::QUOTA_MESSAGES, quota.map(|messages| messages.to_string()));
    }
    if let Some(state) = change.state {
        entry.set(entry::STATUS, [word_of(state)]);
    }
    if let Some(domains) = &change.manages {
        set_manages(view, entry, domains)?;
    }
    if change.send_as.as_ref().is_some_and(|all| all.len() > SEND_AS_MAX) {
        return Err(StoreError::LimitReached("sender addresses of an account"));
    }
    if change.forward.as_ref().is_some_and(|all| all.len() > FORWARD_MAX) {
        return Err(StoreError::LimitReached("addresses that mail goes on to"));
    }
    if let Some(send_as) = &change.send_as {
        entry.set(entry::SEND_AS, send_as.iter().map(SendAs::to_string));
    }
    if let Some(forward) = &change.forward {
        entry.set(entry::FORWARD, forward.iter().map(Address::to_string));
    }
    if let Some(keeps) = change.forward_keep {
        entry.set(entry::FORWARD_KEEP, (!keeps).then_some("FALSE"));
    }
    if let Some(language) = &change.language {
        entry.set(entry::LANGUAGE, language.as_ref());
    }
    Ok(())
}

/// What else is said of a person. One value, as a table has it, stands for the first one there is: further
/// ones, which the table did not show, stay.
fn set_said(entry: &mut Entry, attributes: &Attributes) {
    for (key, values) in attributes {
        let known = entry.attributes.entry(key.clone()).or_default();
        match (values.as_slice(), known.as_mut_slice()) {
            ([one], known) if known.contains(one) => {}
            ([one], [first, ..]) => first.clone_from(one),
            _ => known.clone_from(values),
        }
    }
}

/// The same, with other attributes of the entry.
pub(crate) fn update_with(
    tx: &mut Tx<'_, '_>,
    id: AccountId,
    change: &AccountChange,
    attributes: &Attributes,
) -> Result<(), StoreError> {
    let before = stored(&tx.tables, id)?.ok_or(StoreError::NoSuchAccount)?;
    let mut entry = before.entry.clone();
    let Claims { primary: address, further } = claims(&tx.tables, &entry)?;
    if let Some(aliases) = &change.aliases {
        check_aliases(&tx.tables, Some(id), &address, aliases)?;
        set_aliases(&mut entry, &address, &further, aliases);
    }
    if let Some(name) = &change.name {
        set_name(&mut entry, name, &address);
    }
    if let Some(quota) = change.quota_bytes {
        entry.set(entry::QUOTA, quota.map(|bytes| bytes.to_string()));
    }
    set_plain(&tx.tables, &mut entry, change)?;
    if let Some(is_admin) = change.is_admin {
        set_role(&mut entry, is_admin);
    }
    set_said(&mut entry, attributes);
    if change.password_hash.is_some() {
        source::refuse_password(&before.entry)?;
        set_password(&mut entry, change.password_hash.as_ref());
    }
    // An entry that LDAP made may not have the class of these attributes.
    entry.add_class(CLASS);
    entry.modified_at = tx.now;
    writing::put(tx, Some(&before), entry).map(drop)
}

/// The entry and the addresses go; row, mailboxes and usage stay for the retention time.
pub(crate) fn delete(tx: &mut Tx<'_, '_>, id: AccountId) -> Result<(), StoreError> {
    let before = stored(&tx.tables, id)?.ok_or(StoreError::NoSuchAccount)?;
    writing::remove(tx, &before)
}
