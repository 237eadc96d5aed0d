//! Codes that change with time: RFC 6238 with what all authenticator apps know (SHA-1, 30 seconds, 6 digits).
//!
//! No I/O. Who may try a code, and that none is good twice, is `second_factor`'s.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base::Timestamp;

use crate::letters;

/// Bytes of a secret: as many as the hash has (RFC 4226 §4).
const SECRET_BYTES: usize = 20;
const STEP_MS: i64 = 30_000;
/// Steps that a clock may be wrong by, each way (RFC 6238 §5.2).
const STEPS_OFF: u64 = 1;
/// Digits of a code.
const DIGITS: usize = 6;

/// A new secret; `None`: no random numbers.
pub(crate) fn new_secret() -> Option<Vec<u8>> {
    let mut secret = vec![0; SECRET_BYTES];
    getrandom::fill(&mut secret).ok()?;
    Some(secret)
}

/// What an authenticator app reads as a QR code; `name` is the login, `box_name` the host's.
pub(crate) fn uri(secret: &[u8], name: &str, box_name: &str) -> String {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect()
    };
    let (name, issuer) = (escaped(name), escaped(box_name));
    let secret = letters::base32(secret);
    format!("otpauth://totp/{issuer}:{name}?secret={secret}&issuer={issuer}")
}

/// RFC 4226 §5.3.
fn code(secret: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = tag.last().map_or(0, |last| usize::from(last & 15));
    let four = tag.get(at..at + 4).and_then(|four| <[u8; 4]>::try_from(four).ok());
    let number = u32::from_be_bytes(four.unwrap_or_default()) & 0x7FFF_FFFF;
    format!("{:06}", number % 1_000_000)
}

/// The step that a typed code belongs to, if it is one of now; blanks do not matter.
pub(crate) fn step_of(secret: &[u8], typed: &str, now: Timestamp) -> Option<u64> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let now = u64::try_from(now.0.div_euclid(STEP_MS)).ok()?;
    let mut steps = now.saturating_sub(STEPS_OFF)..=now + STEPS_OFF;
    steps.find(|step| {
        verify_slices_are_equal(code(secret, *step).as_bytes(), typed.as_bytes()).is_ok()
    })
}

/// True for what could be a code: anything else may be a recovery code.
pub(crate) fn is_code(typed: &str) -> bool {
    let mut digits = typed.chars().filter(|c| !c.is_whitespace());
    digits.clone().count() == DIGITS && digits.all(|c| c.is_ascii_digit())
}

/// The code of now, for tests of other crates.
#[doc(hidden)]
#[must_use]
pub fn code_of_now(secret: &[u8], now: Timestamp) -> String {
    code(secret, u64::try_from(now.0.div_euclid(STEP_MS)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    /// RFC 6238 appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_the_standards() {
        for (secs, digits) in
            [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            let now = Timestamp(secs * 1000);
            assert_eq!(code_of_now(SECRET, now), digits);
            assert!(step_of(SECRET, digits, now).is_some());
        }
    }

    #[test]
    fn a_clock_may_be_wrong_by_one_step() {
        let at = |secs: i64| Timestamp(secs * 1000);
        let typed = code_of_now(SECRET, at(3000));
        for (secs, is_taken) in [(2969, false), (2970, true), (3059, true), (3060, false)] {
            assert_eq!(step_of(SECRET, &typed, at(secs)).is_some(), is_taken, "{secs}");
        }
        let (head, tail) = typed.split_at(3);
        let blank = format!("{head} {tail}");
        assert_eq!(step_of(SECRET, &blank, at(3000)), Some(100));
        assert!(is_code(&blank) && !is_code("12345") && !is_code("abcde-fghij"));
    }

    #[test]
    fn the_uri_is_what_apps_read() {
        assert_eq!(
            uri(b"foobar", "anna@office.test", "mail.office.test"),
            "otpauth://totp/mail.office.test:anna%40office.test?secret=MZXW6YTBOI&issuer=mail.office.test"
        );
    }
}
