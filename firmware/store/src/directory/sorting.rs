//! Entries in the order of their values: RFC 2891. Of several values the least counts; an entry without one
//! comes last, or first if the order is turned round.
//!
//! Limits: of an indexed attribute the first 128 bytes of a value count.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use directory::Attributes;
use directory::schema::AttributeType;

use super::tree::{self, Stored};
use super::{indexed, operational};
use crate::index::{T, View};
use crate::{EntryId, SortKey, SortedEntries, StoreError};

/// What one entry is sorted by.
type Values = Vec<Option<Vec<u8>>>;

pub(crate) fn sort(
    view: &impl View,
    ids: &[EntryId],
    keys: &[SortKey],
) -> Result<SortedEntries, StoreError> {
    let mut columns = Vec::with_capacity(keys.len());
    for key in keys {
        columns.push(if is_indexed(key) {
            by_index(view, ids, key)?
        } else {
            by_entry(view, ids, key)?
        });
    }
    let mut rows: Vec<(Values, EntryId)> = ids
        .iter()
        .map(|id| (columns.iter_mut().map(|column| column.remove(id)).collect(), *id))
        .collect();
    rows.sort_by(|(one, a), (other, b)| compare(one, other, keys).then(a.cmp(b)));
    let firsts = rows.iter_mut().map(|(values, _)| values.first_mut().and_then(Option::take));
    let firsts = firsts.collect();
    let ids = rows.into_iter().map(|(_, id)| id).collect();
    Ok(SortedEntries { ids, firsts, first_key: keys.first().copied() })
}

fn compare(one: &Values, other: &Values, keys: &[SortKey]) -> Ordering {
    for ((a, b), key) in one.iter().zip(other).zip(keys) {
        let order = order(a.as_deref(), b.as_deref(), key.is_reversed);
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// Nothing is larger than everything.
pub(crate) fn order(one: Option<&[u8]>, other: Option<&[u8]>, is_reversed: bool) -> Ordering {
    let order = match (one, other) {
        (Some(one), Some(other)) => one.cmp(other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    if is_reversed { order.reverse() } else { order }
}

/// How a value is compared; `None` if it is none.
pub(crate) fn normal(key: &SortKey, value: &[u8]) -> Option<Vec<u8>> {
    match key.rule {
        Some(rule) => rule.form.key(value),
        None => directory::matching::normalise(key.attribute, value),
    }
}

fn is_indexed(key: &SortKey) -> bool {
    let form = |attribute: &AttributeType| attribute.equality.map(|rule| rule.form);
    let is_same = key.rule.is_none_or(|rule| form(key.attribute) == Some(rule.form));
    is_same && indexed::ATTRIBUTES.contains(&key.attribute.key())
}

/// The least value of each entry, from the index: the rows stand in their order.
fn by_index(
    view: &impl View,
    ids: &[EntryId],
    key: &SortKey,
) -> Result<BTreeMap<EntryId, Vec<u8>>, StoreError> {
    let wanted: BTreeSet<EntryId> = ids.iter().copied().collect();
    let name = key.attribute.key();
    let mut column = BTreeMap::new();
    view.scan_prefix(T::EntryIndex, &indexed::of_attribute(name), &mut |row, _| {
        let id = indexed::id_of_key(row)?;
        if wanted.contains(&id) {
            column.entry(id).or_insert_with(|| indexed::value_of_key(name, row));
        }
        Ok(column.len() < wanted.len())
    })?;
    Ok(column)
}

fn by_entry(
    view: &impl View,
    ids: &[EntryId],
    key: &SortKey,
) -> Result<BTreeMap<EntryId, Vec<u8>>, StoreError> {
    let mut column = BTreeMap::new();
    for id in ids {
        let Some(entry) = tree::load(view, *id)? else { continue };
        let stored = Stored { id: *id, entry };
        let mut least: Option<Vec<u8>> = None;
        let mut look = |values: &[Vec<u8>]| {
            let normal = values.iter().filter_map(|value| normal(key, value)).min();
            if let Some(normal) = normal
                && least.as_ref().is_none_or(|least| normal < *least)
            {
                least = Some(normal);
            }
        };
        of_type(&stored.entry.attributes, key.attribute, &mut look);
        look(&operational::of(view, &stored, key.attribute.key())?);
        column.extend(least.map(|least| (*id, least)));
    }
    Ok(column)
}

fn of_type(
    attributes: &Attributes,
    attribute: &'static AttributeType,
    look: &mut dyn FnMut(&[Vec<u8>]),
) {
    directory::filter::of_type(attributes, attribute, &mut |_, values| look(values));
}
