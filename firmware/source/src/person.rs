//! What an entry of a person there means here.

use std::collections::BTreeSet;

use base::{Address, DomainName};
use directory::matching;
use directory::schema;
use store::{FromSource, SourceKind};

use crate::client::Raw;
use crate::settings::Effective;

/// Bit of userAccountControl: ACCOUNTDISABLE.
const ACCOUNT_DISABLED: i64 = 2;
/// Longest value that is taken over, bytes.
const VALUE_MAX: usize = 1_024;
/// Addresses of one person.
const ADDRESSES_MAX: usize = 100;
/// What is taken over as it stands: our word and our attribute.
const PLAIN: [(&str, &str); 7] = [
    ("given_name", "givenname"),
    ("telephone", "telephonenumber"),
    ("mobile", "mobile"),
    ("title", "title"),
    ("department", "ou"),
    ("organization", "o"),
    ("location", "physicaldeliveryofficename"),
];

/// Why an entry does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It has no lasting id.
    NoId,
    /// It has no address in a domain of the box.
    NoAddress,
}

impl Raw {
    /// The values of the attributes that one of our words stands for.
    pub(crate) fn values<'r>(
        &'r self,
        effective: &'r Effective,
        word: &str,
    ) -> impl Iterator<Item = &'r [u8]> {
        let names: Vec<String> = effective.names(word).map(str::to_ascii_lowercase).collect();
        names.into_iter().flat_map(|name| {
            let values = self.attributes.get(&name).map(Vec::as_slice).unwrap_or_default();
            values.iter().map(Vec::as_slice)
        })
    }

    /// Those that are text.
    pub(crate) fn texts<'r>(
        &'r self,
        effective: &'r Effective,
        word: &str,
    ) -> impl Iterator<Item = &'r str> {
        let texts = self.values(effective, word).filter_map(|v| std::str::from_utf8(v).ok());
        texts.map(str::trim).filter(|text| !text.is_empty() && text.len() <= VALUE_MAX)
    }

    /// The lasting id: text as it stands, Active Directory's GUID as people write it.
    pub(crate) fn id(&self, effective: &Effective) -> Option<String> {
        let is_guid = effective.names("id").any(|name| name.eq_ignore_ascii_case("objectGUID"));
        let value =
            self.values(effective, "id").next().filter(|v| !v.is_empty() && v.len() <= 256)?;
        if let (true, Ok(guid)) = (is_guid, <[u8; 16]>::try_from(value)) {
            return Some(guid_text(guid));
        }
        match std::str::from_utf8(value) {
            Ok(text) if !text.chars().any(char::is_control) => Some(text.trim().to_lowercase()),
            _ => Some(base::hex::encode(value)),
        }
    }
}

/// The value of an attribute that [`Raw::id`] made `id` of.
pub(crate) fn id_value(name: &str, id: &str) -> Vec<u8> {
    let is_guid = name.eq_ignore_ascii_case("objectGUID");
    match guid_bytes(id) {
        Some(guid) if is_guid => guid.to_vec(),
        _ => id.as_bytes().to_vec(),
    }
}

/// The other way round than [`guid_text`].
fn guid_bytes(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.split('-').collect();
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
    let [d, c, b, a, f, e, h, g, rest @ ..] = number.to_be_bytes();
    let [i, j, k, l, m, n, o, p] = rest;
    Some([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// MS-DTYP §2.3.4.2: the first three fields are in the order of the little end.
pub(crate) fn guid_text(guid: [u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = guid;
    let [i, j, tail @ ..] = rest;
    let hex = base::hex::encode;
    format!(
        "{}-{}-{}-{}-{}",
        hex(&[d, c, b, a]),
        hex(&[f, e]),
        hex(&[h, g]),
        hex(&[i, j]),
        hex(&tail)
    )
}

/// The addresses in the box's domains, the primary one first: what Active Directory marks `SMTP:`, then
/// those of the attribute for the address, then all others.
pub(crate) fn addresses(
    raw: &Raw,
    effective: &Effective,
    words: &[&str],
    domains: &[DomainName],
) -> Vec<Address> {
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for word in words {
        for text in raw.texts(effective, word) {
            match text.split_once(':') {
                Some(("SMTP", address)) => first.push(address),
                Some((kind, address)) if kind.eq_ignore_ascii_case("smtp") => later.push(address),
                // `x500:`, `sip:` and others are no mail.
                Some(_) => {}
                None => later.push(text),
            }
        }
    }
    let mut seen = BTreeSet::new();
    let all = first.into_iter().chain(later).filter_map(|text| Address::parse(text).ok());
    let ours = all.filter(|address| domains.contains(address.domain()));
    ours.filter(|address| seen.insert(address.key())).take(ADDRESSES_MAX).collect()
}

/// True if the entry says that the person may not log in.
fn is_disabled(raw: &Raw, effective: &Effective) -> bool {
    let is_control = |name: &str| name.eq_ignore_ascii_case("userAccountControl");
    let has_bits = effective.names("disabled").any(is_control);
    raw.texts(effective, "disabled").any(|text| match text.parse::<i64>() {
        Ok(number) if has_bits => number & ACCOUNT_DISABLED != 0,
        _ => ["true", "1", "yes"].contains(&text.to_ascii_lowercase().as_str()),
    })
}

/// The values that our schema takes for an attribute, each once.
pub(crate) fn fitting<'v>(key: &str, values: impl Iterator<Item = &'v str>) -> Vec<Vec<u8>> {
    let Some(attribute) = schema::attribute(key) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let values = values.map(str::as_bytes).filter(|value| attribute.syntax.accepts(value));
    let values = values.filter(|value| seen.insert(matching::identity(attribute, value)));
    let max = if attribute.is_single { 1 } else { usize::MAX };
    values.take(max).map(<[u8]>::to_vec).collect()
}

/// A person as the store takes it.
pub(crate) fn person(
    raw: &Raw,
    effective: &Effective,
    domain: &DomainName,
    domains: &[DomainName],
) -> Result<FromSource, Unfit> {
    let words = ["address", "addresses", "principal"];
    let addresses = addresses(raw, effective, &words, domains);
    let (primary, further) = addresses.split_first().ok_or(Unfit::NoAddress)?;
    let id = raw.id(effective).ok_or(Unfit::NoId)?;
    let name = raw.texts(effective, "name").next().unwrap_or_else(|| primary.local());
    let surname = raw.texts(effective, "surname").next();
    let surname = surname.or_else(|| name.rsplit(' ').next()).unwrap_or(name);
    let mut attributes = directory::Attributes::new();
    for (key, value) in [("cn", name), ("displayname", name), ("sn", surname)] {
        attributes.insert(key.to_owned(), fitting(key, [value].into_iter()));
    }
    for (word, key) in PLAIN {
        attributes.insert(key.to_owned(), fitting(key, raw.texts(effective, word)));
    }
    attributes.insert("uid".to_owned(), fitting("uid", raw.texts(effective, "login").take(1)));
    let text = |address: &Address| address.to_string().into_bytes();
    attributes.insert("mail".to_owned(), vec![text(primary)]);
    attributes.insert("maillocaladdress".to_owned(), further.iter().map(text).collect());
    Ok(FromSource {
        domain: domain.clone(),
        kind: SourceKind::Person,
        id,
        dn: raw.dn.clone(),
        name: primary.local().to_lowercase(),
        state: is_disabled(raw, effective).then(|| "disabled".to_owned()),
        attributes,
    })
}
