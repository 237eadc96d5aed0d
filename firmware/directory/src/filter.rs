//! Search filters: RFC 4511 §4.5.1.7, as text RFC 4515.
//!
//! A filter is true, false or undefined (`None`) of an entry: what cannot be looked at (an unknown
//! attribute, a value that is none of the syntax, a rule that does not fit) is undefined, and so is its
//! negation. An entry is found by what is true only.
//!
//! Limits: 32 levels, 10,000 nodes.

mod parse;
mod prepared;
#[cfg(test)]
mod tests;
mod text;

use crate::schema::AttributeType;
use crate::{Attributes, Code, Dn, Refusal};

pub use prepared::Prepared;

/// Levels of one filter.
pub const DEPTH_MAX: usize = 32;
/// Nodes of one filter; each piece of a substrings assertion counts.
pub const NODES_MAX: usize = 10_000;

/// A filter as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Filter {
    /// True if all are; the empty one is true (RFC 4526).
    And(Vec<Filter>),
    /// True if one is; the empty one is false (RFC 4526).
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Equal {
        attribute: String,
        value: Vec<u8>,
    },
    /// One of the pieces at least.
    Substrings {
        attribute: String,
        initial: Option<Vec<u8>>,
        any: Vec<Vec<u8>>,
        last: Option<Vec<u8>>,
    },
    AtLeast {
        attribute: String,
        value: Vec<u8>,
    },
    AtMost {
        attribute: String,
        value: Vec<u8>,
    },
    Present(String),
    Approx {
        attribute: String,
        value: Vec<u8>,
    },
    Extensible {
        rule: Option<String>,
        attribute: Option<String>,
        value: Vec<u8>,
        with_dn: bool,
    },
}

/// What a filter is asked of: an entry, with what the server computes for it.
pub trait Subject {
    /// The entry's name.
    fn dn(&self) -> &Dn;

    /// Calls `each` with the key (options behind it) and the values of every attribute of exactly this
    /// type; operational ones as well.
    fn of_type(&self, attribute: &'static AttributeType, each: &mut dyn FnMut(&str, &[Vec<u8>]));

    /// Calls `each` with the key and the values of every attribute. For extensible matches that name none.
    fn all(&self, each: &mut dyn FnMut(&str, &[Vec<u8>]));

    /// True if who asks must not learn anything of this attribute: each test of it is undefined.
    fn hides(&self, attribute: &AttributeType) -> bool {
        let _ = attribute;
        false
    }
}

/// An entry of which nothing is computed or hidden.
impl Subject for (&Dn, &Attributes) {
    fn dn(&self) -> &Dn {
        self.0
    }

    fn of_type(&self, attribute: &'static AttributeType, each: &mut dyn FnMut(&str, &[Vec<u8>])) {
        of_type(self.1, attribute, each);
    }

    fn all(&self, each: &mut dyn FnMut(&str, &[Vec<u8>])) {
        self.1.iter().for_each(|(key, values)| each(key, values));
    }
}

/// The attributes of exactly this type, with any options: what a [`Subject`] of stored attributes needs.
pub fn of_type(
    attributes: &Attributes,
    attribute: &'static AttributeType,
    each: &mut dyn FnMut(&str, &[Vec<u8>]),
) {
    let key = attribute.key();
    let from = (std::ops::Bound::Included(key), std::ops::Bound::Unbounded);
    for (found, values) in attributes.range::<str, _>(from) {
        match found.strip_prefix(key) {
            Some("") => each(found, values),
            // `cn-x` sorts between `cn` and `cn;lang-de`.
            Some(rest) if rest.starts_with(';') => each(found, values),
            Some(_) => {}
            None => break,
        }
    }
}

impl Filter {
    /// Reads the text form. Refused with protocolError: what is none, what is beyond the limits.
    ///
    /// As lenient as OpenLDAP's library: spaces around the brackets are passed over.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let filter = parse::filter(text)
            .ok_or_else(|| Refusal::new(Code::ProtocolError, "bad search filter"))?;
        filter.check().map(|()| filter)
    }

    /// Refuses a filter beyond the limits. Whoever makes one from what came in calls this before anything
    /// else; making it must be bounded by itself.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut nodes = 0;
        if self.count(1, &mut nodes) { Ok(()) } else { Err(too_big()) }
    }

    fn count(&self, depth: usize, nodes: &mut usize) -> bool {
        *nodes += match self {
            Self::Substrings { any, .. } => 1 + any.len(),
            _ => 1,
        };
        if depth > DEPTH_MAX || *nodes > NODES_MAX {
            return false;
        }
        match self {
            Self::And(inner) | Self::Or(inner) => {
                inner.iter().all(|filter| filter.count(depth + 1, nodes))
            }
            Self::Not(inner) => inner.count(depth + 1, nodes),
            _ => true,
        }
    }

    /// True, false or undefined (`None`). For many entries [`Prepared`] is the faster way.
    pub fn matches(&self, subject: &impl Subject) -> Option<bool> {
        Prepared::new(self).matches(subject)
    }
}

fn too_big() -> Refusal {
    Refusal::new(Code::AdminLimitExceeded, "the filter is too large")
}
