//! Further names of a mail domain: `postroomDomainAlias` of its entry. Every address of such a name is the same
//! address of the domain; nothing is stored under it, so it is replaced wherever an address comes in.

use base::{Address, DomainName};

use super::domain;
use crate::codec::{In, Out};
use crate::index::{T, View};
use crate::{Entry, StoreError};

/// Further names of one domain.
pub(crate) const ALIASES_MAX: usize = 100;

/// The names that the entry of a domain says; what is no name is left out.
pub(crate) fn of_entry(entry: &Entry) -> Vec<DomainName> {
    entry.texts(super::entry::DOMAIN_ALIAS).filter_map(parse).collect()
}

/// A further name: no address literal.
pub(crate) fn parse(text: &str) -> Option<DomainName> {
    DomainName::parse(text.trim()).ok().filter(|name| !name.as_str().starts_with('['))
}

/// The row of a name: the domain that has it.
pub(crate) fn encode(domain: &DomainName) -> Vec<u8> {
    Out::versioned().bytes(domain.as_str().as_bytes()).0
}

/// The domain of which this is a further name.
pub(crate) fn domain_of(
    view: &impl View,
    name: &DomainName,
) -> Result<Option<DomainName>, StoreError> {
    let Some(row) = view.get(T::DomainAlias, name.as_str().as_bytes())? else { return Ok(None) };
    let text = In::versioned(&row, "row of a domain's name")?.text()?;
    let damaged = |_| StoreError::Damaged(format!("domain {text:?}"));
    DomainName::parse(&text).map(Some).map_err(damaged)
}

/// The domain that a name stands for: itself, if it is no further name of one.
pub(crate) fn canonical_domain(
    view: &impl View,
    name: &DomainName,
) -> Result<DomainName, StoreError> {
    Ok(domain_of(view, name)?.unwrap_or_else(|| name.clone()))
}

/// The address that this one stands for.
pub(crate) fn canonical(view: &impl View, address: &Address) -> Result<Address, StoreError> {
    match domain_of(view, address.domain())? {
        // The local part was one before.
        Some(domain) => {
            Ok(Address::new(address.local(), domain).unwrap_or_else(|_| address.clone()))
        }
        None => Ok(address.clone()),
    }
}

/// Refuses names that another domain is or has. `own` is the domain whose entry is written.
pub(crate) fn check(
    view: &impl View,
    own: &DomainName,
    aliases: &[DomainName],
) -> Result<(), StoreError> {
    let taken = |name: &DomainName| Err(StoreError::DomainTaken(name.to_string()));
    if domain_of(view, own)?.is_some() {
        return taken(own);
    }
    if aliases.len() > ALIASES_MAX {
        return Err(StoreError::LimitReached("further names of a domain"));
    }
    for name in aliases {
        let is_others = domain_of(view, name)?.is_some_and(|other| other != *own);
        if name == own || is_others || domain::exists(view, name)? {
            return taken(name);
        }
    }
    Ok(())
}
