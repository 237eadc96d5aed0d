//! What may be set: languages, passwords, names, addresses, quotas. One place for the API and for the
//! provisioning file.

use base::{Address, DomainName};
use session::password;
pub(crate) use session::password::Holder;
use store::SendAs;

use crate::error::ApiError;

/// The languages of the web pages.
pub(crate) const LANGUAGES: [&str; 5] = ["en", "fr", "de", "it", "es"];
/// Longest name of a person, characters.
const NAME_MAX: usize = 200;
/// Addresses that the mail of one account goes on to; the store's limit.
pub(crate) const FORWARD_MAX: usize = 20;
/// Further sender addresses of one account; the store's limit.
pub(crate) const SEND_AS_MAX: usize = 1_000;
/// Longest name of a key, an app password or a webhook, characters.
const TITLE_MAX: usize = 100;
/// Longest name of a group, bytes; the store's limit.
const GROUP_NAME_MAX: usize = 128;
/// Most further addresses of an account.
pub(crate) const ALIASES_MAX: usize = 100;
/// Largest quota, MB (16 TB).
const QUOTA_MB_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of a MB of quota.
pub(crate) const MB: u64 = 1024 * 1024;

/// A value that may not be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Stable code.
    pub(crate) code: &'static str,
    /// English.
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    pub(crate) fn at(self, field: impl Into<String>) -> ApiError {
        ApiError::invalid(self.code).field(field).detail(self.detail)
    }
}

pub(crate) fn language(text: &str) -> Result<String, Problem> {
    if LANGUAGES.contains(&text) {
        return Ok(text.to_owned());
    }
    let known = LANGUAGES.join(" ");
    Err(Problem::new("language-unknown", format!("\"{text}\" is none of {known}")))
}

/// `about` is what is known of its owner: login, name, host name.
pub(crate) fn password(text: &str, holder: Holder, about: &[&str]) -> Result<(), Problem> {
    password::check(text, holder, about).map_err(|why| Problem::new(why.code, why.detail))
}

/// A fully qualified host name in its ASCII form.
pub(crate) fn hostname(text: &str) -> Result<String, Problem> {
    let name = DomainName::parse(text.trim());
    let Some(name) = name.ok().filter(|n| is_host(n.as_str())) else {
        return Err(Problem::new("hostname-invalid", format!("\"{text}\" is not a host name")));
    };
    if !name.as_str().contains('.') {
        let detail = format!("\"{text}\" is not fully qualified, as mail.office.example is");
        return Err(Problem::new("hostname-not-full", detail));
    }
    Ok(name.as_str().to_owned())
}

/// A mail domain.
pub(crate) fn domain(text: &str) -> Result<DomainName, Problem> {
    DomainName::parse(text.trim())
        .ok()
        .filter(|name| is_host(name.as_str()) && name.as_str().contains('.'))
        .ok_or_else(|| Problem::new("domain-invalid", format!("\"{text}\" is not a mail domain")))
}

/// RFC 1123 §2.1: letters, digits and hyphens; not only digits and dots (an address is no name).
fn is_host(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && name.rsplit('.').next().is_some_and(|top| top.bytes().any(|b| b.is_ascii_alphabetic()))
}

/// A mail address in one of our domains, or anywhere.
pub(crate) fn address(text: &str) -> Result<Address, Problem> {
    Address::parse(text.trim())
        .map_err(|err| Problem::new("address-invalid", format!("\"{text}\": {err}")))
}

/// What may be lent as a sender: an address, or `@domain`.
pub(crate) fn sender(text: &str) -> Result<SendAs, Problem> {
    match text.trim().strip_prefix('@') {
        Some(name) => domain(name).map(SendAs::Domain),
        None => address(text).map(SendAs::Address),
    }
}

/// The name of a group.
pub(crate) fn group_name(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let is_wrong = |c: char| is_unseen(c) || "@/\"\\".contains(c);
    if text.is_empty() || text.len() > GROUP_NAME_MAX || text.contains(is_wrong) {
        let detail = format!("a group's name has 1 to {GROUP_NAME_MAX} bytes, none of @ / \" \\");
        return Err(Problem::new("group-name-invalid", detail));
    }
    Ok(text.to_owned())
}

/// Control characters, and those that are not seen, or turn round what stands beside them: a name with such
/// looks like another one. Joiners and marks of direction stay: some languages write with them.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A person's name.
pub(crate) fn name(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.chars().count() > NAME_MAX || text.contains(is_unseen) {
        let detail = format!("a name has at most {NAME_MAX} characters and no control characters");
        return Err(Problem::new("name-invalid", detail));
    }
    Ok(text.to_owned())
}

/// What a key, an app password or a webhook is called.
pub(crate) fn title(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if !(1..=TITLE_MAX).contains(&text.chars().count()) || text.contains(is_unseen) {
        let detail = format!("a name has 1 to {TITLE_MAX} characters, no control characters");
        return Err(Problem::new("name-invalid", detail));
    }
    Ok(text.to_owned())
}

/// A quota in bytes.
pub(crate) fn quota(mb: u64) -> Result<u64, Problem> {
    if (1..=QUOTA_MB_MAX).contains(&mb) {
        return Ok(mb * MB);
    }
    Err(Problem::new("quota-invalid", format!("a quota is 1 to {QUOTA_MB_MAX} MB")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_names() {
        assert_eq!(hostname(" Mail.Müller.test ").unwrap(), "mail.xn--mller-kva.test");
        for (text, code) in [
            ("mail", "hostname-not-full"),
            ("", "hostname-invalid"),
            ("192.168.1.1", "hostname-invalid"),
            ("[192.0.2.1]", "hostname-invalid"),
            ("a_b.test", "hostname-invalid"),
        ] {
            assert_eq!(hostname(text).unwrap_err().code, code, "{text}");
        }
        assert!(domain("office.test").is_ok() && domain("office").is_err());
    }

    #[test]
    fn names_are_seen_as_they_are() {
        for good in ["Zoë", "O'Neill", "می\u{200c}خواهم", "👩\u{200d}💻"] {
            assert!(
                name(good).is_ok() && title(good).is_ok() && group_name(good).is_ok(),
                "{good}"
            );
        }
        for bad in ["a\nb", "a\u{202e}b", "\u{200b}", "\u{feff}x", "a\u{2066}b"] {
            assert!(
                name(bad).is_err() && title(bad).is_err() && group_name(bad).is_err(),
                "{bad:?}"
            );
        }
        assert!(name("").is_ok() && title(" ").is_err());
        assert!(title(&"ä".repeat(100)).is_ok() && title(&"ä".repeat(101)).is_err());
    }
}
