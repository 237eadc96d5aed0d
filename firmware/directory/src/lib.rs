//! The directory as values: names, schema, matching rules, filters, the rules of an entry. RFC 4510 to
//! RFC 4519. No I/O, no clock, nothing stored: text and bytes in, values and refusals out.
//!
//! Where the standard leaves a choice, or OpenLDAP's slapd is known to differ, what slapd answers is done
//! here; the places say so.

pub mod ber;
pub mod dn;
pub mod filter;
pub mod frame;
pub mod ldif;
pub mod matching;
mod modify;
mod refusal;
#[cfg(test)]
mod rules_tests;
pub mod schema;
pub mod validate;

use std::collections::BTreeMap;

pub use dn::{Ava, Dn, Rdn};
pub use filter::{Filter, Subject};
pub use modify::{Modification, modify, rename};
pub use refusal::{Code, Refusal};
pub use validate::{
    add_naming_values, refuse_server_attributes, structural_class, validate, validate_change,
    validate_new,
};

/// Attributes of an entry by [`schema::key`]: the first name of the type in lower case, options behind it
/// (`cn;lang-de`). No key is without a value.
pub type Attributes = BTreeMap<String, Vec<Vec<u8>>>;
