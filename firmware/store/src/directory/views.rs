//! What the box makes of an entry: a domain, an account, an alias, a group; and all rows that follow from
//! it. Nothing else writes those rows, so that they can be compared and made again.

use std::collections::{BTreeMap, BTreeSet};

use base::{Address, DomainName};

use super::address_index::{self, Owner};
use super::group::GroupKey;
use super::place::Place;
use super::tree::{self, Stored};
use super::{account, domain, domain_alias, entry, group, indexed, place};
use crate::codec::VERSION;
use crate::index::{T, View};
use crate::{Entry, EntryId, StoreError};

/// Table and key -> value.
pub(crate) type Rows = BTreeMap<(T, Vec<u8>), Vec<u8>>;

/// The tables whose rows all follow from entries.
pub(crate) const TABLES: [T; 7] =
    [T::Domain, T::DomainAlias, T::EntryDn, T::EntryIndex, T::Address, T::Group, T::Membership];

/// The addresses of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) primary: Address,
    pub(crate) further: Vec<Address>,
}

/// What the box makes of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) domain: Option<DomainName>,
    /// Further names of the domain.
    pub(crate) domain_aliases: Vec<DomainName>,
    /// It is an account with these addresses.
    pub(crate) account: Option<Claims>,
    /// It is an alias at these addresses.
    pub(crate) alias: Vec<Address>,
    pub(crate) group: Option<GroupKey>,
    /// It is a group that gets mail at these addresses.
    pub(crate) list: Vec<Address>,
}

impl Meaning {
    pub(crate) fn of(view: &impl View, entry: &Entry) -> Result<Self, StoreError> {
        let key = place::key_of(&entry.dn)?;
        let mut meaning = Self::default();
        if entry.has_class(domain::CLASS) {
            meaning.domain = place::domain_of(&key);
        }
        if meaning.domain.is_some() {
            meaning.domain_aliases = domain_alias::of_entry(entry);
        }
        let Some(place) = Place::of(view, &key)? else { return Ok(meaning) };
        meaning.account = claims(view, &place, entry)?;
        if meaning.account.is_none() {
            meaning.alias = alias_addresses(view, &place, entry)?;
        }
        if place.is_in("groups") && entry.has_class(group::CLASS) {
            meaning.group = entry.first(entry::NAME).and_then(|n| GroupKey::of(n, &place.domain));
            let said = [entry.addresses(entry::ADDRESS), entry.addresses(entry::FURTHER)].concat();
            meaning.list = ours(view, said)?;
        }
        Ok(meaning)
    }

    /// The addresses that this entry has.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Address> {
        let account = self.account.iter().flat_map(|c| c.further.iter().chain([&c.primary]));
        account.chain(&self.alias).chain(&self.list)
    }
}

/// Those of the addresses that are in our domains, each once.
fn ours(view: &impl View, addresses: Vec<Address>) -> Result<Vec<Address>, StoreError> {
    let (mut seen, mut ours) = (BTreeSet::new(), Vec::new());
    for address in addresses {
        if domain::exists(view, address.domain())? && seen.insert(address.key()) {
            ours.push(address);
        }
    }
    Ok(ours)
}

/// A person below `ou=people` with a `mail` in one of our domains is an account.
fn claims(view: &impl View, place: &Place, entry: &Entry) -> Result<Option<Claims>, StoreError> {
    let is_person = account::PERSONS.iter().any(|class| entry.has_class(class));
    if !place.is_in("people") || !is_person {
        return Ok(None);
    }
    let mail = ours(view, entry.addresses(entry::ADDRESS))?;
    if mail.is_empty() {
        return Ok(None);
    }
    let all = ours(view, [mail, entry.addresses(entry::FURTHER)].concat())?;
    let mut all = all.into_iter();
    Ok(all.next().map(|primary| Claims { primary, further: all.collect() }))
}

/// An alias with targets is found at its local addresses; one below `ou=aliases` that says none, at its name.
fn alias_addresses(
    view: &impl View,
    place: &Place,
    entry: &Entry,
) -> Result<Vec<Address>, StoreError> {
    if !entry.has_class(super::alias::CLASS) || entry.values(entry::TARGET).is_empty() {
        return Ok(Vec::new());
    }
    let said = [entry.addresses(entry::ADDRESS), entry.addresses(entry::FURTHER)].concat();
    if !said.is_empty() || !place.is_in("aliases") {
        return ours(view, said);
    }
    let names = entry.texts(entry::NAME);
    let addresses = names.filter_map(|name| Address::new(name, place.domain.clone()).ok());
    ours(view, addresses.collect())
}

/// All rows that follow from an entry, but for the row of its account, which outlives it.
pub(crate) fn rows(view: &impl View, stored: &Stored) -> Result<Rows, StoreError> {
    let Stored { id, entry } = stored;
    let meaning = Meaning::of(view, entry)?;
    let link = tree::link(*id);
    let mut rows = Rows::new();
    rows.insert((T::EntryDn, place::key_of(&entry.dn)?), link.clone());
    for key in indexed::keys(*id, entry) {
        rows.insert((T::EntryIndex, key), vec![VERSION]);
    }
    if let Some(name) = &meaning.domain {
        rows.insert((T::Domain, name.as_str().as_bytes().to_vec()), link.clone());
        for alias in &meaning.domain_aliases {
            let key = alias.as_str().as_bytes().to_vec();
            rows.insert((T::DomainAlias, key), domain_alias::encode(name));
        }
    }
    if let (Some(claims), Some(account)) = (&meaning.account, entry.account) {
        let primary = address_index::encode(Owner::Primary(account));
        rows.insert((T::Address, address_index::key(&claims.primary)), primary);
        for further in &claims.further {
            let owner = address_index::encode(Owner::Further(account));
            rows.insert((T::Address, address_index::key(further)), owner);
        }
        for key in groups_of(view, &entry.dn)? {
            rows.insert((T::Membership, group::membership(account, &key)), vec![VERSION]);
        }
    }
    for address in &meaning.alias {
        let owner = address_index::encode(Owner::Alias(*id));
        rows.insert((T::Address, address_index::key(address)), owner);
    }
    for address in &meaning.list {
        let owner = address_index::encode(Owner::Group(*id));
        rows.insert((T::Address, address_index::key(address)), owner);
    }
    if let Some(key) = &meaning.group {
        rows.insert((T::Group, key.bytes().to_vec()), link);
        for account in group::members_of(view, entry)? {
            rows.insert((T::Membership, group::membership(account, key)), vec![VERSION]);
        }
    }
    Ok(rows)
}

/// The rows of an entry before and after a change, without those of the members that stay: a group may have
/// very many.
pub(crate) fn change(
    view: &impl View,
    before: Option<&Stored>,
    after: &Stored,
) -> Result<(Rows, Rows), StoreError> {
    let Some(before) = before else { return Ok((Rows::new(), rows(view, after)?)) };
    let (mut old, mut new) = (before.clone(), after.clone());
    if Meaning::of(view, &old.entry)?.group == Meaning::of(view, &new.entry)?.group {
        let known: BTreeSet<&Vec<u8>> = before.entry.values(entry::MEMBER).iter().collect();
        let kept: BTreeSet<&Vec<u8>> = after.entry.values(entry::MEMBER).iter().collect();
        for (stored, other) in [(&mut old, &kept), (&mut new, &known)] {
            if let Some(values) = stored.entry.attributes.get_mut(entry::MEMBER) {
                values.retain(|value| !other.contains(value));
            }
        }
    }
    Ok((rows(view, &old)?, rows(view, &new)?))
}

/// The entries that have a DN among their members.
pub(crate) fn naming(view: &impl View, dn: &str) -> Result<Vec<EntryId>, StoreError> {
    let Some(value) = indexed::normal(entry::MEMBER, dn.as_bytes()) else { return Ok(Vec::new()) };
    let mut ids = indexed::equal(view, entry::MEMBER, &value)?;
    // Of a longer one the index has the beginning only.
    if value.len() >= indexed::VALUE_MAX {
        let mut exact = Vec::new();
        for id in ids {
            if names(&tree::existing(view, id)?.entry, dn) {
                exact.push(id);
            }
        }
        ids = exact;
    }
    Ok(ids)
}

/// True if a DN is among the members of an entry: of thousands most are written in the one form, and only
/// what is not found so is taken apart.
fn names(entry: &Entry, dn: &str) -> bool {
    entry.texts(entry::MEMBER).any(|member| member == dn)
        || entry.texts(entry::MEMBER).any(|member| is_same(member, dn))
}

/// The groups that name a DN.
fn groups_of(view: &impl View, dn: &str) -> Result<Vec<GroupKey>, StoreError> {
    let mut keys = Vec::new();
    for id in naming(view, dn)? {
        let found = tree::existing(view, id)?.entry;
        if names(&found, dn) {
            keys.extend(Meaning::of(view, &found)?.group);
        }
    }
    Ok(keys)
}

/// True if both texts are the same DN.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one == other
        || matches!((place::key_of(one), place::key_of(other)), (Ok(one), Ok(other)) if one == other)
}
