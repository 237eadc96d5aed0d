//! Aliases: addresses that stand for others. nisMailAlias with inetLocalMailRecipient.

use base::Address;

use super::address_index::{self, Owner};
use super::tree::{self, Stored};
use super::{dn, entry, writing};
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{Alias, Entry, StoreError};

/// Targets of one alias.
const TARGETS_MAX: usize = 1_000;
/// Aliases of one box.
const ALIASES_MAX: usize = 100_000;

pub(crate) const CLASS: &str = "nisMailAlias";
const CLASSES: [&str; 3] = ["top", CLASS, "inetLocalMailRecipient"];

/// The alias at an address: as the entry writes the address, which may have several.
fn alias_of(address: &Address, entry: &Entry) -> Alias {
    let all = [entry.addresses(entry::ADDRESS), entry.addresses(entry::FURTHER)].concat();
    let written = all.into_iter().find(|a| a.key() == address.key());
    let targets = entry.texts(entry::TARGET).filter_map(|text| {
        // nisMailAlias knows names without a domain: those of the alias's own.
        let local = || Address::new(text, address.domain().clone()).ok();
        Address::parse(text).ok().or_else(|| (!text.contains('@')).then(local).flatten())
    });
    Alias { address: written.unwrap_or_else(|| address.clone()), targets: targets.collect() }
}

fn check_targets(alias: &Alias) -> Result<(), StoreError> {
    match alias.targets.len() {
        0 => Err(StoreError::Misuse("an alias without a target")),
        1..=TARGETS_MAX => Ok(()),
        _ => Err(StoreError::LimitReached("targets of an alias")),
    }
}

fn stored(view: &impl View, address: &Address) -> Result<Option<Stored>, StoreError> {
    match address_index::find(view, address)? {
        Some(Owner::Alias(id)) => tree::existing(view, id).map(Some),
        _ => Ok(None),
    }
}

/// The alias at an address, if it is one.
pub(crate) fn find(view: &impl View, address: &Address) -> Result<Option<Alias>, StoreError> {
    Ok(stored(view, address)?.map(|stored| alias_of(address, &stored.entry)))
}

pub(crate) fn create(tx: &mut Tx<'_, '_>, alias: &Alias) -> Result<(), StoreError> {
    check_targets(alias)?;
    address_index::must_be_free(&tx.tables, &alias.address)?;
    let mut entry = entry::new(dn::of_alias(&alias.address), &CLASSES, tx.now)?;
    entry.set(entry::NAME, [alias.address.local().to_lowercase()]);
    entry.set(entry::ADDRESS, [alias.address.to_string()]);
    entry.set(entry::FURTHER, [alias.address.to_string()]);
    entry.set(entry::TARGET, alias.targets.iter().map(Address::to_string));
    writing::put(tx, None, entry).map(drop)
}

pub(crate) fn update(tx: &mut Tx<'_, '_>, alias: &Alias) -> Result<(), StoreError> {
    check_targets(alias)?;
    let before = stored(&tx.tables, &alias.address)?.ok_or(StoreError::NoSuchAlias)?;
    let mut entry = before.entry.clone();
    entry.set(entry::TARGET, alias.targets.iter().map(Address::to_string));
    entry.modified_at = tx.now;
    writing::put(tx, Some(&before), entry).map(drop)
}

/// The alias goes; an entry that has further addresses keeps those.
pub(crate) fn delete(tx: &mut Tx<'_, '_>, address: &Address) -> Result<(), StoreError> {
    let before = stored(&tx.tables, address)?.ok_or(StoreError::NoSuchAlias)?;
    let mut entry = before.entry.clone();
    for name in [entry::ADDRESS, entry::FURTHER] {
        let mut others = entry.addresses(name);
        others.retain(|other| other.key() != address.key());
        entry.set(name, others.iter().map(Address::to_string));
    }
    if entry.addresses(entry::FURTHER).is_empty() && entry.addresses(entry::ADDRESS).is_empty() {
        return writing::remove(tx, &before);
    }
    entry.modified_at = tx.now;
    writing::put(tx, Some(&before), entry).map(drop)
}

/// All aliases, by domain and local part.
pub(crate) fn list(view: &impl View) -> Result<Vec<Alias>, StoreError> {
    let mut aliases = Vec::new();
    view.scan(T::Address, &[], &[], &mut |key, row| {
        if let Owner::Alias(id) = address_index::decode(row)? {
            let address = address_index::address_of_key(key)?;
            aliases.push(alias_of(&address, &tree::existing(view, id)?.entry));
        }
        Ok(aliases.len() < ALIASES_MAX)
    })?;
    Ok(aliases)
}
