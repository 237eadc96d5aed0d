//! Controls: which there are, for which operations, and their values. Paged results (RFC 2696), sorting on
//! the server (RFC 2891), virtual lists (draft-ietf-ldapext-ldapv3-vlv-09), assertion (RFC 4528), pre-read
//! and post-read (RFC 4527), manageDsaIT (RFC 3296), don't use copy (RFC 6171).
//!
//! An unknown critical control refuses its operation (RFC 4511 §4.1.11); others are passed over.

use directory::{Code, Filter, Refusal};
use ldap3_lber::common::TagClass;

use crate::ber::{self, Parts};
use crate::filter;
use crate::message::Control;
use crate::reply::Kind;

pub(crate) const PAGED: &str = "1.2.840.113556.1.4.319";
pub(crate) const SORT: &str = "1.2.840.113556.1.4.473";
pub(crate) const SORTED: &str = "1.2.840.113556.1.4.474";
pub(crate) const VLV: &str = "2.16.840.1.113730.3.4.9";
pub(crate) const VLV_ANSWER: &str = "2.16.840.1.113730.3.4.10";
pub(crate) const ASSERTION: &str = "1.3.6.1.1.12";
pub(crate) const PRE_READ: &str = "1.3.6.1.1.13.1";
pub(crate) const POST_READ: &str = "1.3.6.1.1.13.2";
pub(crate) const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
/// This server has no copies of others' entries: what it answers is always the original.
pub(crate) const NO_COPY: &str = "1.3.6.1.1.22";

/// What the root says of them. Never an OID of Active Directory's own: Outlook would take us for one.
pub(crate) const ALL: [&str; 8] =
    [PAGED, SORT, VLV, ASSERTION, PRE_READ, POST_READ, MANAGE_DSA_IT, NO_COPY];

/// Keys of one sort.
const KEYS_MAX: usize = 8;
/// Attributes that a read control may name.
const SELECTION_MAX: usize = 1_000;

/// RFC 2696 §2.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Paged {
    pub(crate) size: u32,
    pub(crate) cookie: Vec<u8>,
}

/// RFC 2891 §1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SortKey {
    pub(crate) attribute: String,
    pub(crate) rule: Option<String>,
    pub(crate) is_reverse: bool,
}

/// Where in the list the client wants to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A place in a list that the client believes to have so many entries; 0: it does not know.
    Offset { offset: u32, of: u32 },
    /// The first entry whose key is not below.
    AtLeast(Vec<u8>),
}

/// A slice of a sorted list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vlv {
    pub(crate) before: u32,
    pub(crate) after: u32,
    pub(crate) target: Target,
}

/// The controls of one operation.
#[derive(Debug, Default)]
pub(crate) struct Controls {
    pub(crate) paged: Option<Paged>,
    pub(crate) sort: Option<Vec<SortKey>>,
    pub(crate) sort_is_critical: bool,
    pub(crate) vlv: Option<Vlv>,
    pub(crate) assertion: Option<Filter>,
    pub(crate) pre_read: Option<Vec<String>>,
    pub(crate) post_read: Option<Vec<String>>,
}

/// True if the control means something with the operation.
fn applies(oid: &str, kind: Kind) -> bool {
    match oid {
        PAGED | SORT | VLV => kind == Kind::Search,
        ASSERTION => !matches!(kind, Kind::Bind | Kind::Extended),
        PRE_READ => matches!(kind, Kind::Modify | Kind::Delete | Kind::ModifyDn),
        POST_READ => matches!(kind, Kind::Modify | Kind::Add | Kind::ModifyDn),
        MANAGE_DSA_IT => !matches!(kind, Kind::Bind | Kind::Extended),
        NO_COPY => matches!(kind, Kind::Search | Kind::Compare),
        _ => false,
    }
}

/// Puts a value into its place, which must be free and the value sound.
fn put<T>(place: &mut Option<T>, value: Option<T>) -> Result<(), Refusal> {
    if place.is_some() {
        return Err(Refusal::new(Code::ProtocolError, "a control stands twice"));
    }
    *place = value;
    match place {
        Some(_) => Ok(()),
        None => Err(Refusal::new(Code::ProtocolError, "the value of a control is damaged")),
    }
}

impl Controls {
    /// Reads the controls of an operation.
    ///
    /// # Errors
    /// One is critical and not known here, stands twice or is damaged.
    pub(crate) fn read(list: Vec<Control>, kind: Kind) -> Result<Self, Refusal> {
        let mut known = Self::default();
        for Control { oid, is_critical, value } in list {
            if !applies(&oid, kind) {
                if is_critical {
                    let text = format!("the critical control {oid} is not available here");
                    return Err(Refusal::new(Code::UnavailableCriticalExtension, text));
                }
                continue;
            }
            let value = value.unwrap_or_default();
            match oid.as_str() {
                PAGED => put(&mut known.paged, paged(&value))?,
                SORT => {
                    known.sort_is_critical = is_critical;
                    put(&mut known.sort, sort(&value))?;
                }
                VLV => put(&mut known.vlv, vlv(&value))?,
                ASSERTION => put(&mut known.assertion, assertion(&value).transpose()?)?,
                PRE_READ => put(&mut known.pre_read, selection(&value))?,
                POST_READ => put(&mut known.post_read, selection(&value))?,
                // Nothing to know: there are no referrals and no copies.
                _ => {}
            }
        }
        if known.vlv.is_some() && known.sort.is_none() {
            // As slapd answers.
            let text = "a virtual list needs a sort control";
            return Err(Refusal::new(Code::VirtualListViewError, text));
        }
        if known.vlv.is_some() && known.paged.is_some() {
            let text = "a virtual list has no pages";
            return Err(Refusal::new(Code::UnwillingToPerform, text));
        }
        Ok(known)
    }
}

fn count(number: i64) -> Option<u32> {
    i32::try_from(number).ok().and_then(|number| u32::try_from(number).ok())
}

fn paged(value: &[u8]) -> Option<Paged> {
    let mut parts = Parts::of_value(value)?;
    let size = count(parts.number(ber::INTEGER)?)?;
    let cookie = parts.octets()?;
    Some(Paged { size, cookie })
}

fn sort(value: &[u8]) -> Option<Vec<SortKey>> {
    let keys = Parts::of_value(value)?.map(|tag| {
        let mut parts = Parts::of(tag)?;
        let attribute = parts.text()?;
        let rule = match parts.bytes(TagClass::Context, 0) {
            Some(rule) => Some(String::from_utf8(rule).ok()?),
            None => None,
        };
        let is_reverse = match parts.bytes(TagClass::Context, 1) {
            Some(byte) => ber::boolean(&byte)?,
            None => false,
        };
        parts.is_over().then_some(SortKey { attribute, rule, is_reverse })
    });
    let keys = keys.collect::<Option<Vec<_>>>()?;
    (1..=KEYS_MAX).contains(&keys.len()).then_some(keys)
}

fn vlv(value: &[u8]) -> Option<Vlv> {
    let mut parts = Parts::of_value(value)?;
    let before = count(parts.number(ber::INTEGER)?)?;
    let after = count(parts.number(ber::INTEGER)?)?;
    let target = if let Some(by_offset) = parts.next_is(TagClass::Context, 0) {
        let mut parts = Parts::of(by_offset)?;
        let offset = count(parts.number(ber::INTEGER)?)?;
        let of = count(parts.number(ber::INTEGER)?)?;
        Target::Offset { offset, of }
    } else {
        Target::AtLeast(parts.bytes(TagClass::Context, 1)?)
    };
    Some(Vlv { before, after, target })
}

fn assertion(value: &[u8]) -> Option<Result<Filter, Refusal>> {
    filter::of_tag(ber::parse(value)?)
}

fn selection(value: &[u8]) -> Option<Vec<String>> {
    let names = Parts::of_value(value)?.map(|tag| String::from_utf8(ber::primitive(tag)?).ok());
    names.collect::<Option<Vec<_>>>().filter(|names| names.len() <= SELECTION_MAX)
}

/// The value of a paged results answer; the estimate is the number of all entries.
pub(crate) fn paged_value(estimate: usize, cookie: &[u8]) -> Vec<u8> {
    let estimate = i64::try_from(estimate).unwrap_or(0);
    ber::encode(ber::sequence(vec![ber::integer(ber::INTEGER, estimate), ber::octets(cookie)]))
}

/// The value of a sort answer.
pub(crate) fn sorted_value(code: Code, attribute: Option<&str>) -> Vec<u8> {
    let mut parts = vec![ber::integer(ber::ENUMERATED, code.number().into())];
    parts.extend(attribute.map(|name| ber::leaf(TagClass::Context, 0, name)));
    ber::encode(ber::sequence(parts))
}

/// The value of a virtual list answer.
pub(crate) fn vlv_value(position: usize, content: usize, code: Code) -> Vec<u8> {
    let number = |n: usize| ber::integer(ber::INTEGER, i64::try_from(n).unwrap_or(i64::MAX));
    let code = ber::integer(ber::ENUMERATED, code.number().into());
    ber::encode(ber::sequence(vec![number(position), number(content), code]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(oid: &str, is_critical: bool, value: Option<Vec<u8>>) -> Control {
        Control { oid: oid.to_owned(), is_critical, value }
    }

    fn code(list: Vec<Control>, kind: Kind) -> Option<Code> {
        Controls::read(list, kind).err().map(|refusal| refusal.code)
    }

    fn sort_by(name: &str) -> Vec<u8> {
        let key = ber::sequence(vec![
            ber::octets(name),
            ber::leaf(TagClass::Context, 0, *b"2.5.13.3"),
            ber::leaf(TagClass::Context, 1, [0xFF]),
        ]);
        ber::encode(ber::sequence(vec![key]))
    }

    #[test]
    fn values_are_read() {
        let target =
            ber::sequence(vec![ber::integer(ber::INTEGER, 7), ber::integer(ber::INTEGER, 0)]);
        let target =
            ldap3_lber::structure::StructureTag { class: TagClass::Context, id: 0, ..target };
        let vlv = ber::encode(ber::sequence(vec![
            ber::integer(ber::INTEGER, 1),
            ber::integer(ber::INTEGER, 300),
            target,
        ]));
        let list = vec![with(SORT, true, Some(sort_by("sn"))), with(VLV, true, Some(vlv))];
        let known = Controls::read(list, Kind::Search).unwrap();
        let key = SortKey {
            attribute: "sn".to_owned(),
            rule: Some("2.5.13.3".to_owned()),
            is_reverse: true,
        };
        assert_eq!(known.sort, Some(vec![key]));
        let target = Target::Offset { offset: 7, of: 0 };
        assert_eq!(known.vlv, Some(Vlv { before: 1, after: 300, target }));
        let paged = paged_value(5, b"c");
        let known = Controls::read(vec![with(PAGED, false, Some(paged))], Kind::Search).unwrap();
        assert_eq!(known.paged, Some(Paged { size: 5, cookie: b"c".to_vec() }));
    }

    #[test]
    fn what_is_critical_and_not_known_refuses_the_operation() {
        let unknown = |is_critical| vec![with("1.2.3", is_critical, None)];
        assert_eq!(code(unknown(true), Kind::Add), Some(Code::UnavailableCriticalExtension));
        assert_eq!(code(unknown(false), Kind::Add), None);
        // Known, and nothing for this operation.
        let paged = || vec![with(PAGED, true, Some(paged_value(5, b"")))];
        assert_eq!(code(paged(), Kind::Delete), Some(Code::UnavailableCriticalExtension));
        assert_eq!(code(paged(), Kind::Search), None);
        assert_eq!(code(vec![with(MANAGE_DSA_IT, true, None)], Kind::Modify), None);
        // Never Active Directory's.
        assert!(!ALL.iter().any(|oid| oid.starts_with("1.2.840.113556.1.4.8")));
    }

    #[test]
    fn damaged_values_and_impossible_pairs_are_refused() {
        for oid in [PAGED, SORT, VLV, ASSERTION] {
            for value in [None, Some(Vec::new()), Some(vec![0x30, 0x80]), Some(vec![0x30, 0])] {
                let list = vec![with(oid, false, value)];
                assert_eq!(code(list, Kind::Search), Some(Code::ProtocolError), "{oid}");
            }
        }
        let twice = || with(SORT, false, Some(sort_by("cn")));
        assert_eq!(code(vec![twice(), twice()], Kind::Search), Some(Code::ProtocolError));
        let vlv = ber::encode(ber::sequence(vec![
            ber::integer(ber::INTEGER, 0),
            ber::integer(ber::INTEGER, 9),
            ber::leaf(TagClass::Context, 1, *b"m"),
        ]));
        let vlv = || with(VLV, false, Some(vlv.clone()));
        assert_eq!(code(vec![vlv()], Kind::Search), Some(Code::VirtualListViewError));
        let paged = with(PAGED, false, Some(paged_value(5, b"")));
        let list = vec![vlv(), twice(), paged];
        assert_eq!(code(list, Kind::Search), Some(Code::UnwillingToPerform));
    }
}
