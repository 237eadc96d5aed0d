//! What the directory says of an entry beyond what is written in it: RFC 4512 §3.4, and `memberOf`.

use std::cell::RefCell;

use base::{Civil, Timestamp};
use directory::schema::{self, AttributeType};
use directory::{Attributes, Dn, Subject};

use super::tree::{self, Stored};
use super::views;
use crate::StoreError;
use crate::index::View;

/// The entry of the schema.
const SUBSCHEMA: &str = "cn=Subschema";
/// What is computed, by the keys of the schema.
const COMPUTED: [&str; 11] = [
    "createtimestamp",
    "creatorsname",
    "entrydn",
    "entryuuid",
    "hassubordinates",
    "memberof",
    "modifiersname",
    "modifytimestamp",
    "postroomid",
    "structuralobjectclass",
    "subschemasubentry",
];

/// All of it.
pub(crate) fn all(view: &impl View, stored: &Stored) -> Result<Attributes, StoreError> {
    let mut attributes = Attributes::new();
    for key in COMPUTED {
        let values = of(view, stored, key)?;
        if !values.is_empty() {
            attributes.insert(key.to_owned(), values);
        }
    }
    Ok(attributes)
}

/// The values of one attribute; none for what is not computed.
pub(crate) fn of(view: &impl View, stored: &Stored, key: &str) -> Result<Vec<Vec<u8>>, StoreError> {
    let entry = &stored.entry;
    let value = match key {
        "createtimestamp" => time(entry.created_at),
        "modifytimestamp" => time(entry.modified_at),
        "creatorsname" => entry.creators_name.clone(),
        "modifiersname" => entry.modifiers_name.clone(),
        "entrydn" => entry.written_dn.clone(),
        "entryuuid" => uuid(&entry.uuid),
        "hassubordinates" => {
            let key = super::place::key_of(&entry.dn)?;
            if tree::has_children(view, &key)? { "TRUE" } else { "FALSE" }.to_owned()
        }
        "memberof" => return member_of(view, &entry.dn),
        "postroomid" => entry.account.map(|id| id.to_string()).unwrap_or_default(),
        "structuralobjectclass" => directory::structural_class(&entry.attributes)
            .map(|class| class.name().to_owned())
            .unwrap_or_default(),
        "subschemasubentry" => SUBSCHEMA.to_owned(),
        _ => return Ok(Vec::new()),
    };
    Ok(if value.is_empty() { Vec::new() } else { vec![value.into_bytes()] })
}

/// The index says it all: a group is not read for each of its members.
fn member_of(view: &impl View, dn: &str) -> Result<Vec<Vec<u8>>, StoreError> {
    let groups = views::naming(view, dn)?.into_iter();
    groups.map(|id| tree::written_dn(view, id).map(String::into_bytes)).collect()
}

/// RFC 4530 §2.1.
fn uuid(uuid: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in uuid.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// GeneralizedTime in UTC: RFC 4517 §3.3.13.
pub(crate) fn time(at: Timestamp) -> String {
    let c = at.civil();
    format!("{:04}{:02}{:02}{:02}{:02}{:02}Z", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// Reads what [`time`] wrote.
pub(crate) fn read_time(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| -> Option<u8> { text.get(from..to)?.parse().ok() };
    let year = text.get(..4)?.parse().ok()?;
    let (month, day) = (number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    if text.get(14..) != Some("Z") || !(1..=12).contains(&month) {
        return None;
    }
    let civil = Civil { year, month, day, hour, minute, second, weekday: 0 };
    Some(Timestamp::from_secs(civil.to_secs()))
}

/// An entry as a filter looks at it.
pub(crate) struct Looked<'a, V> {
    view: &'a V,
    stored: &'a Stored,
    dn: Dn,
    hides: &'a dyn Fn(&AttributeType) -> bool,
    /// A filter cannot fail; whoever asked looks here afterwards.
    failed: RefCell<Option<StoreError>>,
}

impl<'a, V: View> Looked<'a, V> {
    pub(crate) fn new(
        view: &'a V,
        stored: &'a Stored,
        hides: &'a dyn Fn(&AttributeType) -> bool,
    ) -> Result<Self, StoreError> {
        let dn = Dn::parse(&stored.entry.written_dn).map_err(StoreError::Refused)?;
        Ok(Self { view, stored, dn, hides, failed: RefCell::new(None) })
    }

    /// The error that a look met.
    pub(crate) fn outcome(&self) -> Result<(), StoreError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn computed(&self, key: &str, each: &mut dyn FnMut(&str, &[Vec<u8>])) {
        match of(self.view, self.stored, key) {
            Ok(values) if values.is_empty() => {}
            Ok(values) => each(key, &values),
            Err(e) => *self.failed.borrow_mut() = Some(e),
        }
    }
}

impl<V: View> Subject for Looked<'_, V> {
    fn dn(&self) -> &Dn {
        &self.dn
    }

    fn of_type(&self, attribute: &'static AttributeType, each: &mut dyn FnMut(&str, &[Vec<u8>])) {
        directory::filter::of_type(&self.stored.entry.attributes, attribute, each);
        if COMPUTED.contains(&attribute.key()) {
            self.computed(attribute.key(), each);
        }
    }

    fn all(&self, each: &mut dyn FnMut(&str, &[Vec<u8>])) {
        self.stored.entry.attributes.iter().for_each(|(key, values)| each(key, values));
        for key in COMPUTED.into_iter().filter(|key| schema::attribute(key).is_some()) {
            self.computed(key, each);
        }
    }

    fn hides(&self, attribute: &AttributeType) -> bool {
        (self.hides)(attribute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        for (seconds, shown) in [
            (0, "19700101000000Z"),
            (951_782_399, "20000228235959Z"),
            (951_782_400, "20000229000000Z"),
            (1_795_338_061, "20261122090101Z"),
            (-1, "19691231235959Z"),
            (4_107_542_400, "21000301000000Z"),
        ] {
            assert_eq!(time(Timestamp::from_secs(seconds)), shown);
            assert_eq!(read_time(shown), Some(Timestamp::from_secs(seconds)), "{shown}");
        }
    }
}
