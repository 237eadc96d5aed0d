//! What people hand over, and what is read of it.

use super::*;

fn persons(format: Format, bytes: &[u8]) -> Vec<(usize, PersonText)> {
    let parsed = parse(format, bytes, 1_000).unwrap();
    let person = |record: Record| match record.wanted {
        Ok(Wanted::Person(person)) => (record.line, *person),
        other => panic!("{other:?}"),
    };
    parsed.records.into_iter().map(person).collect()
}

fn only(format: Format, bytes: &[u8]) -> PersonText {
    let mut all = persons(format, bytes);
    assert_eq!(all.len(), 1, "{all:?}");
    all.pop().unwrap().1
}

fn text(person: &PersonText, key: &str) -> String {
    let values = person.attributes.get(key).map(Vec::as_slice).unwrap_or_default();
    values.iter().map(|v| String::from_utf8_lossy(v)).collect::<Vec<_>>().join("|")
}

#[test]
fn headings_of_other_servers_and_of_five_languages_are_known() {
    for (table, name) in [
        ("address,name\nanna@office.test,Anna Berg\n", "Anna Berg"),
        (
            "First Name [Required],Last Name [Required],Email Address [Required],Password [Required]\n\
          Anna,Berg,anna@office.test,geheim-123\n",
            "Anna Berg",
        ),
        (
            "User principal name,Display name,Proxy addresses\n\
          anna@office.test,Anna Berg,SMTP:anna@office.test+smtp:info@office.test\n",
            "Anna Berg",
        ),
        ("Vorname;Name;E-Mail-Adresse\nAnna;Berg;anna@office.test\n", "Anna Berg"),
        ("Nom;Prénom;Adresse e-mail\nBerg;Anna;anna@office.test\n", "Anna Berg"),
        ("Nome;Cognome;Indirizzo e-mail\nAnna;Berg;anna@office.test\n", "Anna Berg"),
        ("Nombre;Apellidos;Correo electrónico\nAnna;Berg;anna@office.test\n", "Anna Berg"),
        ("Nombre\tCorreo\nAnna Berg\tanna@office.test\n", "Anna Berg"),
        ("mail,cn,carLicense\nanna@office.test,Anna Berg,B-1\n", "Anna Berg"),
        ("sep=;\r\nmail;cn\r\nanna@office.test;Anna Berg\r\n", "Anna Berg"),
        ("mail,cn\n\"anna@office.test\",\"Anna\nBerg\"", "Anna\nBerg"),
    ] {
        let person = only(Format::Csv, table.as_bytes());
        assert_eq!(person.addresses, ["anna@office.test"], "{table}");
        assert_eq!(person.full_name().as_deref(), Some(name), "{table}");
    }
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let records =
        ["address,name", "", "a@x.test,A", "b@x.test,\"B", "B\"", "", "", "c@x.test,C", ""];
    for end in ["\n", "\r\n"] {
        let people = persons(Format::Csv, records.join(end).as_bytes());
        let lines: Vec<usize> = people.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 4, 8], "{end:?}");
        let said = format!("sep=,{end}{}", records.join(end));
        let people = persons(Format::Csv, said.as_bytes());
        let lines: Vec<usize> = people.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [4, 5, 9], "{end:?}");
    }
}

#[test]
fn cells_are_what_they_say() {
    let table = "address;aliases;Telefon;Straße;quota_mb;status;Unbekannt;x-none\n\
        anna;info@office.test, shop@office.test;'+49 30 1;'=1+1;500;Suspended [x];;\n\
        ;;;;;;;\n\
        bert@office.test\n";
    let parsed = parse(Format::Csv, table.as_bytes(), 10).unwrap();
    let means: Vec<Option<&str>> = parsed.columns.iter().map(|c| c.means.as_deref()).collect();
    assert_eq!(
        means,
        [
            Some("address"),
            Some("aliases"),
            Some("telephoneNumber"),
            Some("street"),
            Some("quota_mb"),
            Some("status"),
            None,
            None
        ]
    );
    let people = persons(Format::Csv, table.as_bytes());
    let lines: Vec<usize> = people.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 4]);
    let anna = &people[0].1;
    assert_eq!(anna.aliases.as_deref().unwrap(), ["info@office.test", "shop@office.test"]);
    assert_eq!(
        (text(anna, "telephonenumber"), text(anna, "street")),
        ("+49 30 1".into(), "=1+1".into())
    );
    assert_eq!(people[1].1.aliases, None);
    let long = parse(Format::Csv, b"address,name\na@b.test,A,B\n", 10).unwrap();
    assert_eq!(long.records[0].wanted.as_ref().unwrap_err().code, "columns-missing");
    let none = parse(Format::Csv, b"first,second\n1,2\n", 10).unwrap_err();
    assert_eq!(none.code, "no-address-column");
}

#[test]
fn tables_are_read_as_they_are_written() {
    for cells in [
        ["=cmd()", "+49 30", "-x", "@a"],
        ["a;b", "c\"d", "e\nf", "g,h"],
        ["", "'", "'x", "ö"],
        ["'=1", "'+1", "''-x", "'@"],
    ] {
        let mut table = b"address,name,description,title\r\n".to_vec();
        let cells: Vec<String> =
            ["a@b.test"].iter().chain(&cells[..3]).map(|cell| (*cell).to_owned()).collect();
        table.extend(table::line(&cells, table::Separator::default()));
        let person = only(Format::Csv, &table);
        assert_eq!(person.name.unwrap_or_default(), cells[1]);
        assert_eq!(
            person.attributes.get("title").map(|v| v[0].clone()).unwrap_or_default(),
            cells[3].as_bytes()
        );
    }
}

#[test]
fn encodings_are_told_apart() {
    let table = "address,name\nzoë@office.test,Zoë Müller\n";
    let mut latin = table.as_bytes().to_vec();
    latin = String::from_utf8(latin)
        .unwrap()
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let utf16 = |mark: bool, big: bool| -> Vec<u8> {
        let mark = mark.then_some(0xFEFF);
        let units = mark.into_iter().chain(table.encode_utf16());
        units.flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    };
    let marked = [b"\xEF\xBB\xBF".as_slice(), table.as_bytes()].concat();
    for bytes in [
        table.as_bytes().to_vec(),
        marked,
        latin,
        utf16(true, true),
        utf16(true, false),
        utf16(false, true),
        utf16(false, false),
    ] {
        assert_eq!(only(Format::Csv, &bytes).name.as_deref(), Some("Zoë Müller"), "{bytes:?}");
    }
    assert_eq!(text::decode(b"\xFF\xFE\x00").unwrap_err().code, "encoding-unknown");
    assert_eq!(text::decode(b"PK\x03\x04\x00\x00\xE9").unwrap_err().code, "encoding-unknown");
}

#[test]
fn cards_are_people() {
    let cards = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna Berg\r\nN:Berg;Anna;;;\r\n\
        EMAIL;TYPE=INTERNET:anna@far.test\r\nEMAIL;TYPE=PREF:anna@office.test\r\n\
        TEL;TYPE=CELL:+49 170 1\r\nTEL;TYPE=WORK,VOICE:+49 30 1\r\nORG:Office;Sales\r\n\
        ADR;TYPE=WORK:;;Weg 1;Berlin;;10115;Germany\r\nNOTE:one\\, two\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Zoë\r\nTEL;VALUE=uri;TYPE=home:tel:+49-30-2\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;Jo\r\n\
        FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Jo M=C3=BCller\r\nEND:VCARD\r\n";
    let people = persons(Format::Vcard, cards.as_bytes());
    let lines: Vec<usize> = people.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 13, 18]);
    let anna = &people[0].1;
    assert_eq!(anna.addresses, ["anna@office.test", "anna@far.test"]);
    for (key, value) in [
        ("mobile", "+49 170 1"),
        ("telephonenumber", "+49 30 1"),
        ("o", "Office"),
        ("ou", "Sales"),
        ("street", "Weg 1"),
        ("l", "Berlin"),
        ("postalcode", "10115"),
        ("description", "one, two"),
        ("sn", "Berg"),
        ("givenname", "Anna"),
    ] {
        assert_eq!(text(anna, key), value, "{key}");
    }
    assert_eq!(text(&people[1].1, "homephone"), "+49-30-2");
    assert_eq!(people[2].1.name.as_deref(), Some("Jo Müller"));
    let broken = parse(Format::Vcard, b"BEGIN:VCARD\nFN:x\nBEGIN:VCARD\nFN:y\n", 10).unwrap();
    let codes: Vec<_> =
        broken.records.iter().map(|r| r.wanted.as_ref().unwrap_err().code).collect();
    assert_eq!(codes, ["record-invalid", "record-invalid"]);
}

#[test]
fn cards_are_read_as_they_are_written() {
    let one = |text: &str| vec![text.as_bytes().to_vec()];
    let attributes: Attributes = [
        ("cn", "Zoë Ängström; Jr."),
        ("sn", "Ängström"),
        ("givenname", "Zoë"),
        ("mail", "zoe@office.test"),
        ("telephonenumber", "+49 30 1"),
        ("mobile", "+49 170 1"),
        ("o", "A, B; C"),
        ("ou", "Sales"),
        ("street", "Weg 1, Hof"),
        ("l", "Köln"),
        ("postalcode", "5"),
        (
            "description",
            "a line\nand another that is longer than the seventy-five that a line may have",
        ),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), one(value)))
    .collect();
    let card = cards::card(&attributes);
    let person = only(Format::Vcard, &card);
    assert_eq!(
        person.name.as_deref(),
        Some("Zoë Ängström; Jr."),
        "{}",
        String::from_utf8_lossy(&card)
    );
    assert_eq!(person.addresses, ["zoe@office.test"]);
    for (key, values) in &attributes {
        if key != "cn" && key != "mail" {
            assert_eq!(person.attributes.get(key), Some(values), "{key}");
        }
    }
}

#[test]
fn an_addition_is_an_entry_and_other_changes_say_where_they_go() {
    let head = "version: 1\n\ndn: uid=anna,ou=people,dc=office,dc=test\n";
    let entry = "objectClass: inetOrgPerson\ncn: Anna\nsn: Berg\n";
    let read = |text: &str| {
        let mut parsed = parse(Format::Ldif, text.as_bytes(), 10).unwrap();
        assert_eq!(parsed.records.len(), 1, "{text}");
        parsed.records.remove(0).wanted
    };
    let plain = read(&format!("{head}{entry}")).unwrap();
    assert_eq!(read(&format!("{head}changetype: add\n{entry}")).unwrap(), plain);
    for change in [
        "changetype: delete\n",
        "changetype: modify\nreplace: sn\nsn: Tal\n-\n",
        "changetype: modrdn\nnewrdn: uid=a\ndeleteoldrdn: 1\n",
    ] {
        let fault = read(&format!("{head}{change}")).unwrap_err();
        assert_eq!(fault.code, "record-invalid", "{change}");
        assert!(fault.detail.contains("ldapmodify"), "{}", fault.detail);
    }
}

#[test]
fn what_another_server_wrote_is_left_out() {
    let text = "dn: uid=anna,ou=people,dc=office,dc=test\nobjectClass: inetOrgPerson\ncn: Anna\nsn: Berg\n\
        entryUUID: 00000000-0000-4000-8000-000000000001\ncreatorsName: cn=x\nuserPassword: {SSHA}x\n\n\
        dn: uid=anna,ou=people,dc=office,dc=test\nchangetype: delete\n\nthis is nothing\n";
    let parsed = parse(Format::Ldif, text.as_bytes(), 10).unwrap();
    let Ok(Wanted::Entry { attributes, .. }) = &parsed.records[0].wanted else {
        panic!("{parsed:?}")
    };
    let keys: Vec<&str> = attributes.keys().map(String::as_str).collect();
    assert_eq!(keys, ["cn", "objectclass", "sn", "userpassword"]);
    let faults: Vec<_> = parsed.records.iter().filter_map(|r| r.wanted.as_ref().err()).collect();
    assert_eq!(faults.len(), 2);
}
