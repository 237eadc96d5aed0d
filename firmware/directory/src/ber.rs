//! Short ways into the library's trees of BER elements, and to make such trees; for who serves LDAP and who
//! asks by it.

use ldap3_lber::Parser;
use ldap3_lber::common::TagClass;
use ldap3_lber::structure::{PL, StructureTag};

use crate::frame;

/// Deeper than [`frame::check`] lets pass, so that what it passed is read.
const DEPTH: usize = 128;

/// Tag number of BOOLEAN.
pub const BOOLEAN: u64 = 1;
/// Tag number of INTEGER.
pub const INTEGER: u64 = 2;
/// Tag number of OCTET STRING.
pub const OCTETS: u64 = 4;
/// Tag number of ENUMERATED.
pub const ENUMERATED: u64 = 10;
/// Tag number of SEQUENCE.
pub const SEQUENCE: u64 = 16;

/// The tree of bytes that are one sound element and nothing else.
pub fn parse(bytes: &[u8]) -> Option<StructureTag> {
    frame::check(bytes).ok()?;
    let (rest, tag) = Parser::new(DEPTH).parse(bytes).ok()?;
    rest.is_empty().then_some(tag)
}

/// The parts of an element, taken from front to back.
#[derive(Debug)]
pub struct Parts(std::iter::Peekable<std::vec::IntoIter<StructureTag>>);

impl Parts {
    /// Those of a constructed element.
    pub fn of(tag: StructureTag) -> Option<Self> {
        match tag.payload {
            PL::C(parts) => Some(Self(parts.into_iter().peekable())),
            PL::P(_) => None,
        }
    }

    /// The parts of a SEQUENCE that stands in bytes of its own, as control values do.
    pub fn of_value(bytes: &[u8]) -> Option<Self> {
        let tag = parse(bytes)?;
        is(&tag, TagClass::Universal, SEQUENCE).then(|| Self::of(tag)).flatten()
    }

    /// The next part.
    pub fn any(&mut self) -> Option<StructureTag> {
        self.0.next()
    }

    /// The next part, if it is this one.
    pub fn next_is(&mut self, class: TagClass, id: u64) -> Option<StructureTag> {
        self.0.next_if(|tag| is(tag, class, id))
    }

    /// The content of the next part, if it is a primitive of this kind.
    pub fn bytes(&mut self, class: TagClass, id: u64) -> Option<Vec<u8>> {
        primitive(self.next_is(class, id)?)
    }

    /// The next part as OCTET STRING.
    pub fn octets(&mut self) -> Option<Vec<u8>> {
        self.bytes(TagClass::Universal, OCTETS)
    }

    /// The next part as an OCTET STRING of UTF-8.
    pub fn text(&mut self) -> Option<String> {
        String::from_utf8(self.octets()?).ok()
    }

    /// The next part as an INTEGER or ENUMERATED.
    pub fn number(&mut self, id: u64) -> Option<i64> {
        number(&self.bytes(TagClass::Universal, id)?)
    }

    /// The next part as BOOLEAN.
    pub fn boolean(&mut self) -> Option<bool> {
        boolean(&self.bytes(TagClass::Universal, BOOLEAN)?)
    }

    /// True if no part is left.
    pub fn is_over(&mut self) -> bool {
        self.0.peek().is_none()
    }
}

impl Iterator for Parts {
    type Item = StructureTag;

    fn next(&mut self) -> Option<StructureTag> {
        self.any()
    }
}

/// True if it is this element.
pub fn is(tag: &StructureTag, class: TagClass, id: u64) -> bool {
    tag.class == class && tag.id == id
}

/// The content of a primitive element.
pub fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

/// A signed number of up to eight bytes.
pub fn number(bytes: &[u8]) -> Option<i64> {
    if !(1..=8).contains(&bytes.len()) {
        return None;
    }
    let is_negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut all = [if is_negative { 0xFF } else { 0 }; 8];
    all.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
    Some(i64::from_be_bytes(all))
}

/// RFC 4511 §5.1 wants 0xFF for true; BER takes all but 0.
pub fn boolean(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [byte] => Some(*byte != 0),
        _ => None,
    }
}

/// A primitive element.
pub fn leaf(class: TagClass, id: u64, bytes: impl Into<Vec<u8>>) -> StructureTag {
    StructureTag { class, id, payload: PL::P(bytes.into()) }
}

/// An OCTET STRING.
pub fn octets(bytes: impl Into<Vec<u8>>) -> StructureTag {
    leaf(TagClass::Universal, OCTETS, bytes)
}

/// An INTEGER or ENUMERATED.
pub fn integer(id: u64, value: i64) -> StructureTag {
    let bytes = value.to_be_bytes();
    // The shortest form: bytes that only repeat the sign go.
    let spare = bytes.windows(2).take_while(|pair| match pair {
        [0, next] => next & 0x80 == 0,
        [0xFF, next] => next & 0x80 != 0,
        _ => false,
    });
    let spare = spare.count();
    leaf(TagClass::Universal, id, bytes.get(spare..).unwrap_or_default())
}

/// A SEQUENCE.
pub fn sequence(parts: Vec<StructureTag>) -> StructureTag {
    StructureTag { class: TagClass::Universal, id: SEQUENCE, payload: PL::C(parts) }
}

/// The bytes of a tree.
pub fn encode(tag: StructureTag) -> Vec<u8> {
    let mut bytes = bytes::BytesMut::new();
    // It writes into memory: there is nothing to fail.
    let _written = ldap3_lber::write::encode_into(&mut bytes, tag).is_ok();
    bytes.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_come_back() {
        for value in [0, 1, 127, 128, 255, 256, -1, -128, -129, i64::MAX, i64::MIN] {
            let bytes = primitive(integer(INTEGER, value)).unwrap();
            assert_eq!(number(&bytes), Some(value), "{bytes:x?}");
        }
        assert_eq!(primitive(integer(INTEGER, 127)).unwrap().len(), 1);
        assert_eq!(primitive(integer(INTEGER, -128)).unwrap().len(), 1);
        assert_eq!(primitive(integer(INTEGER, 128)).unwrap().len(), 2);
        assert_eq!(number(&[]), None);
        assert_eq!(number(&[0; 9]), None);
    }

    #[test]
    fn parts_are_taken_in_their_order_or_not_at_all() {
        let bytes = encode(sequence(vec![octets(*b"a"), integer(ENUMERATED, 3)]));
        let mut parts = Parts::of_value(&bytes).unwrap();
        assert_eq!(parts.number(ENUMERATED), None);
        assert_eq!(parts.text().as_deref(), Some("a"));
        assert_eq!(parts.number(ENUMERATED), Some(3));
        assert!(parts.is_over());
        assert!(Parts::of_value(&[4, 0]).is_none());
        assert!(parse(&[4, 0, 0]).is_none());
    }
}
