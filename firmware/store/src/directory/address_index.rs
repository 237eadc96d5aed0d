//! Whose address it is: one row per address, ordered by domain.

use base::{AccountId, Address, DomainName};

use crate::codec::{In, Out};
use crate::index::{T, View};
use crate::{EntryId, StoreError};

/// Whose address it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The account's primary address.
    Primary(AccountId),
    /// Another address of the account.
    Further(AccountId),
    /// An alias: this entry.
    Alias(EntryId),
    /// A group: this entry.
    Group(EntryId),
}

impl Owner {
    /// True if it is this account, or an entry with this number.
    pub(crate) fn is(self, account: Option<AccountId>, entry: Option<EntryId>) -> bool {
        match self {
            Self::Primary(id) | Self::Further(id) => account == Some(id),
            Self::Alias(id) | Self::Group(id) => entry == Some(id),
        }
    }
}

/// Domain, 0, local part in lower case.
pub(crate) fn key(address: &Address) -> Vec<u8> {
    let mut key = domain_prefix(address.domain());
    key.extend_from_slice(address.local().to_lowercase().as_bytes());
    key
}

/// What all keys of a domain begin with.
pub(crate) fn domain_prefix(domain: &DomainName) -> Vec<u8> {
    let mut key = domain.as_str().as_bytes().to_vec();
    key.push(0);
    key
}

pub(crate) fn decode(row: &[u8]) -> Result<Owner, StoreError> {
    let mut row = In::versioned(row, "address row")?;
    Ok(match (row.u8()?, row.u32()?) {
        (1, id) => Owner::Primary(AccountId(id)),
        (2, id) => Owner::Further(AccountId(id)),
        (3, id) => Owner::Alias(EntryId(id)),
        (4, id) => Owner::Group(EntryId(id)),
        (other, _) => return Err(StoreError::Damaged(format!("address of kind {other}"))),
    })
}

pub(crate) fn find(view: &impl View, address: &Address) -> Result<Option<Owner>, StoreError> {
    view.get(T::Address, &key(address))?.map(|row| decode(&row)).transpose()
}

/// The row of an address.
pub(crate) fn encode(owner: Owner) -> Vec<u8> {
    let (kind, id) = match owner {
        Owner::Primary(id) => (1, id.0),
        Owner::Further(id) => (2, id.0),
        Owner::Alias(id) => (3, id.0),
        Owner::Group(id) => (4, id.0),
    };
    Out::versioned().u8(kind).u32(id).0
}

/// Refuses an address that somebody has or whose domain is not ours.
pub(crate) fn must_be_free(view: &impl View, address: &Address) -> Result<(), StoreError> {
    if !super::domain::exists(view, address.domain())? {
        return Err(StoreError::NoSuchDomain);
    }
    match find(view, address)? {
        Some(_) => Err(StoreError::AddressTaken(address.to_string())),
        None => Ok(()),
    }
}

/// The address of a row, in lower case.
pub(crate) fn address_of_key(key: &[u8]) -> Result<Address, StoreError> {
    let text = In::plain(key, "address").text()?;
    let address = text
        .split_once('\0')
        .and_then(|(domain, local)| Address::new(local, DomainName::parse(domain).ok()?).ok());
    address.ok_or_else(|| StoreError::Damaged(format!("address row {text:?}")))
}
