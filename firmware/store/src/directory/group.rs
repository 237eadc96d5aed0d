//! Groups: groupOfNames entries (RFC 4519 §3.5) whose `member` values are DNs of accounts.
//!
//! `membership` holds the same the other way round, so that a right of a group is one look-up. Whoever
//! writes a group entry writes it through here. Groups in groups are not followed.
//!
//! Limits: 10,000 groups, 10,000 members of one.

use base::{AccountId, Address, DomainName};

use super::{account, dn, domain, entry};
use crate::acl::Principal;
use crate::codec::{In, Out, VERSION, account_key};
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{Entry, Group, StoreError};

const GROUPS_MAX: u64 = 10_000;
const MEMBERS_MAX: usize = 10_000;
const NAME_BYTES_MAX: usize = 128;
const MEMBER: &str = "member";
const CLASSES: [&str; 2] = ["top", "groupOfNames"];

/// Name in lower case and domain, as `name@domain`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey(pub(crate) String);

impl GroupKey {
    fn new(name: &str, domain: &DomainName) -> Self {
        Self(format!("{}@{}", name.to_lowercase(), domain.as_str()))
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
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

fn membership(account: AccountId, key: &GroupKey) -> Vec<u8> {
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

/// DN of a group, for the walk.
pub(crate) fn dn_of_row(row: &[u8]) -> Result<String, StoreError> {
    In::versioned(row, "group row")?.text()
}

fn dn_of(name: &str, domain: &DomainName) -> String {
    dn::of_group(&name.to_lowercase(), domain)
}

fn check(view: &impl View, group: &Group) -> Result<(), StoreError> {
    let is_good = !group.name.is_empty()
        && group.name.len() <= NAME_BYTES_MAX
        && !group.name.chars().any(|c| c.is_control() || "@/\"\\".contains(c));
    if !is_good {
        return Err(StoreError::BadName);
    }
    if !domain::exists(view, &group.domain)? {
        return Err(StoreError::NoSuchDomain);
    }
    if group.members.len() > MEMBERS_MAX {
        return Err(StoreError::LimitReached("members of a group"));
    }
    Ok(())
}

/// Makes a group, or gives it these members.
pub(crate) fn put(tx: &mut Tx<'_, '_>, group: &Group) -> Result<(), StoreError> {
    check(&tx.tables, group)?;
    let key = GroupKey::new(&group.name, &group.domain);
    let dn = dn_of(&group.name, &group.domain);
    let mut members = Vec::with_capacity(group.members.len());
    for id in &group.members {
        let member = account::find(&tx.tables, *id)?.ok_or(StoreError::NoSuchAccount)?;
        members.push(dn::of_account(&member.address));
    }
    let mut entry = match entry::find(&tx.tables, &dn)? {
        Some(entry) => entry,
        None if tx.len(T::Group)? >= GROUPS_MAX => return Err(StoreError::LimitReached("groups")),
        None => entry::new(dn.clone(), &CLASSES, tx.now)?,
    };
    for old in members_of(&tx.tables, &entry)? {
        tx.remove(T::Membership, &membership(old, &key))?;
    }
    entry.set(entry::NAME, [group.name.as_str()]);
    entry.set(MEMBER, &members);
    entry.modified_at = tx.now;
    entry::put(tx, &entry)?;
    tx.put(T::Group, key.bytes(), &Out::versioned().bytes(dn.as_bytes()).0)?;
    for id in &group.members {
        tx.put(T::Membership, &membership(*id, &key), &[VERSION])?;
    }
    // Rights come and go with it.
    tx.effects.accounts.insert(crate::OFFICE);
    Ok(())
}

/// The accounts that an entry's `member` values name.
pub(crate) fn members_of(view: &impl View, entry: &Entry) -> Result<Vec<AccountId>, StoreError> {
    let mut ids = Vec::new();
    for value in entry.attributes.get(MEMBER).map(Vec::as_slice).unwrap_or_default() {
        let Ok(dn) = std::str::from_utf8(value) else { continue };
        let Some(member) = entry::find(view, dn)? else { continue };
        let id = member.first(entry::ID).and_then(|text| text.parse().ok());
        ids.extend(id.map(AccountId));
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
    let row = tx.get(T::Group, key.bytes())?.ok_or(StoreError::NoSuchGroup)?;
    let dn = dn_of_row(&row)?;
    let entry = entry::existing(&tx.tables, &dn)?;
    for id in members_of(&tx.tables, &entry)? {
        tx.remove(T::Membership, &membership(id, &key))?;
    }
    entry::remove(tx, &dn)?;
    tx.remove(T::Group, key.bytes())?;
    crate::acl::acts::drop_principal(tx, &Principal::Group(key))?;
    tx.effects.accounts.insert(crate::OFFICE);
    Ok(())
}

/// An account leaves all its groups: it is being deleted, its entry still stands.
pub(crate) fn leave_all(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    address: &Address,
) -> Result<(), StoreError> {
    let member = dn::of_account(address);
    for key in of_account(&tx.tables, account)? {
        if let Some(row) = tx.get(T::Group, key.bytes())? {
            let mut entry = entry::existing(&tx.tables, &dn_of_row(&row)?)?;
            if let Some(values) = entry.attributes.get_mut(MEMBER) {
                values.retain(|value| value.as_slice() != member.as_bytes());
            }
            entry.modified_at = tx.now;
            entry::put(tx, &entry)?;
        }
        tx.remove(T::Membership, &membership(account, &key))?;
    }
    Ok(())
}

/// All groups, by name.
pub(crate) fn list(view: &impl View) -> Result<Vec<Group>, StoreError> {
    let mut dns = Vec::new();
    view.scan(T::Group, &[], &[], &mut |key, row| {
        dns.push((In::plain(key, "group").text()?, dn_of_row(row)?));
        Ok(true)
    })?;
    let mut groups = Vec::with_capacity(dns.len());
    for (key, dn) in dns {
        let entry = entry::existing(view, &dn)?;
        let domain = key.split_once('@').and_then(|(_, domain)| DomainName::parse(domain).ok());
        let domain = domain.ok_or_else(|| StoreError::Damaged(format!("group {key:?}")))?;
        let name = entry.first(entry::NAME).unwrap_or_default().to_owned();
        let members = members_of(view, &entry)?;
        groups.push(Group { name, domain, members });
    }
    Ok(groups)
}

/// True if a group stands in the domain.
pub(crate) fn is_in(view: &impl View, domain: &DomainName) -> Result<bool, StoreError> {
    let mut found = false;
    let end = format!("@{}", domain.as_str());
    view.scan(T::Group, &[], &[], &mut |key, _| {
        found = key.ends_with(end.as_bytes());
        Ok(!found)
    })?;
    Ok(found)
}
