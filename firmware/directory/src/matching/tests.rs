//! What is equal, what comes first, what is a piece.

use proptest::prelude::*;

use super::*;
use crate::schema::attribute;

fn key(name: &str, value: &str) -> Option<Vec<u8>> {
    normalise(attribute(name).unwrap(), value.as_bytes())
}

#[test]
fn equal_and_unequal_values() {
    for (name, left, right, is_equal) in [
        ("cn", "Anna  Weiß ", " anna WEISS", true),
        ("cn", "ﬁ\u{a0}x", "FI X", true),
        ("cn", "A\u{308}", "ä", true),
        ("cn", "a\u{ad}b", "ab", true),
        ("cn", "🄐", "(a)", true),
        ("cn", "Muller", "Müller", false),
        ("cn", "a b", "ab", false),
        ("cn", " ", "  ", true),
        ("mail", "Anna@Office.TEST", "anna@office.test", true),
        ("homeDirectory", "/Home", "/home", false),
        ("telephoneNumber", "+49 30-12", "+493012", true),
        ("telephoneNumber", "+49 30-12", "+49(30)12", false),
        ("x121Address", "1 2", "12", true),
        ("uidNumber", "12", "12", true),
        ("member", "CN=A, dc=X", "cn=a,DC=x", true),
        ("uniqueMember", "cn=A#'01'B", "CN=a#'01'B", true),
        ("uniqueMember", "cn=A#'01'B", "CN=a#'00'B", false),
        ("postalAddress", "A  b $ C", "a b$c", true),
        ("postalAddress", "ab$c", "a$bc", false),
        ("objectClass", "person", "2.5.6.6", true),
        ("objectClass", "PERSON", "person", true),
        ("createTimestamp", "20260101000000Z", "202601010100+0100", true),
        ("createTimestamp", "20260101003000Z", "2026010100.5Z", true),
        ("createTimestamp", "20260101000000.50Z", "20260101000000,5Z", true),
        ("createTimestamp", "20260101000000Z", "20260101000001Z", false),
        (
            "entryUUID",
            "597AE2F6-16a6-1027-98f4-d28b5365dc14",
            "597ae2f6-16a6-1027-98f4-d28b5365dc14",
            true,
        ),
        ("hasSubordinates", "TRUE", "TRUE", true),
        ("userPassword", "a", "A", false),
        ("attributeTypes", "( 2.5.4.3 NAME 'cn' )", "cn", true),
        ("x500UniqueIdentifier", "'01'B", "'01'B", true),
    ] {
        let (left, right) = (key(name, left), key(name, right));
        assert!(left.is_some() && right.is_some(), "{name}");
        assert_eq!(left == right, is_equal, "{name}: {left:?} {right:?}");
    }
}

#[test]
fn what_no_rule_can_look_at() {
    for (name, value) in [
        ("mail", "ä"),
        ("uidNumber", "012"),
        ("member", "a"),
        ("createTimestamp", "2026"),
        ("createTimestamp", "20260230000000Z"),
        ("hasSubordinates", "true"),
        ("objectClass", "no such class"),
        ("objectClass", "nonsense"),
        ("jpegPhoto", "a"),
        ("entryUUID", "a"),
    ] {
        assert_eq!(key(name, value), None, "{name} {value}");
    }
    assert_eq!(normalise(attribute("cn").unwrap(), &[0xff]), None);
    assert_eq!(identity(attribute("jpegPhoto").unwrap(), &[0xff]), [0xff]);
}

#[test]
fn times_are_carried_over() {
    for (value, expected) in [
        ("20251231233000-0100", "20260101003000"),
        ("20240229120000Z", "20240229120000"),
        ("20240301003000+0100", "20240229233000"),
        ("20251231235960Z", "20260101000000"),
        ("2026010100.25Z", "20260101001500"),
        ("202601010000.5Z", "20260101000030"),
        ("19000228235959.9999999999Z", "19000228235959.999999999"),
    ] {
        let key = time::key(value.as_bytes()).map(|key| String::from_utf8(key).unwrap());
        assert_eq!(key.as_deref(), Some(expected), "{value}");
    }
    for value in [
        "19000229000000Z",
        "20260101000000",
        "20260101240000Z",
        "20260101000000.Z",
        "00000101000000+2300",
    ] {
        assert_eq!(time::key(value.as_bytes()), None, "{value}");
    }
}

/// As slapd 2.5 answers them for the value `  two   words  `.
#[test]
fn pieces_of_a_value() {
    let text = |form: Form, initial: &str, any: &[&str], last: &str, value: &str| {
        let any: Vec<Vec<u8>> = any.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        let some = |text: &'static str| (!text.is_empty()).then_some(text.as_bytes());
        let (initial, last) = (initial.to_owned().leak(), last.to_owned().leak());
        let pattern = Pattern::new(form, some(initial), &any, some(last)).unwrap();
        pattern.matches(&form.key(value.as_bytes()).unwrap())
    };
    for (initial, any, last, matches) in [
        ("two", vec![], "", true),
        ("two ", vec![], "", true),
        ("two ", vec![], "words", true),
        (" two", vec![], "", true),
        ("", vec![" "], "", true),
        ("", vec!["o  w"], "", true),
        ("two ", vec![], " words", false),
        ("two", vec![], "  words", true),
        ("", vec![], "words ", true),
        ("", vec!["O", "O"], "", true),
        ("", vec!["words", "two"], "", false),
        ("two words", vec!["s"], "", false),
        ("tw", vec![], "wo words", false),
    ] {
        let found = text(Form::CaseIgnore, initial, &any, last, "  two   words  ");
        assert_eq!(found, matches, "{initial}*{any:?}*{last}");
    }
    assert!(text(Form::Telephone, "+493", &[], "", "+49 30 1-2"));
    assert!(text(Form::Telephone, "", &["0-12"], "", "+49 30 1-2"));
    assert!(text(Form::CaseIgnoreList, "", &["B$c"], "", "a b$C"));
    assert!(Pattern::new(Form::Dn, Some(b"cn=a"), &[], None).is_none());
}

#[test]
fn approximately() {
    let matches = |asserted: &str, value: &str| {
        approx::Approx::new(asserted.as_bytes()).unwrap().matches(value.as_bytes())
    };
    assert!(matches("mueller", "Anna Müller"));
    assert!(matches("muller", "Anna Müller"));
    assert!(matches("Weiss", "Weiß"));
    assert!(matches("anna muller", "Anna Maria Müller-Weiß"));
    assert!(!matches("muller anna", "Anna Müller"));
    assert!(!matches("mull", "Müller"));
    assert!(approx::Approx::new(b" - ").is_none());
}

#[test]
fn rules_are_found_by_name_and_number() {
    assert_eq!(rules::named("CASEIGNOREMATCH"), Some(&rules::CASE_IGNORE));
    assert_eq!(rules::named("2.5.13.5"), Some(&rules::CASE_EXACT));
    assert_eq!(rules::named("1.2.840.113556.1.4.803"), None);
    assert!(rules::CASE_EXACT.applies_to(attribute("cn").unwrap()));
    assert!(!rules::INTEGER.applies_to(attribute("cn").unwrap()));
}

proptest! {
    #[test]
    fn keys_of_numbers_order_as_the_numbers_do(a in any::<i64>(), b in any::<i64>()) {
        let key = |number: i64| key("uidNumber", &number.to_string()).unwrap();
        prop_assert_eq!(a.cmp(&b), key(a).cmp(&key(b)));
    }

    #[test]
    fn a_key_is_its_own_key(text in "\\PC{0,20}") {
        if let Some(once) = key("cn", &text) {
            prop_assert_eq!(normalise(attribute("cn").unwrap(), &once), Some(once));
        }
    }

    #[test]
    fn a_piece_of_a_value_is_found(words in prop::collection::vec("[a-zA-Zä]{1,5}", 1..4)) {
        let value = words.join("  ");
        let pattern = Pattern::new(
            Form::CaseIgnore, Some(words[0].as_bytes()), &words[1..].iter().map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>(), None,
        ).unwrap();
        prop_assert!(pattern.matches(&Form::CaseIgnore.key(value.as_bytes()).unwrap()));
    }
}
