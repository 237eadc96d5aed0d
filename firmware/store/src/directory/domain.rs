//! The box's mail domains.

use base::DomainName;

use super::address_index::{self, Owner};
use super::{dn, entry};
use crate::codec::{In, Out};
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{Domain, StoreError};

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
    if tx.len(T::Domain)? >= DOMAINS_MAX {
        return Err(StoreError::LimitReached("domains"));
    }
    let dn = dn::of_domain(domain);
    let mut new = entry::new(dn.clone(), &["top", "domain", "postroomDomain"], tx.now)?;
    new.set("dc", domain.as_str().split('.').take(1));
    new.set("associateddomain", [domain.as_str()]);
    entry::put(tx, &new)?;
    let row = Out::versioned().bytes(dn.as_bytes());
    tx.put(T::Domain, domain.as_str().as_bytes(), &row.0)
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
    if is_used || super::group::is_in(&tx.tables, domain)? {
        return Err(StoreError::InUse);
    }
    entry::remove(tx, &dn::of_domain(domain))?;
    tx.remove(T::Domain, domain.as_str().as_bytes()).map(|_| ())
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

pub(crate) fn list(view: &impl View) -> Result<Vec<Domain>, StoreError> {
    let mut domains = Vec::new();
    view.scan(T::Domain, &[], &[], &mut |key, _| {
        let text = In::plain(key, "domain").text()?;
        let name = DomainName::parse(&text)
            .map_err(|_| StoreError::Damaged(format!("domain {text:?}")))?;
        domains.push(Domain { name, accounts: 0 });
        Ok(true)
    })?;
    for domain in &mut domains {
        let prefix = address_index::domain_prefix(&domain.name);
        view.scan_prefix(T::Address, &prefix, &mut |_, row| {
            if matches!(address_index::decode(row)?, Owner::Primary(_)) {
                domain.accounts += 1;
            }
            Ok(true)
        })?;
    }
    Ok(domains)
}
