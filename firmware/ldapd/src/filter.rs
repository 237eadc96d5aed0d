//! Search filters as they come on the wire. RFC 4511 §4.5.1.7.
//!
//! Assertion values are bytes: the syntax of an attribute says later whether they are text.

use directory::filter::DEPTH_MAX;
use directory::{Code, Filter, Refusal};
use ldap3_lber::common::TagClass;
use ldap3_lber::structure::{PL, StructureTag};

use crate::ber;
use crate::ber::Parts;

/// `None`: it is no filter. A refusal: it is one that is too large.
pub(crate) fn of_tag(tag: StructureTag) -> Option<Result<Filter, Refusal>> {
    if depth(&tag, 0) > DEPTH_MAX {
        let text = "the filter is nested too deeply";
        return Some(Err(Refusal::new(Code::AdminLimitExceeded, text)));
    }
    let filter = node(tag)?;
    Some(filter.check().map(|()| filter))
}

/// Levels of AND, OR and NOT with what is in them. The frame's check has bounded the recursion.
fn depth(tag: &StructureTag, above: usize) -> usize {
    match (tag.id, &tag.payload) {
        (0..=2, PL::C(parts)) => {
            parts.iter().map(|part| depth(part, above + 1)).max().unwrap_or(above + 1)
        }
        _ => above + 1,
    }
}

fn node(tag: StructureTag) -> Option<Filter> {
    if tag.class != TagClass::Context {
        return None;
    }
    match tag.id {
        0 => Parts::of(tag)?.map(node).collect::<Option<_>>().map(Filter::And),
        1 => Parts::of(tag)?.map(node).collect::<Option<_>>().map(Filter::Or),
        2 => {
            let mut parts = Parts::of(tag)?;
            let inner = node(parts.any()?)?;
            parts.is_over().then(|| Filter::Not(Box::new(inner)))
        }
        3 => assertion(tag).map(|(attribute, value)| Filter::Equal { attribute, value }),
        4 => substrings(tag),
        5 => assertion(tag).map(|(attribute, value)| Filter::AtLeast { attribute, value }),
        6 => assertion(tag).map(|(attribute, value)| Filter::AtMost { attribute, value }),
        7 => String::from_utf8(ber::primitive(tag)?).ok().map(Filter::Present),
        8 => assertion(tag).map(|(attribute, value)| Filter::Approx { attribute, value }),
        9 => extensible(tag),
        _ => None,
    }
}

fn assertion(tag: StructureTag) -> Option<(String, Vec<u8>)> {
    let mut parts = Parts::of(tag)?;
    let pair = (parts.text()?, parts.octets()?);
    parts.is_over().then_some(pair)
}

fn substrings(tag: StructureTag) -> Option<Filter> {
    let mut parts = Parts::of(tag)?;
    let attribute = parts.text()?;
    let mut pieces = Parts::of(parts.next_is(TagClass::Universal, ber::SEQUENCE)?)?;
    let initial = pieces.bytes(TagClass::Context, 0);
    let mut any = Vec::new();
    while let Some(piece) = pieces.bytes(TagClass::Context, 1) {
        any.push(piece);
    }
    let last = pieces.bytes(TagClass::Context, 2);
    let is_empty = initial.is_none() && any.is_empty() && last.is_none();
    let is_sound = pieces.is_over() && parts.is_over() && !is_empty;
    is_sound.then_some(Filter::Substrings { attribute, initial, any, last })
}

fn extensible(tag: StructureTag) -> Option<Filter> {
    let mut parts = Parts::of(tag)?;
    let text = |bytes: Option<Vec<u8>>| match bytes {
        Some(bytes) => String::from_utf8(bytes).ok().map(Some),
        None => Some(None),
    };
    let rule = text(parts.bytes(TagClass::Context, 1))?;
    let attribute = text(parts.bytes(TagClass::Context, 2))?;
    let value = parts.bytes(TagClass::Context, 3)?;
    let with_dn = match parts.bytes(TagClass::Context, 4) {
        Some(byte) => ber::boolean(&byte)?,
        None => false,
    };
    // One of both must say what is compared.
    let is_sound = parts.is_over() && (rule.is_some() || attribute.is_some());
    is_sound.then_some(Filter::Extensible { rule, attribute, value, with_dn })
}
