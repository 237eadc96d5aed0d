//! Names in all their spellings, and that none of them is another.

use proptest::prelude::*;

use super::*;

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap_or_else(|refusal| panic!("{text:?}: {refusal}"))
}

#[test]
fn spellings_of_one_name() {
    for (written, shown, normal) in [
        ("", "", ""),
        ("CN=Anna  Weiss,OU=People", "cn=Anna  Weiss,ou=People", "cn=anna weiss,ou=people"),
        (" cn = a , dc=X ", "cn=a,dc=X", "cn=a,dc=x"),
        ("commonName=a;2.5.4.11=b", "cn=a,ou=b", "cn=a,ou=b"),
        ("cn=\"a,b\" ,dc=x", "cn=a\\2Cb,dc=x", "cn=a\\2Cb,dc=x"),
        ("cn=a\\,b", "cn=a\\2Cb", "cn=a\\2Cb"),
        ("cn=a\\2cb", "cn=a\\2Cb", "cn=a\\2Cb"),
        ("cn=\\ a\\ ", "cn=\\20a\\20", "cn=a"),
        ("cn=\\#a", "cn=\\23a", "cn=\\23a"),
        ("cn=#0C0161", "cn=a", "cn=a"),
        ("cn=a#b", "cn=a#b", "cn=a#b"),
        ("cn=a=b", "cn=a\\3Db", "cn=a\\3Db"),
        ("cn=\\C3\\84rger", "cn=Ärger", "cn=ärger"),
        ("uid=b+cn=a", "uid=b+cn=a", "cn=a+uid=b"),
        ("cn=\\+\\\"\\;\\<\\>\\\\", "cn=\\2B\\22\\3B\\3C\\3E\\5C", "cn=\\2B\\22\\3B\\3C\\3E\\5C"),
        ("cn=a\\0Ab", "cn=a\\0Ab", "cn=a b"),
        ("uidNumber=12", "uidNumber=12", "uidnumber=12"),
        ("member=CN\\=A\\,dc\\=X", "member=CN\\3DA\\2Cdc\\3DX", "member=cn\\3Da\\2Cdc\\3Dx"),
        ("cn;lang-de=a", "cn=a", "cn=a"),
        ("cn=\\C2\\AD", "cn=\u{ad}", "cn=\\20"),
        ("mail=", "mail=", "mail=\\20"),
        ("telephoneNumber=\\+49 1-2", "telephoneNumber=\\2B49 1-2", "telephonenumber=\\2B4912"),
        (
            "createTimestamp=202601010100\\+0100",
            "createTimestamp=202601010100\\2B0100",
            "createtimestamp=20260101000000Z",
        ),
    ] {
        assert_eq!(dn(written).as_text(), shown, "{written}");
        assert_eq!(dn(written).normalised(), normal, "{written}");
        assert_eq!(dn(written), dn(shown), "{written}");
        assert_eq!(dn(written), dn(normal), "{written}");
        assert_eq!(dn(written).key(), dn(normal).key(), "{written}");
    }
}

/// Each of them is refused by slapd 2.5 too.
#[test]
fn what_is_no_name() {
    for text in [
        "foo=bar",
        "cn=",
        "cn",
        "=a",
        "cn=a,",
        ",cn=a",
        "cn=a,,dc=x",
        "dc=ä,dc=test",
        "cn=a\\",
        "cn=a\\zz",
        "c=Deutschland",
        "cn=  ",
        "uidNumber=07",
        "cn=\"a\"b",
        "cn=a\"b",
        "cn=a<b",
        "cn=#zz",
        "cn=#0403",
        "objectClass=foo",
        "member=zz",
        "userCertificate=x",
        "cn=a+cn=b",
        "cn=;x",
        "cn=\"a",
        "cn=a+",
        "cn=\\FF",
    ] {
        let refusal = Dn::parse(text).expect_err(text);
        assert_eq!(refusal.code, Code::InvalidDnSyntax, "{text}");
    }
}

#[test]
fn names_are_bounded() {
    let text = |n| vec!["cn=a"; n].join(",");
    assert_eq!(dn(&text(64)).len(), 64);
    assert!(Dn::parse(&text(65)).is_err());
    assert!(Dn::parse(&format!("cn={}", "a".repeat(8 * 1024))).is_err());
    // A name in a name in a name ends.
    let nested = format!("{}cn\\3Da", "member=".repeat(1_000));
    assert_eq!(dn(&nested), dn(&nested.to_uppercase()));
}

#[test]
fn parents_children_and_subtrees() {
    let base = dn("dc=office,dc=test");
    let people = base.child(Rdn::new("ou", "People").unwrap());
    let anna = people.child(Rdn::parse("uid=anna").unwrap());
    assert_eq!(anna.as_text(), "uid=anna,ou=People,dc=office,dc=test");
    assert_eq!(anna.parent().unwrap(), people);
    assert!(anna.is_under(&base) && anna.is_under(&anna) && !base.is_under(&anna));
    assert!(anna.is_under(&Dn::root()));
    assert!(anna.key().starts_with(&people.key()) && base.key().starts_with(&Dn::root().key()));
    // `dc=test` is not the beginning of `dc=test2`.
    assert!(!dn("dc=a,dc=test2").key().starts_with(&dn("dc=test").key()));
    assert_eq!(Dn::root().parent(), None);
    assert_eq!(Dn::root().rdn(), None);
    let moved = anna.moved(&people, &dn("ou=old,dc=x")).unwrap();
    assert_eq!(moved.as_text(), "uid=anna,ou=old,dc=x");
    assert_eq!(anna.moved(&dn("dc=x"), &base), None);
    assert!(anna.rdn().unwrap().has(schema::attribute("uid").unwrap(), b"ANNA"));
    assert!(Rdn::parse("cn=a,cn=b").is_err() && Rdn::parse("").is_err());
    assert!(Rdn::new("nonsense", "a").is_err());
}

#[test]
fn zero_and_one_bytes_do_not_end_a_step() {
    let (zero, one) = (dn("userPassword=a\\00b"), dn("userPassword=a\\01b"));
    assert_ne!(zero.key(), one.key());
    assert_eq!(zero.key().iter().filter(|c| **c == 0).count(), 1);
    assert_ne!(dn("cn=a+sn=b").key(), dn("cn=a\\01\\03sn\\3Db").key());
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z äß,+\"\\\\<>;=#]{1,12}",
        "\\PC{1,8}",
        any::<String>().prop_filter("no empty one", |text| !text.is_empty()),
    ]
}

fn name() -> impl Strategy<Value = Dn> {
    let rdn = (prop::sample::select(vec!["cn", "sn", "ou", "description"]), value());
    prop::collection::vec(rdn, 0..5).prop_filter_map("a name", |parts| {
        parts
            .into_iter()
            .try_fold(Dn::root(), |dn, (name, value)| Some(dn.child(Rdn::new(name, value).ok()?)))
    })
}

proptest! {
    #[test]
    fn a_name_comes_back_from_its_text(dn in name()) {
        let text = dn.as_text();
        let again = Dn::parse(&text).unwrap();
        prop_assert_eq!(&again, &dn);
        prop_assert_eq!(again.as_text(), text);
        let values = |dn: &Dn| -> Vec<Vec<u8>> { dn.rdns().iter().map(|rdn| rdn.avas()[0].value().to_vec()).collect() };
        prop_assert_eq!(values(&again), values(&dn));
    }

    #[test]
    fn keys_tell_names_apart(a in name(), b in name()) {
        prop_assert_eq!(a == b, a.key() == b.key());
        prop_assert_eq!(a == b, a.normalised() == b.normalised());
        prop_assert_eq!(a.is_under(&b), a.key().starts_with(&b.key()));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Ok(dn) = Dn::parse(&text) {
            prop_assert_eq!(Dn::parse(&dn.as_text()).unwrap(), dn);
        }
    }
}
