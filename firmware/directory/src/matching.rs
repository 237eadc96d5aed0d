//! Matching rules: when two values are one, which comes first, what a piece of a value is. RFC 4517 §4,
//! RFC 4518.
//!
//! Each rule makes a key of a value; equal values have equal keys, and the order of the keys' bytes is the
//! order of the values where there is one.

pub(crate) mod approx;
pub(crate) mod bits;
mod form;
pub(crate) mod prepare;
mod rule;
pub mod rules;
#[cfg(test)]
mod tests;
pub(crate) mod time;
pub(crate) mod uuid;

pub use form::Form;
pub use rule::{Pattern, Reach, Rule, RuleKind};

use crate::schema::AttributeType;

/// The key of a value under the equality rule of its attribute: what an index holds. `None` if the value is
/// none of the attribute's syntax, or the attribute has no equality rule.
pub fn normalise(attribute: &AttributeType, value: &[u8]) -> Option<Vec<u8>> {
    attribute.equality?.form.key(value)
}

/// The same for values that are stored whatever they are: without an equality rule, or where the value is
/// none of the syntax, it is its own key.
pub fn identity(attribute: &AttributeType, value: &[u8]) -> Vec<u8> {
    normalise(attribute, value).unwrap_or_else(|| value.to_vec())
}

/// A key of text without the marks on its letters: `müller` becomes `muller`. For people who look for a name
/// that they cannot type; no rule of LDAP.
#[must_use]
pub fn without_accents(key: &[u8]) -> Vec<u8> {
    prepare::without_accents(key)
}

/// True if both are the same value of the attribute.
pub fn is_equal(attribute: &AttributeType, left: &[u8], right: &[u8]) -> bool {
    left == right || identity(attribute, left) == identity(attribute, right)
}
