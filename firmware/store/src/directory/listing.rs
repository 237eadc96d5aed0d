//! Accounts in pages, as an admin looks for them: keys of all that fit first, from the index, then only
//! the rows of the page in full. An entry may hold a photo; twenty thousand of them are not read for one page.
//!
//! Limits: of a value the first 128 bytes count, for searching and for the order. What the index does not
//! have (states, sources, quotas) is read from the entries, one at a time, and only if it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use base::{AccountId, DomainName};
use directory::matching;

use super::account::{self, AccountRow};
use super::address_index::{self, Owner};
use super::{entry, indexed, tree};
use crate::codec::In;
use crate::index::{T, View};
use crate::mailbox::usage;
use crate::{AccountPage, AccountQuery, AccountSort, EntryId, Settings, StoreError};

/// Where the words of a search are looked for.
const SEARCHED: [&str; 7] =
    ["cn", "displayname", "givenname", "mail", "maillocaladdress", "sn", "telephonenumber"];
/// Words of a search; what comes behind is not looked at.
const WORDS_MAX: usize = 10;
/// The external directory that an entry comes from.
const SOURCE: &str = "postroomsource";

/// An account that fits so far.
struct Candidate {
    id: AccountId,
    entry: EntryId,
    /// `local@domain` in lower case.
    address: String,
    /// What it is sorted by.
    key: Vec<u8>,
}

pub(crate) fn run(
    view: &impl View,
    settings: &Settings,
    query: &AccountQuery,
) -> Result<AccountPage, StoreError> {
    let mut candidates = all(view, query)?;
    let total = candidates.len();
    if let Some(domain) = &query.domain {
        let end = format!("@{}", domain.as_str());
        candidates.retain(|candidate| candidate.address.ends_with(&end));
    }
    for word in query.search.split_whitespace().take(WORDS_MAX) {
        let found = having(view, word)?;
        candidates.retain(|candidate| found.contains(&candidate.entry));
    }
    if query.state.is_some() || query.is_external.is_some() {
        keep(view, query, &mut candidates)?;
    }
    put_keys(view, settings, query.sort, &mut candidates)?;
    candidates.sort_by(|a, b| {
        let order = (&a.key, &a.address, a.id).cmp(&(&b.key, &b.address, b.id));
        if query.is_descending { order.reverse() } else { order }
    });
    let mut page =
        AccountPage { accounts: Vec::new(), found: candidates.len() as u64, total: total as u64 };
    for candidate in candidates.iter().skip(query.offset).take(query.limit) {
        page.accounts.extend(account::find(view, candidate.id)?);
    }
    Ok(page)
}

/// All accounts that who asks may see.
fn all(view: &impl View, query: &AccountQuery) -> Result<Vec<Candidate>, StoreError> {
    let mut entries = BTreeMap::new();
    view.scan(T::Account, &[], &[], &mut |key, row| {
        let row = AccountRow::decode(row)?;
        if row.deleted_at.is_none() {
            entries.insert(AccountId(In::plain(key, "account id").u32()?), row.entry);
        }
        Ok(true)
    })?;
    let mut candidates = Vec::new();
    let mut take = |prefix: &[u8]| {
        view.scan_prefix(T::Address, prefix, &mut |key, row| {
            if let Owner::Primary(id) = address_index::decode(row)?
                && let Some(entry) = entries.get(&id)
            {
                let address = address_index::address_of_key(key)?.to_string();
                candidates.push(Candidate { id, entry: *entry, address, key: Vec::new() });
            }
            Ok(true)
        })
    };
    match &query.seen {
        None => take(&[])?,
        Some(domains) => {
            let domains: BTreeSet<&DomainName> = domains.iter().collect();
            domains.into_iter().try_for_each(|name| take(&address_index::domain_prefix(name)))?;
        }
    }
    Ok(candidates)
}

/// The entries with a value that a word is a part of, without regard to case and accents.
fn having(view: &impl View, word: &str) -> Result<BTreeSet<EntryId>, StoreError> {
    let wanted = |name: &str| {
        let prepared = indexed::normal(name, word.as_bytes()).unwrap_or_default();
        matching::without_accents(&prepared)
    };
    let mut found = BTreeSet::new();
    for name in SEARCHED {
        let needle = wanted(name);
        if needle.is_empty() {
            continue;
        }
        let finder = memchr::memmem::Finder::new(&needle);
        view.scan_prefix(T::EntryIndex, &indexed::of_attribute(name), &mut |row, _| {
            let value = matching::without_accents(&indexed::value_of_key(name, row));
            if finder.find(&value).is_some() {
                found.insert(indexed::id_of_key(row)?);
            }
            Ok(true)
        })?;
    }
    Ok(found)
}

/// Keeps those of a state, or from inside or outside.
fn keep(
    view: &impl View,
    query: &AccountQuery,
    candidates: &mut Vec<Candidate>,
) -> Result<(), StoreError> {
    let mut kept = Vec::new();
    for candidate in candidates.drain(..) {
        let Some(entry) = tree::load(view, candidate.entry)? else { continue };
        let is_of_state = query.state.is_none_or(|state| account::state_of(&entry) == state);
        let is_external = entry.first(SOURCE).is_some();
        if is_of_state && query.is_external.is_none_or(|wanted| wanted == is_external) {
            kept.push(candidate);
        }
    }
    *candidates = kept;
    Ok(())
}

fn put_keys(
    view: &impl View,
    settings: &Settings,
    sort: AccountSort,
    candidates: &mut [Candidate],
) -> Result<(), StoreError> {
    if sort == AccountSort::Name {
        return put_names(view, candidates);
    }
    for candidate in candidates {
        let key = match sort {
            AccountSort::Name | AccountSort::Address => continue,
            AccountSort::Used => usage::of(view, candidate.id)?.bytes,
            AccountSort::Quota => {
                account::limits(view, settings, candidate.id)?.0.unwrap_or(u64::MAX)
            }
            AccountSort::State => {
                tree::load(view, candidate.entry)?.map_or(0, |e| account::state_of(&e) as u64)
            }
        };
        candidate.key = key.to_be_bytes().to_vec();
    }
    Ok(())
}

/// The least name of each, as the directory orders names: what LDAP's sort has.
fn put_names(view: &impl View, candidates: &mut [Candidate]) -> Result<(), StoreError> {
    let at: BTreeMap<EntryId, usize> =
        candidates.iter().enumerate().map(|(at, candidate)| (candidate.entry, at)).collect();
    view.scan_prefix(T::EntryIndex, &indexed::of_attribute(entry::NAME), &mut |row, _| {
        let candidate = at.get(&indexed::id_of_key(row)?).and_then(|at| candidates.get_mut(*at));
        if let Some(candidate) = candidate.filter(|candidate| candidate.key.is_empty()) {
            candidate.key = indexed::value_of_key(entry::NAME, row);
        }
        Ok(true)
    })
}
