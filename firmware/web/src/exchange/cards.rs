//! vCards 2.1, 3.0 and 4.0 (RFC 2426, RFC 6350) as people, and people as vCards 3.0, which every telephone
//! reads. calcard has the grammar; which property is which attribute stands here.

use calcard::Entry as Component;
use calcard::vcard::{
    VCard, VCardEntry, VCardParameterName, VCardParameterValue, VCardProperty, VCardType,
    VCardValue, VCardVersion,
};
use directory::Attributes;

use super::{CELL_MAX, Fault, Parsed, PersonText, Record, Wanted};

/// Bytes of one card: a photo stands in some of them.
const CARD_MAX: usize = 1024 * 1024;

/// Reads cards that stand one behind the other.
pub(crate) fn parse(text: &str, max: usize) -> Parsed {
    let mut parsed = Parsed::default();
    let (mut card, mut begin) = (String::new(), None);
    for (at, line) in text.lines().enumerate() {
        if parsed.records.len() > max {
            return parsed;
        }
        // RFC 6350 §3.2: a line that begins with a space is the rest of the one before.
        let is = |word: &str| line.trim_end().eq_ignore_ascii_case(word);
        if is("BEGIN:VCARD") {
            if let Some(begin) = begin {
                let detail = "the card before has no END:VCARD";
                let fault = Err(Fault::new("record-invalid", detail));
                parsed.records.push(Record { line: begin, wanted: fault });
            }
            card.clear();
            begin = Some(at + 1);
        }
        if card.len() <= CARD_MAX {
            card.push_str(line);
            card.push_str("\r\n");
        }
        if is("END:VCARD")
            && let Some(begin) = begin.take()
        {
            parsed.records.push(Record { line: begin, wanted: one(&card) });
        }
    }
    if let Some(begin) = begin.filter(|_| parsed.records.len() <= max) {
        let fault = Err(Fault::new("record-invalid", "the card has no END:VCARD"));
        parsed.records.push(Record { line: begin, wanted: fault });
    }
    parsed
}

fn one(card: &str) -> Result<Wanted, Fault> {
    if card.len() > CARD_MAX {
        return Err(Fault::new("record-invalid", "a card has at most 1 MB"));
    }
    match VCard::parse(card) {
        Ok(card) => Ok(Wanted::Person(Box::new(person(&card)))),
        Err(Component::InvalidLine(line)) => {
            let line: String = line.chars().take(80).collect();
            Err(Fault::new("record-invalid", format!("this is no line of a card: {line}")))
        }
        Err(_) => Err(Fault::new("record-invalid", "this is no vCard")),
    }
}

fn person(card: &VCard) -> PersonText {
    let mut person = PersonText::default();
    for property in &card.entries {
        let texts = texts(property);
        let first = texts.first().map(|text| text.trim()).unwrap_or_default();
        if first.len() > CELL_MAX {
            continue;
        }
        let part = |at: usize| texts.get(at).map_or("", |text| text.trim());
        match property.name {
            VCardProperty::Fn if !first.is_empty() => person.name = Some(first.to_owned()),
            VCardProperty::N => {
                person.say("sn", part(0));
                person.say("givenname", part(1));
            }
            VCardProperty::Email if !first.is_empty() => {
                let address = first.trim_start_matches("mailto:").to_owned();
                if is_preferred(property) {
                    person.addresses.insert(0, address);
                } else {
                    person.addresses.push(address);
                }
            }
            VCardProperty::Tel => {
                person.say(kind_of_number(property), first.trim_start_matches("tel:"));
            }
            VCardProperty::Title => person.say("title", first),
            VCardProperty::Org => {
                person.say("o", part(0));
                person.say("ou", part(1));
            }
            VCardProperty::Adr if !person.attributes.contains_key("street") => {
                for (key, at) in [("street", 2), ("l", 3), ("st", 4), ("postalcode", 5)] {
                    person.say(key, part(at));
                }
            }
            VCardProperty::Note => person.say("description", first),
            VCardProperty::Url => person.say("labeleduri", first),
            _ => {}
        }
    }
    person
}

/// The parts of a value. A card of version 3 has the parts of N and ADR as values or as one of several.
fn texts(property: &VCardEntry) -> Vec<String> {
    let mut texts = Vec::new();
    for value in &property.values {
        match value {
            VCardValue::Component(parts) => texts.push(parts.join(" ")),
            VCardValue::Text(text) => texts.push(text.clone()),
            other => texts.extend(other.as_text().map(str::to_owned)),
        }
    }
    texts
}

fn types(property: &VCardEntry) -> impl Iterator<Item = String> {
    let types = property.params.iter().filter(|param| param.name == VCardParameterName::Type);
    types.filter_map(|param| param.value.as_text()).map(str::to_ascii_lowercase)
}

fn is_preferred(property: &VCardEntry) -> bool {
    types(property).any(|kind| kind == "pref")
        || property.params.iter().any(|param| param.name == VCardParameterName::Pref)
}

fn kind_of_number(property: &VCardEntry) -> &'static str {
    let types: Vec<String> = types(property).collect();
    let is = |kind: &str| types.iter().any(|own| own == kind);
    match () {
        () if is("fax") => "facsimiletelephonenumber",
        () if is("cell") => "mobile",
        () if is("pager") => "pager",
        () if is("home") => "homephone",
        () => "telephonenumber",
    }
}

/// Writes the entry of a person as a card.
pub(crate) fn card(attributes: &Attributes) -> Vec<u8> {
    let all = |key: &str| -> Vec<String> {
        let values = attributes.get(key).map(Vec::as_slice).unwrap_or_default();
        values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    };
    let first = |key: &str| all(key).into_iter().next().unwrap_or_default();
    let mut card = VCard::default();
    let parts = |parts: &[String]| parts.iter().cloned().map(VCardValue::Text).collect::<Vec<_>>();
    let mut add = |property: VCardProperty, kinds: &[VCardType], values: Vec<VCardValue>| {
        let kinds = kinds.iter().map(|kind| VCardParameterValue::Type(kind.clone()));
        let params = kinds
            .map(|value| calcard::vcard::VCardParameter { name: VCardParameterName::Type, value });
        let params = params.collect();
        card.entries.push(VCardEntry { group: None, name: property, params, values });
    };
    add(VCardProperty::Fn, &[], parts(&[first("cn")]));
    let none = String::new;
    add(VCardProperty::N, &[], parts(&[first("sn"), first("givenname"), none(), none(), none()]));
    for address in all("mail") {
        add(VCardProperty::Email, &[], parts(&[address]));
    }
    for (key, kind) in [
        ("telephonenumber", VCardType::Work),
        ("mobile", VCardType::Cell),
        ("facsimiletelephonenumber", VCardType::Fax),
        ("homephone", VCardType::Home),
        ("pager", VCardType::Pager),
    ] {
        for number in all(key) {
            add(VCardProperty::Tel, std::slice::from_ref(&kind), parts(&[number]));
        }
    }
    for (key, property) in [
        ("title", VCardProperty::Title),
        ("description", VCardProperty::Note),
        ("labeleduri", VCardProperty::Url),
    ] {
        for value in all(key) {
            add(property.clone(), &[], parts(&[value]));
        }
    }
    if attributes.contains_key("o") || attributes.contains_key("ou") {
        add(VCardProperty::Org, &[], parts(&[first("o"), first("ou")]));
    }
    let place = ["street", "l", "st", "postalcode"].map(first);
    if place.iter().any(|part| !part.is_empty()) {
        let [street, city, state, code] = place;
        let address = parts(&[none(), none(), street, city, state, code, none()]);
        add(VCardProperty::Adr, &[VCardType::Work], address);
    }
    let mut text = String::new();
    // Into memory nothing fails.
    let is_written = card.write_to(&mut text, VCardVersion::V3_0).is_ok();
    if is_written { text.into_bytes() } else { Vec::new() }
}
