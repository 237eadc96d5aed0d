//! A TOML table that is emptied key by key: each value is asked for by its type, what is left is unknown.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ProvisionError;

type Value<'i> = Spanned<DeValue<'i>>;

/// All that is wrong so far.
#[derive(Debug)]
pub(super) struct Faults<'i> {
    text: &'i str,
    pub(super) found: Vec<ProvisionError>,
}

impl<'i> Faults<'i> {
    pub(super) fn new(text: &'i str) -> Self {
        Self { text, found: Vec::new() }
    }

    pub(super) fn line_at(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        before.iter().filter(|&&b| b == b'\n').count() + 1
    }

    pub(super) fn add(&mut self, line: usize, key: &str, reason: impl Into<String>) {
        self.found.push(ProvisionError { line, key: key.to_owned(), reason: reason.into() });
    }
}

/// A value with the place it stands at.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) line: usize,
    pub(super) key: String,
}

impl<T> Found<T> {
    /// What `rule` makes of the value; `None` and a fault when it refuses.
    pub(super) fn check<R, E: ToString>(
        self,
        faults: &mut Faults<'_>,
        rule: impl FnOnce(T) -> Result<R, E>,
    ) -> Option<R> {
        match rule(self.value) {
            Ok(value) => Some(value),
            Err(why) => {
                faults.add(self.line, &self.key, why.to_string());
                None
            }
        }
    }
}

/// The table.
pub(super) struct Table<'a, 'i> {
    path: String,
    pub(super) line: usize,
    entries: BTreeMap<&'a str, (usize, &'a Value<'i>)>,
}

impl<'a, 'i> Table<'a, 'i> {
    pub(super) fn new(
        table: &'a DeTable<'i>,
        path: &str,
        line: usize,
        faults: &Faults<'_>,
    ) -> Self {
        let entry = |(key, value): (&'a Spanned<_>, &'a Value<'i>)| {
            let name: &'a std::borrow::Cow<'i, str> = key.get_ref();
            (name.as_ref(), (faults.line_at(key.span().start), value))
        };
        Self { path: path.to_owned(), line, entries: table.iter().map(entry).collect() }
    }

    pub(super) fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes the value of `name` if it is what `read` understands.
    fn take<T>(
        &mut self,
        faults: &mut Faults<'_>,
        name: &str,
        kind: &str,
        read: impl FnOnce(&'a DeValue<'i>) -> Option<T>,
    ) -> Option<Found<T>> {
        let (line, value) = self.entries.remove(name)?;
        let key = self.key(name);
        match read(value.get_ref()) {
            Some(value) => Some(Found { value, line, key }),
            None => {
                faults.add(line, &key, format!("must be {kind}"));
                None
            }
        }
    }

    pub(super) fn text(&mut self, faults: &mut Faults<'_>, name: &str) -> Option<Found<&'a str>> {
        self.take(faults, name, "a text in quotes", |value| value.as_str())
    }

    /// A text that must be there.
    pub(super) fn needed(&mut self, faults: &mut Faults<'_>, name: &str) -> Option<Found<&'a str>> {
        if !self.entries.contains_key(name) {
            faults.add(self.line, &self.key(name), "is missing");
        }
        self.text(faults, name)
    }

    pub(super) fn number(&mut self, faults: &mut Faults<'_>, name: &str) -> Option<Found<u64>> {
        self.take(faults, name, "a number that is not negative", |value| {
            let number = value.as_integer()?;
            u64::from_str_radix(number.as_str(), number.radix()).ok()
        })
    }

    pub(super) fn yes_or_no(&mut self, faults: &mut Faults<'_>, name: &str) -> Option<Found<bool>> {
        self.take(faults, name, "true or false", DeValue::as_bool)
    }

    /// A list of texts, each with its own line.
    pub(super) fn texts(
        &mut self,
        faults: &mut Faults<'_>,
        name: &str,
    ) -> Option<Vec<Found<&'a str>>> {
        let list = self.take(faults, name, "a list of texts in quotes", DeValue::as_array)?;
        let mut texts = Vec::with_capacity(list.value.len());
        for item in list.value.iter() {
            let line = faults.line_at(item.span().start);
            match item.get_ref().as_str() {
                Some(value) => texts.push(Found { value, line, key: list.key.clone() }),
                None => faults.add(line, &list.key, "must be a list of texts in quotes"),
            }
        }
        Some(texts)
    }

    /// A table below this one.
    pub(super) fn table(&mut self, faults: &mut Faults<'_>, name: &str) -> Option<Table<'a, 'i>> {
        let found = self.take(faults, name, "a table", DeValue::as_table)?;
        Some(Self::new(found.value, &found.key, found.line, faults))
    }

    /// The tables of `[[name]]`.
    pub(super) fn tables(&mut self, faults: &mut Faults<'_>, name: &str) -> Vec<Table<'a, 'i>> {
        let kind = "one or more tables, each after a line with double brackets";
        let Some(found) = self.take(faults, name, kind, DeValue::as_array) else {
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(found.value.len());
        for item in found.value.iter() {
            let line = faults.line_at(item.span().start);
            match item.get_ref().as_table() {
                Some(table) => tables.push(Self::new(table, &found.key, line, faults)),
                None => faults.add(line, &found.key, format!("must be {kind}")),
            }
        }
        tables
    }

    /// What nobody asked for is unknown.
    pub(super) fn finish(self, faults: &mut Faults<'_>) {
        for (name, (line, _)) in &self.entries {
            faults.add(*line, &self.key(name), "is not known");
        }
    }
}
