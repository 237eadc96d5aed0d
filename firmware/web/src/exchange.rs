//! People as files: CSV, LDIF and vCard, read and written. Bytes in, values out: no I/O, no clock, nothing of
//! the store.
//!
//! A record that cannot be read is a fault of its line, and the next one is read all the same. Limits: what
//! the caller hands over; [`CELL_MAX`] bytes of a cell.

pub(crate) mod cards;
pub(crate) mod columns;
pub(crate) mod ldif;
pub(crate) mod plan;
pub(crate) mod table;
pub(crate) mod text;

use directory::Attributes;

/// Bytes of one cell of a table or one value of a card.
pub(crate) const CELL_MAX: usize = 64 * 1024;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Csv,
    Ldif,
    Vcard,
}

/// A person as a table or a card says it: each thing only if it was said.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct PersonText {
    /// All addresses; the first is the primary one.
    pub(crate) addresses: Vec<String>,
    pub(crate) name: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) quota_mb: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) language: Option<String>,
    /// Further addresses; `None` leaves those that there are.
    pub(crate) aliases: Option<Vec<String>>,
    /// What is an attribute of the entry and nothing else.
    pub(crate) attributes: Attributes,
}

impl std::fmt::Debug for PersonText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonText").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl PersonText {
    /// Adds a value of an attribute; what is empty was not said.
    pub(crate) fn say(&mut self, key: &str, value: &str) {
        let value = value.trim();
        if !value.is_empty() {
            let values = self.attributes.entry(key.to_owned()).or_default();
            let value = value.as_bytes().to_vec();
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }

    /// The name, or what its parts say.
    pub(crate) fn full_name(&self) -> Option<String> {
        let part = |key: &str| {
            let value = self.attributes.get(key).and_then(|values| values.first());
            value.map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let parts = || match (part("givenname"), part("sn")) {
            (Some(given), Some(surname)) => Some(format!("{given} {surname}")),
            (given, surname) => given.or(surname),
        };
        self.name.clone().or_else(parts)
    }
}

/// What a record of a file is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Person(Box<PersonText>),
    Entry { dn: directory::Dn, attributes: Attributes },
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) field: Option<String>,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, field: None, detail: detail.into() }
    }
}

/// A record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its first line, from 1.
    pub(crate) line: usize,
    pub(crate) wanted: Result<Wanted, Fault>,
}

/// A column of a table, and what it is taken for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Column {
    pub(crate) column: String,
    pub(crate) means: Option<String>,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) columns: Vec<Column>,
    pub(crate) records: Vec<Record>,
}

/// Reads a file; at most `max` records and one more, so that the caller sees that there are too many.
pub(crate) fn parse(format: Format, bytes: &[u8], max: usize) -> Result<Parsed, Fault> {
    match format {
        Format::Csv => table::parse(&text::decode(bytes)?, max),
        Format::Ldif => Ok(ldif::parse(text::decode(bytes)?.as_bytes(), max)),
        Format::Vcard => Ok(cards::parse(&text::decode(bytes)?, max)),
    }
}

#[cfg(test)]
mod tests;
