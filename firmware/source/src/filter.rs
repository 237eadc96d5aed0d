//! Filters as they go on the wire: RFC 4511 §4.5.1.7.

use directory::Filter;
use directory::ber::{leaf, octets, sequence};
use ldap3_lber::common::TagClass;
use ldap3_lber::structure::{PL, StructureTag};

fn node(id: u64, parts: Vec<StructureTag>) -> StructureTag {
    StructureTag { class: TagClass::Context, id, payload: PL::C(parts) }
}

fn assertion(id: u64, attribute: &str, value: &[u8]) -> StructureTag {
    node(id, vec![octets(attribute.as_bytes()), octets(value)])
}

/// The element of a filter; its depth is bounded by [`Filter::check`].
pub(crate) fn tag(filter: &Filter) -> StructureTag {
    let context = |id, bytes: &[u8]| leaf(TagClass::Context, id, bytes);
    match filter {
        Filter::And(inner) => node(0, inner.iter().map(tag).collect()),
        Filter::Or(inner) => node(1, inner.iter().map(tag).collect()),
        Filter::Not(inner) => node(2, vec![tag(inner)]),
        Filter::Equal { attribute, value } => assertion(3, attribute, value),
        Filter::Substrings { attribute, initial, any, last } => {
            let initial = initial.iter().map(|piece| context(0, piece));
            let any = any.iter().map(|piece| context(1, piece));
            let last = last.iter().map(|piece| context(2, piece));
            let pieces = sequence(initial.chain(any).chain(last).collect());
            node(4, vec![octets(attribute.as_bytes()), pieces])
        }
        Filter::AtLeast { attribute, value } => assertion(5, attribute, value),
        Filter::AtMost { attribute, value } => assertion(6, attribute, value),
        Filter::Present(attribute) => context(7, attribute.as_bytes()),
        Filter::Approx { attribute, value } => assertion(8, attribute, value),
        Filter::Extensible { rule, attribute, value, with_dn } => {
            let rule = rule.iter().map(|rule| context(1, rule.as_bytes()));
            let attribute = attribute.iter().map(|name| context(2, name.as_bytes()));
            let value = [context(3, value)];
            let with_dn = with_dn.then(|| context(4, &[0xFF]));
            node(9, rule.chain(attribute).chain(value).chain(with_dn).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_go_out_as_the_standard_has_them() {
        let encode = |text: &str| directory::ber::encode(tag(&Filter::parse(text).unwrap()));
        assert_eq!(encode("(cn=a)"), b"\xa3\x07\x04\x02cn\x04\x01a");
        assert_eq!(encode("(cn=*)"), b"\x87\x02cn");
        assert_eq!(
            encode("(&(cn=a*b)(!(sn=*)))"),
            b"\xa0\x14\xa4\x0c\x04\x02cn0\x06\x80\x01a\x82\x01b\xa2\x04\x87\x02sn"
        );
        assert_eq!(
            encode("(userAccountControl:1.2.3:=2)"),
            b"\xa9\x1e\x81\x051.2.3\x82\x12userAccountControl\x83\x012"
        );
    }
}
