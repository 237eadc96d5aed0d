//! What a password must be: one place for the API, the wizard, provisioning files, imports and LDAP. No I/O, and
//! nothing of a password is ever logged.
//!
//! How soon it is guessed says `zxcvbn`, which knows common passwords, names, dates, keyboards and repetitions.
//! What is guessed over the network is slowed down to ten tries in ten minutes, so the thresholds are low: they
//! refuse what stands at the top of every list.

use zxcvbn::zxcvbn;

/// Longest password, characters.
const MAX: usize = 256;
/// Characters that the judgement looks at: with more of them a password that was made for it (letters that may be
/// digits, over and over) keeps a core busy for two seconds.
const JUDGED_MAX: usize = 24;
/// Words about its owner that are looked for in a password, and the shortest of them, characters.
const WORDS_MAX: usize = 32;
const WORD_MIN: usize = 3;

/// Whose password it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An account.
    Person,
    /// The login `admin`, or an account with that role.
    Admin,
}

impl Holder {
    /// An admin's, or not.
    #[must_use]
    pub fn of(is_admin: bool) -> Self {
        if is_admin { Self::Admin } else { Self::Person }
    }

    /// Shortest password, characters.
    #[must_use]
    pub fn min_chars(self) -> usize {
        match self {
            Self::Person => 8,
            Self::Admin => 10,
        }
    }

    /// Least score: 1 is at least 1,000 guesses, 2 a million.
    #[must_use]
    pub fn min_score(self) -> u8 {
        match self {
            Self::Person => 1,
            Self::Admin => 2,
        }
    }
}

/// Why a password is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// Stable code: `password-too-short`, `password-too-long`, `password-invalid`, `password-too-simple`.
    pub code: &'static str,
    /// English.
    pub detail: String,
}

impl Weakness {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// From 0 (at the top of every list) to 4 (more than 10^10 guesses). `about` is what is known of its owner: login,
/// name, domain. Of long passwords the first [`JUDGED_MAX`] characters count.
#[must_use]
pub fn score(text: &str, about: &[&str]) -> u8 {
    let joined: Vec<String> =
        about.iter().map(|known| known.chars().filter(|c| c.is_alphanumeric()).collect()).collect();
    let parts = about.iter().flat_map(|known| known.split(|c: char| !c.is_alphanumeric()));
    let words: Vec<&str> = about
        .iter()
        .copied()
        .chain(joined.iter().map(String::as_str))
        .chain(parts)
        .filter(|word| word.chars().count() >= WORD_MIN)
        .take(WORDS_MAX)
        .collect();
    let judged: String = text.chars().take(JUDGED_MAX).collect();
    u8::from(zxcvbn(&judged, &words).score())
}

/// Whether a password is taken.
///
/// # Errors
/// Why not.
pub fn check(text: &str, holder: Holder, about: &[&str]) -> Result<(), Weakness> {
    let chars: Vec<char> = text.chars().collect();
    let min = holder.min_chars();
    if chars.len() < min {
        let detail = format!("a password has at least {min} characters");
        return Err(Weakness::new("password-too-short", detail));
    }
    if chars.len() > MAX {
        let detail = format!("a password has at most {MAX} characters");
        return Err(Weakness::new("password-too-long", detail));
    }
    if chars.iter().any(|c| c.is_control()) {
        return Err(Weakness::new("password-invalid", "a password has no control characters"));
    }
    let is_name = about.iter().any(|name| !name.is_empty() && name.eq_ignore_ascii_case(text));
    if is_name || is_sequence(&chars) || score(text, about) < holder.min_score() {
        return Err(Weakness::new("password-too-simple", "the password is easily guessed"));
    }
    Ok(())
}

/// 1234567890, abcdefgh, aaaaaaaa, 9876543210: each character one step, always the same, from the last.
fn is_sequence(chars: &[char]) -> bool {
    let code = |c: char| u32::from(c.to_ascii_lowercase());
    let steps = |by: i64| {
        chars.windows(2).all(|pair| match pair {
            [a, b] if *a == '9' && *b == '0' => by == 1,
            [a, b] if *a == '0' && *b == '9' => by == -1,
            [a, b] => i64::from(code(*b)) - i64::from(code(*a)) == by,
            _ => true,
        })
    };
    [0, 1, -1].into_iter().any(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessable_passwords_are_refused_by_code() {
        for (text, code) in [
            ("short", "password-too-short"),
            ("aaaaaaaaaaaa", "password-too-simple"),
            ("1234567890", "password-too-simple"),
            ("0987654321", "password-too-simple"),
            ("aBcDeFgHiJ", "password-too-simple"),
            ("Mail.Office.Test", "password-too-simple"),
            ("password123", "password-too-simple"),
            ("qwertyuiop", "password-too-simple"),
            ("with\u{7}control-in-it", "password-invalid"),
        ] {
            let refused = check(text, Holder::Admin, &["mail.office.test"]).unwrap_err();
            assert_eq!(refused.code, code, "{text}");
        }
        for text in ["correct horse", "größer als zehn", "1234567891x kuh"] {
            assert_eq!(check(text, Holder::Admin, &["admin"]), Ok(()), "{text}");
        }
        assert!(check("password", Holder::Person, &[]).is_err());
        assert!(check(&"ab cd ".repeat(50), Holder::Person, &[]).is_err());
    }

    #[test]
    fn only_the_beginning_of_a_long_password_is_judged() {
        let weak = "a".repeat(JUDGED_MAX);
        assert_eq!(score(&format!("{weak}slate-otter-dune-27-bicycle"), &[]), score(&weak, &[]));
        assert_eq!(score(&"slate-otter-dune-27-bicycle ".repeat(8), &[]), 4);
    }

    #[test]
    fn what_is_known_of_the_owner_is_no_password() {
        let about = ["anna.kern@office.test", "Anna Kern"];
        assert!(check("annakern", Holder::Person, &[]).is_ok());
        assert!(check("annakern", Holder::Person, &about).is_err());
        assert!(score("anna.kern@office.test1", &about) < score("anna.kern@office.test1", &[]));
        assert_eq!(score("slate-otter-dune-27-bicycle", &about), 4);
    }
}
