//! Preparation of text for comparison: RFC 4518. Map, normalise (NFKC); spaces are the caller's.
//!
//! Nothing is prohibited: the RFC's table is Unicode 3.2, and a name with a newer character in it must be
//! found too. slapd does the same.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use stringprep::tables::{case_fold_for_nfkc, non_ascii_space_character};

/// What stands for nothing: RFC 4518 §2.2.
fn is_nothing(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{6dd}' | '\u{70f}' | '\u{1806}' | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2063}'
        | '\u{206a}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// What stands for a space.
fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}') || non_ascii_space_character(c)
}

/// ASCII is its own normal form.
pub(super) fn ascii(value: &[u8], folds: bool) -> Vec<u8> {
    value
        .iter()
        .filter(|byte| !is_nothing(char::from(**byte)))
        .map(|byte| match byte {
            b'\t'..=b'\r' => b' ',
            byte if folds => byte.to_ascii_lowercase(),
            byte => *byte,
        })
        .collect()
}

/// Text without combining diacritical marks; what is no UTF-8 stays.
pub(super) fn without_accents(text: &[u8]) -> Vec<u8> {
    if text.is_ascii() {
        return text.to_vec();
    }
    let Ok(text) = std::str::from_utf8(text) else { return text.to_vec() };
    let parts = DecomposingNormalizerBorrowed::new_nfd().normalize(text);
    let is_mark = |c: &char| matches!(c, '\u{300}'..='\u{36f}');
    parts.chars().filter(|c| !is_mark(c)).collect::<String>().into_bytes()
}

/// What a normal form can bring that must be folded again (`🄐` is `(A)`): prepared text is stable after
/// that many rounds.
const ROUNDS_MAX: usize = 4;

fn round(text: &str, folds: bool) -> String {
    let mut mapped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Before the spaces: the zero width space is one to the tables, and nothing to the RFC.
            c if is_nothing(c) => {}
            c if is_space(c) => mapped.push(' '),
            c if folds => mapped.extend(case_fold_for_nfkc(c)),
            c => mapped.push(c),
        }
    }
    ComposingNormalizerBorrowed::new_nfkc().normalize(&mapped).into_owned()
}

/// The prepared text; `None` if the bytes are no UTF-8. What is prepared already stays as it is.
pub(crate) fn text(value: &[u8], folds: bool) -> Option<Vec<u8>> {
    if value.is_ascii() {
        return Some(ascii(value, folds));
    }
    let mut text = round(std::str::from_utf8(value).ok()?, folds);
    for _ in 1..ROUNDS_MAX {
        let next = round(&text, folds);
        if next == text {
            break;
        }
        text = next;
    }
    Some(text.into_bytes())
}
