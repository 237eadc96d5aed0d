//! The base subject. RFC 5256 §2.1 and §5.
//!
//! Time is linear in the subject's length times its prefixes; a subject beyond [`BYTES_MAX`] is cut.

use super::fold::fold;
use super::words::decode_words;

const BYTES_MAX: usize = 4096;

/// A base subject, folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseSubject {
    pub(crate) text: Vec<u8>,
    /// `Re:`, `Fwd:`, `(fwd)` or `[fwd: …]` was taken off.
    pub(crate) is_reply: bool,
}

fn is_wsp(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim_start(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_wsp(**byte)).count();
    text.get(blanks..).unwrap_or_default()
}

fn trim_end(text: &[u8]) -> &[u8] {
    let blanks = text.iter().rev().take_while(|byte| is_wsp(**byte)).count();
    text.get(..text.len() - blanks).unwrap_or_default()
}

/// What is behind `subj-blob = "[" *BLOBCHAR "]" *WSP`.
fn after_blob(text: &[u8]) -> Option<&[u8]> {
    let inner = text.strip_prefix(b"[")?;
    let end = inner.iter().position(|byte| matches!(byte, b'[' | b']'))?;
    if inner.get(end) != Some(&b']') {
        return None;
    }
    inner.get(end + 1..).map(trim_start)
}

/// What is behind `subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`; the text is folded.
fn after_refwd(text: &[u8]) -> Option<&[u8]> {
    let rest = [&b"re"[..], b"fwd", b"fw"].iter().find_map(|word| text.strip_prefix(*word))?;
    let rest = trim_start(rest);
    after_blob(rest).unwrap_or(rest).strip_prefix(b":")
}

/// What is behind `subj-leader = (*subj-blob subj-refwd) / WSP`, and whether that was a refwd.
fn after_leader(text: &[u8]) -> Option<(&[u8], bool)> {
    if let Some((first, rest)) = text.split_first()
        && is_wsp(*first)
    {
        return Some((rest, false));
    }
    let mut rest = text;
    loop {
        if let Some(behind) = after_refwd(rest) {
            return Some((behind, true));
        }
        rest = after_blob(rest)?;
    }
}

/// The base subject of a raw (unfolded, still encoded) Subject field.
pub(crate) fn base_subject(raw: &str) -> BaseSubject {
    // Step 1; folding first changes nothing about the words that are taken off.
    let folded = fold(&decode_words(raw));
    let mut text: Vec<u8> = Vec::with_capacity(folded.len());
    for byte in folded.into_iter().take(BYTES_MAX) {
        let byte = if matches!(byte, b'\t' | b'\r' | b'\n') { b' ' } else { byte };
        if byte != b' ' || text.last() != Some(&b' ') {
            text.push(byte);
        }
    }
    let mut rest = text.as_slice();
    let mut is_reply = false;
    loop {
        // Step 2.
        loop {
            rest = trim_end(rest);
            let Some(before) = rest.strip_suffix(b"(fwd)") else { break };
            rest = before;
            is_reply = true;
        }
        // Steps 3 to 5.
        loop {
            if let Some((behind, is_refwd)) = after_leader(rest) {
                rest = behind;
                is_reply |= is_refwd;
            } else if let Some(behind) = after_blob(rest).filter(|behind| !behind.is_empty()) {
                rest = behind;
            } else {
                break;
            }
        }
        // Step 6.
        match rest.strip_prefix(b"[fwd:").and_then(|inner| inner.strip_suffix(b"]")) {
            Some(inner) => {
                rest = inner;
                is_reply = true;
            }
            None => break,
        }
    }
    BaseSubject { text: rest.to_vec(), is_reply }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn base_subjects_are_found() {
        for (raw, want, is_reply) in [
            ("Hello  World", "hello world", false),
            ("Re: Hello", "hello", true),
            ("RE : Hello", "hello", true),
            ("re[2]: Hello", "hello", true),
            ("Re [list]: Hello", "hello", true),
            ("Fwd: fw: FW: hello", "hello", true),
            ("[list] Re: hello", "hello", true),
            ("[list] hello", "hello", false),
            ("Re: [a] [b] Re: hello", "hello", true),
            ("[list]", "[list]", false),
            ("[a] [b]", "[b]", false),
            ("hello (fwd) (Fwd) ", "hello", true),
            ("[Fwd: hello]", "hello", true),
            ("[Fwd: [Fwd: Re: hello (fwd)]]", "hello", true),
            ("Re: [Fwd: hello]", "hello", true),
            ("=?utf-8?q?Re=3A_Gr=C3=BC=C3=9Fe?=", "gruße", true),
            ("Refund", "refund", false),
            ("fwdx: a", "fwdx: a", false),
            ("Re:", "", true),
            ("", "", false),
            ("a\t b", "a b", false),
            ("AW: Hallo", "aw: hallo", false),
            ("[unclosed Re: x", "[unclosed re: x", false),
        ] {
            let got = base_subject(raw);
            assert_eq!(String::from_utf8_lossy(&got.text), want, "{raw}");
            assert_eq!(got.is_reply, is_reply, "{raw}");
        }
    }

    #[test]
    fn long_prefixes_end() {
        assert_eq!(base_subject(&"Re: ".repeat(100_000)).text, b"");
        base_subject(&"[a]".repeat(100_000));
        base_subject(&"[Fwd: ".repeat(100_000));
    }

    proptest! {
        #[test]
        fn a_base_subject_is_its_own(raw in "(Re: |\\[a\\]|\\[fwd: |\\]|\\(fwd\\)|x| ){0,12}") {
            let base = base_subject(&raw);
            let text = String::from_utf8(base.text.clone()).unwrap();
            prop_assert_eq!(base_subject(&text).text, base.text);
        }
    }
}
