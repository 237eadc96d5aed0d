//! Aliases: addresses that stand for others. nisMailAlias with inetLocalMailRecipient.

use base::Address;

use super::address_index::{self, Owner};
use super::{dn, entry};
use crate::codec::In;
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{Alias, Entry, StoreError};

/// Targets of one alias.
const TARGETS_MAX: usize = 1_000;
/// Aliases of one box.
const ALIASES_MAX: usize = 100_000;

const CLASSES: [&str; 3] = ["top", "nisMailAlias", "inetLocalMailRecipient"];

fn alias_of(entry: &Entry) -> Result<Alias, StoreError> {
    Ok(Alias { address: entry.address()?, targets: entry.addresses(entry::TARGET) })
}

fn check_targets(alias: &Alias) -> Result<(), StoreError> {
    match alias.targets.len() {
        0 => Err(StoreError::Misuse("an alias without a target")),
        1..=TARGETS_MAX => Ok(()),
        _ => Err(StoreError::LimitReached("targets of an alias")),
    }
}

/// The alias at an address, if it is one.
pub(crate) fn find(view: &impl View, address: &Address) -> Result<Option<Alias>, StoreError> {
    match address_index::find(view, address)? {
        Some(Owner::Alias) => alias_of(&entry::existing(view, &dn::of_alias(address))?).map(Some),
        _ => Ok(None),
    }
}

pub(crate) fn create(tx: &mut Tx<'_, '_>, alias: &Alias) -> Result<(), StoreError> {
    check_targets(alias)?;
    address_index::must_be_free(&tx.tables, &alias.address)?;
    let dn = dn::of_alias(&alias.address);
    if tx.has(T::Entry, dn.as_bytes())? {
        return Err(StoreError::Exists);
    }
    let mut entry = entry::new(dn, &CLASSES, tx.now)?;
    entry.set("cn", [alias.address.local().to_lowercase()]);
    entry.set(entry::ADDRESS, [alias.address.to_string()]);
    entry.set(entry::FURTHER, [alias.address.to_string()]);
    entry.set(entry::TARGET, alias.targets.iter().map(Address::to_string));
    entry::put(tx, &entry)?;
    address_index::claim(tx, &alias.address, Owner::Alias)
}

fn existing(view: &impl View, address: &Address) -> Result<Entry, StoreError> {
    match address_index::find(view, address)? {
        Some(Owner::Alias) => entry::existing(view, &dn::of_alias(address)),
        _ => Err(StoreError::NoSuchAlias),
    }
}

pub(crate) fn update(tx: &mut Tx<'_, '_>, alias: &Alias) -> Result<(), StoreError> {
    check_targets(alias)?;
    let mut entry = existing(&tx.tables, &alias.address)?;
    entry.set(entry::TARGET, alias.targets.iter().map(Address::to_string));
    entry.modified_at = tx.now;
    entry::put(tx, &entry)
}

pub(crate) fn delete(tx: &mut Tx<'_, '_>, address: &Address) -> Result<(), StoreError> {
    let entry = existing(&tx.tables, address)?;
    entry::remove(tx, &entry.dn)?;
    address_index::release(tx, address)
}

/// All aliases, by domain and local part.
pub(crate) fn list(view: &impl View) -> Result<Vec<Alias>, StoreError> {
    let mut aliases = Vec::new();
    view.scan(T::Address, &[], &[], &mut |key, row| {
        if address_index::decode(row)? == Owner::Alias {
            aliases.push(alias_of(&entry::existing(view, &dn_of_key(key)?)?)?);
        }
        Ok(aliases.len() < ALIASES_MAX)
    })?;
    Ok(aliases)
}

/// The DN of the alias whose address row has this key.
pub(crate) fn dn_of_key(key: &[u8]) -> Result<String, StoreError> {
    let text = In::plain(key, "address").text()?;
    let address = text.split_once('\0').and_then(|(domain, local)| {
        Address::new(local, base::DomainName::parse(domain).ok()?).ok()
    });
    let address = address.ok_or_else(|| StoreError::Damaged(format!("address row {text:?}")))?;
    Ok(dn::of_alias(&address))
}
