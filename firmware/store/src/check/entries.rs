//! The directory: every index against its entry, and every entry against its indexes.

use std::collections::BTreeSet;

use base::{AccountId, DomainName};

use super::{Walk, rows_of};
use crate::codec::In;
use crate::directory::account::{self, AccountRow};
use crate::directory::address_index::{self, Owner};
use crate::directory::{alias, dn, domain, entry, group};
use crate::index::T;
use crate::{Account, StoreError};

pub(super) fn walk(walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let mut dns = BTreeSet::new();
    let view = walk.view;
    for (key, row) in rows_of(view, T::Domain, &[])? {
        let name = String::from_utf8_lossy(&key).into_owned();
        let stored = In::versioned(&row, "domain row").and_then(In::text);
        let Some(stored) = walk.note(stored) else { continue };
        let expected = DomainName::parse(&name).map(|name| dn::of_domain(&name));
        walk.expect(expected.as_ref() == Ok(&stored), || format!("domain {name} has DN {stored}"));
        let found = walk.note(entry::existing(view, &stored));
        walk.expect(found.is_none_or(|e| e.dn == stored), || {
            format!("entry {stored} has another DN")
        });
        dns.insert(stored);
    }
    let mut claimed = 0;
    for (key, row) in rows_of(view, T::Account, &[])? {
        let Some(id) = walk.note(In::plain(&key, "account id").u32()) else { continue };
        let id = AccountId(id);
        walk.accounts.insert(id);
        let Some(row) = walk.note(AccountRow::decode(&row)) else { continue };
        if row.deleted_at.is_some() {
            continue;
        }
        dns.insert(row.dn.clone());
        let Some(Some(found)) = walk.note(account::find(view, id)) else { continue };
        claimed += check_account(walk, &found, &row.dn)?;
    }
    check_addresses(walk, &mut dns, claimed)?;
    check_groups(walk, &mut dns)?;
    for (key, row) in rows_of(view, T::Entry, &[])? {
        let dn = String::from_utf8_lossy(&key).into_owned();
        walk.note(crate::codec::from_postcard::<crate::Entry>(&row, "directory entry"));
        walk.expect(dns.contains(&dn), || format!("entry {dn} stands in no index"));
    }
    Ok(())
}

/// One account; returns how many addresses are its.
fn check_account(walk: &mut Walk<'_>, account: &Account, dn: &str) -> Result<u64, StoreError> {
    let (view, id) = (walk.view, account.id);
    walk.expect(dn::of_account(&account.address) == dn, || format!("account {id} has DN {dn}"));
    let stored = entry::existing(view, dn)?.first(entry::ID).map(str::to_owned);
    walk.expect(stored == Some(id.to_string()), || {
        format!("account {id}: its entry says it is {stored:?}")
    });
    let owner = address_index::find(view, &account.address)?;
    walk.expect(owner == Some(Owner::Primary(id)), || {
        format!("account {id}: {} is not indexed as its address", account.address)
    });
    for further in &account.aliases {
        let owner = address_index::find(view, further)?;
        walk.expect(owner == Some(Owner::Further(id)), || {
            format!("account {id}: {further} is not indexed as its further address")
        });
    }
    Ok(1 + account.aliases.len() as u64)
}

/// Groups: the row leads to the entry, and `membership` says of it what `member` says.
fn check_groups(walk: &mut Walk<'_>, dns: &mut BTreeSet<String>) -> Result<(), StoreError> {
    let view = walk.view;
    let mut expected = BTreeSet::new();
    for (key, row) in rows_of(view, T::Group, &[])? {
        let Some(dn) = walk.note(group::dn_of_row(&row)) else { continue };
        if let Some(found) = walk.note(entry::existing(view, &dn)) {
            for id in group::members_of(view, &found)? {
                expected.insert([id.0.to_be_bytes().as_slice(), &key].concat());
            }
        }
        dns.insert(dn);
    }
    let found: BTreeSet<Vec<u8>> =
        rows_of(view, T::Membership, &[])?.into_iter().map(|(key, _)| key).collect();
    walk.expect(found == expected, || {
        format!("{} memberships are indexed, {} stand in groups", found.len(), expected.len())
    });
    Ok(())
}

fn check_addresses(
    walk: &mut Walk<'_>,
    dns: &mut BTreeSet<String>,
    claimed: u64,
) -> Result<(), StoreError> {
    let view = walk.view;
    let mut of_accounts = 0;
    for (key, row) in rows_of(view, T::Address, &[])? {
        let shown = String::from_utf8_lossy(&key).replace('\0', " ");
        let domain = shown.split(' ').next().and_then(|d| DomainName::parse(d).ok());
        let is_ours = match &domain {
            Some(name) => domain::exists(view, name)?,
            None => false,
        };
        walk.expect(is_ours, || format!("address row {shown:?} is in no domain of ours"));
        match walk.note(address_index::decode(&row)) {
            Some(Owner::Primary(_) | Owner::Further(_)) => of_accounts += 1,
            Some(Owner::Alias) => {
                let Some(dn) = walk.note(alias::dn_of_key(&key)) else { continue };
                if let Some(found) = walk.note(entry::existing(view, &dn)) {
                    let is_good = !found.addresses(entry::TARGET).is_empty();
                    walk.expect(is_good, || format!("alias {dn} has no target"));
                }
                dns.insert(dn);
            }
            None => {}
        }
    }
    walk.expect(of_accounts == claimed, || {
        format!("{of_accounts} addresses are indexed for accounts, which have {claimed}")
    });
    Ok(())
}
