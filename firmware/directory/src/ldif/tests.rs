//! LDIF as others write it, and back.

use proptest::prelude::*;

use super::*;

fn one(text: &str) -> Result<Record, String> {
    let mut records = Reader::all(text.as_bytes());
    assert_eq!(records.len(), 1, "{text}");
    records.remove(0).map_err(|error| error.to_string())
}

#[test]
fn entries_as_slapcat_writes_them() {
    let text = "version: 1\n\n# a comment\n#  that\n  is folded\ndn: uid=anna,ou=people,\n dc=office,dc=test\r\n\
                objectClass: inetOrgPerson\ncn:: QW5uYSBXZWnDnw==\nsn:Weiss\ndescription:   two\n    spaces  \n\
                mail;lang-de:\n# in between\nuid: anna\n\n\n\ndn:: b3U9w6Q=\nou:: w6Q=\n";
    let records = Reader::all(text.as_bytes());
    assert_eq!(records.len(), 2);
    let first = records[0].clone().unwrap();
    assert_eq!(
        (first.line, first.dn.as_text().as_str()),
        (6, "uid=anna,ou=people,dc=office,dc=test")
    );
    let Change::Entry { attributes, is_add: false } = first.change else { panic!("{first:?}") };
    let found: Vec<(&str, &str)> = attributes
        .iter()
        .map(|(name, value)| (name.as_str(), std::str::from_utf8(value).unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("objectClass", "inetOrgPerson"),
            ("cn", "Anna Weiß"),
            ("sn", "Weiss"),
            ("description", "two   spaces  "),
            ("mail;lang-de", ""),
            ("uid", "anna"),
        ]
    );
    assert_eq!(super::attributes(&attributes).unwrap()["cn"], ["Anna Weiß".as_bytes()]);
    assert_eq!(records[1].clone().unwrap().dn.as_text(), "ou=ä");
}

#[test]
fn changes() {
    let record = one(
        "dn: cn=a\ncontrol: 1.2.3 true: x\ncontrol: 1.2.4\nchangetype: modify\nadd: mail\nmail: a@b\n\
         Mail: c@d\n-\ndelete: sn\n-\nreplace: cn\ncn: x\n-\nincrement: uidNumber\nuidNumber: 1",
    )
    .unwrap();
    assert_eq!(
        record.controls,
        [
            Control { oid: "1.2.3".into(), is_critical: true, value: Some(b"x".to_vec()) },
            Control { oid: "1.2.4".into(), is_critical: false, value: None },
        ]
    );
    let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    assert_eq!(
        record.change,
        Change::Modify(vec![
            Modification::Add { name: "mail".into(), values: bytes(&["a@b", "c@d"]) },
            Modification::Delete { name: "sn".into(), values: vec![] },
            Modification::Replace { name: "cn".into(), values: bytes(&["x"]) },
            Modification::Increment { name: "uidNumber".into(), values: bytes(&["1"]) },
        ])
    );
    assert_eq!(one("dn: cn=a\nchangetype: delete\n").unwrap().change, Change::Delete);
    let moved =
        one("dn: cn=a\nchangetype: moddn\nnewrdn: cn=b\ndeleteoldrdn: 1\nnewsuperior: dc=x\n");
    assert_eq!(
        moved.unwrap().change,
        Change::Rename {
            rdn: Rdn::parse("cn=b").unwrap(),
            deletes_old: true,
            superior: Some(Dn::parse("dc=x").unwrap()),
        }
    );
    let added = one("dn: cn=a\nchangetype: add\ncn: a\n").unwrap().change;
    assert!(matches!(added, Change::Entry { is_add: true, .. }));
}

#[test]
fn what_is_no_record() {
    for (text, expected) in [
        ("cn: a\n", "line 1: a record begins with `dn:`"),
        ("dn: cn=a\n", "line 1: a record without attributes"),
        ("dn: nonsense\ncn: a\n", "line 1: invalid DN"),
        ("dn: cn=a\ncn\n", "line 2: a line is `name: value`"),
        ("dn: cn=a\nc n: a\n", "line 2: a line is `name: value`"),
        ("dn: cn=a\ncn:: &&&\n", "line 2: the value is no base64"),
        (
            "dn: cn=a\njpegPhoto:< file:///etc/shadow\n",
            "line 2: values are not fetched from elsewhere",
        ),
        (" folded\n", "line 1: a line is `name: value`"),
        ("version: 2\ndn: cn=a\ncn: a\n", "line 1: only version 1 of LDIF is known"),
        ("dn: cn=a\nchangetype: nonsense\n", "line 2: no such kind of change"),
        ("dn: cn=a\nchangetype: add\n", "line 2: a record without attributes"),
        ("dn: cn=a\nchangetype: delete\ncn: a\n", "line 3: nothing stands in a deletion"),
        (
            "dn: cn=a\nchangetype: modify\nfoo: cn\n",
            "line 3: a change is add, delete, replace or increment",
        ),
        ("dn: cn=a\nchangetype: modify\nadd: cn\nsn: x\n", "line 4: a value of cn belongs here"),
        ("dn: cn=a\nchangetype: modrdn\nnewrdn: x\ndeleteoldrdn: 1\n", "line 3: invalid new RDN"),
        (
            "dn: cn=a\nchangetype: modrdn\nnewrdn: cn=x\ndeleteoldrdn: 2\n",
            "line 4: deleteoldrdn is 0 or 1",
        ),
        (
            "dn: cn=a\nchangetype: modrdn\nnewrdn: cn=x\n",
            "line 2: a new name is newrdn, deleteoldrdn and perhaps newsuperior",
        ),
        ("dn: cn=a\ncontrol: x y\ncn: a\n", "line 2: a control is `OID true: value`"),
    ] {
        assert_eq!(one(text), Err(expected.to_owned()), "{text}");
    }
    assert!(Reader::all(b"").is_empty());
    assert!(Reader::all(b"version: 1\n").is_empty());
    assert!(Reader::all(b"\n\n# nothing\n\n").is_empty());
}

/// The rest of the text is read all the same.
#[test]
fn a_bad_or_too_large_record_is_one() {
    let records = Reader::all(b"dn: cn=a\ncn: a\n\nnonsense\n\ndn: cn=b\ncn: b\n");
    assert_eq!(records.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let mut reader = Reader::new();
    let mut records = reader.push(b"dn: cn=a\ncn: a\njpegPhoto: ");
    for _ in 0..20 {
        records.extend(reader.push(&vec![b'a'; 1024 * 1024]));
    }
    records.extend(reader.push(b"\nsn: x\n\ndn: cn=b\ncn: b\n\n"));
    assert_eq!(records.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
    assert_eq!(records[0].as_ref().unwrap_err().line, 3);
}

#[test]
fn an_entry_is_written_for_everybody() {
    let attributes = Attributes::from([
        ("cn".to_owned(), vec![b"Anna Wei\xc3\x9f".to_vec(), b"plain".to_vec()]),
        (
            "cn;lang-de".to_owned(),
            vec![b" x".to_vec(), b"x ".to_vec(), b":".to_vec(), b"".to_vec()],
        ),
        ("objectclass".to_owned(), vec![b"top".to_vec()]),
        ("telephonenumber".to_owned(), vec!["1".repeat(100).into_bytes()]),
    ]);
    let mut text = String::new();
    write_entry(&mut text, &Dn::parse("CN=Anna\\, A").unwrap(), &attributes);
    let folded = format!("telephoneNumber: {}\n {}\n\n", "1".repeat(59), "1".repeat(41));
    assert_eq!(
        text,
        format!(
            "dn: cn=Anna\\2C A\nobjectClass: top\ncn:: QW5uYSBXZWnDnw==\ncn: plain\ncn;lang-de:: IHg=\n\
             cn;lang-de:: eCA=\ncn;lang-de:: Og==\ncn;lang-de:\n{folded}"
        )
    );
    let Change::Entry { attributes: pairs, .. } = one(&text).unwrap().change else {
        panic!("{text}")
    };
    assert_eq!(super::attributes(&pairs).unwrap(), attributes);
}

fn record() -> impl Strategy<Value = Record> {
    let name =
        || prop::sample::select(vec!["cn", "sn;lang-de", "jpegPhoto"]).prop_map(str::to_owned);
    let value = || prop::collection::vec(any::<u8>(), 0..120);
    let values = || prop::collection::vec(value(), 0..3);
    let entry = (prop::collection::vec((name(), value()), 1..5), any::<bool>())
        .prop_map(|(attributes, is_add)| Change::Entry { attributes, is_add });
    let change = prop_oneof![
        (name(), values()).prop_map(|(name, values)| Modification::Add { name, values }),
        (name(), values()).prop_map(|(name, values)| Modification::Delete { name, values }),
        (name(), values()).prop_map(|(name, values)| Modification::Replace { name, values }),
        (name(), values()).prop_map(|(name, values)| Modification::Increment { name, values }),
    ];
    let rename = (any::<bool>(), any::<bool>()).prop_map(|(deletes_old, moves)| Change::Rename {
        rdn: Rdn::parse("cn=ä+sn=b").unwrap(),
        deletes_old,
        superior: moves.then(|| Dn::parse("ou=x\\,y,dc=z").unwrap()),
    });
    let change = prop_oneof![
        entry,
        Just(Change::Delete),
        prop::collection::vec(change, 0..3).prop_map(Change::Modify),
        rename,
    ];
    let control = (any::<bool>(), prop::option::of(value()))
        .prop_map(|(is_critical, value)| Control { oid: "1.2.3".into(), is_critical, value });
    (prop::collection::vec(control, 0..2), change).prop_map(|(controls, change)| Record {
        line: 1,
        dn: Dn::parse("cn=ä b,dc=x").unwrap(),
        controls,
        change,
    })
}

proptest! {
    #[test]
    fn a_record_comes_back_from_its_text(record in record(), cut in 0_usize..200) {
        let mut text = String::new();
        write_record(&mut text, &record);
        prop_assert!(text.lines().all(|line| line.len() <= 76));
        let at = cut.min(text.len());
        let mut reader = Reader::new();
        let mut records = reader.push(&text.as_bytes()[..at]);
        records.extend(reader.push(&text.as_bytes()[at..]));
        records.extend(reader.finish());
        prop_assert_eq!(records, [Ok(record)]);
    }

    #[test]
    fn any_text_is_read_or_refused(text in prop::collection::vec(prop::sample::select(b"dn: cn=a\n-:<#\r +".to_vec()), 0..80)) {
        for record in Reader::all(&text).into_iter().flatten() {
            let mut again = String::new();
            write_record(&mut again, &record);
            let read = Reader::all(again.as_bytes());
            prop_assert_eq!(read, [Ok(Record { line: 1, ..record })]);
        }
    }
}
