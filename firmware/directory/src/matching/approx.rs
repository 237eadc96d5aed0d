//! The approximate match (`~=`): RFC 4511 §4.5.1.7.6 leaves it to the server. Ours passes over accents and
//! takes `ae`, `oe`, `ue` and `ss` for what they stand for; words match whole, in order, others may stand
//! between. Equality and substrings never do this.

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::prepare;

fn letters(c: char) -> &'static str {
    match c {
        'æ' => "a",
        'ø' | 'œ' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        _ => "",
    }
}

/// The words of a text without accents.
fn words(value: &[u8]) -> Option<Vec<String>> {
    let text = String::from_utf8(prepare::text(value, true)?).ok()?;
    let mut plain = String::with_capacity(text.len());
    for c in DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars()) {
        match c {
            '\u{300}'..='\u{36f}' => {}
            c if !letters(c).is_empty() => plain.push_str(letters(c)),
            c if c.is_alphanumeric() => plain.push(c),
            _ => plain.push(' '),
        }
    }
    for (two, one) in [("ae", "a"), ("oe", "o"), ("ue", "u"), ("ss", "s"), ("ph", "f")] {
        plain = plain.replace(two, one);
    }
    Some(plain.split_ascii_whitespace().map(str::to_owned).collect())
}

/// An approximate assertion, made ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Approx(Vec<String>);

impl Approx {
    /// `None` if nothing in it can be compared.
    pub(crate) fn new(value: &[u8]) -> Option<Self> {
        words(value).filter(|words| !words.is_empty()).map(Self)
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        let Some(words) = words(value) else { return false };
        let mut words = words.iter();
        self.0.iter().all(|wanted| words.any(|word| word == wanted))
    }
}
