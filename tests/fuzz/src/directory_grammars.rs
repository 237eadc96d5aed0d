//! The directory's grammars: names, filters, LDIF.

use directory::ldif::{self, Change, Reader, Record};
use directory::{Attributes, Code, Dn, Filter, Rdn};

/// An entry with values of every kind of rule.
fn entry() -> (Dn, Attributes) {
    let text = "dn: uid=anna+cn=Anna,ou=people,dc=office,dc=test\n\
        objectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: postroomAccount\n\
        uid: anna\ncn: Anna\ncn;lang-de: Änne\nsn: Weiß\nmail: Anna@office.test\n\
        telephoneNumber: +49 30 1-2\npostalAddress: a$b\nuidNumber: 12\ngidNumber: -3\n\
        homeDirectory: /x\nseeAlso: cn=b,dc=x\njpegPhoto: abc\nuserPassword: secret\n\
        x500UniqueIdentifier: '01'B\ncreateTimestamp: 20260101000000Z\n\
        entryUUID: 597ae2f6-16a6-1027-98f4-d28b5365dc14\n";
    // The fuzzers run in a loop: the text is all ASCII but for these, and always read.
    let record = Reader::all(text.as_bytes()).remove(0).unwrap();
    let Change::Entry { attributes, .. } = record.change else { panic!("an entry") };
    (record.dn, ldif::attributes(&attributes).unwrap())
}

/// Two names, parted by a byte that no text has: their texts and keys tell the same of them.
pub(crate) fn dn(bytes: &[u8]) {
    let mut names = Vec::new();
    for part in bytes.split(|byte| *byte == 0xff).take(3) {
        let Ok(text) = std::str::from_utf8(part) else { continue };
        let dn = match Dn::parse(text) {
            Ok(dn) => dn,
            Err(refusal) => {
                assert_eq!(refusal.code, Code::InvalidDnSyntax);
                continue;
            }
        };
        // Escaping makes three of one: a name at the limit may come back beyond it.
        if dn.as_text().len() <= 8 * 1024 {
            let again = Dn::parse(&dn.as_text()).expect("a name's text is a name");
            assert_eq!(again, dn);
            assert_eq!(again.as_text(), dn.as_text());
        }
        if dn.normalised().len() <= 8 * 1024 {
            let again = Dn::parse(&dn.normalised()).expect("a normal text is a name");
            assert_eq!(again, dn, "{dn} {}", dn.normalised());
            assert_eq!(again.key(), dn.key());
            assert_eq!(again.normalised(), dn.normalised());
        }
        assert_eq!(dn.key().iter().filter(|byte| **byte == 0).count(), dn.len());
        if let (Some(parent), Some(rdn)) = (dn.parent(), dn.rdn()) {
            assert_eq!(parent.child(rdn.clone()), dn);
            assert!(dn.is_under(&parent) && dn.key().starts_with(&parent.key()));
            assert!(rdn.avas().iter().all(|ava| rdn.has(ava.attribute(), ava.value())));
        }
        names.push(dn);
    }
    for (a, b) in names.iter().zip(names.iter().skip(1)) {
        assert_eq!(a == b, a.key() == b.key(), "{a} {b}");
        assert_eq!(a == b, a.normalised() == b.normalised(), "{a} {b}");
        assert_eq!(a.is_under(b), a.key().starts_with(&b.key()), "{a} {b}");
    }
}

/// What was read can be written and read again; a negation is true where the filter is false, and
/// undefined where it is.
pub(crate) fn filter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let filter = match Filter::parse(text) {
        Ok(filter) => filter,
        Err(refusal) => {
            assert!(matches!(refusal.code, Code::ProtocolError | Code::AdminLimitExceeded));
            return;
        }
    };
    filter.check().expect("what is read is within the limits");
    assert_eq!(Filter::parse(&filter.to_string()).expect("a filter's text is a filter"), filter);
    let (dn, attributes) = entry();
    let is = filter.matches(&(&dn, &attributes));
    let not = Filter::Not(Box::new(filter));
    assert_eq!(not.matches(&(&dn, &attributes)), is.map(|is| !is));
}

/// Records come out the same of pieces, and back from their text; what they change is refused or leaves
/// an entry that can be checked.
pub(crate) fn ldif(bytes: &[u8]) {
    let (first, whole) = bytes.split_first().unwrap_or((&0, &[]));
    let records = Reader::all(whole);
    let mut reader = Reader::new();
    let mut in_pieces = Vec::new();
    for piece in whole.chunks(usize::from(*first) % 61 + 1) {
        in_pieces.extend(reader.push(piece));
    }
    in_pieces.extend(reader.finish());
    assert_eq!(in_pieces, records, "pieces make no difference");
    for record in records.into_iter().flatten() {
        let mut text = String::new();
        ldif::write_record(&mut text, &record);
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 76), "{text}");
        let expected = Record { line: 1, ..record.clone() };
        assert_eq!(Reader::all(text.as_bytes()), [Ok(expected)], "{text}");
        change(record);
    }
}

fn change(record: Record) {
    let (dn, before) = entry();
    let mut after = before.clone();
    match record.change {
        Change::Entry { attributes, .. } => {
            if let Ok(mut attributes) = ldif::attributes(&attributes)
                && directory::validate_new(&record.dn, &mut attributes).is_ok()
            {
                assert_eq!(directory::validate(&record.dn, &attributes), Ok(()));
            }
        }
        Change::Delete => {}
        Change::Modify(changes) => match directory::modify(&mut after, &changes) {
            Ok(()) => {
                assert!(after.values().all(|values| !values.is_empty()));
                if directory::validate_change(&dn, &before, &after).is_ok() {
                    assert_eq!(directory::validate(&dn, &after), Ok(()));
                }
            }
            Err(_) => assert_eq!(after, before, "a refusal changes nothing"),
        },
        Change::Rename { rdn, deletes_old, .. } => {
            let old = dn.rdn().cloned().unwrap_or_else(|| Rdn::parse("cn=x").unwrap());
            directory::rename(&mut after, &old, &rdn, deletes_old);
            assert!(after.values().all(|values| !values.is_empty()));
        }
    }
}
