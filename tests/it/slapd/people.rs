//! The office that both servers get: 5,000 people and what stands around them, the same at each run.

use std::fmt::Write as _;

const BASE: &str = "dc=office,dc=test";
/// People below `ou=people`.
pub(super) const PEOPLE: usize = 5_000;
const GROUPS: usize = 60;
const CONTACTS: usize = 120;

const GIVEN: [&str; 25] = [
    "Anna", "Ben", "Carla", "Dirk", "Eva", "Frank", "Gerda", "Hans", "Ines", "Jörg", "Käthe",
    "Lukas", "Müge", "Nils", "Olga", "Peter", "Renée", "Søren", "Tanja", "Uwe", "Vera", "Wolfgang",
    "Xaver", "Yvonne", "Zoë",
];
const SUR: [&str; 40] = [
    "Adler",
    "Bauer",
    "Conrad",
    "Dietrich",
    "Engel",
    "Fischer",
    "Groß",
    "Huber",
    "Ivanov",
    "Jäger",
    "Köhler",
    "Lehmann",
    "Müller",
    "Neumann",
    "Özdemir",
    "Peters",
    "Quandt",
    "Richter",
    "Schäfer",
    "Thiele",
    "Ulrich",
    "Vogel",
    "Weiß",
    "Xander",
    "Yilmaz",
    "Ziegler",
    "van der Berg",
    "von Stein",
    "O'Neill",
    "Smith-Jones",
    "McAdam",
    "de la Cruz",
    "Ålund",
    "Čapek",
    "Đorđević",
    "Łukasz",
    "Ñúñez",
    "Šimek",
    "Žižka",
    "Βασιλείου",
];
const TITLES: [&str; 7] = [
    "Chefin",
    "Sachbearbeiter",
    "Ingenieur  (FH)",
    "Auszubildende",
    "Leiter Einkauf",
    "Head of R&D",
    "*star*",
];
const DEPARTMENTS: [&str; 6] = ["Einkauf", "Verkauf", "Technik", "Lager", "IT", "Büro (Süd)"];
const CITIES: [(&str, &str); 5] = [
    ("Berlin", "10115"),
    ("München", "80331"),
    ("Köln", "50667"),
    ("Zürich", "8001"),
    ("Ulm", "89073"),
];

/// One entry that is being written.
struct Writer {
    text: String,
}

impl Writer {
    fn dn(&mut self, dn: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.value("dn", dn);
    }

    fn classes(&mut self, names: &[&str]) {
        for name in names {
            self.value("objectClass", name);
        }
    }

    /// One value; what is no plain text goes as base64 (RFC 2849).
    fn value(&mut self, name: &str, value: &str) {
        let is_plain = value.bytes().all(|b| (0x20..0x7f).contains(&b))
            && !value.starts_with([' ', ':', '<'])
            && !value.ends_with(' ');
        if is_plain {
            writeln!(self.text, "{name}: {value}").unwrap();
        } else {
            self.bytes(name, value.as_bytes());
        }
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        writeln!(self.text, "{name}:: {}", base64(value)).unwrap();
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap();
            text.push(if at <= chunk.len() { char::from(LETTERS[letter]) } else { '=' });
        }
    }
    text
}

fn names(n: usize) -> (&'static str, &'static str) {
    (GIVEN[n % GIVEN.len()], SUR[(n / GIVEN.len() + n * 7) % SUR.len()])
}

fn uid(n: usize) -> String {
    format!("u{n:04}")
}

/// Every hundredth sits in the sales department, an organizational unit of its own below `ou=people`.
pub(super) fn person_dn(n: usize) -> String {
    match n % 100 {
        17 => format!("uid={},ou=Vertrieb,ou=people,{BASE}", uid(n)),
        _ => format!("uid={},ou=people,{BASE}", uid(n)),
    }
}

/// The entries as LDIF, parents first; the domain and its containers are not among them.
pub(super) fn ldif() -> String {
    let mut out = Writer { text: String::new() };
    out.dn(&format!("ou=Vertrieb,ou=people,{BASE}"));
    out.classes(&["organizationalUnit"]);
    for value in ["Vertrieb", "Sales"] {
        out.value("ou", value);
    }
    out.value("description;lang-de", "Verkauf außer Haus");
    out.value("description;lang-en", "sales force");
    (0..PEOPLE).for_each(|n| person(&mut out, n));
    (0..CONTACTS).for_each(|n| contact(&mut out, n));
    (0..GROUPS).for_each(|n| group(&mut out, n));
    resources(&mut out);
    out.text
}

fn person(out: &mut Writer, n: usize) {
    let (given, sur) = names(n);
    out.dn(&person_dn(n));
    // slapadd wants the classes side by side.
    out.classes(&["inetOrgPerson"]);
    if n.is_multiple_of(8) {
        out.classes(&["posixAccount"]);
    }
    if n.is_multiple_of(7) {
        out.classes(&["inetLocalMailRecipient"]);
    }
    if n.is_multiple_of(8) {
        out.value("uidNumber", &(10_000 + n).to_string());
        out.value("gidNumber", &(100 + n % 16).to_string());
        out.value("homeDirectory", &format!("/srv/{}", uid(n)));
        out.value("loginShell", if n.is_multiple_of(16) { "/bin/bash" } else { "/bin/Bash" });
    }
    if n.is_multiple_of(7) {
        out.value("mailLocalAddress", &format!("{}.alt@office.test", uid(n)));
    }
    out.value("uid", &uid(n));
    out.value("cn", &format!("{given} {sur} {n}"));
    if n.is_multiple_of(5) {
        out.value("cn", &format!("{sur}, {given} {n}"));
    }
    if n.is_multiple_of(11) {
        out.value("cn;lang-de", &format!("{given} {sur} (deutsch)"));
    }
    out.value("sn", sur);
    if !n.is_multiple_of(9) {
        out.value("givenName", given);
    }
    if !n.is_multiple_of(4) {
        out.value("displayName", &format!("{sur}, {given}"));
    }
    if !n.is_multiple_of(13) {
        out.value("mail", &format!("{}@office.test", uid(n)));
    }
    work(out, n);
    private(out, n);
}

/// What a person is at work.
fn work(out: &mut Writer, n: usize) {
    let (city, code) = CITIES[n % CITIES.len()];
    if !n.is_multiple_of(3) {
        let last = n % 100;
        let number = match n % 4 {
            0 => format!("+49 30 {:03} {:02}-{last}", n / 100, n % 50),
            1 => format!("+49 (30) {n:04}-{last}"),
            2 => format!("030/{n:05} {last}"),
            _ => format!("+4930{n:05}{last:02}"),
        };
        out.value("telephoneNumber", &number);
    }
    if n % 10 == 3 {
        out.value("telephoneNumber", "+49 30 1000-0");
        out.value("facsimileTelephoneNumber", &format!("+49 30 9{n}"));
    }
    if n.is_multiple_of(2) {
        out.value("title", TITLES[n / 2 % TITLES.len()]);
        out.value("departmentNumber", DEPARTMENTS[n % DEPARTMENTS.len()]);
    }
    if n.is_multiple_of(3) {
        out.value("l", city);
        out.value("postalCode", code);
        out.value("postalAddress", &format!("Straße {n}$ {code}  {city} $Germany"));
    }
    if n % 6 == 1 {
        out.value("employeeNumber", &n.to_string());
        out.value("employeeType", if n % 4 == 1 { "Voll zeit" } else { "teilzeit" });
        out.value("roomNumber", &format!("{}.{:02}", n % 9, n % 31));
    }
    if n % 20 == 4 {
        out.value("manager", &person_dn(n - 4));
        out.value("secretary", &person_dn(n / 2));
    }
    if n % 50 == 7 {
        out.value("seeAlso", &format!("cn=kontakt 1,ou=contacts,{BASE}"));
        out.value("ou", "Vertrieb");
        out.value("o", "Office GmbH & Co. KG");
    }
}

/// What else is known of a person.
fn private(out: &mut Writer, n: usize) {
    if n % 14 == 2 {
        out.value("mobile", &format!("+49 170 {n:07}"));
        out.value("homePhone", &format!("+49 89 {n:06}"));
    }
    if n % 40 == 1 {
        let photo: Vec<u8> = [0xff, 0xd8, 0xff, 0xe0]
            .into_iter()
            .chain((0..40).map(|k| byte(n * 3 + k * 7)))
            .collect();
        out.bytes("jpegPhoto", &photo);
    }
    if n % 60 == 5 {
        out.value("description", &format!("line one\nline two of {n}"));
        out.value("description;lang-fr", "né à Genève");
    }
    if n % 25 == 6 {
        out.value("preferredLanguage", if n.is_multiple_of(2) { "de, en;q=0.7" } else { "fr" });
        out.value("labeledURI", &format!("https://office.test/~{} home page", uid(n)));
        out.value("carLicense", &format!("B-XY {n}"));
        out.value("initials", "A. B.");
    }
    if n % 200 == 9 {
        out.value("x500UniqueIdentifier", if n % 400 == 9 { "'0101'B" } else { "'1'B" });
        out.value("registeredAddress", &format!("Postfach {n}$Berlin"));
        out.value("internationaliSDNNumber", &format!("49 30 {n}"));
        out.value("x121Address", &format!("12 {n}"));
    }
}

fn byte(n: usize) -> u8 {
    u8::try_from(n % 256).unwrap()
}

/// People elsewhere, and names that must be escaped.
fn contact(out: &mut Writer, n: usize) {
    let (given, sur) = names(n * 3);
    let cn = format!("{given} {sur} GmbH, Abt. {n}");
    let rdn = match n % 6 {
        0 => format!("cn={}", cn.replace(',', "\\,")),
        1 => format!("cn=kontakt {n}"),
        2 => format!("cn=kontakt {n}+sn={sur}"),
        3 => format!("cn=\\#{n} + mehr").replace('+', "\\+"),
        4 => format!("CN=Kontakt \\22{n}\\22"),
        _ => format!("mail=kontakt{n}@example.org"),
    };
    out.dn(&format!("{rdn},ou=contacts,{BASE}"));
    out.classes(&["inetOrgPerson"]);
    let cn = match n % 6 {
        1 | 2 => format!("kontakt {n}"),
        3 => format!("#{n} + mehr"),
        4 => format!("Kontakt \"{n}\""),
        _ => cn,
    };
    out.value("cn", &cn);
    out.value("sn", sur);
    out.value("mail", &format!("kontakt{n}@example.org"));
    if n.is_multiple_of(2) {
        out.value("mail", &format!("Kontakt.{n}@Example.NET"));
    }
    out.value("telephoneNumber", &format!("+1 555 {n:04}"));
    if n.is_multiple_of(10) {
        out.value("description", "  leading spaces");
        out.value("street", "Hauptstr.  7");
    }
}

fn group(out: &mut Writer, n: usize) {
    out.dn(&format!("cn=group {n},ou=groups,{BASE}"));
    out.classes(&["groupOfNames"]);
    out.value("cn", &format!("group {n}"));
    if n.is_multiple_of(4) {
        out.value("description", &format!("Gruppe Nr. {n}"));
    }
    if n.is_multiple_of(6) {
        out.value("owner", &person_dn(n));
        out.value("businessCategory", "intern");
    }
    for k in 0..=n {
        out.value("member", &person_dn((n * 83 + k * 7) % PEOPLE));
    }
    if n % 10 == 9 {
        out.value("member", &format!("cn=group {},ou=groups,{BASE}", n - 9));
    }
}

fn resources(out: &mut Writer) {
    for n in 0..12 {
        out.dn(&format!("cn=room {n},ou=resources,{BASE}"));
        out.classes(&["room"]);
        out.value("cn", &format!("room {n}"));
        out.value("roomNumber", &format!("{n}.0{n}"));
        out.value("telephoneNumber", &format!("+49 30 1000-{n}"));
        out.dn(&format!("cn=printer {n},ou=resources,{BASE}"));
        out.classes(&["device"]);
        out.value("cn", &format!("printer {n}"));
        out.value("serialNumber", &format!("SN-{:05}", n * 7919 % 100_000));
        out.value("owner", &person_dn(n));
        out.value("l", if n.is_multiple_of(2) { "Ulm" } else { "ULM " });
    }
}
