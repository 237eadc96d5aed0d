//! LDIF: entries and changes as text. RFC 2849.
//!
//! [`Reader`] is fed pieces of a text and gives records; a bad one is an error with its line, and the next
//! one is read all the same. Values by URL (`:<`) are refused: nothing here opens a file. Limit: 16 MB a
//! record.

mod read;
mod record;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

pub use read::Reader;
pub use write::{write_entry, write_record};

use crate::{Attributes, Dn, Modification, Rdn, Refusal, validate};

/// Bytes of one record, unfolded.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Lines of one record, unfolded.
pub const RECORD_LINES_MAX: usize = 100_000;

/// One record of an LDIF text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The line it begins on, from 1.
    pub line: usize,
    /// The entry it is about.
    pub dn: Dn,
    /// Controls that the change wants.
    pub controls: Vec<Control>,
    /// What it says of the entry.
    pub change: Change,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The entry with its attributes, as they came in: content, or `changetype: add`.
    Entry {
        /// Names and values in their order; a name may come again.
        attributes: Vec<(String, Vec<u8>)>,
        /// True if it was said to be an addition.
        is_add: bool,
    },
    /// The entry goes.
    Delete,
    /// The entry changes.
    Modify(Vec<Modification>),
    /// The entry gets another name.
    Rename {
        /// The new RDN.
        rdn: Rdn,
        /// True if the values of the old one go.
        deletes_old: bool,
        /// The new entry above, if it moves.
        superior: Option<Dn>,
    },
}

/// A control of a change record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The object identifier.
    pub oid: String,
    /// True if the change must not be made without it.
    pub is_critical: bool,
    /// Its value, BER.
    pub value: Option<Vec<u8>>,
}

/// Why a record is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdifError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, for people.
    pub text: String,
}

impl fmt::Display for LdifError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

impl std::error::Error for LdifError {}

/// Attributes by key of names and values as they came in; undefinedAttributeType (17) for what is not
/// known.
pub fn attributes(pairs: &[(String, Vec<u8>)]) -> Result<Attributes, Refusal> {
    let mut attributes = Attributes::new();
    for (name, value) in pairs {
        let key = validate::description(name)?.key();
        attributes.entry(key).or_default().push(value.clone());
    }
    Ok(attributes)
}
