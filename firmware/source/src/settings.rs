//! What is set of a source: the words of the presets, and what may be set.
//!
//! Limits: texts of 4 KB, 64 KB of certificates, 5 minutes to a week between syncs, 90 days of cache.

use std::collections::BTreeMap;

use directory::Filter;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use store::{SourcePreset, SourceSettings, SourceTls};

/// Minutes between two syncs if nothing is said.
pub const INTERVAL_MINUTES: u32 = 60;
/// Days that a password counts without its directory, if nothing is said.
pub const CACHE_DAYS: u16 = 14;
const INTERVAL_MIN: u32 = 5;
const INTERVAL_MAX: u32 = 7 * 24 * 60;
const CACHE_DAYS_MAX: u16 = 90;
const TEXT_MAX: usize = 4 * 1024;
const PEM_MAX: usize = 64 * 1024;
/// Hex digits of a SHA-256.
const FINGERPRINT_LEN: usize = 64;

/// What the attributes there are called: our word, Active Directory's, LDAP's. Several names with a space
/// between them are tried in their order, or taken together where there may be many values.
const WORDS: [(&str, &str, &str); 18] = [
    ("id", "objectGUID", "entryUUID"),
    ("login", "sAMAccountName", "uid"),
    ("name", "displayName cn", "displayName cn"),
    ("given_name", "givenName", "givenName"),
    ("surname", "sn", "sn"),
    ("address", "mail", "mail"),
    ("addresses", "proxyAddresses", "mailLocalAddress"),
    ("principal", "userPrincipalName", ""),
    ("telephone", "telephoneNumber", "telephoneNumber"),
    ("mobile", "mobile", "mobile"),
    ("title", "title", "title"),
    ("department", "department", "ou"),
    ("organization", "company", "o"),
    ("location", "physicalDeliveryOfficeName", "physicalDeliveryOfficeName"),
    ("disabled", "userAccountControl", ""),
    ("group_name", "cn", "cn"),
    ("group_member", "member", "member uniqueMember memberUid"),
    ("group_address", "mail", "mail"),
];

/// A value that may not be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key.
    pub field: String,
    /// Stable code.
    pub code: &'static str,
    /// English.
    pub detail: String,
}

fn problem(field: &str, code: &'static str, detail: impl Into<String>) -> Problem {
    Problem { field: field.to_owned(), code, detail: detail.into() }
}

/// What holds: the settings over the preset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Of people.
    pub filter: String,
    /// Of groups; empty takes none.
    pub group_filter: String,
    /// Our words and the names there.
    pub attributes: BTreeMap<&'static str, String>,
}

impl Effective {
    /// The settings over their preset.
    #[must_use]
    pub fn of(settings: &SourceSettings) -> Self {
        let is_ad = settings.preset == SourcePreset::ActiveDirectory;
        let (people, groups) = if is_ad {
            ("(&(objectClass=user)(!(objectClass=computer)))", "(objectClass=group)")
        } else {
            (
                "(objectClass=inetOrgPerson)",
                "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))",
            )
        };
        let attributes = WORDS.into_iter().map(|(word, ad, ldap)| {
            let preset = if is_ad { ad } else { ldap };
            let set = settings.attributes.get(word).map(String::as_str);
            (word, set.unwrap_or(preset).trim().to_owned())
        });
        Self {
            filter: settings.filter.clone().unwrap_or_else(|| people.to_owned()),
            group_filter: settings.group_filter.clone().unwrap_or_else(|| groups.to_owned()),
            attributes: attributes.collect(),
        }
    }

    /// The names there of one of our words.
    pub(crate) fn names(&self, word: &str) -> impl Iterator<Item = &str> {
        self.attributes.get(word).map(String::as_str).unwrap_or_default().split_whitespace()
    }
}

/// RFC 4512 §1.4: a name or a number, perhaps with options.
fn is_attribute(text: &str) -> bool {
    text.split_whitespace().all(|name| {
        name.len() <= 128
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-;.".contains(&b))
            && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
    })
}

/// Host, port and whether TLS begins at once, of `ldaps://host:port`.
///
/// # Errors
/// It is none.
pub fn parse_url(url: &str) -> Result<(String, u16, bool), Problem> {
    let bad = || problem("url", "url-invalid", "expected ldaps://host or ldap://host, with :port");
    let lower = url.trim().to_ascii_lowercase();
    let (rest, is_tls) = match (lower.strip_prefix("ldaps://"), lower.strip_prefix("ldap://")) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        (None, None) => return Err(bad()),
    };
    let rest = rest.trim_end_matches('/');
    let standard = if is_tls { 636 } else { 389 };
    // `[::1]:389`, and names and addresses of four bytes.
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(bad)?)),
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = port.map_or(Ok(standard), str::parse).map_err(|_| bad())?;
    let is_name = !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
    if !is_name || port == 0 || rustls_pki_types::ServerName::try_from(host).is_err() {
        return Err(bad());
    }
    Ok((host.to_owned(), port, is_tls))
}

/// Refuses what may not be set.
///
/// # Errors
/// The first problem, with its key.
pub fn check(settings: &SourceSettings) -> Result<(), Problem> {
    let texts = [("bind_dn", &settings.bind_dn), ("base", &settings.base)];
    let filters = [("filter", &settings.filter), ("group_filter", &settings.group_filter)];
    let optional = filters.into_iter().filter_map(|(field, text)| Some((field, text.as_ref()?)));
    let password = settings.bind_password.iter().map(|text| ("bind_password", text));
    for (field, text) in texts.into_iter().chain(optional).chain(password) {
        if text.len() > TEXT_MAX || text.contains('\0') {
            return Err(problem(field, "too-long", "at most 4,096 bytes, none of them 0"));
        }
    }
    if settings.base.trim().is_empty() || !settings.base.contains('=') {
        return Err(problem("base", "dn-invalid", "the base is a DN, as dc=office,dc=example is"));
    }
    if !settings.bind_dn.is_empty() && settings.bind_password.as_deref().unwrap_or("").is_empty() {
        let detail = "a bind without a password would be one as nobody";
        return Err(problem("bind_password", "password-missing", detail));
    }
    for (field, text) in [("filter", &settings.filter), ("group_filter", &settings.group_filter)] {
        let Some(text) = text.as_deref() else { continue };
        let may_be_empty = field == "group_filter" && text.is_empty();
        if !may_be_empty && Filter::parse(text).is_err() {
            return Err(problem(field, "filter-invalid", format!("{text} is no filter of LDAP")));
        }
    }
    for (word, name) in &settings.attributes {
        let field = format!("attributes.{word}");
        let is_known = WORDS.iter().any(|(known, ..)| known == word);
        if !is_known || !is_attribute(name) || name.len() > TEXT_MAX {
            return Err(problem(&field, "attribute-invalid", "no such word, or no attribute name"));
        }
    }
    check_trust(settings)?;
    if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&settings.interval_minutes) {
        return Err(problem("interval_minutes", "interval-invalid", "5 minutes to a week"));
    }
    if settings.cache_days > CACHE_DAYS_MAX {
        return Err(problem("cache_days", "cache-days-invalid", "at most 90 days"));
    }
    Ok(())
}

/// What is trusted, and that a password does not go over the open network.
fn check_trust(settings: &SourceSettings) -> Result<(), Problem> {
    let is_public = settings
        .host
        .parse()
        .is_ok_and(|address: std::net::IpAddr| !crate::connect::is_private(address));
    if settings.tls == SourceTls::None && is_public {
        let detail = "plain text only to this machine and to private addresses";
        return Err(problem("tls", "plain-not-allowed", detail));
    }
    if let Some(fingerprint) = &settings.fingerprint {
        let is_hex = fingerprint.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if fingerprint.len() != FINGERPRINT_LEN || !is_hex {
            let detail = "the SHA-256 of a certificate has 64 hex digits";
            return Err(problem("fingerprint", "fingerprint-invalid", detail));
        }
    }
    if let Some(pem) = &settings.ca_pem {
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
        let certificates: Vec<_> = certificates.filter_map(Result::ok).collect();
        if pem.len() > PEM_MAX || crate::tls::roots_of(&certificates).is_none() {
            let detail = "certificates in PEM, at most 64 KB";
            return Err(problem("ca_pem", "ca-invalid", detail));
        }
    }
    Ok(())
}

/// A fingerprint as people copy it: with colons, in capitals.
#[must_use]
pub fn plain_fingerprint(text: &str) -> String {
    let digits = text.chars().filter(|c| !c.is_whitespace() && *c != ':');
    digits.collect::<String>().to_ascii_lowercase()
}
