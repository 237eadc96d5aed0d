//! SASL: which mechanisms there are, their exchange, and their words on the wire (RFC 4422, RFC 4616,
//! RFC 5802).
//!
//! A protocol carries base64 to and fro and asks an [`Exchange`] what it means. Never here: how a protocol
//! says yes or no.

mod exchange;
pub(crate) mod scram;

pub use exchange::{Exchange, Mechanism, Step, mechanisms};

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Longest response taken, bytes of base64 (RFC 4954 §4).
pub const RESPONSE_MAX: usize = 12_288;

/// Some clients forget the padding; the value is the same.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The base64 form of a challenge.
#[must_use]
pub fn encode_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The message of the PLAIN mechanism.
#[derive(Clone, PartialEq, Eq)]
struct Plain {
    /// Whom to act as; empty for oneself.
    authzid: String,
    /// Who logs in.
    login: String,
    /// The password.
    password: Vec<u8>,
}

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plain").field("login", &self.login).finish_non_exhaustive()
    }
}

/// Decodes a base64 response; `=` alone is the empty response (RFC 4954 §4).
#[must_use]
pub fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    if text == b"=" {
        return Some(Vec::new());
    }
    if text.len() > RESPONSE_MAX {
        return None;
    }
    LENIENT.decode(text).ok()
}

/// Takes a PLAIN message apart. RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
fn split_plain(bytes: &[u8]) -> Option<Plain> {
    let mut parts = bytes.split(|&b| b == 0);
    let (authzid, login, password) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || login.is_empty() || password.is_empty() {
        return None;
    }
    Some(Plain {
        authzid: String::from_utf8(authzid.to_vec()).ok()?,
        login: String::from_utf8(login.to_vec()).ok()?,
        password: password.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_taken_apart() {
        let split = |text: &[u8]| split_plain(&decode_base64(text)?);
        let plain = split(b"AGFubmFAb2ZmaWNlLnRlc3QAc2VjcmV0").unwrap();
        assert_eq!(
            (plain.login.as_str(), plain.password.as_slice()),
            ("anna@office.test", &b"secret"[..])
        );
        for bad in [&b"!!"[..], b"AGFubmE=", b"AAA=", b"AGEAYgBj"] {
            assert!(split(bad).is_none(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
