//! How a matching rule looks at values: what it passes over, and the key that is left.

use super::{bits, prepare, time, uuid};
use crate::dn::Dn;
use crate::schema::{self, Syntax};

/// DNs within values within DNs: further down they are compared as they stand.
const DEPTH_MAX: u8 = 2;

/// The families of matching rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text without regard to case, spaces squeezed: RFC 4518.
    CaseIgnore,
    /// Text, spaces squeezed.
    CaseExact,
    /// ASCII without regard to case, spaces squeezed.
    CaseIgnoreIa5,
    /// ASCII, spaces squeezed.
    CaseExactIa5,
    /// Lines between `$`, without regard to case.
    CaseIgnoreList,
    /// Digits; spaces are passed over.
    Numeric,
    /// Spaces and hyphens are passed over.
    Telephone,
    /// A number of any length.
    Integer,
    /// A point in time.
    Time,
    /// A distinguished name.
    Dn,
    /// A distinguished name with an optional bit string.
    UniqueMember,
    /// `TRUE` or `FALSE`.
    Boolean,
    /// `'0101'B`
    BitString,
    /// Bytes.
    Octets,
    /// A name or number of something in the schema.
    Oid,
    /// A UUID as text.
    Uuid,
    /// The OID that a description begins with.
    FirstOid,
    /// The number that a description begins with.
    FirstInteger,
}

/// Where a piece of a substrings assertion stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Initial,
    Any,
    Last,
}

impl Form {
    /// The key of a value, `None` if it is none of this form.
    pub fn key(self, value: &[u8]) -> Option<Vec<u8>> {
        self.key_at(value, 0)
    }

    /// `depth`: in how many DNs the value stands.
    pub(crate) fn key_at(self, value: &[u8], depth: u8) -> Option<Vec<u8>> {
        match self {
            // RFC 4517 §3.3.6: no text is empty.
            Self::CaseIgnore | Self::CaseExact if value.is_empty() => None,
            Self::CaseIgnore => prepare::text(value, true).map(squeeze),
            Self::CaseExact => prepare::text(value, false).map(squeeze),
            Self::CaseIgnoreIa5 => ia5(value, true).map(squeeze),
            Self::CaseExactIa5 => ia5(value, false).map(squeeze),
            Self::CaseIgnoreList => {
                let lines =
                    Syntax::PostalAddress.accepts(value).then(|| value.split(|c| *c == b'$'))?;
                let lines: Option<Vec<Vec<u8>>> =
                    lines.map(|line| prepare::text(line, true).map(squeeze)).collect();
                Some(lines?.join(&b'$'))
            }
            Self::Numeric => {
                Syntax::NumericString.accepts(value).then(|| squeeze(without(value, b" ")))
            }
            Self::Telephone => telephone(value),
            Self::Integer => integer(value),
            Self::Time => time::key(value),
            Self::Dn => dn(value, depth),
            Self::UniqueMember => {
                let (name, uid) = bits::name_and_uid(value)?;
                let mut key = dn(name, depth)?;
                if let Some(uid) = uid {
                    key.push(b'#');
                    key.extend_from_slice(uid);
                }
                Some(key)
            }
            Self::Boolean => Syntax::Boolean.accepts(value).then(|| value.to_vec()),
            Self::BitString => bits::is_bits(value).then(|| value.to_vec()),
            Self::Octets => Some(value.to_vec()),
            Self::Oid => oid(value),
            Self::Uuid => uuid::key(value),
            Self::FirstOid => oid(first_component(value)),
            Self::FirstInteger => integer(first_component(value)),
        }
    }

    /// A piece of a substrings assertion as it stands in a key. Spaces are squeezed, at the outer end of
    /// the value they go: as slapd has it (RFC 4518 §2.6.1 would let `two * words` match `two words`).
    pub(crate) fn piece(self, place: Place, value: &[u8]) -> Option<Vec<u8>> {
        let mut text = match self {
            Self::CaseIgnore => prepare::text(value, true)?,
            Self::CaseIgnoreList if !Syntax::PostalAddress.accepts(value) => return None,
            Self::CaseIgnoreList => prepare::text(value, true)?,
            Self::CaseExact => prepare::text(value, false)?,
            // Spaces at either end mean nothing in these, wherever the piece stands.
            Self::CaseIgnoreIa5 | Self::CaseExactIa5 => {
                let folds = self == Self::CaseIgnoreIa5;
                return ia5(value, folds).map(|text| squeeze(text).trim_ascii().to_vec());
            }
            Self::Numeric => {
                let digits = Syntax::NumericString.accepts(value).then(|| without(value, b" "))?;
                return (!digits.is_empty()).then_some(digits);
            }
            Self::Telephone => return telephone(value),
            Self::Octets => return Some(value.to_vec()),
            _ => return None,
        };
        text.dedup_by(|next, before| *next == b' ' && *before == b' ');
        if place == Place::Initial && text.len() > 1 && text.first() == Some(&b' ') {
            text.remove(0);
        }
        if place == Place::Last && text.last() == Some(&b' ') {
            text.pop();
        }
        Some(text)
    }

    /// True if values of this syntax can be looked at in this form.
    pub(crate) fn takes(self, syntax: Syntax) -> bool {
        match self {
            Self::CaseIgnore | Self::CaseExact => matches!(
                syntax,
                Syntax::DirectoryString
                    | Syntax::PrintableString
                    | Syntax::CountryString
                    | Syntax::TelephoneNumber
            ),
            Self::CaseIgnoreIa5 | Self::CaseExactIa5 => syntax == Syntax::Ia5String,
            Self::CaseIgnoreList => syntax == Syntax::PostalAddress,
            Self::Numeric => syntax == Syntax::NumericString,
            Self::Telephone => syntax == Syntax::TelephoneNumber,
            Self::Integer => syntax == Syntax::Integer,
            Self::Time => syntax == Syntax::GeneralizedTime,
            Self::Dn => syntax == Syntax::Dn,
            Self::UniqueMember => syntax == Syntax::NameAndOptionalUid,
            Self::Boolean => syntax == Syntax::Boolean,
            Self::BitString => syntax == Syntax::BitString,
            Self::Octets => syntax == Syntax::OctetString,
            Self::Oid => syntax == Syntax::Oid,
            Self::Uuid => syntax == Syntax::Uuid,
            Self::FirstOid => matches!(
                syntax,
                Syntax::AttributeTypeDescription
                    | Syntax::MatchingRuleDescription
                    | Syntax::MatchingRuleUseDescription
                    | Syntax::ObjectClassDescription
                    | Syntax::SyntaxDescription
            ),
            Self::FirstInteger => false,
        }
    }
}

/// One space where several are, none at the ends; what has nothing to compare is one space, so that its key
/// is a value too.
fn squeeze(mut text: Vec<u8>) -> Vec<u8> {
    if text.is_empty() {
        return vec![b' '];
    }
    text.dedup_by(|next, before| *next == b' ' && *before == b' ');
    if text.last() == Some(&b' ') && text.len() > 1 {
        text.pop();
    }
    if text.first() == Some(&b' ') && text.len() > 1 {
        text.remove(0);
    }
    text
}

fn ia5(value: &[u8], folds: bool) -> Option<Vec<u8>> {
    value.is_ascii().then(|| prepare::ascii(value, folds))
}

fn without(value: &[u8], passed_over: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|c| !passed_over.contains(c)).collect()
}

/// What is left of a number to dial; one space if nothing is, which is no part of any other.
fn telephone(value: &[u8]) -> Option<Vec<u8>> {
    let text = Syntax::TelephoneNumber.accepts(value).then(|| prepare::ascii(value, true))?;
    let text = without(&text, b" -");
    Some(squeeze(text))
}

/// Sign, how many digits, the digits; of negative numbers the last two turned round, so that bytes order as
/// the numbers do.
fn integer(value: &[u8]) -> Option<Vec<u8>> {
    if !Syntax::Integer.accepts(value) {
        return None;
    }
    let (is_negative, digits) = match value.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    let turn = |byte: u8| if is_negative { !byte } else { byte };
    let mut key = vec![if is_negative { b'-' } else { b'0' }];
    key.extend(u32::try_from(digits.len()).ok()?.to_be_bytes().map(turn));
    key.extend(digits.iter().map(|digit| turn(*digit)));
    Some(key)
}

fn dn(value: &[u8], depth: u8) -> Option<Vec<u8>> {
    if depth >= DEPTH_MAX {
        return Some(value.to_ascii_lowercase());
    }
    let name = Dn::parse_at(std::str::from_utf8(value).ok()?, depth + 1).ok()?;
    Some(name.normalised().into_bytes())
}

/// The first name in lower case of what the schema knows by this name or number, a number else.
fn oid(value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if !schema::is_oid(text.as_bytes()) {
        return None;
    }
    let known = (schema::class(text).map(|class| class.name()))
        .or_else(|| schema::attribute(text).map(|attribute| attribute.name()))
        .or_else(|| super::rules::named(text).map(|rule| rule.name));
    match known {
        Some(name) => Some(name.to_ascii_lowercase().into_bytes()),
        None => text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.as_bytes().to_vec()),
    }
}

/// `2.5.4.3` of `( 2.5.4.3 NAME 'cn' )` and of `2.5.4.3`.
fn first_component(value: &[u8]) -> &[u8] {
    let inner = value.trim_ascii_start();
    let inner = inner.strip_prefix(b"(").unwrap_or(inner).trim_ascii_start();
    inner.split(|c| *c == b' ').next().unwrap_or_default()
}
