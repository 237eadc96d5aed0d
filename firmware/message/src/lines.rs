//! A message as lines that end with CRLF, whatever it came with. POP3 sends messages so (RFC 1939 §3),
//! and tells their size in these octets (§11).
//!
//! What came by SMTP has CRLF already; what a client appended may not. LF, CR LF and CR CR LF end a line,
//! and so does a CR that stands alone: a client that takes it for a line end would read `CR . CR LF` as
//! the end of the message. A last line without an end gets one, a header without its empty line gets that
//! (some clients wait for it). A NUL becomes 0x80: others stop reading there.
//!
//! Pieces of any size go in; nothing is held but a few flags.

use memchr::{memchr, memchr2};

/// A piece of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinePiece<'a> {
    /// The text, without any line end.
    pub text: &'a [u8],
    /// The line begins here.
    pub begins: bool,
    /// The line ends here.
    pub ends: bool,
    /// The line stands in the header, the empty line behind it included.
    pub in_header: bool,
}

impl LinePiece<'_> {
    /// Octets on the wire, without a doubled dot.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.text.len() as u64 + if self.ends { 2 } else { 0 }
    }

    /// Adds the piece as the wire has it: a dot at the start of a line doubled (RFC 1939 §3), a NUL as
    /// 0x80.
    pub fn push_to(&self, out: &mut Vec<u8>) {
        if self.begins && self.text.first() == Some(&b'.') {
            out.push(b'.');
        }
        let from = out.len();
        out.extend_from_slice(self.text);
        if memchr(0, self.text).is_some() {
            for byte in out.iter_mut().skip(from).filter(|byte| **byte == 0) {
                *byte = 0x80;
            }
        }
        if self.ends {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Cuts a message into lines.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// Something of the current line was given.
    is_in_line: bool,
    /// CRs that wait for what follows them.
    crs: u64,
    /// The empty line behind the header was given.
    has_body: bool,
}

impl Lines {
    /// At the start of a message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the next bytes; `take` answers whether it wants more. False once it did not.
    pub fn feed(&mut self, mut bytes: &[u8], take: &mut impl FnMut(LinePiece<'_>) -> bool) -> bool {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.crs > 0 && first == b'\n' {
                // However many there were: the line had one end.
                self.crs = 0;
                bytes = rest;
                if !self.give(b"", true, take) {
                    return false;
                }
                continue;
            }
            if first == b'\r' {
                self.crs += 1;
                bytes = rest;
                continue;
            }
            if !self.end_lines_at_crs(take) {
                return false;
            }
            let at = memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
            let (text, rest) = bytes.split_at(at);
            // The usual end at once, so that a line is one piece.
            let (ends, rest) = match rest {
                [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] => (true, rest),
                rest => (false, rest),
            };
            bytes = rest;
            if (ends || !text.is_empty()) && !self.give(text, ends, take) {
                return false;
            }
        }
        true
    }

    /// Gives what is missing at the end: of the line, of the header.
    pub fn finish(mut self, take: &mut impl FnMut(LinePiece<'_>) -> bool) -> bool {
        self.end_lines_at_crs(take)
            && (!self.is_in_line || self.give(b"", true, take))
            && (self.has_body || self.give(b"", true, take))
    }

    /// CRs without LF: each ended a line.
    fn end_lines_at_crs(&mut self, take: &mut impl FnMut(LinePiece<'_>) -> bool) -> bool {
        while self.crs > 0 {
            self.crs -= 1;
            if !self.give(b"", true, take) {
                return false;
            }
        }
        true
    }

    fn give(
        &mut self,
        text: &[u8],
        ends: bool,
        take: &mut impl FnMut(LinePiece<'_>) -> bool,
    ) -> bool {
        let begins = !self.is_in_line;
        let in_header = !self.has_body;
        self.is_in_line = !ends;
        self.has_body |= ends && begins && text.is_empty();
        take(LinePiece { text, begins, ends, in_header })
    }
}

/// Counts the octets of a message in lines with CRLF.
#[derive(Clone, Debug, Default)]
pub struct LineOctets {
    lines: Lines,
    octets: u64,
}

impl LineOctets {
    /// Counts the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let octets = &mut self.octets;
        self.lines.feed(bytes, &mut |piece| {
            *octets += piece.octets();
            true
        });
    }

    /// All octets, doubled dots not counted.
    #[must_use]
    pub fn finish(self) -> u64 {
        let mut octets = self.octets;
        self.lines.finish(&mut |piece| {
            octets += piece.octets();
            true
        });
        octets
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The wire form, the message fed in pieces of `piece` bytes.
    fn wire(message: &[u8], piece: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut lines = Lines::new();
        let mut take = |piece: LinePiece<'_>| {
            piece.push_to(&mut out);
            true
        };
        for bytes in message.chunks(piece) {
            lines.feed(bytes, &mut take);
        }
        lines.finish(&mut take);
        out
    }

    fn octets(message: &[u8], piece: usize) -> u64 {
        let mut count = LineOctets::default();
        message.chunks(piece).for_each(|bytes| count.feed(bytes));
        count.finish()
    }

    #[test]
    fn every_line_ends_with_crlf() {
        for (message, want) in [
            (&b"A: b\r\n\r\nx\r\n"[..], &b"A: b\r\n\r\nx\r\n"[..]),
            (b"A: b\n\nx\n", b"A: b\r\n\r\nx\r\n"),
            (b"A: b\r\n\r\nx", b"A: b\r\n\r\nx\r\n"),
            (b"A: b\r\n\r\nx\r", b"A: b\r\n\r\nx\r\n"),
            (b"A: b\r\r\n\r\r\nx\r\r\r\n", b"A: b\r\n\r\nx\r\n"),
            (b"A: b\r\n\r\nx\r.\r\n", b"A: b\r\n\r\nx\r\n..\r\n"),
            (b"A: b\r\n\r\n.\r\n..\n.x\r\na.b\r\n", b"A: b\r\n\r\n..\r\n...\r\n..x\r\na.b\r\n"),
            (b"A: b\r\n\r\na\0b\r\n", b"A: b\r\n\r\na\x80b\r\n"),
            (b"A: b\r\n", b"A: b\r\n\r\n"),
            (b"A: b", b"A: b\r\n\r\n"),
            (b"\r\nx\r\n", b"\r\nx\r\n"),
            (b"A: b\r\n\r\n", b"A: b\r\n\r\n"),
            (b"", b"\r\n"),
            (b"\r\r", b"\r\n\r\n"),
        ] {
            for piece in 1..=message.len().max(1) {
                assert_eq!(wire(message, piece), want, "{message:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn the_header_ends_with_its_empty_line() {
        let mut seen = Vec::new();
        Lines::new().feed(b"A: b\r\n\r\nx\r\n\r\n", &mut |piece| {
            seen.push(piece.in_header);
            true
        });
        assert_eq!(seen, [true, true, false, false]);
    }

    #[test]
    fn who_has_enough_gets_no_more() {
        let mut seen = 0;
        let more = Lines::new().feed(b"A\r\nB\r\nC\r\n", &mut |_| {
            seen += 1;
            seen < 2
        });
        assert!(!more);
        assert_eq!(seen, 2);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference_and_the_size_is_right(
            message in proptest::collection::vec(
                prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(0u8), any::<u8>()], 0..60),
            piece in 1usize..20,
        ) {
            let whole = wire(&message, message.len().max(1));
            prop_assert_eq!(&wire(&message, piece), &whole);
            // Undoing the doubled dots gives as many octets as were counted.
            let lines: Vec<&[u8]> = whole.split_inclusive(|&b| b == b'\n').collect();
            let mut plain = 0;
            for line in lines {
                prop_assert!(line.ends_with(b"\r\n"));
                prop_assert!(line != b".\r\n");
                plain += line.len() - usize::from(line.first() == Some(&b'.'));
            }
            prop_assert_eq!(octets(&message, piece), plain as u64);
        }
    }
}
