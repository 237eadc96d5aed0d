//! Messages as they come: number, operation, controls. RFC 4511 §4.1.1, §4.2 to §4.12.
//!
//! The library's codec reads the operations; bind and search are read here, because it takes passwords and
//! assertion values for UTF-8 text, and controls, because it refuses the whole message for one of them.
//! Bytes in, values out.

use directory::{Filter, Refusal};
use ldap3_lber::common::TagClass;
use ldap3_lber::structure::{PL, StructureTag};
use ldap3_proto::proto::{
    LdapAddRequest, LdapCompareRequest, LdapExtendedRequest, LdapModifyDNRequest,
    LdapModifyRequest, LdapOp, LdapSearchScope,
};

use crate::ber::{self, Parts};
use crate::filter;
use crate::frame;

/// Controls of one message.
const CONTROLS_MAX: usize = 16;
/// Attributes that one search may name.
const SELECTION_MAX: usize = 1_000;

/// One message of a client.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: i32,
    pub(crate) request: Request,
    pub(crate) controls: Vec<Control>,
}

/// RFC 4511 §4.1.11.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) oid: String,
    pub(crate) is_critical: bool,
    pub(crate) value: Option<Vec<u8>>,
}

/// What is asked.
#[derive(Debug)]
pub(crate) enum Request {
    Bind(Bind),
    Unbind,
    Search(Box<Search>),
    Modify(LdapModifyRequest),
    Add(LdapAddRequest),
    Delete(String),
    ModifyDn(LdapModifyDNRequest),
    Compare(LdapCompareRequest),
    Abandon(i32),
    Extended(LdapExtendedRequest),
}

/// RFC 4511 §4.2.
#[derive(Debug)]
pub(crate) struct Bind {
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) with: Credentials,
}

/// How a client says who it is.
pub(crate) enum Credentials {
    Simple(Vec<u8>),
    Sasl {
        mechanism: String,
        response: Option<Vec<u8>>,
    },
    /// A choice that there is not.
    Unknown,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Simple(_) => f.write_str("Simple"),
            Self::Sasl { mechanism, .. } => write!(f, "Sasl({mechanism})"),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}

/// RFC 4511 §4.5.1.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) scope: LdapSearchScope,
    /// 0: as much as the server gives.
    pub(crate) size_limit: u32,
    /// Seconds; 0: as long as the server takes.
    pub(crate) time_limit: u32,
    pub(crate) types_only: bool,
    pub(crate) filter: Result<Filter, Refusal>,
    pub(crate) attributes: Vec<String>,
}

/// What cannot be obeyed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It can be answered: its number, and the tag number of its operation.
    Operation(i32, u64),
    /// RFC 4511 §4.1.1: nobody knows what it was about, and the connection ends.
    Message,
}

/// Takes apart what [`frame::length`] found to be one message.
///
/// # Errors
/// It is none.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message, Bad> {
    let bad = match frame::id_and_operation(bytes) {
        Some((id, tag)) if tag & 0xC0 == 0x40 && is_request(u64::from(tag & 0x1F)) => {
            Bad::Operation(id, u64::from(tag & 0x1F))
        }
        _ => return Err(Bad::Message),
    };
    let Bad::Operation(id, _) = bad else { return Err(bad) };
    match ber::parse(bytes).and_then(request_and_controls) {
        Some((request, controls)) => Ok(Message { id, request, controls }),
        None => Err(bad),
    }
}

/// The tag numbers of requests.
fn is_request(id: u64) -> bool {
    matches!(id, 0 | 2 | 3 | 6 | 8 | 10 | 12 | 14 | 16 | 23)
}

fn request_and_controls(tag: StructureTag) -> Option<(Request, Vec<Control>)> {
    let mut parts = Parts::of(tag)?;
    parts.number(ber::INTEGER)?;
    let operation = parts.any()?;
    let controls = match parts.next_is(TagClass::Context, 0) {
        Some(controls) => Parts::of(controls)?.map(control).collect::<Option<Vec<_>>>()?,
        None => Vec::new(),
    };
    // RFC 4511 §4: parts that a later version adds are passed over.
    if controls.len() > CONTROLS_MAX {
        return None;
    }
    Some((request(operation)?, controls))
}

fn control(tag: StructureTag) -> Option<Control> {
    let mut parts = Parts::of(tag)?;
    let oid = parts.text()?;
    let is_critical = parts.boolean().unwrap_or(false);
    let value = parts.octets();
    parts.is_over().then_some(Control { oid, is_critical, value })
}

fn request(tag: StructureTag) -> Option<Request> {
    match (tag.id, tag.payload) {
        (0, PL::C(parts)) => bind(parts).map(Request::Bind),
        (3, PL::C(parts)) => search(parts).map(|search| Request::Search(Box::new(search))),
        (10, PL::P(name)) => String::from_utf8(name).ok().map(Request::Delete),
        (16, PL::P(number)) => i32::try_from(ber::number(&number)?).ok().map(Request::Abandon),
        (2, _) => Some(Request::Unbind),
        // The library writes to standard output what it does not know: it gets nothing else.
        (id @ (6 | 8 | 12 | 14 | 23), payload @ PL::C(_)) => {
            let tag = StructureTag { class: TagClass::Application, id, payload };
            match LdapOp::try_from(tag).ok()? {
                LdapOp::ModifyRequest(request) => Some(Request::Modify(request)),
                LdapOp::AddRequest(request) => Some(Request::Add(request)),
                LdapOp::ModifyDNRequest(request) => Some(Request::ModifyDn(request)),
                LdapOp::CompareRequest(request) => Some(Request::Compare(request)),
                LdapOp::ExtendedRequest(request) => Some(Request::Extended(request)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn bind(parts: Vec<StructureTag>) -> Option<Bind> {
    let mut parts = Parts::of(ber::sequence(parts))?;
    let version = parts.number(ber::INTEGER)?;
    let name = parts.text()?;
    let choice = parts.any()?;
    if choice.class != TagClass::Context {
        return None;
    }
    let with = match choice.id {
        0 => Credentials::Simple(ber::primitive(choice)?),
        3 => {
            let mut parts = Parts::of(choice)?;
            let mechanism = parts.text()?;
            Credentials::Sasl { mechanism, response: parts.octets() }
        }
        _ => Credentials::Unknown,
    };
    Some(Bind { version, name, with })
}

fn limit(number: i64) -> Option<u32> {
    i32::try_from(number).ok().and_then(|number| u32::try_from(number).ok())
}

fn search(parts: Vec<StructureTag>) -> Option<Search> {
    let mut parts = Parts::of(ber::sequence(parts))?;
    let base = parts.text()?;
    let scope = LdapSearchScope::try_from(parts.number(ber::ENUMERATED)?).ok()?;
    // Which aliases to follow: there are none.
    if !(0..=3).contains(&parts.number(ber::ENUMERATED)?) {
        return None;
    }
    let size_limit = limit(parts.number(ber::INTEGER)?)?;
    let time_limit = limit(parts.number(ber::INTEGER)?)?;
    let types_only = parts.boolean()?;
    let filter = filter::of_tag(parts.any()?)?;
    let names = Parts::of(parts.next_is(TagClass::Universal, ber::SEQUENCE)?)?;
    let attributes = names.map(|name| String::from_utf8(ber::primitive(name)?).ok());
    let attributes = attributes.collect::<Option<Vec<_>>>()?;
    if attributes.len() > SELECTION_MAX {
        return None;
    }
    Some(Search { base, scope, size_limit, time_limit, types_only, filter, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(operation: &[u8]) -> Vec<u8> {
        let len = u8::try_from(3 + operation.len()).unwrap();
        [&[0x30, len, 2, 1, 9], operation].concat()
    }

    /// Each operation in the form of another: primitive for constructed and the other way round.
    #[test]
    fn operations_of_the_wrong_form_are_answered_or_end_the_connection() {
        for id in 0..31u8 {
            for form in [0x40, 0x60] {
                let outcome = parse(&message(&[form | id, 0]));
                match id {
                    2 => assert!(matches!(outcome.unwrap().request, Request::Unbind)),
                    10 if form == 0x40 => {
                        assert!(matches!(outcome.unwrap().request, Request::Delete(_)));
                    }
                    0 | 3 | 6 | 8 | 10 | 12 | 14 | 16 | 23 => {
                        assert_eq!(outcome.unwrap_err(), Bad::Operation(9, id.into()), "{id}");
                    }
                    _ => assert_eq!(outcome.unwrap_err(), Bad::Message, "{id}"),
                }
            }
        }
    }
}
