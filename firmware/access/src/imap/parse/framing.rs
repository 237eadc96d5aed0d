//! Where a line of a command announces a literal. RFC 9051 §4.3, RFC 7888.

/// The announcement at the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LiteralMark {
    /// Octets that follow; a number beyond 64 bits is `u64::MAX`.
    pub(crate) size: u64,
    /// `{n+}`: the client does not wait.
    pub(crate) is_non_sync: bool,
    /// Where in the line the `{` stands.
    pub(crate) at: usize,
}

/// `literal = "{" number64 ["+"] "}" CRLF`: finds it at the end of `line`.
pub(crate) fn literal_mark(line: &[u8]) -> Option<LiteralMark> {
    let text = line.strip_suffix(b"\n")?;
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let text = text.strip_suffix(b"}")?;
    let (text, is_non_sync) = match text.strip_suffix(b"+") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = text.split_at(text.len() - digits);
    let before = before.strip_suffix(b"{")?;
    if digits.is_empty() {
        return None;
    }
    let size = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    Some(LiteralMark { size, is_non_sync, at: before.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_announced_at_the_end_of_a_line() {
        let mark = |size, is_non_sync, at| Some(LiteralMark { size, is_non_sync, at });
        for (line, want) in [
            (&b"a LOGIN {4}\r\n"[..], mark(4, false, 8)),
            (b"a LOGIN {4+}\n", mark(4, true, 8)),
            (b"{4294967296}\r\n", mark(4_294_967_296, false, 0)),
            (b"{99999999999999999999999}\r\n", mark(u64::MAX, false, 0)),
            (b"a LOGIN {}\r\n", None),
            (b"a LOGIN {+}\r\n", None),
            (b"a LOGIN \"{4}\"\r\n", None),
            (b"a LOGIN 4}\r\n", None),
            (b"a LOGIN {4}", None),
        ] {
            assert_eq!(literal_mark(line), want, "{line:?}");
        }
    }
}
