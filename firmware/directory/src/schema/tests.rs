//! The tables are whole: every name leads somewhere, once.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_name_and_number_is_used_once() {
    let mut seen = BTreeSet::new();
    for attribute in attributes() {
        for name in attribute.names {
            assert!(seen.insert(name.to_ascii_lowercase()), "{name}");
            assert!(is_oid(name.as_bytes()), "{name}");
        }
        assert!(seen.insert(attribute.oid.to_owned()), "{}", attribute.oid);
    }
    let mut seen = BTreeSet::new();
    for class in classes() {
        for name in class.names {
            assert!(seen.insert(name.to_ascii_lowercase()), "{name}");
        }
        assert!(seen.insert(class.oid.to_owned()), "{}", class.oid);
    }
}

#[test]
fn what_a_definition_names_is_there() {
    for attribute in attributes() {
        if let Some(sup) = attribute.sup {
            let sup = super::attribute(sup).unwrap();
            assert!(attribute.is_under(sup));
            assert_eq!(attribute.usage, sup.usage);
        }
        assert!(subtypes(attribute).contains(&attribute));
        assert!(!attribute.is_fixed || attribute.is_operational(), "{}", attribute.name());
    }
    for class in classes() {
        for name in class.must.iter().chain(class.may) {
            let found = attribute(name).unwrap_or_else(|| panic!("{name} of {}", class.name()));
            assert_eq!(found.name(), *name, "{}", class.name());
        }
        for sup in class.sups {
            assert!(class.is_under(super::class(sup).unwrap()));
        }
        assert!(class.is_under(super::class("top").unwrap()));
    }
}

#[test]
fn no_number_is_of_active_directory() {
    let oids = attributes().map(|a| a.oid).chain(classes().map(|c| c.oid));
    assert_eq!(oids.filter(|oid| oid.starts_with("1.2.840.113556")).count(), 0);
}

#[test]
fn names_are_found_in_any_spelling() {
    assert_eq!(attribute("COMMONNAME").unwrap().key(), "cn");
    assert_eq!(attribute("2.5.4.3").unwrap().key(), "cn");
    assert_eq!(attribute("cn;lang-de").unwrap().key(), "cn");
    assert_eq!(attribute("nonsense"), None);
    assert_eq!(class("INETORGPERSON").unwrap().name(), "inetOrgPerson");
    assert_eq!(key("Fax").unwrap(), "facsimiletelephonenumber");
    assert_eq!(key("CN;x-B;LANG-de;x-b").unwrap(), "cn;lang-de;x-b");
    assert_eq!(key("userCertificate").unwrap(), "usercertificate;binary");
    assert_eq!(key("cn;foo"), None);
    assert_eq!(key("cn;"), None);
}

#[test]
fn a_description_covers_subtypes_and_further_options() {
    let covers = |of: &str, key: &str| Description::parse(of).unwrap().covers(key);
    assert!(covers("name", "cn"));
    assert!(covers("cn", "cn;lang-de"));
    assert!(covers("name;lang-de", "sn;lang-de;x-a"));
    assert!(!covers("cn;lang-de", "cn"));
    assert!(!covers("cn", "sn"));
    assert!(!covers("cn", "name"));
}

#[test]
fn classes_know_their_ancestors() {
    let names: Vec<_> =
        class("inetOrgPerson").unwrap().chain().iter().map(|class| class.name()).collect();
    assert_eq!(names, ["inetOrgPerson", "organizationalPerson", "person", "top"]);
}

#[test]
fn syntaxes_take_what_they_should() {
    for (syntax, good, bad) in [
        (Syntax::Integer, vec!["0", "-1", "12"], vec!["", "-", "-0", "012", "1a", "+1"]),
        (Syntax::Boolean, vec!["TRUE", "FALSE"], vec!["true", "", "1"]),
        (Syntax::DirectoryString, vec!["ä", " "], vec![""]),
        (Syntax::Ia5String, vec!["a@b", ""], vec!["ä"]),
        (Syntax::TelephoneNumber, vec!["+49 (30) 1-2/3"], vec!["", "ä", "1;2", "#1"]),
        (Syntax::NumericString, vec!["1 2"], vec!["", "1a"]),
        (Syntax::CountryString, vec!["DE"], vec!["D", "DEU", "ä", " 0"]),
        (Syntax::Dn, vec!["", "cn=a"], vec!["a", "foo=bar"]),
        (Syntax::NameAndOptionalUid, vec!["cn=a", "cn=a#'01'B"], vec!["a#'01'B"]),
        (Syntax::BitString, vec!["'01'B", "''B"], vec!["01", "'2'B", "'01'"]),
        (Syntax::Oid, vec!["2.5.4.3", "cn"], vec!["", "2..5", "a_b", "2.5."]),
        (Syntax::GeneralizedTime, vec!["20260101000000Z"], vec!["2026", "20261301000000Z"]),
        (Syntax::Uuid, vec!["597ae2f6-16a6-1027-98f4-d28b5365dc14"], vec!["597ae2f6"]),
    ] {
        for value in good {
            assert!(syntax.accepts(value.as_bytes()), "{syntax:?} {value:?}");
        }
        for value in bad {
            assert!(!syntax.accepts(value.as_bytes()), "{syntax:?} {value:?}");
        }
    }
    assert!(Syntax::Certificate.accepts(&[0x30, 0x01, 0x00]));
    assert!(Syntax::Certificate.accepts(&[0x30, 0x81, 0x01, 0x00]));
    assert!(!Syntax::Certificate.accepts(&[0x30, 0x02, 0x00]));
    assert!(!Syntax::Certificate.accepts(b"0"));
}

#[test]
fn the_subschema_says_it_in_the_words_of_the_standard() {
    let subschema = subschema();
    let has = |key: &str, text: &str| {
        let values = subschema.get(key).unwrap();
        assert!(values.iter().any(|value| value == text.as_bytes()), "{text}");
    };
    has("attributetypes", "( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )");
    has(
        "attributetypes",
        "( 2.5.4.6 NAME ( 'c' 'countryName' ) SUP name SYNTAX 1.3.6.1.4.1.1466.115.121.1.11 SINGLE-VALUE )",
    );
    has(
        "attributetypes",
        "( 2.5.18.1 NAME 'createTimestamp' EQUALITY generalizedTimeMatch ORDERING \
         generalizedTimeOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE \
         NO-USER-MODIFICATION USAGE directoryOperation )",
    );
    has("objectclasses", "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )");
    has("objectclasses", "( 1.3.6.1.1.3.1 NAME 'uidObject' SUP top AUXILIARY MUST uid )");
    has(
        "matchingrules",
        "( 2.5.13.2 NAME 'caseIgnoreMatch' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
    );
    has(
        "ldapsyntaxes",
        "( 1.3.6.1.4.1.1466.115.121.1.8 DESC 'Certificate' X-BINARY-TRANSFER-REQUIRED 'TRUE' \
         X-NOT-HUMAN-READABLE 'TRUE' )",
    );
    assert_eq!(subschema["attributetypes"].len(), attributes().count());
    // It is an entry like any other.
    let dn = crate::Dn::parse("cn=Subschema").unwrap();
    assert_eq!(crate::validate(&dn, subschema), Ok(()));
}

/// What is named is defined: rules and syntaxes too.
#[test]
fn rules_and_syntaxes_are_listed() {
    use crate::matching::rules;
    let mut seen = BTreeSet::new();
    for rule in rules::ALL {
        assert!(seen.insert(rule.oid) && seen.insert(rule.name), "{}", rule.name);
        assert_eq!(rules::named(rule.name), Some(*rule));
    }
    for attribute in attributes() {
        for rule in
            [attribute.equality, attribute.ordering, attribute.substrings].into_iter().flatten()
        {
            assert!(
                rules::ALL.contains(&rule) && rule.applies_to(attribute),
                "{}",
                attribute.name()
            );
        }
    }
    let oids: BTreeSet<_> = Syntax::ALL.iter().map(|syntax| syntax.oid()).collect();
    assert_eq!(oids.len(), Syntax::ALL.len());
}
