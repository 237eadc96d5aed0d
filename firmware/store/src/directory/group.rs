//! Groups: groupOfNames entries (RFC 4519 §3.5) whose `member` values are DNs of accounts.
//!
//! `membership` holds the same the other way round, so that a right of a group is one look-up. Groups in
//! groups are not followed. For mail they are (`resolve`): a group with an address is a distribution list.
//!
//! Limits: 10,000 groups, 10,000 members of one.

use std::collections::BTreeSet;

use base::{AccountId, Address, DomainName};

use super::tree::{self, Stored};
use super::views::Meaning;
use super::{account, dn, domain, entry, writing};
use crate::codec::{In, Out, account_key};
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{Entry, Group, GroupChange, GroupSummary, Members, StoreError};

pub(crate) const GROUPS_MAX: u64 = 10_000;
const MEMBERS_MAX: usize = 10_000;
const NAME_BYTES_MAX: usize = 128;
pub(crate) const CLASS: &str = "groupOfNames";
/// Our class: what a group that gets mail has beyond groupOfNames.
const MAIL_CLASS: &str = "postroomGroup";
const CLASSES: [&str; 2] = ["top", CLASS];

/// Name in lower case and domain, as `name@domain`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey(pub(crate) String);

impl GroupKey {
    fn new(name: &str, domain: &DomainName) -> Self {
        Self(format!("{}@{}", name.to_lowercase(), domain.as_str()))
    }

    /// The key of a name that can be a group's.
    pub(crate) fn of(name: &str, domain: &DomainName) -> Option<Self> {
        is_name(name).then(|| Self::new(name, domain))
    }

    fn domain(&self) -> Result<DomainName, StoreError> {
        let domain = self.0.rsplit_once('@').and_then(|(_, domain)| DomainName::parse(domain).ok());
        domain.ok_or_else(|| StoreError::Damaged(format!("group {:?}", self.0)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.chars().any(|c| c.is_control() || "@/\"\\".contains(c))
}

/// The key of a group by `name` or `name@domain`; the short form must fit one group only.
pub(crate) fn named(view: &impl View, text: &str) -> Result<Option<GroupKey>, StoreError> {
    let text = text.to_lowercase();
    if text.contains('@') {
        let key = GroupKey(text);
        return Ok(view.has(T::Group, key.bytes())?.then_some(key));
    }
    let found = same_name(view, &text)?;
    match <[GroupKey; 1]>::try_from(found) {
        Ok([only]) => Ok(Some(only)),
        Err(_) => Ok(None),
    }
}

/// Up to two groups of that name, in whichever domains.
fn same_name(view: &impl View, name: &str) -> Result<Vec<GroupKey>, StoreError> {
    let mut found = Vec::new();
    view.scan_prefix(T::Group, format!("{name}@").as_bytes(), &mut |key, _| {
        found.push(GroupKey(In::plain(key, "group").text()?));
        Ok(found.len() < 2)
    })?;
    Ok(found)
}

/// As short as [`named`] understands it; `None` if the group is gone.
pub(crate) fn show(view: &impl View, key: &GroupKey) -> Result<Option<String>, StoreError> {
    if !view.has(T::Group, key.bytes())? {
        return Ok(None);
    }
    let short = key.0.split('@').next().unwrap_or_default();
    Ok(Some(if same_name(view, short)?.len() == 1 { short.to_owned() } else { key.0.clone() }))
}

/// The key of a row of `membership`.
pub(crate) fn membership(account: AccountId, key: &GroupKey) -> Vec<u8> {
    Out::default().u32(account.0).bytes(key.bytes()).0
}

/// True if the account is in the group.
pub(crate) fn has_member(
    view: &impl View,
    key: &GroupKey,
    account: AccountId,
) -> Result<bool, StoreError> {
    view.has(T::Membership, &membership(account, key))
}

/// The groups of an account.
pub(crate) fn of_account(
    view: &impl View,
    account: AccountId,
) -> Result<Vec<GroupKey>, StoreError> {
    let mut found = Vec::new();
    view.scan_prefix(T::Membership, &account_key(account), &mut |key, _| {
        let mut key = In::plain(key, "membership");
        key.u32()?;
        found.push(GroupKey(key.text()?));
        Ok(true)
    })?;
    Ok(found)
}

/// The entry of a group.
fn entry_of(view: &impl View, key: &GroupKey) -> Result<Option<Stored>, StoreError> {
    let Some(row) = view.get(T::Group, key.bytes())? else { return Ok(None) };
    tree::existing(view, tree::decode_link(&row, "group row")?).map(Some)
}

fn check(view: &impl View, group: &Group) -> Result<(), StoreError> {
    if !is_name(&group.name) {
        return Err(StoreError::BadName);
    }
    if !domain::exists(view, &group.domain)? {
        return Err(StoreError::NoSuchDomain);
    }
    if let Some(address) = &group.address
        && !domain::exists(view, address.domain())?
    {
        return Err(StoreError::NoSuchDomain);
    }
    if group.members.len() + group.groups.len() + group.outside.len() > MEMBERS_MAX {
        return Err(StoreError::LimitReached("members of a group"));
    }
    Ok(())
}

/// The DNs of the members of a group, as their entries are written. Members of `before` that the typed view
/// does not show stay.
fn member_dns(
    view: &impl View,
    group: &Group,
    before: Option<&Stored>,
) -> Result<Vec<String>, StoreError> {
    let mut members = Vec::with_capacity(group.members.len());
    for id in &group.members {
        let member = account::stored(view, *id)?.ok_or(StoreError::NoSuchAccount)?;
        members.push(member.entry.written_dn);
    }
    for name in &group.groups {
        let nested = entry_of(view, &GroupKey(name.to_lowercase()))?;
        members.push(nested.ok_or(StoreError::NoSuchGroup)?.entry.written_dn);
    }
    for dn in before.into_iter().flat_map(|stored| stored.entry.texts(entry::MEMBER)) {
        let Some(member) = tree::find(view, dn)? else { continue };
        if member.entry.account.is_none() && !member.entry.has_class(CLASS) {
            members.push(dn.to_owned());
        }
    }
    Ok(members)
}

/// Gives a group this address, or none; what is no address of ours stays in its `mail`.
fn set_address(
    view: &impl View,
    entry: &mut Entry,
    address: Option<&Address>,
) -> Result<(), StoreError> {
    let known = Meaning::of(view, entry)?.list;
    let is_same = match (known.first(), address) {
        (Some(known), Some(address)) => known.key() == address.key(),
        (None, None) => true,
        _ => false,
    };
    if is_same {
        return Ok(());
    }
    // Without an address it has no further ones either.
    let gone = if address.is_some() { known.get(..1).unwrap_or_default() } else { &known };
    let is_gone = |other: &Address| gone.iter().any(|gone| gone.key() == other.key());
    for name in [entry::ADDRESS, entry::FURTHER] {
        let mut others = entry.addresses(name);
        others.retain(|other| !is_gone(other) && address.is_none_or(|a| a.key() != other.key()));
        if let (entry::ADDRESS, Some(address)) = (name, address) {
            others.insert(0, address.clone());
        }
        entry.set(name, others.iter().map(Address::to_string));
    }
    Ok(())
}

/// Makes a group, or makes it what is said.
pub(crate) fn put(tx: &mut Tx<'_, '_>, group: &Group) -> Result<(), StoreError> {
    check(&tx.tables, group)?;
    let key = GroupKey::new(&group.name, &group.domain);
    let before = entry_of(&tx.tables, &key)?;
    let members = member_dns(&tx.tables, group, before.as_ref())?;
    let mut entry = match &before {
        Some(stored) => stored.entry.clone(),
        None => {
            let dn = dn::of_group(&group.name.to_lowercase(), &group.domain);
            entry::new(dn, &CLASSES, tx.now)?
        }
    };
    // A name that differs in case is the same; further names stay.
    let others = entry.texts(entry::NAME).filter(|n| n.to_lowercase() != group.name.to_lowercase());
    let others = others.map(str::to_owned);
    let names: Vec<String> = [group.name.clone()].into_iter().chain(others).collect();
    entry.set(entry::NAME, names);
    entry.set(entry::MEMBER, &members);
    set_address(&tx.tables, &mut entry, group.address.as_ref())?;
    entry.set(entry::TARGET, group.outside.iter().map(Address::to_string));
    if group.address.is_some() || !group.outside.is_empty() {
        entry.add_class(MAIL_CLASS);
    }
    if entry.first(entry::DESCRIPTION).unwrap_or_default() != group.description {
        entry.set(entry::DESCRIPTION, Some(&group.description).filter(|text| !text.is_empty()));
    }
    entry.modified_at = tx.now;
    writing::put(tx, before.as_ref(), entry).map(drop)
}

/// Makes a group that is not there yet.
pub(crate) fn create(tx: &mut Tx<'_, '_>, group: &Group) -> Result<(), StoreError> {
    if tx.has(T::Group, GroupKey::new(&group.name, &group.domain).bytes())? {
        return Err(StoreError::Exists);
    }
    put(tx, group)
}

/// Changes a group; returns it.
pub(crate) fn update(
    tx: &mut Tx<'_, '_>,
    name: &str,
    domain: &DomainName,
    change: &GroupChange,
) -> Result<Group, StoreError> {
    let mut group = find(&tx.tables, name, domain)?.ok_or(StoreError::NoSuchGroup)?;
    if let Some(address) = &change.address {
        group.address.clone_from(address);
    }
    if let Some(description) = &change.description {
        group.description.clone_from(description);
    }
    if let Some(Members { accounts, groups, outside }) = change.members.clone() {
        (group.members, group.groups, group.outside) = (accounts, groups, outside);
    }
    let Members { accounts, groups, outside } = &change.remove;
    let gone: BTreeSet<AccountId> = accounts.iter().copied().collect();
    group.members.retain(|id| !gone.contains(id));
    group.groups.retain(|name| !groups.contains(name));
    let gone: BTreeSet<String> = outside.iter().map(Address::key).collect();
    group.outside.retain(|one| !gone.contains(&one.key()));
    let Members { accounts, groups, outside } = &change.add;
    let known: BTreeSet<AccountId> = group.members.iter().copied().collect();
    group.members.extend(accounts.iter().filter(|id| !known.contains(id)));
    let known = group.groups.clone();
    group.groups.extend(groups.iter().filter(|name| !known.contains(name)).cloned());
    let known: BTreeSet<String> = group.outside.iter().map(Address::key).collect();
    group.outside.extend(outside.iter().filter(|one| !known.contains(&one.key())).cloned());
    put(tx, &group)?;
    Ok(group)
}

/// The accounts that an entry's `member` values name.
pub(crate) fn members_of(view: &impl View, entry: &Entry) -> Result<Vec<AccountId>, StoreError> {
    let mut ids = Vec::new();
    for dn in entry.texts(entry::MEMBER) {
        ids.extend(tree::find(view, dn)?.and_then(|member| member.entry.account));
    }
    Ok(ids)
}

/// Removes a group; rights given to it give nothing any more.
pub(crate) fn delete(
    tx: &mut Tx<'_, '_>,
    name: &str,
    domain: &DomainName,
) -> Result<(), StoreError> {
    let key = GroupKey::new(name, domain);
    let stored = entry_of(&tx.tables, &key)?.ok_or(StoreError::NoSuchGroup)?;
    writing::remove(tx, &stored)
}

/// All groups, by name.
pub(crate) fn list(view: &impl View) -> Result<Vec<Group>, StoreError> {
    let mut rows = Vec::new();
    view.scan(T::Group, &[], &[], &mut |key, row| {
        let id = tree::decode_link(row, "group row")?;
        rows.push((GroupKey(In::plain(key, "group").text()?), id));
        Ok(true)
    })?;
    rows.iter().map(|(key, id)| view_of(view, key, &tree::existing(view, *id)?.entry)).collect()
}

/// All groups without their members, by name.
pub(crate) fn summaries(view: &impl View) -> Result<Vec<GroupSummary>, StoreError> {
    let mut rows = Vec::new();
    view.scan(T::Group, &[], &[], &mut |key, row| {
        let key = GroupKey(In::plain(key, "group").text()?);
        rows.push((key.domain()?, tree::decode_link(row, "group row")?));
        Ok(true)
    })?;
    let summary = |(domain, id)| {
        let entry = tree::existing(view, id)?.entry;
        Ok(GroupSummary {
            name: entry.first(entry::NAME).unwrap_or_default().to_owned(),
            domain,
            address: Meaning::of(view, &entry)?.list.into_iter().next(),
            members: entry.values(entry::MEMBER).len() + entry.values(entry::TARGET).len(),
            description: entry.first(entry::DESCRIPTION).unwrap_or_default().to_owned(),
        })
    };
    rows.into_iter().map(summary).collect()
}

/// The group of a name in a domain.
pub(crate) fn find(
    view: &impl View,
    name: &str,
    domain: &DomainName,
) -> Result<Option<Group>, StoreError> {
    let key = GroupKey::new(name, domain);
    entry_of(view, &key)?.map(|stored| view_of(view, &key, &stored.entry)).transpose()
}

/// The typed view of the entry of a group.
fn view_of(view: &impl View, key: &GroupKey, entry: &Entry) -> Result<Group, StoreError> {
    let domain = key.domain()?;
    let (mut members, mut groups) = (Vec::new(), Vec::new());
    for dn in entry.texts(entry::MEMBER) {
        let Some(member) = tree::find(view, dn)? else { continue };
        match member.entry.account {
            Some(id) => members.push(id),
            None => groups.extend(Meaning::of(view, &member.entry)?.group.map(|key| key.0)),
        }
    }
    Ok(Group {
        name: entry.first(entry::NAME).unwrap_or_default().to_owned(),
        domain,
        address: Meaning::of(view, entry)?.list.into_iter().next(),
        members,
        groups,
        outside: entry.addresses(entry::TARGET),
        description: entry.first(entry::DESCRIPTION).unwrap_or_default().to_owned(),
    })
}
