//! Which entries a search finds: candidates from the index where the filter allows it, each of them looked
//! at with the whole filter. What the index cannot say is looked at entry by entry.
//!
//! Never here: a guess. The index may name too many, never too few.

use std::cell::Cell;
use std::collections::BTreeSet;

use directory::filter::Prepared;
use directory::matching::Pattern;
use directory::schema::{self, AttributeType, Description};
use directory::{Dn, Filter};

use super::operational::Looked;
use super::tree::{self, Stored};
use super::{acts, entry, indexed};
use crate::index::{T, View};
use crate::{DirectoryFound, DirectorySearch, EntryId, Scope, SearchEnd, StoreError};

/// So few candidates are looked at without asking the index for more conditions.
const FEW: usize = 32;
/// After so many rows or entries it is asked whether to go on.
const LOOK_AFTER: usize = 64;

/// Numbers of entries; `None`: it may be any.
type Candidates = Option<BTreeSet<EntryId>>;

/// Counts rows and entries that are looked at, and knows when it is enough.
struct Meter<'q> {
    goes_on: &'q dyn Fn() -> bool,
    work_max: usize,
    work: Cell<usize>,
}

impl<'q> Meter<'q> {
    fn new(search: &DirectorySearch<'q>) -> Self {
        let work_max = search.work_max.unwrap_or(usize::MAX);
        Self { goes_on: search.goes_on, work_max, work: Cell::new(0) }
    }

    /// One more row or entry is looked at; false ends the search.
    fn step(&self) -> bool {
        let work = self.work.get() + 1;
        self.work.set(work);
        work <= self.work_max && (!work.is_multiple_of(LOOK_AFTER) || (self.goes_on)())
    }

    /// Why the search is over, if it is.
    fn end(&self) -> Option<SearchEnd> {
        if self.work.get() > self.work_max {
            return Some(SearchEnd::TooMuch);
        }
        (!(self.goes_on)()).then_some(SearchEnd::Stopped)
    }
}

pub(crate) fn run(
    view: &impl View,
    search: &DirectorySearch<'_>,
) -> Result<DirectoryFound, StoreError> {
    let mut found = DirectoryFound { ids: Vec::new(), end: SearchEnd::Complete };
    let base = search.base.key();
    let base_id = tree::id_of(view, &base)?;
    if base_id.is_none() && !search.base.is_root() {
        return Err(StoreError::Refused(acts::no_such(view, search.base)?));
    }
    let meter = Meter::new(search);
    let candidates = match search.scope {
        Scope::Base => Some(base_id.into_iter().collect()),
        _ => Index { view, meter: &meter }.candidates(search.filter)?,
    };
    let candidates = match candidates {
        Some(candidates) => candidates,
        None => below(view, &base, search, &meter)?,
    };
    let filter = Prepared::new(search.filter);
    for id in candidates {
        if !meter.step() {
            break;
        }
        let Some(entry) = tree::load(view, id)? else { continue };
        if !(search.shows)(&entry) {
            continue;
        }
        let stored = Stored { id, entry };
        let hides = |attribute: &AttributeType| (search.hides)(&stored.entry, attribute);
        let looked = Looked::new(view, &stored, &hides)?;
        let is_found = is_in_scope(search, directory::Subject::dn(&looked))
            && filter.matches(&looked) == Some(true);
        looked.outcome()?;
        if is_found && search.size_limit.is_some_and(|limit| found.ids.len() >= limit) {
            found.end = SearchEnd::SizeLimit;
            return Ok(found);
        }
        if is_found {
            found.ids.push(id);
        }
    }
    found.end = meter.end().unwrap_or(SearchEnd::Complete);
    Ok(found)
}

fn is_in_scope(search: &DirectorySearch<'_>, dn: &Dn) -> bool {
    let depth = dn.len().checked_sub(search.base.len());
    let is_deep = match search.scope {
        Scope::Base => depth == Some(0),
        Scope::OneLevel => depth == Some(1),
        Scope::Subtree => depth.is_some(),
        Scope::Children => depth.is_some_and(|depth| depth > 0),
    };
    is_deep && dn.is_under(search.base)
}

/// All entries at and below a place.
fn below(
    view: &impl View,
    base: &[u8],
    search: &DirectorySearch<'_>,
    meter: &Meter<'_>,
) -> Result<BTreeSet<EntryId>, StoreError> {
    let depth = search.base.len() + 1;
    let mut ids = BTreeSet::new();
    view.scan_prefix(T::EntryDn, base, &mut |key, row| {
        let is_near = key.iter().filter(|byte| **byte == 0).count() == depth;
        if search.scope != Scope::OneLevel || is_near {
            ids.insert(tree::decode_link(row, "row of a DN")?);
        }
        Ok(meter.step())
    })?;
    Ok(ids)
}

/// What the index says.
struct Index<'v, V> {
    view: &'v V,
    meter: &'v Meter<'v>,
}

impl<V: View> Index<'_, V> {
    /// All entries for which the filter may be true.
    fn candidates(&self, filter: &Filter) -> Result<Candidates, StoreError> {
        // Ten thousand conditions may each name all entries. What is stopped finds nothing.
        if !self.meter.step() || !(self.meter.goes_on)() {
            return Ok(Some(BTreeSet::new()));
        }
        match filter {
            Filter::And(filters) => self.all(filters),
            Filter::Or(filters) => {
                let mut union = BTreeSet::new();
                for filter in filters {
                    let Some(found) = self.candidates(filter)? else { return Ok(None) };
                    union.extend(found);
                }
                Ok(Some(union))
            }
            Filter::Equal { attribute, value } => self.equal(attribute, value),
            Filter::Present(attribute) => self.each(attribute, &[], &|_| true),
            Filter::Substrings { attribute, initial, any, last } => {
                self.pieces(attribute, initial.as_deref(), any, last.as_deref())
            }
            _ => Ok(None),
        }
    }

    /// The conditions that find few first: with few candidates the others are not asked.
    fn all(&self, filters: &[Filter]) -> Result<Candidates, StoreError> {
        let mut filters: Vec<&Filter> = filters.iter().collect();
        filters.sort_by_key(|filter| cost(filter));
        let mut left: Candidates = None;
        for filter in filters {
            if left.as_ref().is_some_and(|left| left.len() <= FEW) {
                break;
            }
            let Some(found) = self.candidates(filter)? else { continue };
            left = Some(match left {
                Some(left) => left.intersection(&found).copied().collect(),
                None => found,
            });
        }
        Ok(left)
    }

    fn equal(&self, name: &str, value: &[u8]) -> Result<Candidates, StoreError> {
        match schema::attribute(name).map(AttributeType::key) {
            Some("entryuuid") => {
                let mut ids = BTreeSet::new();
                if let Some(uuid) = uuid(value) {
                    self.add_equal(indexed::UUID, &uuid, &mut ids)?;
                }
                Ok(Some(ids))
            }
            Some("memberof") => self.members(value).map(Some),
            Some(entry::CLASS) => {
                // The index has the name of a class, whatever the filter calls it.
                let class = std::str::from_utf8(value).ok().and_then(schema::class);
                self.values(entry::CLASS, class.map(|class| class.name().as_bytes()))
            }
            _ => self.values(name, Some(value)),
        }
    }

    /// Entries with a value of an attribute or of its subtypes.
    fn values(&self, name: &str, value: Option<&[u8]>) -> Result<Candidates, StoreError> {
        let Some(keys) = keys_of(name) else { return Ok(None) };
        let mut ids = BTreeSet::new();
        for key in keys {
            if let Some(value) = value.and_then(|value| indexed::normal(key, value)) {
                self.add_equal(key, &value, &mut ids)?;
            }
        }
        Ok(Some(ids))
    }

    /// Adds the entries with a value; one beyond [`indexed::VALUE_MAX`] also finds others that begin like it.
    fn add_equal(
        &self,
        key: &str,
        value: &[u8],
        ids: &mut BTreeSet<EntryId>,
    ) -> Result<(), StoreError> {
        indexed::each_equal(self.view, key, value, &mut |id| {
            ids.insert(id);
            self.meter.step()
        })
    }

    /// Who a group names.
    fn members(&self, group: &[u8]) -> Result<BTreeSet<EntryId>, StoreError> {
        let dn = std::str::from_utf8(group).unwrap_or_default();
        let mut ids = BTreeSet::new();
        let Some(group) = tree::find(self.view, dn)? else { return Ok(ids) };
        for member in group.entry.texts(entry::MEMBER) {
            if !self.meter.step() {
                break;
            }
            if let Ok(key) = super::place::key_of(member) {
                ids.extend(tree::id_of(self.view, &key)?);
            }
        }
        Ok(ids)
    }

    fn pieces(
        &self,
        name: &str,
        initial: Option<&[u8]>,
        any: &[Vec<u8>],
        last: Option<&[u8]>,
    ) -> Result<Candidates, StoreError> {
        let Some(attribute) = schema::attribute(name) else { return Ok(Some(BTreeSet::new())) };
        let forms =
            (attribute.substrings.map(|rule| rule.form), attribute.equality.map(|r| r.form));
        let (Some(form), true) = (forms.0, forms.0 == forms.1) else { return Ok(None) };
        let Some(pattern) = Pattern::new(form, initial, any, last) else {
            return Ok(Some(BTreeSet::new()));
        };
        let begins = pattern.initial.clone().unwrap_or_default();
        self.each(name, &begins, &|value| pattern.matches(value))
    }

    /// Entries with a value that begins so and for which `is` holds; a value that is cut in the index may
    /// be anything behind.
    fn each(
        &self,
        name: &str,
        begins: &[u8],
        is: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Candidates, StoreError> {
        let Some(keys) = keys_of(name) else { return Ok(None) };
        // Every entry has a class.
        if keys.contains(&entry::CLASS) {
            return Ok(None);
        }
        let mut ids = BTreeSet::new();
        for key in keys {
            let prefix = indexed::of_beginning(key, begins);
            self.view.scan_prefix(T::EntryIndex, &prefix, &mut |row, _| {
                let value = indexed::value_of_key(key, row);
                if value.len() >= indexed::VALUE_MAX || is(&value) {
                    ids.insert(indexed::id_of_key(row)?);
                }
                Ok(self.meter.step())
            })?;
        }
        Ok(Some(ids))
    }
}

/// The indexed attributes that a filter on `name` asks for; `None` if one of them is not indexed.
fn keys_of(name: &str) -> Option<Vec<&'static str>> {
    // What is unknown is true of nothing.
    let Some(description) = Description::parse(name) else { return Some(Vec::new()) };
    let family = schema::subtypes(description.attribute);
    let keys: Vec<&'static str> = family.iter().map(|attribute| attribute.key()).collect();
    keys.iter().all(|key| indexed::ATTRIBUTES.contains(key)).then_some(keys)
}

/// Rank by how many entries a condition finds.
fn cost(filter: &Filter) -> u8 {
    let is_class = |name: &str| schema::attribute(name).is_some_and(|a| a.key() == entry::CLASS);
    match filter {
        Filter::Equal { attribute, .. } if is_class(attribute) => 4,
        Filter::Equal { .. } => 0,
        Filter::Substrings { initial: Some(_), .. } => 1,
        Filter::Substrings { .. } => 3,
        Filter::Present(_) => 5,
        _ => 2,
    }
}

/// RFC 4530 §2.1.
fn uuid(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let digits: Vec<u32> =
        text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let bytes = digits.chunks(2).map(|two| match two {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    bytes.collect::<Option<Vec<u8>>>().filter(|bytes| bytes.len() == 16)
}
