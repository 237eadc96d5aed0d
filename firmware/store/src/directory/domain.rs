//! The box's mail domains.

use std::collections::BTreeMap;

use base::{Address, DomainName, Timestamp};

use super::address_index::{self, Owner};
use super::place::{self, CONTAINERS};
use super::tree::{self, Stored};
use super::views::Meaning;
use super::{dn, domain_alias, entry, indexed, writing};
use crate::audit::entries::Why;
use crate::codec::In;
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{Domain, DomainChange, Entry, StoreError};

/// Our class.
pub(crate) const CLASS: &str = "postroomDomain";
const CLASSES: [&str; 3] = ["top", "domain", CLASS];

/// Domains of one box.
const DOMAINS_MAX: u64 = 10_000;

pub(crate) fn exists(view: &impl View, domain: &DomainName) -> Result<bool, StoreError> {
    view.has(T::Domain, domain.as_str().as_bytes())
}

pub(crate) fn create(tx: &mut Tx<'_, '_>, domain: &DomainName) -> Result<(), StoreError> {
    if domain.as_str().starts_with('[') {
        return Err(StoreError::Misuse("an address literal is no mail domain"));
    }
    if exists(&tx.tables, domain)? {
        return Err(StoreError::Exists);
    }
    let mut new = entry::new(dn::of_domain(domain), &CLASSES, tx.now)?;
    new.set("dc", domain.as_str().split('.').take(1));
    new.set("associateddomain", [domain.as_str()]);
    add(tx, domain, new)
}

/// The entry of a domain.
pub(crate) fn stored(view: &impl View, domain: &DomainName) -> Result<Option<Stored>, StoreError> {
    let Some(row) = view.get(T::Domain, domain.as_str().as_bytes())? else { return Ok(None) };
    tree::existing(view, tree::decode_link(&row, "domain row")?).map(Some)
}

pub(crate) fn update(
    tx: &mut Tx<'_, '_>,
    domain: &DomainName,
    change: &DomainChange,
) -> Result<(), StoreError> {
    let before = stored(&tx.tables, domain)?.ok_or(StoreError::NoSuchDomain)?;
    let mut entry = before.entry.clone();
    if let Some(catch_all) = &change.catch_all {
        entry.set(entry::CATCH_ALL, catch_all.iter().map(Address::to_string));
    }
    if let Some(further) = &change.further {
        entry.set(entry::DOMAIN_ALIAS, further.iter().map(DomainName::to_string));
    }
    if let Some(quota) = change.quota_bytes {
        entry.set(entry::QUOTA, quota.map(|bytes| bytes.to_string()));
    }
    entry.modified_at = tx.now;
    writing::put(tx, Some(&before), entry).map(drop)
}

/// Puts the entry of a new domain, with what every domain has.
pub(crate) fn add(tx: &mut Tx<'_, '_>, domain: &DomainName, new: Entry) -> Result<(), StoreError> {
    if tx.len(T::Domain)? >= DOMAINS_MAX {
        return Err(StoreError::LimitReached("domains"));
    }
    let (maker, changer) = (new.creators_name.clone(), new.modifiers_name.clone());
    writing::put(tx, None, new)?;
    for name in CONTAINERS {
        let mut entry = container(domain, name, tx.now)?;
        (entry.creators_name, entry.modifiers_name) = (maker.clone(), changer.clone());
        if tree::find(&tx.tables, &entry.dn)?.is_none() {
            writing::put_as(tx, None, entry, Why::Silent)?;
        }
    }
    take_over(tx, domain)
}

/// A container of a domain.
pub(crate) fn container(
    domain: &DomainName,
    name: &str,
    now: Timestamp,
) -> Result<Entry, StoreError> {
    let dn = dn::of_container(name, domain);
    let mut entry = entry::new(dn, &["top", "organizationalUnit"], now)?;
    entry.set("ou", [name]);
    Ok(entry)
}

/// Entries that had an address of a domain before it was ours now get what follows from it.
fn take_over(tx: &mut Tx<'_, '_>, domain: &DomainName) -> Result<(), StoreError> {
    let mut ids = std::collections::BTreeSet::new();
    for name in [entry::ADDRESS, entry::FURTHER] {
        let prefix = indexed::of_attribute(name);
        tx.tables.scan_prefix(T::EntryIndex, &prefix, &mut |key, _| {
            let value = indexed::value_of_key(name, key);
            let text = std::str::from_utf8(&value).unwrap_or_default();
            let is_in = Address::parse(text).is_ok_and(|address| address.domain() == domain);
            if is_in || value.len() >= indexed::VALUE_MAX {
                ids.insert(indexed::id_of_key(key)?);
            }
            Ok(true)
        })?;
    }
    for id in ids {
        let before = tree::existing(&tx.tables, id)?;
        let entry = before.entry.clone();
        writing::put(tx, Some(&before), entry)?;
    }
    Ok(())
}

/// What stands in a domain, from below: its containers and itself. `InUse` if there is more.
fn parts(tx: &Tx<'_, '_>, domain: &DomainName) -> Result<Vec<Stored>, StoreError> {
    let mut ids = Vec::new();
    let mut is_used = false;
    let ours = names(&tx.tables, usize::MAX)?;
    let inner = format!(".{}", domain.as_str());
    let inner = ours.iter().filter(|name| name.as_str().ends_with(&inner));
    let inner: Result<Vec<Vec<u8>>, StoreError> =
        inner.map(|name| place::key_of(&dn::of_domain(name))).collect();
    let inner = inner?;
    let top = place::key_of(&dn::of_domain(domain))?;
    tx.tables.scan_prefix(T::EntryDn, &top, &mut |key, row| {
        if key == top || inner.iter().any(|other| key.starts_with(other)) {
            return Ok(true);
        }
        ids.push(tree::decode_link(row, "row of a DN")?);
        is_used = !place::rdns(key).last().is_some_and(|rdn| {
            rdn.strip_prefix("ou=").is_some_and(|name| CONTAINERS.contains(&name))
        });
        Ok(!is_used && ids.len() <= CONTAINERS.len())
    })?;
    if is_used || ids.len() > CONTAINERS.len() {
        return Err(StoreError::InUse);
    }
    ids.extend(tree::id_of(&tx.tables, &top)?);
    ids.into_iter().map(|id| tree::existing(&tx.tables, id)).collect()
}

pub(crate) fn delete(tx: &mut Tx<'_, '_>, domain: &DomainName) -> Result<(), StoreError> {
    if !exists(&tx.tables, domain)? {
        return Err(StoreError::NoSuchDomain);
    }
    let mut is_used = false;
    let prefix = address_index::domain_prefix(domain);
    tx.tables.scan_prefix(T::Address, &prefix, &mut |_, _| {
        is_used = true;
        Ok(false)
    })?;
    if is_used {
        return Err(StoreError::InUse);
    }
    for stored in parts(tx, domain)? {
        let is_itself = stored.entry.has_class(CLASS);
        let why = if is_itself { Why::Act } else { Why::Silent };
        writing::remove_as(tx, &stored, why)?;
    }
    crate::store_source::forget(tx, domain)?;
    crate::store_tokens::forget_domain(tx, domain)?;
    forget_managers(tx, domain)
}

/// Who administered a domain does not administer another one that gets its name later.
fn forget_managers(tx: &mut Tx<'_, '_>, domain: &DomainName) -> Result<(), StoreError> {
    let name = domain.as_str();
    for id in indexed::equal(&tx.tables, entry::MANAGES, name.as_bytes())? {
        let before = tree::existing(&tx.tables, id)?;
        let mut entry = before.entry.clone();
        let kept = before.entry.texts(entry::MANAGES).filter(|old| !old.eq_ignore_ascii_case(name));
        entry.set(entry::MANAGES, kept);
        entry.modified_at = tx.now;
        writing::put(tx, Some(&before), entry)?;
    }
    crate::recovery::accounts::forget_manager(tx, name)
}

/// Names of domains, at most `max`.
pub(crate) fn names(view: &impl View, max: usize) -> Result<Vec<DomainName>, StoreError> {
    let mut names = Vec::new();
    view.scan(T::Domain, &[], &[], &mut |key, _| {
        names.extend(DomainName::parse(&In::plain(key, "domain").text()?).ok());
        Ok(names.len() < max)
    })?;
    Ok(names)
}

/// A domain by its name.
pub(crate) fn find(view: &impl View, name: &DomainName) -> Result<Option<Domain>, StoreError> {
    let Some(stored) = stored(view, name)? else { return Ok(None) };
    let mut groups = 0;
    view.scan(T::Group, &[], &[], &mut |key, _| {
        groups +=
            u32::from(key.rsplit(|byte| *byte == b'@').next() == Some(name.as_str().as_bytes()));
        Ok(true)
    })?;
    view_of(view, name.clone(), &stored.entry, groups).map(Some)
}

/// All domains, by name.
pub(crate) fn list(view: &impl View) -> Result<Vec<Domain>, StoreError> {
    let mut rows = Vec::new();
    view.scan(T::Domain, &[], &[], &mut |key, row| {
        let text = In::plain(key, "domain").text()?;
        let name = DomainName::parse(&text)
            .map_err(|_| StoreError::Damaged(format!("domain {text:?}")))?;
        rows.push((name, tree::decode_link(row, "domain row")?));
        Ok(true)
    })?;
    let mut groups = BTreeMap::<String, u32>::new();
    view.scan(T::Group, &[], &[], &mut |key, _| {
        let key = In::plain(key, "group").text()?;
        *groups.entry(key.rsplit('@').next().unwrap_or_default().to_owned()).or_default() += 1;
        Ok(true)
    })?;
    rows.into_iter()
        .map(|(name, id)| {
            let groups = groups.remove(name.as_str()).unwrap_or_default();
            view_of(view, name, &tree::existing(view, id)?.entry, groups)
        })
        .collect()
}

/// The typed view of the entry of a domain.
fn view_of(
    view: &impl View,
    name: DomainName,
    entry: &Entry,
    groups: u32,
) -> Result<Domain, StoreError> {
    let (mut accounts, mut aliases) = (0, 0);
    view.scan_prefix(T::Address, &address_index::domain_prefix(&name), &mut |_, row| {
        match address_index::decode(row)? {
            Owner::Primary(_) => accounts += 1,
            Owner::Alias(_) => aliases += 1,
            Owner::Further(_) | Owner::Group(_) => {}
        }
        Ok(true)
    })?;
    let catch_all = entry.addresses(entry::CATCH_ALL).into_iter().next();
    let further = domain_alias::of_entry(entry);
    let mut admins = Vec::new();
    if let Some(value) = indexed::normal(entry::MANAGES, name.as_str().as_bytes()) {
        for id in indexed::equal(view, entry::MANAGES, &value)? {
            let admin = tree::existing(view, id)?.entry;
            admins.extend(Meaning::of(view, &admin)?.account.map(|claims| claims.primary));
        }
    }
    let quota_bytes = entry.first(entry::QUOTA).and_then(|text| text.parse().ok());
    Ok(Domain { name, accounts, aliases, groups, catch_all, further, admins, quota_bytes })
}
