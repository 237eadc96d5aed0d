//! What a file says of where mail goes: further names and the catch-all of a domain, groups, and what a user
//! forwards and may send with.

use std::collections::{BTreeMap, BTreeSet};

use base::{Address, DomainName};
use store::{AccountChange, DomainChange, SendAs, Step, Store};

use super::apply::{ApplyError, store_error};
use super::parse::{own_address, reason};
use super::table::{Faults, Table};
use super::{Provision, User};
use crate::rules::{self, FORWARD_MAX, SEND_AS_MAX};

/// Most groups of a file.
const GROUPS_MAX: usize = 1_000;
/// Limits of the store.
const MEMBERS_MAX: usize = 10_000;
const FURTHER_MAX: usize = 100;

/// A `[[domain]]` beyond its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DomainMail {
    further: Option<Vec<DomainName>>,
    catch_all: Option<Address>,
    quota_bytes: Option<u64>,
}

/// One `[[group]]`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FileGroup {
    name: String,
    domain: DomainName,
    address: Option<Address>,
    members: Vec<Address>,
}

/// What a user does with mail beyond the mailbox; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserMail {
    forward: Option<Vec<Address>>,
    forward_keep: Option<bool>,
    send_as: Option<Vec<SendAs>>,
}

impl UserMail {
    pub(super) fn read(table: &mut Table<'_, '_>, faults: &mut Faults<'_>) -> Self {
        let addresses = table.texts(faults, "forward");
        let forward: Option<Vec<Address>> = addresses.map(|found| {
            let each = found.into_iter();
            each.filter_map(|f| f.check(faults, reason(rules::address))).collect()
        });
        let senders = table.texts(faults, "send_as");
        let send_as: Option<Vec<SendAs>> = senders.map(|found| {
            let each = found.into_iter();
            each.filter_map(|f| f.check(faults, reason(rules::sender))).collect()
        });
        for (key, len, most) in [
            ("forward", forward.as_ref().map_or(0, Vec::len), FORWARD_MAX),
            ("send_as", send_as.as_ref().map_or(0, Vec::len), SEND_AS_MAX),
        ] {
            if len > most {
                faults.add(table.line, &table.key(key), format!("there are more than {most}"));
            }
        }
        let forward_keep = table.yes_or_no(faults, "forward_keep").map(|found| found.value);
        Self { forward, forward_keep, send_as }
    }

    /// Puts it into a change of the account.
    pub(super) fn into_change(self, change: &mut AccountChange) {
        change.forward = self.forward;
        change.forward_keep = self.forward_keep;
        change.send_as = self.send_as;
    }
}

impl DomainMail {
    pub(super) fn read(table: &mut Table<'_, '_>, faults: &mut Faults<'_>) -> Self {
        let further = table.texts(faults, "aliases").map(|found| {
            if found.len() > FURTHER_MAX {
                let most = format!("there are more than {FURTHER_MAX}");
                faults.add(table.line, &table.key("aliases"), most);
            }
            let each = found.into_iter();
            each.filter_map(|f| f.check(faults, reason(rules::domain))).collect()
        });
        let catch_all = table.text(faults, "catch_all");
        let catch_all = catch_all.and_then(|f| f.check(faults, reason(rules::address)));
        let quota = table.number(faults, "quota_mb");
        let quota_bytes =
            quota.and_then(|f| f.check(faults, |mb| rules::quota(mb).map_err(|p| p.detail)));
        Self { further, catch_all, quota_bytes }
    }

    fn change(&self) -> DomainChange {
        DomainChange {
            catch_all: self.catch_all.clone().map(Some),
            further: self.further.clone(),
            quota_bytes: self.quota_bytes.map(Some),
        }
    }
}

/// The further names of all domains of a file: none is a domain of it, or stands there twice.
pub(super) fn check_names(
    domains: &BTreeMap<DomainName, DomainMail>,
    lines: &BTreeMap<DomainName, usize>,
    faults: &mut Faults<'_>,
) {
    let mut seen = BTreeSet::new();
    for (domain, mail) in domains {
        let line = lines.get(domain).copied().unwrap_or(1);
        for name in mail.further.iter().flatten() {
            if domains.contains_key(name) || !seen.insert(name) {
                let why = format!("{name} is a domain of this file, or given to two");
                faults.add(line, "domain.aliases", why);
            }
        }
    }
}

/// Reads the groups. `seen` are the addresses of the file, which are nobody else's.
pub(super) fn groups(
    root: &mut Table<'_, '_>,
    faults: &mut Faults<'_>,
    domains: &BTreeSet<DomainName>,
    seen: &mut BTreeSet<String>,
) -> Vec<FileGroup> {
    let tables = root.tables(faults, "group");
    if tables.len() > GROUPS_MAX {
        let line = tables.first().map_or(1, |table| table.line);
        faults.add(line, "group", format!("there are more than {GROUPS_MAX} groups"));
        return Vec::new();
    }
    let mut names = BTreeSet::new();
    let mut groups = Vec::new();
    for table in tables {
        let (line, key) = (table.line, table.key("name"));
        let Some(group) = group(table, faults, domains, seen) else { continue };
        if !names.insert((group.name.to_lowercase(), group.domain.clone())) {
            faults.add(line, &key, format!("{} is named twice", group.name));
        }
        groups.push(group);
    }
    groups
}

fn group(
    mut table: Table<'_, '_>,
    faults: &mut Faults<'_>,
    domains: &BTreeSet<DomainName>,
    seen: &mut BTreeSet<String>,
) -> Option<FileGroup> {
    let name = table.needed(faults, "name");
    let name = name.and_then(|found| found.check(faults, reason(rules::group_name)));
    let domain = table.needed(faults, "domain");
    let domain = domain.and_then(|found| {
        let rule = |text: &str| {
            let name = rules::domain(text).map_err(|problem| problem.detail)?;
            let known = domains.contains(&name).then_some(name);
            known.ok_or_else(|| format!("\"{text}\" is in no [[domain]] of this file"))
        };
        found.check(faults, rule)
    });
    let address = table.text(faults, "address");
    let address = address.and_then(|f| f.check(faults, |text| own_address(text, domains, seen)));
    let found = table.texts(faults, "members").unwrap_or_default();
    if found.len() > MEMBERS_MAX {
        let most = format!("there are more than {MEMBERS_MAX}");
        faults.add(table.line, &table.key("members"), most);
    }
    let mut members = Vec::new();
    for found in found {
        let (line, key) = (found.line, found.key.clone());
        let Some(member) = found.check(faults, reason(rules::address)) else { continue };
        if address.is_none() && !domains.contains(member.domain()) {
            faults.add(line, &key, format!("{member} is elsewhere, and the group has no address"));
        }
        members.push(member);
    }
    table.finish(faults);
    Some(FileGroup { name: name?, domain: domain?, address, members })
}

/// Refuses what would be refused once half of the file is applied.
pub(super) fn check(provision: &Provision, store: &Store) -> Result<(), ApplyError> {
    let known = store.domains().map_err(store_error("reading the domains"))?;
    for (name, mail) in &provision.domains {
        let of_others = known.iter().filter(|other| other.name != *name);
        for wanted in mail.further.iter().flatten().chain([name]) {
            let has = |other: &store::Domain| {
                other.further.contains(wanted) || (wanted != name && other.name == *wanted)
            };
            if of_others.clone().any(has) {
                return Err(ApplyError::DomainTaken(wanted.clone()));
            }
        }
    }
    let reading = "reading the directory";
    let ours: BTreeSet<&DomainName> =
        known.iter().map(|d| &d.name).chain(provision.domains.keys()).collect();
    let users: BTreeSet<String> =
        provision.users.iter().flat_map(User::addresses).map(Address::key).collect();
    for group in &provision.groups {
        let before = store.group(&group.name, &group.domain).map_err(store_error(reading))?;
        let before = before.and_then(|group| group.address);
        if let Some(address) = &group.address
            && before.is_none_or(|before| before.key() != address.key())
            && store.is_taken(address).map_err(store_error(reading))?
        {
            return Err(ApplyError::AddressTaken(address.clone()));
        }
        for member in &group.members {
            let is_there = !ours.contains(member.domain())
                || users.contains(&member.key())
                || store.account_by_address(member).map_err(store_error(reading))?.is_some();
            if !is_there {
                return Err(ApplyError::MemberUnknown(member.clone()));
            }
        }
    }
    Ok(())
}

/// The domains of a file, made and set.
pub(super) fn domains(provision: &Provision) -> Vec<Step> {
    let step = |(name, mail): (&DomainName, &DomainMail)| Step::Domain(name.clone(), mail.change());
    provision.domains.iter().map(step).collect()
}

/// Its groups, made or added to: a file takes nothing away.
pub(super) fn groups_of(provision: &Provision) -> impl Iterator<Item = Step> {
    provision.groups.iter().map(|group| {
        let FileGroup { name, domain, address, members } = group.clone();
        Step::Group { name, domain, address, members }
    })
}
