//! Entries as they are stored, and their attributes as values.

use base::{Address, Timestamp};

use crate::codec::{from_postcard, to_postcard};
use crate::index::{T, Tables, View};
use crate::{Entry, StoreError};

pub(crate) const ADDRESS: &str = "mail";
pub(crate) const FURTHER: &str = "maillocaladdress";
pub(crate) const NAME: &str = "cn";
pub(crate) const SURNAME: &str = "sn";
pub(crate) const PASSWORD: &str = "userpassword";
/// RFC 3112, in the form of RFC 5803.
pub(crate) const VERIFIER: &str = "authpassword";
pub(crate) const LANGUAGE: &str = "preferredlanguage";
pub(crate) const ID: &str = "postroomid";
pub(crate) const QUOTA: &str = "postroomquota";
pub(crate) const QUOTA_MESSAGES: &str = "postroomquotamessages";
pub(crate) const STATUS: &str = "postroomstatus";
pub(crate) const ROLE: &str = "postroomrole";
pub(crate) const TARGET: &str = "rfc822mailmember";

/// An entry without attributes.
pub(crate) fn new(dn: String, classes: &[&str], now: Timestamp) -> Result<Entry, StoreError> {
    let mut uuid = [0; 16];
    getrandom::fill(&mut uuid).map_err(|e| StoreError::Io {
        doing: "drawing a random number",
        source: std::io::Error::other(e.to_string()),
    })?;
    // RFC 9562 §5.4: version 4, variant 10.
    uuid[6] = uuid[6] & 0x0F | 0x40;
    uuid[8] = uuid[8] & 0x3F | 0x80;
    let mut entry = Entry {
        dn,
        uuid,
        attributes: std::collections::BTreeMap::new(),
        created_at: now,
        modified_at: now,
    };
    entry.set("objectclass", classes.iter().copied());
    Ok(entry)
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

    /// The first value of an attribute, if it is text.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.attributes.get(name)?.first()?).ok()
    }

    /// All values of an attribute that are addresses.
    pub(crate) fn addresses(&self, name: &str) -> Vec<Address> {
        let values = self.attributes.get(name).map(Vec::as_slice).unwrap_or_default();
        let texts = values.iter().filter_map(|v| std::str::from_utf8(v).ok());
        texts.filter_map(|text| Address::parse(text).ok()).collect()
    }

    /// The address that an account or alias must have.
    pub(crate) fn address(&self) -> Result<Address, StoreError> {
        self.first(ADDRESS)
            .and_then(|text| Address::parse(text).ok())
            .ok_or_else(|| StoreError::Damaged(format!("{} has no address", self.dn)))
    }
}

pub(crate) fn find(view: &impl View, dn: &str) -> Result<Option<Entry>, StoreError> {
    view.get(T::Entry, dn.as_bytes())?.map(|row| from_postcard(&row, "directory entry")).transpose()
}

/// The entry of an index row.
pub(crate) fn existing(view: &impl View, dn: &str) -> Result<Entry, StoreError> {
    find(view, dn)?.ok_or_else(|| StoreError::Damaged(format!("entry {dn} is missing")))
}

pub(crate) fn put(tables: &mut Tables<'_>, entry: &Entry) -> Result<(), StoreError> {
    tables.put(T::Entry, entry.dn.as_bytes(), &to_postcard(entry)?)
}

pub(crate) fn remove(tables: &mut Tables<'_>, dn: &str) -> Result<(), StoreError> {
    tables.remove(T::Entry, dn.as_bytes()).map(|_| ())
}
