//! One form for all spellings of a text: what is equal here is found.
//!
//! RFC 5051 (i;unicode-casemap) and a little more: characters are decomposed (NFKD), the diacritical
//! marks go, case goes. `Ä`, `ä` and `A` + U+0308 are all `a`; `ﬁ` is `fi`, full width is half width; `ß`
//! stays `ß`. Character by character, so that pieces fold as the whole does.

use std::sync::LazyLock;

use encoding_rs::Encoding;
use icu_normalizer::DecomposingNormalizerBorrowed;

/// Characters below this have their fold in a table: Latin, Greek, Cyrillic.
const TABLE_END: u32 = 0x530;

static TABLE: LazyLock<Vec<Box<str>>> = LazyLock::new(|| {
    (0..TABLE_END)
        .map(|code| char::from_u32(code).map(fold_slowly).unwrap_or_default().into_boxed_str())
        .collect()
});

/// Combining marks that a search passes over: those of the alphabets of Europe. The vowel signs of other
/// scripts are letters to their readers.
fn is_diacritic(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Han, without the compatibility ideographs: nothing to fold.
fn is_plain(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{2f7ff}')
}

fn fold_slowly(c: char) -> String {
    let mut folded = String::new();
    for part in DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(std::iter::once(c)) {
        if is_diacritic(part) {
            continue;
        }
        // By way of the capital, so that both small sigmas are one. A letter whose capital is more than
        // one (ß) stays.
        let mut upper = part.to_uppercase();
        let single = upper.next().filter(|_| upper.next().is_none()).unwrap_or(part);
        folded.extend(single.to_lowercase().filter(|c| !is_diacritic(*c)));
    }
    folded
}

fn fold_char(out: &mut Vec<u8>, c: char) {
    if let Some(known) = TABLE.get(c as usize) {
        out.extend_from_slice(known.as_bytes());
    } else if is_plain(c) {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        out.extend_from_slice(fold_slowly(c).as_bytes());
    }
}

/// Appends the fold of `text` to `out`.
pub(crate) fn fold_into(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    loop {
        let ascii = Encoding::ascii_valid_up_to(rest.as_bytes());
        let (plain, other) = rest.split_at(ascii);
        let start = out.len();
        out.extend_from_slice(plain.as_bytes());
        out.get_mut(start..).unwrap_or_default().make_ascii_lowercase();
        let mut chars = other.chars();
        loop {
            rest = chars.as_str();
            match chars.next() {
                None => return,
                Some(c) if c.is_ascii() => break,
                Some(c) => fold_char(out, c),
            }
        }
    }
}

/// The fold of `text`: UTF-8.
pub(crate) fn fold(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    fold_into(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_text_are_equal() {
        for (one, other) in [
            ("Hello World", "hELLO wORLD"),
            ("Köln", "koln"),
            ("KÖLN", "Ko\u{308}ln"),
            ("Ångström", "angstrom"),
            ("Žluťoučký kůň", "zlutoucky kun"),
            ("ΟΔΟΣ", "οδος"),
            ("οδός", "οδοσ"),
            ("ПРИВЕТ", "привет"),
            ("Ёлка", "елка"),
            ("İstanbul", "istanbul"),
            ("ﬁne", "fine"),
            ("ＡＢＣ", "abc"),
            ("a\u{a0}b", "a b"),
            ("ẞ", "ß"),
            ("日本語", "日本語"),
        ] {
            assert_eq!(fold(one), fold(other), "{one}");
        }
        for (one, other) in [("ß", "ss"), ("は", "ば"), ("a b", "ab"), ("o", "ø")] {
            assert_ne!(fold(one), fold(other), "{one}");
        }
    }

    proptest! {
        #[test]
        fn pieces_fold_as_the_whole(one in "\\PC{0,20}", other in "\\PC{0,20}") {
            let mut pieces = fold(&one);
            fold_into(&mut pieces, &other);
            let whole = fold(&format!("{one}{other}"));
            prop_assert_eq!(&whole, &pieces);
            // What was folded stays as it is.
            let text = String::from_utf8(whole.clone()).unwrap();
            prop_assert_eq!(fold(&text), whole);
        }

        #[test]
        fn the_table_says_what_folding_says(c in any::<char>()) {
            let mut out = Vec::new();
            fold_char(&mut out, c);
            prop_assert_eq!(out, fold_slowly(c).into_bytes());
        }
    }
}
