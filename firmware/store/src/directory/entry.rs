//! Entries as they are stored, and their attributes as values.

use std::collections::BTreeMap;

use base::{AccountId, Address, Timestamp};
use serde::Deserialize;

use crate::codec::{from_postcard_of, to_postcard_of};
use crate::{Entry, StoreError};

pub(crate) const CLASS: &str = "objectclass";
pub(crate) const ADDRESS: &str = "mail";
pub(crate) const FURTHER: &str = "maillocaladdress";
pub(crate) const NAME: &str = "cn";
pub(crate) const DISPLAY_NAME: &str = "displayname";
pub(crate) const SURNAME: &str = "sn";
pub(crate) const PASSWORD: &str = "userpassword";
/// RFC 3112, in the form of RFC 5803.
pub(crate) const VERIFIER: &str = "authpassword";
pub(crate) const LANGUAGE: &str = "preferredlanguage";
pub(crate) const QUOTA: &str = "postroomquota";
pub(crate) const QUOTA_MESSAGES: &str = "postroomquotamessages";
pub(crate) const STATUS: &str = "postroomstatus";
pub(crate) const ROLE: &str = "postroomrole";
pub(crate) const MANAGES: &str = "postroommanages";
pub(crate) const TARGET: &str = "rfc822mailmember";
pub(crate) const MEMBER: &str = "member";
pub(crate) const SOURCE: &str = "postroomsource";
pub(crate) const SOURCE_ID: &str = "postroomsourceid";
pub(crate) const SOURCE_STATE: &str = "postroomsourcestate";
pub(crate) const SOURCE_DN: &str = "postroomsourcedn";
pub(crate) const SOURCE_CHECKED: &str = "postroomsourcechecked";
pub(crate) const DESCRIPTION: &str = "description";
pub(crate) const FORWARD: &str = "postroomforward";
pub(crate) const FORWARD_KEEP: &str = "postroomforwardkeep";
pub(crate) const SEND_AS: &str = "postroomsendas";
pub(crate) const CATCH_ALL: &str = "postroomcatchall";
pub(crate) const DOMAIN_ALIAS: &str = "postroomdomainalias";

/// Where version 1 had the account's id.
const OLD_ID: &str = "postroomid";
const VERSION_OLD: u8 = 1;
const VERSION: u8 = 2;

/// Version 1, before there was LDAP.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct OldEntry {
    dn: String,
    uuid: [u8; 16],
    attributes: BTreeMap<String, Vec<Vec<u8>>>,
    created_at: Timestamp,
    modified_at: Timestamp,
}

impl From<OldEntry> for Entry {
    fn from(old: OldEntry) -> Self {
        let mut attributes = old.attributes;
        let id = attributes.remove(OLD_ID).unwrap_or_default();
        let id = id.first().and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
        Self {
            written_dn: old.dn.clone(),
            dn: old.dn,
            uuid: old.uuid,
            attributes,
            created_at: old.created_at,
            modified_at: old.modified_at,
            creators_name: String::new(),
            modifiers_name: String::new(),
            account: id.map(AccountId),
        }
    }
}

pub(crate) fn encode(entry: &Entry) -> Result<Vec<u8>, StoreError> {
    to_postcard_of(VERSION, entry)
}

/// Reads an entry of this version or of the one before.
pub(crate) fn decode(row: &[u8]) -> Result<Entry, StoreError> {
    let what = "directory entry";
    if row.first() == Some(&VERSION_OLD) {
        return from_postcard_of::<OldEntry>(VERSION_OLD, row, what).map(Entry::from);
    }
    from_postcard_of(VERSION, row, what)
}

/// Of [`Entry`] what stands first in its row.
#[derive(Deserialize)]
struct Names {
    _dn: String,
    written_dn: String,
}

/// The DN of an entry as its maker wrote it.
pub(crate) fn decode_written_dn(row: &[u8]) -> Result<String, StoreError> {
    if row.first() == Some(&VERSION_OLD) {
        return decode(row).map(|entry| entry.written_dn);
    }
    from_postcard_of::<Names>(VERSION, row, "directory entry").map(|names| names.written_dn)
}

/// What version 1 would have written.
#[cfg(test)]
pub(crate) fn encode_old(entry: &Entry) -> Result<Vec<u8>, StoreError> {
    let mut attributes = entry.attributes.clone();
    if let Some(id) = entry.account {
        attributes.insert(OLD_ID.to_owned(), vec![id.to_string().into_bytes()]);
    }
    let old = OldEntry {
        dn: entry.written_dn.clone(),
        uuid: entry.uuid,
        attributes,
        created_at: entry.created_at,
        modified_at: entry.modified_at,
    };
    to_postcard_of(VERSION_OLD, &old)
}

/// An entry without attributes; nobody in particular makes it.
pub(crate) fn new(dn: String, classes: &[&str], now: Timestamp) -> Result<Entry, StoreError> {
    let mut entry = Entry {
        dn: directory::Dn::parse(&dn).map_err(StoreError::Refused)?.normalised(),
        written_dn: dn,
        uuid: new_uuid()?,
        created_at: now,
        modified_at: now,
        ..Entry::default()
    };
    entry.set(CLASS, classes.iter().copied());
    Ok(entry)
}

/// entryUUID of a new entry.
pub(crate) fn new_uuid() -> Result<[u8; 16], StoreError> {
    let mut uuid = [0; 16];
    getrandom::fill(&mut uuid).map_err(|e| StoreError::Io {
        doing: "drawing a random number",
        source: std::io::Error::other(e.to_string()),
    })?;
    // RFC 9562 §5.4: version 4, variant 10.
    uuid[6] = uuid[6] & 0x0F | 0x40;
    uuid[8] = uuid[8] & 0x3F | 0x80;
    Ok(uuid)
}

impl Entry {
    /// All values of an attribute; none removes it.
    pub(crate) fn set<V: AsRef<str>>(&mut self, name: &str, values: impl IntoIterator<Item = V>) {
        let values: Vec<Vec<u8>> =
            values.into_iter().map(|v| v.as_ref().as_bytes().to_vec()).collect();
        if values.is_empty() {
            self.attributes.remove(name);
        } else {
            self.attributes.insert(name.to_owned(), values);
        }
    }

    /// The values of an attribute without options.
    pub(crate) fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The values of an attribute that are text.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The first value of an attribute, if it is text.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.values(name).first()?).ok()
    }

    /// All values of an attribute that are addresses.
    pub(crate) fn addresses(&self, name: &str) -> Vec<Address> {
        self.texts(name).filter_map(|text| Address::parse(text).ok()).collect()
    }

    /// True if the entry says that it is of a class.
    pub(crate) fn has_class(&self, class: &str) -> bool {
        self.texts(CLASS).any(|text| text.eq_ignore_ascii_case(class))
    }

    /// Makes the entry one of a class too.
    pub(crate) fn add_class(&mut self, class: &str) {
        if !self.has_class(class) {
            let classes = self.attributes.entry(CLASS.to_owned()).or_default();
            classes.push(class.as_bytes().to_vec());
        }
    }
}
