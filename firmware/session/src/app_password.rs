//! App passwords: made by us with 100 random bits, so that a fast hash is enough to keep them and nobody has to
//! be slowed down for guessing them. An account's app passwords and its password have one salt in SCRAM, for a
//! client is told the salt before it shows which of them it has.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use store::{Account, AppPassword, Credentials};

use crate::letters;
use crate::sasl::scram::Verifier;
use crate::sasl::{decode_base64, encode_base64};

/// Groups of five letters: 100 bits.
const GROUPS: usize = 4;
const SCHEME: &str = "BLAKE3$";
const SALT_BYTES: usize = 16;

/// A new one, as its owner types it; `None`: no random numbers.
pub(crate) fn generate() -> Option<String> {
    letters::random(GROUPS)
}

fn hash(salt: &[u8], password: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(salt).update(password.as_bytes());
    *hasher.finalize().as_bytes()
}

/// What is kept of it: `BLAKE3$salt$hash`, and behind a space what SCRAM needs. Takes as long as SCRAM's rounds.
pub(crate) fn verifier(password: &str, scram_salt: Option<&[u8]>) -> Option<String> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).ok()?;
    let of_scram = Verifier::derive(password.as_bytes(), scram_salt)?;
    let hash = encode_base64(&hash(&salt, password));
    Some(format!("{SCHEME}{}${hash} {of_scram}", encode_base64(&salt)))
}

fn is_of(app: &AppPassword, password: &str) -> bool {
    let parts = || {
        let (salt, hash) = app.verifier.split(' ').next()?.strip_prefix(SCHEME)?.split_once('$')?;
        Some((decode_base64(salt.as_bytes())?, decode_base64(hash.as_bytes())?))
    };
    parts().is_some_and(|(salt, wanted)| {
        verify_slices_are_equal(&hash(&salt, password), &wanted).is_ok()
    })
}

/// Which of an account's app passwords this is, however it was typed.
pub(crate) fn find<'c>(known: &'c Credentials, typed: &[u8]) -> Option<&'c AppPassword> {
    if known.app_passwords.is_empty() {
        return None;
    }
    let password = letters::as_given(typed, GROUPS)?;
    known.app_passwords.iter().find(|app| is_of(app, &password))
}

/// What SCRAM needs of an app password.
pub(crate) fn scram_of(app: &AppPassword) -> Option<Verifier> {
    Verifier::parse(app.verifier.split_once(' ')?.1)
}

/// The salt of SCRAM that an account's passwords share; `None` if it has none yet.
pub(crate) fn scram_salt(account: Option<&Account>, known: &Credentials) -> Option<Vec<u8>> {
    let of_apps = known.app_passwords.iter().find_map(scram_of);
    let of_account = || Verifier::parse(account?.scram_verifier.as_deref()?);
    of_apps.or_else(of_account).map(|verifier| verifier.salt().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_found_by_what_was_typed() {
        let password = generate().unwrap();
        let app = |id, password: &str| AppPassword {
            id,
            name: String::new(),
            protocols: 1,
            verifier: verifier(password, Some(b"one salt for all")).unwrap(),
            created_at: base::Timestamp(0),
            last_used_at: None,
            last_address: None,
        };
        let apps = vec![app(1, &generate().unwrap()), app(2, &password)];
        let known = Credentials { totp: None, app_passwords: apps };
        let typed = password.to_uppercase().replace('-', "");
        assert_eq!(find(&known, typed.as_bytes()).map(|app| app.id), Some(2));
        assert!(find(&known, generate().unwrap().as_bytes()).is_none());
        assert!(find(&known, b"secret").is_none());
        assert_eq!(scram_salt(None, &known).as_deref(), Some(&b"one salt for all"[..]));
        assert!(!known.app_passwords[1].verifier.contains(&password));
    }
}
