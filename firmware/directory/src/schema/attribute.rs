//! What an attribute type is, and short ways to write one in a table.

use std::ptr;

use super::syntax::Syntax;
use crate::matching::Rule;
use crate::matching::rules;

/// Who uses an attribute: RFC 4512 §4.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Clients.
    UserApplications,
    /// The directory, one value everywhere.
    DirectoryOperation,
    /// The directory, over several servers.
    DistributedOperation,
    /// This server.
    DsaOperation,
}

/// An attribute type of the schema. What it has from its supertype stands in it.
#[derive(Clone, Copy, Debug)]
pub struct AttributeType {
    /// The object identifier, dotted.
    pub oid: &'static str,
    /// Its names; the first is the one that is shown.
    pub names: &'static [&'static str],
    /// First name of the supertype.
    pub sup: Option<&'static str>,
    /// What its values look like.
    pub syntax: Syntax,
    /// The equality rule; without one no value is equal to an asserted one.
    pub equality: Option<&'static Rule>,
    /// The ordering rule, for `>=` and `<=`.
    pub ordering: Option<&'static Rule>,
    /// The substrings rule.
    pub substrings: Option<&'static Rule>,
    /// At most one value.
    pub is_single: bool,
    /// Clients cannot write it.
    pub is_fixed: bool,
    /// Who uses it.
    pub usage: Usage,
    /// For people.
    pub description: &'static str,
    /// The first name in lower case, and its length: asked for at every turn.
    lower: ([u8; NAME_MAX], usize),
}

/// No name of the tables is longer; one that is does not compile.
const NAME_MAX: usize = 32;

const fn lower(name: &str) -> ([u8; NAME_MAX], usize) {
    let bytes = name.as_bytes();
    let mut lower = [0; NAME_MAX];
    let mut at = 0;
    while at < bytes.len() {
        lower[at] = bytes[at].to_ascii_lowercase();
        at += 1;
    }
    (lower, bytes.len())
}

impl PartialEq for AttributeType {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.oid, other.oid) || self.oid == other.oid
    }
}

impl Eq for AttributeType {}

impl AttributeType {
    /// The first name, as it is shown.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or(self.oid)
    }

    /// The first name in lower case: the key in [`crate::Attributes`], without options.
    pub fn key(&self) -> &str {
        let (bytes, len) = &self.lower;
        bytes.get(..*len).and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default()
    }

    /// True if it is `other` or has it among its supertypes.
    pub fn is_under(&self, other: &Self) -> bool {
        let mut at = Some(self);
        while let Some(this) = at {
            if this == other {
                return true;
            }
            at = this.sup.and_then(super::attribute);
        }
        false
    }

    /// True if it is not a user's attribute: it is shown on request only and needs no class that allows it.
    pub fn is_operational(&self) -> bool {
        self.usage != Usage::UserApplications
    }

    const fn new(
        oid: &'static str,
        names: &'static [&'static str],
        syntax: Syntax,
        equality: Option<&'static Rule>,
        substrings: Option<&'static Rule>,
    ) -> Self {
        Self {
            oid,
            names,
            sup: None,
            syntax,
            equality,
            ordering: None,
            substrings,
            is_single: false,
            is_fixed: false,
            usage: Usage::UserApplications,
            description: "",
            lower: lower(names[0]),
        }
    }

    pub(super) const fn below(self, sup: &'static str) -> Self {
        Self { sup: Some(sup), ..self }
    }

    pub(super) const fn syntax(self, syntax: Syntax) -> Self {
        Self { syntax, ..self }
    }

    pub(super) const fn equality(self, rule: &'static Rule) -> Self {
        Self { equality: Some(rule), ..self }
    }

    pub(super) const fn ordering(self, rule: &'static Rule) -> Self {
        Self { ordering: Some(rule), ..self }
    }

    pub(super) const fn without_substrings(self) -> Self {
        Self { substrings: None, ..self }
    }

    pub(super) const fn single(self) -> Self {
        Self { is_single: true, ..self }
    }

    pub(super) const fn fixed(self) -> Self {
        Self { is_fixed: true, ..self }
    }

    pub(super) const fn usage(self, usage: Usage) -> Self {
        Self { usage, ..self }
    }

    pub(super) const fn says(self, description: &'static str) -> Self {
        Self { description, ..self }
    }
}

type Names = &'static [&'static str];

/// Words of people, in any script, without regard to case.
pub(super) const fn text(oid: &'static str, names: Names) -> AttributeType {
    let (equality, substrings) = (Some(&rules::CASE_IGNORE), Some(&rules::CASE_IGNORE_SUBSTRINGS));
    AttributeType::new(oid, names, Syntax::DirectoryString, equality, substrings)
}

/// A kind of name: RFC 4519 §2.18.
pub(super) const fn name(oid: &'static str, names: Names) -> AttributeType {
    text(oid, names).below("name")
}

/// ASCII without regard to case.
pub(super) const fn ia5(oid: &'static str, names: Names) -> AttributeType {
    let (equality, substrings) =
        (Some(&rules::CASE_IGNORE_IA5), Some(&rules::CASE_IGNORE_IA5_SUBSTRINGS));
    AttributeType::new(oid, names, Syntax::Ia5String, equality, substrings)
}

/// ASCII as it stands.
pub(super) const fn ia5_exact(oid: &'static str, names: Names) -> AttributeType {
    let (equality, substrings) =
        (Some(&rules::CASE_EXACT_IA5), Some(&rules::CASE_EXACT_IA5_SUBSTRINGS));
    AttributeType::new(oid, names, Syntax::Ia5String, equality, substrings)
}

pub(super) const fn phone(oid: &'static str, names: Names) -> AttributeType {
    let (equality, substrings) = (Some(&rules::TELEPHONE), Some(&rules::TELEPHONE_SUBSTRINGS));
    AttributeType::new(oid, names, Syntax::TelephoneNumber, equality, substrings)
}

pub(super) const fn postal(oid: &'static str, names: Names) -> AttributeType {
    let (equality, substrings) =
        (Some(&rules::CASE_IGNORE_LIST), Some(&rules::CASE_IGNORE_LIST_SUBSTRINGS));
    AttributeType::new(oid, names, Syntax::PostalAddress, equality, substrings)
}

pub(super) const fn numeric(oid: &'static str, names: Names) -> AttributeType {
    let (equality, substrings) = (Some(&rules::NUMERIC), Some(&rules::NUMERIC_SUBSTRINGS));
    AttributeType::new(oid, names, Syntax::NumericString, equality, substrings)
}

pub(super) const fn dn(oid: &'static str, names: Names) -> AttributeType {
    AttributeType::new(oid, names, Syntax::Dn, Some(&rules::DISTINGUISHED_NAME), None)
}

pub(super) const fn oid(oid: &'static str, names: Names) -> AttributeType {
    AttributeType::new(oid, names, Syntax::Oid, Some(&rules::OBJECT_IDENTIFIER), None)
}

pub(super) const fn integer(oid: &'static str, names: Names) -> AttributeType {
    AttributeType::new(oid, names, Syntax::Integer, Some(&rules::INTEGER), None)
}

pub(super) const fn time(oid: &'static str, names: Names) -> AttributeType {
    let time = AttributeType::new(oid, names, Syntax::GeneralizedTime, Some(&rules::TIME), None);
    time.ordering(&rules::TIME_ORDERING)
}

pub(super) const fn boolean(oid: &'static str, names: Names) -> AttributeType {
    AttributeType::new(oid, names, Syntax::Boolean, Some(&rules::BOOLEAN), None)
}

/// Values that only whoever made them understands: no rule.
pub(super) const fn opaque(oid: &'static str, names: Names, syntax: Syntax) -> AttributeType {
    AttributeType::new(oid, names, syntax, None, None)
}
