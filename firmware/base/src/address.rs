//! Mail addresses and domains as the box compares them. RFC 5321 §4.1.2, RFC 6531, RFC 5891.
//!
//! A domain is kept in its ASCII (A-label) form, lower case. A local part is kept as given; local
//! accounts compare it without regard to case ([`Address::key`]).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest local part, octets (RFC 5321 §4.5.3.1.1).
pub const LOCAL_PART_MAX: usize = 64;
/// Longest domain, octets (RFC 5321 §4.5.3.1.2).
pub const DOMAIN_MAX: usize = 255;

/// Why a text is no address or domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no `@`.
    #[error("the address has no @")]
    NoAt,
    /// Nothing stands before the `@`, or it is too long or holds control characters.
    #[error("the part before the @ is not valid")]
    LocalPart,
    /// The domain is empty, too long or not a domain name.
    #[error("the domain is not valid")]
    Domain,
}

/// A domain name in lower-case ASCII, without a final dot. An address literal keeps its brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DomainName(String);

impl DomainName {
    /// Parses a domain, also in Unicode, or an address literal `[192.0.2.1]`.
    ///
    /// # Errors
    /// [`AddressError::Domain`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.starts_with('[') && text.ends_with(']') && text.len() <= DOMAIN_MAX {
            let inner = text.trim_start_matches('[').trim_end_matches(']');
            let ok = !inner.is_empty()
                && inner
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-'));
            return if ok {
                Ok(Self(text.to_ascii_lowercase()))
            } else {
                Err(AddressError::Domain)
            };
        }
        let ascii = idna::domain_to_ascii(text).map_err(|_| AddressError::Domain)?;
        let labels_ok = !ascii.is_empty()
            && ascii.len() <= DOMAIN_MAX
            && ascii.split('.').all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            });
        if labels_ok { Ok(Self(ascii)) } else { Err(AddressError::Domain) }
    }

    /// The ASCII form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `local-part@domain`, the local part unquoted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    local: String,
    domain: DomainName,
}

impl Address {
    /// Parses `local@domain`; a quoted local part is unquoted.
    ///
    /// # Errors
    /// Says which half is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::NoAt)?;
        Self::new(&unquote(local)?, DomainName::parse(domain)?)
    }

    /// An address of an unquoted local part and a domain.
    ///
    /// # Errors
    /// [`AddressError::LocalPart`] when it is empty, over 64 octets or holds control characters.
    pub fn new(local: &str, domain: DomainName) -> Result<Self, AddressError> {
        if local.is_empty() || local.len() > LOCAL_PART_MAX || local.chars().any(char::is_control) {
            return Err(AddressError::LocalPart);
        }
        Ok(Self { local: local.to_owned(), domain })
    }

    /// The local part, unquoted, in the case in which it was given.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The form under which a local address is found: all lower case.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}@{}", self.local.to_lowercase(), self.domain)
    }

    /// True if the local part needs SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

impl fmt::Display for Address {
    /// The form for the wire: the local part is quoted where RFC 5321 `Dot-string` does not fit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let atom =
            |b: u8| b.is_ascii_alphanumeric() || b >= 0x80 || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
        let dot_string =
            self.local.split('.').all(|part| !part.is_empty() && part.bytes().all(atom));
        if dot_string {
            return write!(f, "{}@{}", self.local, self.domain);
        }
        f.write_str("\"")?;
        for c in self.local.chars() {
            if c == '"' || c == '\\' {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        write!(f, "\"@{}", self.domain)
    }
}

/// Takes the quotes of a `Quoted-string` off; other text comes back as it is if it may stand unquoted.
fn unquote(local: &str) -> Result<String, AddressError> {
    let Some(inner) = local.strip_prefix('"') else {
        let bad = |c: char| c.is_whitespace() || "\"(),:;<>@[\\]".contains(c);
        return if local.contains(bad) {
            Err(AddressError::LocalPart)
        } else {
            Ok(local.to_owned())
        };
    };
    let inner = inner.strip_suffix('"').ok_or(AddressError::LocalPart)?;
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Err(AddressError::LocalPart),
            '\\' => text.push(chars.next().ok_or(AddressError::LocalPart)?),
            c => text.push(c),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, shown) in [
            ("anna@office.test", "anna@office.test"),
            ("Anna.Berg@OFFICE.test.", "Anna.Berg@office.test"),
            ("\"a b\"@x.test", "\"a b\"@x.test"),
            ("\"a\\\"b\"@x.test", "\"a\\\"b\"@x.test"),
            ("jörg@müller.test", "jörg@xn--mller-kva.test"),
            ("u@[192.0.2.1]", "u@[192.0.2.1]"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "anna",
            "@x.test",
            "a@",
            "a b@x.test",
            "a@x..test",
            "a@-x.test",
            "\"a@x.test",
            "a\r@x.test",
            "a@[;]",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }
}
