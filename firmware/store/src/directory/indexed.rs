//! The attributes that searches find entries by: a row for each value.
//!
//! A key is the attribute, 0, the value as its equality rule compares it, 0, and the entry's number; so the
//! order of the keys is the order of the values. Bytes 0 and 1 of a value stand as 1 1 and 1 2.
//!
//! Limits: [`VALUE_MAX`] bytes of a value; who finds an entry by a longer one looks into the entry.

use std::collections::BTreeSet;

use crate::codec::In;
use crate::index::{T, View};
use crate::{Entry, EntryId, StoreError};

/// Bytes of a value that the index has.
pub(crate) const VALUE_MAX: usize = 128;
/// The attributes, by their names in an entry.
pub(crate) const ATTRIBUTES: [&str; 13] = [
    "cn",
    "displayname",
    "givenname",
    "mail",
    "maillocaladdress",
    "member",
    "o",
    "objectclass",
    "ou",
    "postroommanages",
    "sn",
    "telephonenumber",
    "uid",
];
/// Not among the attributes of an entry, but found like them.
pub(crate) const UUID: &str = "entryuuid";

/// What the keys of all values of an attribute begin with.
pub(crate) fn of_attribute(name: &str) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    key.push(0);
    key
}

/// What the keys of all values that begin with this begin with.
pub(crate) fn of_beginning(name: &str, value: &[u8]) -> Vec<u8> {
    let mut key = of_attribute(name);
    for byte in value.iter().take(VALUE_MAX) {
        match *byte {
            low @ (0 | 1) => key.extend([1, low + 1]),
            other => key.push(other),
        }
    }
    key
}

/// What the keys of one value begin with.
pub(crate) fn of_value(name: &str, value: &[u8]) -> Vec<u8> {
    let mut key = of_beginning(name, value);
    key.push(0);
    key
}

/// An asserted value as the index has it; `None` if its rule refuses it.
pub(crate) fn normal(name: &str, value: &[u8]) -> Option<Vec<u8>> {
    directory::matching::normalise(directory::schema::attribute(name)?, value)
}

/// The keys of an entry.
pub(crate) fn keys(id: EntryId, entry: &Entry) -> BTreeSet<Vec<u8>> {
    let mut keys = BTreeSet::new();
    let mut add = |name: &str, value: &[u8]| {
        let mut key = of_value(name, value);
        key.extend(id.0.to_be_bytes());
        keys.insert(key);
    };
    for (name, values) in &entry.attributes {
        let base = name.split(';').next().unwrap_or(name);
        if !ATTRIBUTES.contains(&base) {
            continue;
        }
        let Some(attribute) = directory::schema::attribute(base) else { continue };
        for value in values {
            add(base, &directory::matching::identity(attribute, value));
        }
    }
    // An entry of a class is one of the classes above it.
    let classes = entry.texts(super::entry::CLASS).filter_map(directory::schema::class);
    for class in classes.flat_map(directory::schema::ObjectClass::chain) {
        if let Some(value) = normal(super::entry::CLASS, class.name().as_bytes()) {
            add(super::entry::CLASS, &value);
        }
    }
    add(UUID, &entry.uuid);
    keys
}

/// Reads the number at the end of a key.
pub(crate) fn id_of_key(key: &[u8]) -> Result<EntryId, StoreError> {
    let at = key.len().saturating_sub(4);
    In::plain(key.get(at..).unwrap_or_default(), "key of a value").u32().map(EntryId)
}

/// The value of a key, perhaps cut.
pub(crate) fn value_of_key(name: &str, key: &[u8]) -> Vec<u8> {
    let value = key.get(name.len() + 1..key.len().saturating_sub(5)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match *byte {
            1 => rest.next().map_or(1, |byte| byte.saturating_sub(1)),
            other => other,
        });
    }
    bytes
}

/// Visits the entries with a value, ascending, as long as `visit` says so; a value beyond [`VALUE_MAX`] also
/// finds others that begin like it.
pub(crate) fn each_equal(
    view: &impl View,
    name: &str,
    value: &[u8],
    visit: &mut dyn FnMut(EntryId) -> bool,
) -> Result<(), StoreError> {
    view.scan_prefix(T::EntryIndex, &of_value(name, value), &mut |key, _| {
        Ok(visit(id_of_key(key)?))
    })
}

/// The entries with a value, as [`each_equal`] visits them.
pub(crate) fn equal(
    view: &impl View,
    name: &str,
    value: &[u8],
) -> Result<Vec<EntryId>, StoreError> {
    let mut found = Vec::new();
    each_equal(view, name, value, &mut |id| {
        found.push(id);
        true
    })?;
    Ok(found)
}
