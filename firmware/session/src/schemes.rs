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
use md5::{Digest as _, Md5};
use sha_crypt::{PasswordHashRef, ShaCrypt};
use yescrypt::Yescrypt;

mod md5_crypt;

/// Longest stored form that is taken from elsewhere, bytes.
const STORED_MAX: usize = 1024;
/// Rounds of SHA-crypt that are computed: half a second. A hash with more would be a way to hold a core.
const ROUNDS_MAX: u32 = 500_000;
/// Rounds of a hash that names none.
const ROUNDS_DEFAULT: &str = "rounds=5000";
/// Memory of a foreign argon2 hash, KB, and its passes; of ours they are far below.
const ARGON2_MEMORY_MAX_KB: u32 = 64 * 1024;
const ARGON2_PASSES_MAX: u32 = 10;
/// Cost of a bcrypt hash that is computed: a second. Most are made with 10 or 12.
const BCRYPT_COST_MAX: u32 = 14;
/// Memory of a yescrypt hash, bytes; Debian's own take 16 MB.
const YESCRYPT_MEMORY_MAX: u64 = 32 * 1024 * 1024;
const MD5_LEN: usize = 16;

/// What may come from elsewhere, for who is told that something else may not.
pub const KNOWN: &str = "{ARGON2}, {SSHA}, {SSHA256}, {SSHA512}, {SHA}, {SMD5}, {MD5} or {CRYPT} with $y$, $2b$, $6$, $5$ or $1$";

/// A stored form, taken apart.
enum Stored<'a> {
    Argon2(&'a str),
    /// A digest, and the salt behind it.
    Digest(&'static digest::Algorithm, Vec<u8>),
    /// The same of MD5, which old servers still keep.
    Md5(Vec<u8>),
    /// `$5$` or `$6$`.
    ShaCrypt(&'a str),
    /// `$1$`.
    Md5Crypt(&'a str),
    /// `$2a$`, `$2b$`, `$2x$` or `$2y$`.
    Bcrypt(&'a str),
    /// `$y$`, what Debian makes today.
    Yescrypt(&'a str),
}

fn digest_of(algorithm: &'static digest::Algorithm, base64: &str) -> Option<Stored<'static>> {
    let bytes = STANDARD.decode(base64).ok()?;
    (bytes.len() >= algorithm.output_len()).then_some(Stored::Digest(algorithm, bytes))
}

fn md5_of(base64: &str) -> Option<Stored<'static>> {
    let bytes = STANDARD.decode(base64).ok()?;
    (bytes.len() >= MD5_LEN).then_some(Stored::Md5(bytes))
}

/// What crypt(3) makes, within the limits above.
fn crypt_of(text: &str) -> Option<Stored<'_>> {
    let (id, rest) = text.strip_prefix('$')?.split_once('$')?;
    match id {
        "1" => md5_crypt::is_one(text).then_some(Stored::Md5Crypt(text)),
        "2a" | "2b" | "2x" | "2y" => {
            let cost = text.parse::<bcrypt::HashParts>().ok()?.get_cost();
            (cost <= BCRYPT_COST_MAX).then_some(Stored::Bcrypt(text))
        }
        "5" | "6" => {
            let rounds = match rest.strip_prefix("rounds=") {
                Some(rest) => rest.split('$').next()?.parse().ok()?,
                None => 0,
            };
            let hash = rest.rsplit_once('$').map_or("", |(_, hash)| hash);
            let is_whole = hash.len() == if id == "5" { 43 } else { 86 };
            (rounds <= ROUNDS_MAX && is_whole).then_some(Stored::ShaCrypt(text))
        }
        "y" => is_cheap_yescrypt(rest).then_some(Stored::Yescrypt(text)),
        _ => None,
    }
}

/// `rest` is what stands behind `$y$`: parameters, salt, hash.
fn is_cheap_yescrypt(rest: &str) -> bool {
    let Some((params, _)) = rest.split_once('$') else { return false };
    let Ok(params) = params.parse::<yescrypt::Params>() else { return false };
    // Blocks of 128 bytes (yescrypt's N, r and p).
    let width = u64::from(params.r()).saturating_mul(u64::from(params.p()));
    params.n().saturating_mul(width).saturating_mul(128) <= YESCRYPT_MEMORY_MAX
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
        "MD5" | "SMD5" => md5_of(value),
        "CRYPT" => crypt_of(value),
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
        Some(Stored::Md5(bytes)) => {
            let (wanted, salt) = bytes.split_at(MD5_LEN);
            let is = Md5::new().chain_update(password).chain_update(salt).finalize();
            verify_slices_are_equal(&is, wanted).is_ok()
        }
        Some(Stored::ShaCrypt(text)) => is_sha_crypt(text, password),
        Some(Stored::Md5Crypt(text)) => md5_crypt::verify(text, password),
        Some(Stored::Bcrypt(text)) => bcrypt::verify(password, text).unwrap_or(false),
        Some(Stored::Yescrypt(text)) => PasswordHashRef::new(text)
            .is_ok_and(|hash| Yescrypt::default().verify_password(password, hash).is_ok()),
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
        "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
        "{SMD5}mc0uWpXVVe5747A4pKhGJXNhbHQ=",
        "{CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
        "{CRYPT}$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
        "{CRYPT}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1",
        "{CRYPT}$2b$08$abcdefghijklmnopqrstuuKxCcvB7KZ7.BpDoK0bh6qM7Dl1/xiJa",
        "{CRYPT}$y$j9T$saltsaltsalt$AnbE4uovRUrp5W/7h65lVXbBxJijULPRqRjd39xI5w9",
    ];
    const LONG: &str = "a longer passwörd with more than sixteen bytes";
    const OF_LONG: &[&str] = &[
        "{MD5}DaQbw0nTXjgBOoJaD2jBnA==",
        "{SMD5}W/mtd66BuF8SiXQ6gat1fHNhbHQ=",
        "{CRYPT}$1$abcdefgh$8FX8boM.aiSf5dDM02ZL40",
        "{CRYPT}$2b$08$abcdefghijklmnopqrstuuw.IjFzsmY5ZBaYhd63NVGgdrHgqHuWe",
        "{CRYPT}$y$j9T$saltsaltsalt$pz48eF82C/.OUzvq3plW/uko2ndcx36GPA8Ji2rPtX9",
    ];

    #[test]
    fn what_other_servers_keep_is_checked() {
        let known = [("secret", OF_SECRET), (LONG, OF_LONG)];
        for (password, all) in known {
            for stored in all {
                assert!(is_known(stored) && is_foreign(stored), "{stored}");
                assert!(verify(stored, password.as_bytes()), "{stored}");
                assert!(!verify(stored, b"secre") && !verify(stored, b""), "{stored}");
            }
        }
        let with_rounds = "{CRYPT}$6$rounds=1000$abcdefgh$0OQ58y54W1jJvjpaq3bUaBizpncCnPJGmIAkDmaf7jueJt.kZbK.mfJv1l4BlK26J9mmNQCgnXR5trYChFrNa/";
        assert!(verify(with_rounds, "gr\u{fc}n".as_bytes()));
        assert!(verify("{CRYPT}$1$$LP5.V3ajGqHDdXW6XwZQy.", b"x"), "no salt");
        assert!(verify("{CRYPT}$1$abc$Or2rbeUYTvt12aiVzMuS/.", b""), "no password");
    }

    proptest::proptest! {
        /// A box is not to fall over what an LDIF file of another server holds.
        #[test]
        fn whatever_comes_is_taken_apart(
            scheme in "\\{(MD5|SMD5|SSHA|CRYPT|ARGON2)\\}",
            id in "(\\$(1|2b|5|6|y|argon2id)\\$)?",
            rest in "[./0-9A-Za-z$=+,]{0,40}",
        ) {
            let stored = format!("{scheme}{id}{rest}");
            proptest::prop_assert!(is_foreign(&stored) && is_known(&stored) <= (stored.len() > 20));
        }
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
            "{MD5}AAAA",
            "{CRYPT}$1$saltsaltsalt$qjXMvbEw8oaL.CzflDtaK/",
            "{CRYPT}$1$saltsalt$qjXMvbEw8oaL.CzflDta",
            "{CRYPT}$1$saltsalt$qjXMvbEw8oaL.CzflDta!!",
            "{CRYPT}$2b$31$abcdefghijklmnopqrstuuKxCcvB7KZ7.BpDoK0bh6qM7Dl1/xiJa",
            "{CRYPT}$2b$08$short",
            // 128 MB of memory; parameters that are none.
            "{CRYPT}$y$jCT$saltsaltsalt$AnbE4uovRUrp5W/7h65lVXbBxJijULPRqRjd39xI5w9",
            "{CRYPT}$y$zzzzzzzzzz$saltsaltsalt$AnbE4uovRUrp5W/7h65lVXbBxJijULPRqRjd39xI5w9",
            "{CRYPT}$y$$$",
            "{CRYPT}$7$x",
            "{CRYPT}$6$rounds=999999999$abcdefgh$0OQ58y54W1jJvjpaq3bUaBizpncCnPJGmIAkDmaf7jueJt.kZbK.mfJv1l4BlK26J9mmNQCgnXR5trYChFrNa/",
            "{CRYPT}$6$saltsalt$cutoff",
            "{CRYPT}$5$saltsalt",
            "{ARGON2}$argon2id$v=19$m=4194304,t=3,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ",
            "{ARGON2}$argon2id$",
        ] {
            assert!(!is_known(stored), "{stored}");
            assert!(!verify(stored, b"secret") && !verify(stored, b""), "{stored}");
        }
        for damaged in [
            "{CRYPT}$6$",
            "{CRYPT}$5$rounds=$x",
            "{CRYPT}$6$a",
            "{CRYPT}$6$rounds=10$",
            "{CRYPT}$y$j9T$",
            "{CRYPT}$y$j9T$!$!",
            "{CRYPT}$2y$08$",
        ] {
            assert!(!verify(damaged, b"secret"), "{damaged}");
        }
    }
}
