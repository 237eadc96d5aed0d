//! What an entry of a group there means here. Groups in groups are taken apart: who is in the inner one is in
//! the outer one, because rights here look at people only.

use std::collections::{BTreeMap, BTreeSet};

use base::DomainName;
use store::{FromSource, SourceKind};

use crate::client::Raw;
use crate::person::{self, Unfit};
use crate::settings::Effective;

/// Longest name of a group, bytes.
const NAME_MAX: usize = 120;

/// A DN so that two spellings of it are one; `None` where it is none that we understand, which is then
/// compared as it stands, without regard to case.
pub(crate) fn key_of(dn: &str) -> String {
    // `uniqueMember` may have bits behind the DN: RFC 4517 §3.3.21.
    let dn = dn.split_once("#'").map_or(dn, |(dn, _)| dn);
    directory::Dn::parse(dn).map_or_else(|_| dn.to_lowercase(), |dn| dn.normalised())
}

/// Who is in a group, by keys of DNs and by login names.
#[derive(Debug, Default)]
struct Inside {
    people: BTreeSet<usize>,
    groups: BTreeSet<usize>,
}

/// The people of each group, by their places; groups in groups to any depth, once each.
pub(crate) fn members(
    groups: &[Raw],
    people: &[(String, Vec<String>)],
    effective: &Effective,
) -> Vec<BTreeSet<usize>> {
    let mut by_dn = BTreeMap::new();
    let mut by_login = BTreeMap::new();
    for (at, (dn, logins)) in people.iter().enumerate() {
        by_dn.insert(key_of(dn), at);
        by_login.extend(logins.iter().map(|login| (login.to_lowercase(), at)));
    }
    let group_at: BTreeMap<String, usize> =
        groups.iter().enumerate().map(|(at, raw)| (key_of(&raw.dn), at)).collect();
    let inside: Vec<Inside> = groups
        .iter()
        .map(|raw| {
            let mut inside = Inside::default();
            for text in raw.texts(effective, "group_member") {
                let key = key_of(text);
                inside.groups.extend(group_at.get(&key));
                inside.people.extend(by_dn.get(&key));
                if !text.contains('=') {
                    inside.people.extend(by_login.get(&text.to_lowercase()));
                }
            }
            inside
        })
        .collect();
    (0..groups.len()).map(|at| all_in(&inside, at)).collect()
}

fn all_in(inside: &[Inside], first: usize) -> BTreeSet<usize> {
    let (mut people, mut seen, mut open) = (BTreeSet::new(), BTreeSet::from([first]), vec![first]);
    while let Some(group) = open.pop().and_then(|at| inside.get(at)) {
        people.extend(&group.people);
        open.extend(group.groups.iter().filter(|at| seen.insert(**at)));
    }
    people
}

/// A group as the store takes it; `members` are DNs here.
pub(crate) fn group(
    raw: &Raw,
    effective: &Effective,
    domain: &DomainName,
    domains: &[DomainName],
    members: BTreeSet<String>,
) -> Result<FromSource, Unfit> {
    let id = raw.id(effective).ok_or(Unfit::NoId)?;
    let name = raw.texts(effective, "group_name").next().ok_or(Unfit::NoId)?;
    // What a name of a group here cannot have.
    let name: String = name
        .chars()
        .map(|c| if c.is_control() || "@/\"\\".contains(c) { '-' } else { c })
        .collect();
    let mut len = name.len().min(NAME_MAX);
    while !name.is_char_boundary(len) {
        len -= 1;
    }
    let name = name.get(..len).unwrap_or_default().trim().to_owned();
    let mut attributes = directory::Attributes::new();
    attributes.insert("cn".to_owned(), vec![name.clone().into_bytes()]);
    let members: Vec<Vec<u8>> = members.into_iter().map(String::into_bytes).collect();
    attributes.insert("member".to_owned(), members);
    // With an address it is one that mail can be sent to.
    let address = person::addresses(raw, effective, &["group_address"], domains).into_iter().next();
    let address = address.map(|address| address.to_string().into_bytes());
    attributes.insert("mail".to_owned(), address.into_iter().collect());
    Ok(FromSource {
        domain: domain.clone(),
        kind: SourceKind::Group,
        id,
        dn: raw.dn.clone(),
        name: name.to_lowercase(),
        state: None,
        attributes,
    })
}
