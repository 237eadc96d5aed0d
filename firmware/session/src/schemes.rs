//! The forms in which a directory keeps a password (RFC 2307 §5.3 and its heirs): ours is argon2id, the
//! others come with people from another server and are replaced at their next login.
//!
//! Never here: how often a password may be tried, who an account is.

use argon2::PasswordHash;
use argon2::password_hash::PasswordVerifier;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{self, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha_crypt::{PasswordHashRef, ShaCrypt};

/// Longest stored form that is taken from elsewhere, bytes.
const STORED_MAX: usize = 1024;
/// Rounds of SHA-crypt that are computed: half a second. A hash with more would be a way to hold a core.
const ROUNDS_MAX: u32 = 500_000;
/// Rounds of a hash that names none.
const ROUNDS_DEFAULT: &str = "rounds=5000";
/// Memory of a foreign argon2 hash, KB, and its passes; of ours they are far below.
const ARGON2_MEMORY_MAX_KB: u32 = 64 * 1024;
const ARGON2_PASSES_MAX: u32 = 10;

/// A stored form, taken apart.
enum Stored<'a> {
    Argon2(&'a str),
    /// A digest, and the salt behind it.
    Digest(&'static digest::Algorithm, Vec<u8>),
    /// `$5$` or `$6$`.
    ShaCrypt(&'a str),
}

fn digest_of(algorithm: &'static digest::Algorithm, base64: &str) -> Option<Stored<'static>> {
    let bytes = STANDARD.decode(base64).ok()?;
    (bytes.len() >= algorithm.output_len()).then_some(Stored::Digest(algorithm, bytes))
}

fn sha_crypt_of(text: &str) -> Option<Stored<'_>> {
    let (_, rest) = text
        .strip_prefix("$5$")
        .map(|r| (5, r))
        .or_else(|| text.strip_prefix("$6$").map(|rest| (6, rest)))?;
    let rounds = match rest.strip_prefix("rounds=") {
        Some(rest) => rest.split('$').next()?.parse().ok()?,
        None => 0,
    };
    (rounds <= ROUNDS_MAX).then_some(Stored::ShaCrypt(text))
}

/// `None`: nothing that a password could belong to.
fn take_apart(stored: &str) -> Option<Stored<'_>> {
    if stored.len() > STORED_MAX {
        return None;
    }
    let Some((scheme, value)) = stored.strip_prefix('{').and_then(|rest| rest.split_once('}'))
    else {
        return stored.starts_with("$argon2").then_some(Stored::Argon2(stored));
    };
    match scheme.to_ascii_uppercase().as_str() {
        "ARGON2" => Some(Stored::Argon2(value)),
        "SHA" | "SSHA" => digest_of(&digest::SHA1_FOR_LEGACY_USE_ONLY, value),
        "SHA256" | "SSHA256" => digest_of(&digest::SHA256, value),
        "SHA512" | "SSHA512" => digest_of(&digest::SHA512, value),
        "CRYPT" => sha_crypt_of(value),
        _ => None,
    }
}

/// True if a password of this form can be checked at all: what an import may bring.
#[must_use]
pub fn is_known(stored: &str) -> bool {
    match take_apart(stored) {
        Some(Stored::Argon2(phc)) => PasswordHash::new(phc).is_ok_and(|hash| is_cheap(&hash)),
        other => other.is_some(),
    }
}

/// True if the form is not ours: the next right login replaces it.
pub(crate) fn is_foreign(stored: &str) -> bool {
    !stored.starts_with('$')
}

fn is_cheap(hash: &PasswordHash) -> bool {
    argon2::Params::try_from(hash).is_ok_and(|params| {
        params.m_cost() <= ARGON2_MEMORY_MAX_KB && params.t_cost() <= ARGON2_PASSES_MAX
    })
}

/// True if the password belongs to the stored form. Takes as long as the form says, within the limits
/// above.
pub(crate) fn verify(stored: &str, password: &[u8]) -> bool {
    match take_apart(stored) {
        Some(Stored::Argon2(phc)) => PasswordHash::new(phc).is_ok_and(|hash| {
            let checker = argon2::Argon2::default();
            is_cheap(&hash) && checker.verify_password(password, &hash).is_ok()
        }),
        Some(Stored::Digest(algorithm, bytes)) => {
            let (wanted, salt) = bytes.split_at(algorithm.output_len());
            let is = digest(algorithm, &[password, salt].concat());
            verify_slices_are_equal(is.as_ref(), wanted).is_ok()
        }
        Some(Stored::ShaCrypt(text)) => is_sha_crypt(text, password),
        None => false,
    }
}

fn is_sha_crypt(text: &str, password: &[u8]) -> bool {
    // The crate has a default of its own for a hash that names no rounds; crypt(3) has 5,000.
    let named = match text.split_at_checked(3) {
        Some((id, rest)) if !rest.starts_with("rounds=") => format!("{id}{ROUNDS_DEFAULT}${rest}"),
        _ => text.to_owned(),
    };
    let Ok(hash) = PasswordHashRef::new(&named) else { return false };
    ShaCrypt::default().verify_password(password, hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl passwd`, crypt(3) and `hashlib` over password and salt.
    const OF_SECRET: &[&str] = &[
        "{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA==",
        "{ssha256}oBmrdHcA6OZEkkCLeXh71YAerbvhXz1qqwjrPsXmEtNzYWx0c2FsdA==",
        "{SSHA512}aCu7JRc+kLsuEmFs1zTY+AiP7DSGnjjG+dH28Dp+E5usqoAixeTPihKqZmkWal4mUfp63tqvCAkFV1LKTDFH6XNhbHRzYWx0",
        "{CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
        "{CRYPT}$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
    ];

    #[test]
    fn what_other_servers_keep_is_checked() {
        for stored in OF_SECRET {
            assert!(is_known(stored) && is_foreign(stored), "{stored}");
            assert!(verify(stored, b"secret"), "{stored}");
            assert!(!verify(stored, b"secre") && !verify(stored, b""), "{stored}");
        }
        let with_rounds = "{CRYPT}$6$rounds=1000$abcdefgh$0OQ58y54W1jJvjpaq3bUaBizpncCnPJGmIAkDmaf7jueJt.kZbK.mfJv1l4BlK26J9mmNQCgnXR5trYChFrNa/";
        assert!(verify(with_rounds, "gr\u{fc}n".as_bytes()));
    }

    #[test]
    fn what_nobody_can_check_or_should_is_no_password() {
        for stored in [
            "",
            "secret",
            "{SSHA}",
            "{SSHA}AAAA",
            "{SSHA}!!",
            "{SSHA512}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA==",
            "{CLEARTEXT}secret",
            "{CRYPT}ab01FAX.bQRSU",
            "{CRYPT}$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
            "{CRYPT}$6$rounds=999999999$abcdefgh$x",
            "{ARGON2}$argon2id$v=19$m=4194304,t=3,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ",
            "{ARGON2}$argon2id$",
        ] {
            assert!(!is_known(stored), "{stored}");
            assert!(!verify(stored, b"secret") && !verify(stored, b""), "{stored}");
        }
        for damaged in ["{CRYPT}$6$", "{CRYPT}$5$rounds=$x", "{CRYPT}$6$a", "{CRYPT}$6$rounds=10$"]
        {
            assert!(!verify(damaged, b"secret"), "{damaged}");
        }
    }
}
