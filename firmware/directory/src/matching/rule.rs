//! What a matching rule is, and pieces of values.

use super::form::{Form, Place};
use crate::schema::{AttributeType, Syntax};

/// What a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// Whether two values are one.
    Equality,
    /// Which of two comes first.
    Ordering,
    /// Whether pieces stand in a value in this order.
    Substrings,
    /// Whether an entry's DN stands at or below another in this way.
    Subtree(Reach),
}

/// Which entries a rule over DNs means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The entry and all below it.
    Subtree,
    /// All directly below it.
    OneLevel,
    /// All below it, not the entry.
    Subordinate,
}

/// A matching rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The object identifier, dotted.
    pub oid: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it decides.
    pub kind: RuleKind,
    /// How it looks at values.
    pub form: Form,
    /// The syntax of what is asserted.
    pub syntax: Syntax,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.oid == other.oid
    }
}

impl Eq for Rule {}

impl Rule {
    /// True if the rule can be asked of values of this attribute: RFC 4512 §4.1.4.
    pub fn applies_to(&self, attribute: &AttributeType) -> bool {
        let of_attribute = attribute.equality.map(|rule| rule.form);
        self.form.takes(attribute.syntax) || of_attribute == Some(self.form)
    }
}

/// A substrings assertion, made ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What the value begins with.
    pub initial: Option<Vec<u8>>,
    /// What stands in it, in this order.
    pub any: Vec<Vec<u8>>,
    /// What it ends with.
    pub last: Option<Vec<u8>>,
}

impl Pattern {
    /// `None` if a piece can be in no value of this form.
    pub fn new(
        form: Form,
        initial: Option<&[u8]>,
        any: &[Vec<u8>],
        last: Option<&[u8]>,
    ) -> Option<Self> {
        let piece = |place, piece: Option<&[u8]>| match piece {
            Some(bytes) => form.piece(place, bytes).map(Some),
            None => Some(None),
        };
        Some(Self {
            initial: piece(Place::Initial, initial)?,
            any: any.iter().map(|bytes| form.piece(Place::Any, bytes)).collect::<Option<_>>()?,
            last: piece(Place::Last, last)?,
        })
    }

    /// True if a value with this key has the pieces, none over another.
    pub fn matches(&self, key: &[u8]) -> bool {
        let mut rest = key;
        if let Some(initial) = &self.initial {
            let Some(behind) = rest.strip_prefix(initial.as_slice()) else { return false };
            rest = behind;
        }
        if let Some(last) = &self.last {
            let Some(before) = rest.strip_suffix(last.as_slice()) else { return false };
            rest = before;
        }
        for piece in &self.any {
            let Some(at) = find(rest, piece) else { return false };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        true
    }
}

fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return Some(0);
    }
    memchr::memmem::find(text, piece)
}
