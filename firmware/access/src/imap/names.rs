//! Mailbox names: from the wire and to it, what may be one, and which match a pattern.
//!
//! In the store names are UTF-8 with `/` between the levels and INBOX in upper case.

use super::{emit, mutf7};

/// A name from the wire; `None` if it is not well formed (RFC 3501 §5.1.3).
pub(crate) fn decode(wire: &[u8]) -> Option<String> {
    mutf7::decode(wire).map(canonical)
}

/// RFC 9051 §5.1: INBOX is INBOX in any case; so is the first level above `INBOX/…`.
pub(crate) fn canonical(name: String) -> String {
    match name.split_at_checked(5) {
        Some((first, rest))
            if first.eq_ignore_ascii_case("INBOX")
                && (rest.is_empty() || rest.starts_with('/')) =>
        {
            format!("INBOX{rest}")
        }
        _ => name,
    }
}

/// The name for CREATE and as a new name for RENAME: `None` if it cannot be one. A final `/` says that
/// children will follow (RFC 9051 §6.3.4), which every mailbox may have.
pub(crate) fn new_name(name: Option<String>) -> Option<String> {
    let name = name?;
    let name = name.strip_suffix('/').unwrap_or(&name);
    let is_fine = !name.is_empty()
        && name.split('/').all(|level| !level.is_empty())
        && !name.chars().any(|c| c.is_control() || "*%\u{2028}\u{2029}".contains(c));
    is_fine.then(|| name.to_owned())
}

/// As [`decode`], once the client turned UTF-8 on: there are no shifts, `&` is `&` (RFC 6855 §3).
pub(crate) fn decode_utf8(wire: &[u8]) -> Option<String> {
    std::str::from_utf8(wire).ok().map(|name| canonical(name.to_owned()))
}

/// Puts a name into an answer for a client that turned UTF-8 on.
pub(crate) fn push_utf8(out: &mut Vec<u8>, name: &str) {
    emit::push_utf8(out, name);
}

/// Puts a name into an answer.
pub(crate) fn push(out: &mut Vec<u8>, name: &str) {
    emit::push_astring(out, mutf7::encode(name).as_bytes());
}

/// A LIST pattern (RFC 9051 §6.3.9): `*` matches all, `%` all but `/`.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Vec<char>);

impl Pattern {
    /// The pattern of a reference name and a mailbox argument; `None` matches nothing.
    pub(crate) fn new(reference: &[u8], pattern: &[u8]) -> Option<Self> {
        Some(Self::of(&(mutf7::decode(reference)? + &mutf7::decode(pattern)?)))
    }

    /// The same in UTF-8.
    pub(crate) fn new_utf8(reference: &[u8], pattern: &[u8]) -> Option<Self> {
        let text = [reference, pattern].concat();
        std::str::from_utf8(&text).ok().map(Self::of)
    }

    fn of(text: &str) -> Self {
        let is_inbox = text.split_at_checked(5).is_some_and(|(first, rest)| {
            first.eq_ignore_ascii_case("INBOX") && rest.chars().all(|c| c == '*' || c == '%')
                || first.eq_ignore_ascii_case("INBOX") && rest.starts_with('/')
        });
        let mut chars: Vec<char> = Vec::with_capacity(text.len());
        for (n, c) in text.chars().enumerate() {
            let c = if is_inbox && n < 5 { c.to_ascii_uppercase() } else { c };
            match (chars.last(), c) {
                // Two wildcards in a row are one, so that the work stays small.
                (Some('*'), '*' | '%') | (Some('%'), '%') => {}
                (Some('%'), '*') => {
                    chars.pop();
                    chars.push('*');
                }
                _ => chars.push(c),
            }
        }
        Self(chars)
    }

    /// True if the pattern has no character.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if some name that begins with `start` may match, as far as the text before the first wildcard
    /// tells.
    pub(crate) fn may_begin_with(&self, start: &str) -> bool {
        let literal = self.0.iter().take_while(|c| !matches!(c, '*' | '%'));
        let is_open = self.0.iter().any(|c| matches!(c, '*' | '%'));
        let mut start = start.chars();
        for wanted in literal {
            match start.next() {
                Some(c) if c != *wanted => return false,
                Some(_) => {}
                None => return true,
            }
        }
        is_open || start.next().is_none()
    }

    /// Steps grow with the product of both lengths, never faster: one row of states is carried along.
    pub(crate) fn matches(&self, name: &str) -> bool {
        // reached[n]: the name so far can be matched by the first n characters of the pattern.
        let mut reached = vec![false; self.0.len() + 1];
        reached[0] = true;
        self.skip_wildcards(&mut reached);
        for c in name.chars() {
            let mut next = vec![false; self.0.len() + 1];
            for (n, wanted) in self.0.iter().enumerate() {
                if !reached[n] {
                    continue;
                }
                match wanted {
                    '*' => next[n] = true,
                    '%' => next[n] |= c != '/',
                    wanted => next[n + 1] |= *wanted == c,
                }
            }
            self.skip_wildcards(&mut next);
            reached = next;
        }
        reached.last().copied().unwrap_or(false)
    }

    /// A wildcard may stand for nothing.
    fn skip_wildcards(&self, reached: &mut [bool]) {
        for (n, wanted) in self.0.iter().enumerate() {
            if reached[n] && matches!(wanted, '*' | '%') {
                reached[n + 1] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match() {
        for (pattern, name, want) in [
            ("*", "INBOX", true),
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("a/%", "a/b", true),
            ("a/%", "a/b/c", false),
            ("a*c", "a/b/c", true),
            ("%/%", "a/b", true),
            ("inbox", "INBOX", true),
            ("inBOX*", "INBOX", true),
            ("inbox/%", "INBOX/x", true),
            ("inboxes", "INBOXES", false),
            ("Entw&APw-rfe", "Entwürfe", true),
            ("&APw-%", "über", true),
            ("", "a", false),
        ] {
            let pattern = Pattern::new(b"", pattern.as_bytes()).unwrap();
            assert_eq!(pattern.matches(name), want, "{pattern:?} {name}");
        }
        assert!(Pattern::new(b"a/", b"%").unwrap().matches("a/b"));
        assert!(Pattern::new(b"", b"R&D").is_none());
    }

    #[test]
    fn names_in_utf8_have_no_shifts() {
        assert_eq!(decode_utf8("R&D/Übung".as_bytes()).as_deref(), Some("R&D/Übung"));
        assert_eq!(decode_utf8(b"&APw-").as_deref(), Some("&APw-"));
        assert_eq!(decode_utf8(b"\xff"), None);
        let pattern = Pattern::new_utf8("Ü".as_bytes(), b"&%").unwrap();
        assert!(pattern.matches("Ü&x") && !pattern.matches("Ü&x/y"));
        let mut out = Vec::new();
        push_utf8(&mut out, "Entwürfe \"1\"");
        push_utf8(&mut out, "R&D");
        assert_eq!(String::from_utf8(out).unwrap(), "\"Entwürfe \\\"1\\\"\"R&D");
    }

    #[test]
    fn hostile_patterns_cost_little() {
        let pattern = Pattern::new(b"", "*a".repeat(500).as_bytes()).unwrap();
        assert!(!pattern.matches(&"a".repeat(499)));
        assert!(pattern.matches(&"a".repeat(500)));
        assert_eq!(Pattern::new(b"", "%*%*".repeat(250).as_bytes()).unwrap().0.len(), 1);
    }

    #[test]
    fn new_names_are_checked() {
        let new_name = |wire: &[u8]| new_name(decode(wire));
        assert_eq!(new_name(b"Projekte/&ANw-bung/2026/").as_deref(), Some("Projekte/Übung/2026"));
        assert_eq!(new_name(b"inbox/x").as_deref(), Some("INBOX/x"));
        for bad in [&b""[..], b"/", b"a//b", b"/a", b"a*", b"%", b"R&D", b"a\x01"] {
            assert_eq!(new_name(bad), None, "{bad:?}");
        }
    }
}
