//! What slapd 2.5 (Debian) says to the same entries and changes.

use crate::*;

fn entry(lines: &str) -> (Dn, Attributes) {
    let mut lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    let dn = Dn::parse(lines.next().unwrap()).unwrap();
    let mut attributes = Attributes::new();
    for (name, value) in lines.map(|line| line.split_once(":").unwrap()) {
        let key = schema::key(name).unwrap_or_else(|| name.to_owned());
        attributes
            .entry(key)
            .or_default()
            .push(value.strip_prefix(' ').unwrap_or(value).as_bytes().to_vec());
    }
    (dn, attributes)
}

/// As an add request is checked.
fn add(lines: &str) -> Result<(), (u32, String)> {
    let (dn, mut attributes) = entry(lines);
    let checked = validate_new(&dn, &mut attributes);
    checked.map_err(|refusal| (refusal.code.number(), refusal.text))
}

#[test]
fn entries_that_slapd_takes() {
    for lines in [
        "cn=t1\nobjectClass: inetOrgPerson\ncn: t1\nsn:    two   words  \ntelephoneNumber: +49 30 AbC-4",
        "cn=t2\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\ncn: t2\nsn: x\nuid: t2\nuidNumber: 12\ngidNumber: 12\nhomeDirectory: /x",
        "cn=unlisted\nobjectClass: inetOrgPerson\nsn: y",
        "cn=t21\nobjectClass: inetOrgPerson\ncn: t21\nsn: x\ncn;lang-de: deutsch\ncn;lang-de;x-foo: bar",
        "cn=t22\nobjectClass: device\nobjectClass: extensibleObject\ncn: t22\nmail: a@b",
        "cn=t24\nobjectClass: inetOrgPerson\nsn: x\npostalAddress: a$b$c\npreferredLanguage: de, en;q=0.5",
        "cn=x\nobjectClass: 2.5.6.6\nobjectClass: TOP\ncn: x\nsn: y",
        "cn=g\nobjectClass: groupOfNames\nmember: cn=x",
        "dc=office,dc=test\nobjectClass: organization\nobjectClass: dcObject\no: Office",
    ] {
        assert_eq!(add(lines), Ok(()), "{lines}");
    }
}

/// What the store has written since its first version.
#[test]
fn entries_of_the_store() {
    for lines in [
        "uid=anna,ou=people,dc=office,dc=test\nobjectClass: top\nobjectClass: person\n\
         objectClass: organizationalPerson\nobjectClass: inetOrgPerson\n\
         objectClass: inetLocalMailRecipient\nobjectClass: postroomAccount\nobjectClass: uidObject\n\
         postroomId: 1\nuid: anna\nmail: anna@office.test\nmailLocalAddress: a@office.test\n\
         postroomQuota: 1000\npostroomQuotaMessages: 10\npostroomStatus: active\ncn: Anna Weiß\n\
         sn: Weiß\npostroomRole: admin\npreferredLanguage: de\n\
         userPassword: {ARGON2}$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA\n\
         authPassword: SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5\npostroomForward: x@y.test",
        "cn=info,ou=aliases,dc=office,dc=test\nobjectClass: top\nobjectClass: nisMailAlias\n\
         objectClass: inetLocalMailRecipient\ncn: info\nmail: info@office.test\n\
         mailLocalAddress: info@office.test\nrfc822MailMember: anna@office.test",
        "cn=sales,ou=groups,dc=office,dc=test\nobjectClass: top\nobjectClass: groupOfNames\ncn: Sales\n\
         member: uid=anna,ou=people,dc=office,dc=test",
        "dc=office,dc=test\nobjectClass: top\nobjectClass: domain\nobjectClass: postroomDomain\n\
         dc: office\nassociatedDomain: office.test",
        "ou=people,dc=office,dc=test\nobjectClass: top\nobjectClass: organizationalUnit\nou: people",
        "cn=beamer,ou=resources,dc=office,dc=test\nobjectClass: top\nobjectClass: device\n\
         objectClass: postroomAccount\ncn: beamer\nmail: beamer@office.test",
        "cn=none,ou=groups,dc=office,dc=test\nobjectClass: top\nobjectClass: groupOfNames\nmember: \ncn: none",
    ] {
        let (dn, attributes) = entry(lines);
        assert_eq!(validate(&dn, &attributes), Ok(()), "{lines}");
    }
}

const REFUSED_ENTRIES: &[(&str, u32, &str)] = &[
    ("cn=t3\nobjectClass: posixAccount\nuid: t2", 65, "no structural object class provided"),
    (
        "cn=t4\nobjectClass: posixAccount\nobjectClass: device\nuidNumber: 012",
        21,
        "uidNumber: value #0 invalid per syntax",
    ),
    (
        "cn=t5\nobjectClass: device\nobjectClass: person\nsn: x",
        65,
        "invalid structural object class chain (device/person)",
    ),
    ("cn=t6\nobjectClass: top", 65, "no structural object class provided"),
    ("cn=t7\ncn: t7", 65, "no objectClass attribute"),
    ("cn=t8\nobjectClass: nonsense", 21, "objectClass: value #0 invalid per syntax"),
    ("cn=t9\nobjectClass: device\nsn: x", 65, "attribute 'sn' not allowed"),
    ("cn=t10\nobjectClass: device\nfoo: x", 17, "foo: attribute type undefined"),
    (
        "cn=t11\nobjectClass: posixAccount\nobjectClass: device\nuidNumber: 12\nuidNumber: 13",
        19,
        "uidNumber: multiple values provided",
    ),
    ("cn=t12\nobjectClass: device\ncn: t12\ncn: T12", 20, "cn: value #0 provided more than once"),
    ("cn=t13\nobjectClass: device\ndescription: ", 21, "description: value #0 invalid per syntax"),
    (
        "cn=t27\nobjectClass: device\nobjectClass: extensibleObject\nref: ldap://x",
        65,
        "attribute \"ref\" only allowed in the referral",
    ),
    ("cn=t14\nobjectClass: PERSON", 65, "object class 'person' requires attribute 'sn'"),
    (
        "cn=t15\nobjectClass: device\nentryUUID: d1b9f4e2-0000-0000-0000-000000000000",
        19,
        "entryUUID: no user modification allowed",
    ),
    ("cn=t15\nobjectClass: device\npostroomId: 7", 19, "postroomId: no user modification allowed"),
    ("cn=t16\nobjectClass: device\nseeAlso: bogus", 21, "seeAlso: value #0 invalid per syntax"),
    ("cn=t17\nobjectClass: inetOrgPerson\nsn: x\nmail: ü", 21, "mail: value #0 invalid per syntax"),
    (
        "cn=t19\nobjectClass: inetOrgPerson\nsn: x\nuserCertificate;binary: abc",
        21,
        "userCertificate;binary: value #0 invalid per syntax",
    ),
    ("cn=t20\nobjectClass: inetOrgPerson\nsn: x\ncn;foo: bar", 17, "cn;foo: unrecognized option"),
    (
        "cn=t23\nobjectClass: device\nobjectClass: device",
        20,
        "objectClass: value #0 provided more than once",
    ),
    (
        "serialNumber=t25\nobjectClass: inetOrgPerson\ncn: t25\nsn: x",
        65,
        "attribute 'serialNumber' not allowed",
    ),
    ("cn=t26\nobjectClass: alias\naliasedObjectName: cn=x", 65, "attribute 'cn' not allowed"),
    (
        "cn=g\nobjectClass: groupOfNames",
        65,
        "object class 'groupOfNames' requires attribute 'member'",
    ),
];

#[test]
fn entries_that_slapd_refuses() {
    for (lines, code, text) in REFUSED_ENTRIES {
        assert_eq!(add(lines), Err((*code, (*text).to_owned())), "{lines}");
    }
    let (dn, attributes) = entry("cn=x\nobjectClass: device\ncn: y");
    assert_eq!(validate(&dn, &attributes).unwrap_err().code, Code::NamingViolation);
}

#[test]
fn entries_are_bounded() {
    let (dn, mut attributes) = entry("cn=x\nobjectClass: device\ncn: x");
    let values = |n: usize| (0..n).map(|n| format!("v{n}").into_bytes()).collect::<Vec<_>>();
    attributes.insert("description".into(), values(20_000));
    assert_eq!(validate(&dn, &attributes), Ok(()));
    attributes.insert("description".into(), values(20_001));
    assert_eq!(validate(&dn, &attributes).unwrap_err().code, Code::AdminLimitExceeded);
    attributes.insert("description".into(), vec![vec![b'a'; validate::ENTRY_BYTES_MAX]]);
    assert_eq!(validate(&dn, &attributes).unwrap_err().code, Code::AdminLimitExceeded);
}

const M: &str = "cn=m,ou=people,dc=office,dc=test
    objectClass: inetOrgPerson\nobjectClass: posixAccount\ncn: m\nsn: S\nsn: T\nuid: m\nuidNumber: 5
    gidNumber: 9223372036854775807\nhomeDirectory: /x\nmail: a@b\nmail: b@b\njpegPhoto: AAA
    facsimileTelephoneNumber: 1";

/// `add mail a@b` and the like, parted by `;`.
fn changes(text: &str) -> Vec<Modification> {
    let change = |text: &str| {
        let mut words = text.trim().splitn(3, ' ').map(str::to_owned);
        let (operation, name) = (words.next().unwrap(), words.next().unwrap());
        let values = words.next().unwrap_or_default();
        let values: Vec<Vec<u8>> =
            values.split_terminator(' ').map(|v| v.as_bytes().to_vec()).collect();
        match operation.as_str() {
            "add" => Modification::Add { name, values },
            "delete" => Modification::Delete { name, values },
            "replace" => Modification::Replace { name, values },
            _ => Modification::Increment { name, values },
        }
    };
    text.split(" | ").map(change).collect()
}

fn change(text: &str) -> Result<Attributes, (u32, String)> {
    let (dn, before) = entry(M);
    let mut after = before.clone();
    let changed = modify(&mut after, &changes(text));
    if changed.is_err() {
        assert_eq!(after, before, "{text}");
    }
    let changed = changed.and_then(|()| validate_change(&dn, &before, &after));
    changed.map(|()| after).map_err(|refusal| (refusal.code.number(), refusal.text))
}

const REFUSED_CHANGES: &[(&str, u32, &str)] = &[
    ("add mail A@B", 20, "modify/add: mail: value #0 already exists"),
    ("add mail c@b C@B", 20, "mail: value #0 provided more than once"),
    ("add foo x", 17, "foo: attribute type undefined"),
    ("add mail", 2, "modify/add operation requires values"),
    ("delete mail zz@b", 16, "modify/delete: mail: no such value"),
    ("delete description", 16, "modify/delete: description: no such attribute"),
    ("delete description x", 16, "modify/delete: description: no such attribute"),
    ("replace mail x@b X@b", 20, "mail: value #0 provided more than once"),
    ("delete cn m", 64, "naming attribute 'cn' is not present in entry"),
    ("replace cn other", 64, "value of naming attribute 'cn' is not present in entry"),
    ("delete sn", 65, "object class 'inetOrgPerson' requires attribute 'sn'"),
    ("replace uidNumber 6 7", 19, "uidNumber: multiple values provided"),
    ("add uidNumber 7", 19, "attribute 'uidNumber' cannot have multiple values"),
    ("increment uidNumber 3 4", 2, "modify/increment operation requires single value"),
    ("increment cn;foo 1 2", 2, "modify/increment operation requires single value"),
    ("add jpegPhoto BBB", 18, "modify/add: jpegPhoto: no equality matching rule"),
    ("replace displayName a a", 19, "displayName: multiple values provided"),
    ("replace entryUUID x | add mail ü", 21, "entryUUID: value #0 invalid per syntax"),
    (
        "replace createTimestamp 20260101000000Z | add mail ü",
        21,
        "mail: value #0 invalid per syntax",
    ),
    ("add mail ü | add mail", 2, "modify/add operation requires values"),
    ("increment uidNumber x", 21, "uidNumber: value #0 invalid per syntax"),
    ("increment sn 1", 19, "sn: attribute syntax inappropriate for increment"),
    ("increment shadowMin 1", 16, "modify/increment: shadowMin: no such attribute"),
    (
        "increment gidNumber 99999999999999999999999",
        21,
        "modify/increment: invalid syntax of increment",
    ),
    // slapd runs over here.
    ("increment gidNumber 1", 19, "modify/increment: gidNumber: the sum is out of range"),
    (
        "replace entryUUID d1b9f4e2-0000-0000-0000-000000000000",
        19,
        "entryUUID: no user modification allowed",
    ),
    (
        "replace structuralObjectClass device",
        19,
        "structuralObjectClass: no user modification allowed",
    ),
    (
        "replace objectClass device",
        69,
        "structural object class modification from 'inetOrgPerson' to 'device' not allowed",
    ),
    (
        "replace objectClass person posixAccount",
        69,
        "structural object class modification from 'inetOrgPerson' to 'person' not allowed",
    ),
    ("add objectClass device", 65, "invalid structural object class chain (inetOrgPerson/device)"),
    ("add objectClass nonsense", 21, "objectClass: value #0 invalid per syntax"),
    ("delete objectClass", 65, "no objectClass attribute"),
    ("delete objectClass inetOrgPerson", 65, "no structural object class provided"),
    ("add objectClass POSIXACCOUNT", 20, "modify/add: objectClass: value #0 already exists"),
    ("add mail ü", 21, "mail: value #0 invalid per syntax"),
    ("delete mail ü", 21, "mail: value #0 invalid per syntax"),
    (
        "delete facsimileTelephoneNumber 1",
        18,
        "modify/delete: facsimileTelephoneNumber: no equality matching rule",
    ),
    ("delete jpegPhoto AAA", 18, "modify/delete: jpegPhoto: no equality matching rule"),
    ("add c DE", 65, "attribute 'c' not allowed"),
    ("add description x | delete description y", 16, "modify/delete: description: no such value"),
    ("replace jpegPhoto A A", 20, "jpegPhoto: value #0 provided more than once"),
    ("add memberUid a", 65, "attribute 'memberUid' not allowed"),
    ("delete foo", 17, "foo: attribute type undefined"),
];

#[test]
fn changes_that_slapd_refuses() {
    for (text, code, words) in REFUSED_CHANGES {
        assert_eq!(change(text), Err((*code, (*words).to_owned())), "{text}");
    }
    // The first attribute that slapd names is the first of the entry; here it is the first of the alphabet.
    let refused = change("delete objectClass posixAccount").unwrap_err();
    assert_eq!(refused, (65, "attribute 'gidNumber' not allowed".to_owned()));
}

#[test]
fn changes_that_slapd_makes() {
    let values = |attributes: &Attributes, key: &str| -> Vec<String> {
        let values = attributes.get(key).cloned().unwrap_or_default();
        values.into_iter().map(|value| String::from_utf8(value).unwrap()).collect()
    };
    for (text, key, expected) in [
        ("delete mail a@b A@b", "mail", vec!["b@b"]),
        ("delete mail a@b | add mail A@b", "mail", vec!["b@b", "A@b"]),
        ("replace description", "description", vec![]),
        ("replace mail", "mail", vec![]),
        ("increment uidNumber 3", "uidnumber", vec!["8"]),
        ("increment uidNumber -7", "uidnumber", vec!["-2"]),
        (
            "add objectClass organizationalPerson top",
            "objectclass",
            vec!["inetOrgPerson", "posixAccount", "organizationalPerson", "top"],
        ),
        ("add cn;lang-de x", "cn;lang-de", vec!["x"]),
        ("add cn;lang-de x | delete cn;lang-de", "cn;lang-de", vec![]),
        ("replace uidNumber 7", "uidnumber", vec!["7"]),
        ("add Surname U", "sn", vec!["S", "T", "U"]),
    ] {
        let after = change(text).unwrap_or_else(|refused| panic!("{text}: {refused:?}"));
        assert_eq!(values(&after, key), expected, "{text}");
        assert!(after.values().all(|values| !values.is_empty()));
    }
}

#[test]
fn a_new_rdn_brings_its_values() {
    let (_, before) = entry(M);
    let (old, new) = (Rdn::parse("cn=m").unwrap(), Rdn::parse("uid=M+cn=n").unwrap());
    let mut after = before.clone();
    rename(&mut after, &old, &new, false);
    assert_eq!(after["cn"], [b"m".to_vec(), b"n".to_vec()]);
    assert_eq!(after["uid"], [b"m".to_vec()]);
    let mut after = before.clone();
    rename(&mut after, &old, &new, true);
    assert_eq!(after["cn"], [b"n".to_vec()]);
    let mut after = before;
    rename(&mut after, &old, &Rdn::parse("uid=m").unwrap(), true);
    assert!(!after.contains_key("cn"));
}
