//! The body on the wire: end of data, transparency, strict line endings. RFC 5321 §4.1.1.4, §4.5.2.
//!
//! [`DataReader`] takes the bytes after 354 in pieces of any size and gives the message. Only
//! `<CRLF>.<CRLF>` ends it (RFC 5321 §2.3.8 forbids everything else); a bare CR, a bare LF or a NUL is a
//! [`Fault`], after which nothing more comes out, so that no other reading of the same bytes can make
//! two messages of one ("SMTP smuggling", CVE-2023-51764 and its like). What looks like an end of data
//! to a sloppy reader is reported apart: such a sender now waits for a reply and would wait for ever.
//!
//! Limits: two bytes are held back between pushes; a line may have [`DATA_LINE_MAX`] bytes.

/// Longest line of a body, octets without the line end. RFC 5321 §4.5.3.1.6 asks for 998; senders of
/// one-line HTML do not keep to it, and longer lines are accepted up to here.
pub const DATA_LINE_MAX: u32 = 1 << 20;

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A CR without LF.
    BareCr,
    /// An LF without CR.
    BareLf,
    /// An octet 0.
    Nul,
    /// A line over [`DATA_LINE_MAX`].
    LineTooLong,
}

/// Where the reader stands after a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The end has not come.
    More,
    /// `<CRLF>.<CRLF>` was read; what follows is the next command.
    End,
    /// After a fault, something that a sloppy reader takes for the end, such as `<LF>.<LF>`.
    LookAlike,
}

/// What a push did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that were read.
    pub consumed: usize,
    /// Where the reader stands. After [`State::More`] all input was read.
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// After CRLF, or at the very start.
    LineStart,
    /// A dot at the start of a line.
    Dot,
    /// A dot and CR at the start of a line.
    DotCr,
    /// In a line.
    Text,
    /// After a CR in a line.
    Cr,
    /// After a bare LF: no line start to us, but to others.
    SoftStart,
    /// A dot there.
    SoftDot,
}

/// Reads the bytes after 354.
#[derive(Clone, Debug)]
pub struct DataReader {
    at: At,
    line: u32,
    fault: Option<Fault>,
}

impl Default for DataReader {
    fn default() -> Self {
        Self::new()
    }
}

impl DataReader {
    /// A reader at the start of a body.
    #[must_use]
    pub fn new() -> Self {
        Self { at: At::LineStart, line: 0, fault: None }
    }

    /// The first fault, if there is one. The body is then refused, but read to its end.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Reads `input` and appends the message's bytes to `out`.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Progress {
        let mut pos = 0;
        while let Some(&byte) = input.get(pos) {
            if self.at == At::Text {
                let run = self.run(input.get(pos..).unwrap_or_default(), out);
                if run > 0 {
                    pos += run;
                    continue;
                }
            }
            pos += 1;
            let state = self.step(byte, out);
            if state != State::More {
                return Progress { consumed: pos, state };
            }
        }
        Progress { consumed: pos, state: State::More }
    }

    /// Copies what stands before the next byte that matters; how much that was.
    fn run(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let len = memchr::memchr3(b'\r', b'\n', 0, input).unwrap_or(input.len());
        let text = input.get(..len).unwrap_or_default();
        if self.fault.is_none() {
            out.extend_from_slice(text);
        }
        self.lengthen(len);
        len
    }

    fn lengthen(&mut self, by: usize) {
        self.line = self.line.saturating_add(u32::try_from(by).unwrap_or(u32::MAX));
        if self.line > DATA_LINE_MAX {
            self.blame(Fault::LineTooLong);
        }
    }

    fn blame(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn put(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.fault.is_none() {
            out.extend_from_slice(bytes);
        }
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> State {
        match (self.at, byte) {
            // RFC 5321 §4.1.1.4: the one end of data.
            (At::DotCr, b'\n') => return State::End,
            (At::DotCr, _) => {
                self.blame(Fault::BareCr);
                self.after_bare_cr(byte, out);
                return State::LookAlike;
            }
            (At::Dot, b'\r') => self.at = At::DotCr,
            (At::Dot, b'\n') | (At::SoftDot, b'\r' | b'\n') => {
                self.in_text(byte, out);
                return State::LookAlike;
            }
            (At::LineStart, b'.') => self.at = At::Dot,
            (At::SoftStart, b'.') => self.at = At::SoftDot,
            (At::Cr, b'\n') => {
                self.put(b"\r\n", out);
                self.line = 0;
                self.at = At::LineStart;
            }
            (At::Cr, _) => {
                self.blame(Fault::BareCr);
                self.after_bare_cr(byte, out);
            }
            // RFC 5321 §4.5.2: of a line that starts with a dot and goes on, the dot is deleted.
            (At::LineStart | At::Dot | At::Text | At::SoftStart | At::SoftDot, _) => {
                self.in_text(byte, out);
            }
        }
        State::More
    }

    /// `byte` after a CR that no LF followed: for a sloppy reader it starts a line.
    fn after_bare_cr(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            b'.' => self.at = At::SoftDot,
            byte => self.in_text(byte, out),
        }
    }

    fn in_text(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            b'\r' => self.at = At::Cr,
            b'\n' => {
                self.blame(Fault::BareLf);
                self.line = 0;
                self.at = At::SoftStart;
            }
            0 => {
                self.blame(Fault::Nul);
                self.at = At::Text;
            }
            byte => {
                self.put(&[byte], out);
                self.lengthen(1);
                self.at = At::Text;
            }
        }
    }
}

/// Looks at the octets of BDAT chunks. RFC 3030 §2 counts octets, so nothing can be split here; but
/// without BINARYMIME the content is lines, and what we relay later must hold no bare CR or LF.
#[derive(Clone, Debug, Default)]
pub struct ChunkCheck {
    after_cr: bool,
    line: u32,
    fault: Option<Fault>,
}

impl ChunkCheck {
    /// Looks at the next octets of the message.
    pub fn push(&mut self, input: &[u8]) {
        let mut rest = input;
        while let Some((&first, tail)) = rest.split_first() {
            if self.after_cr {
                self.after_cr = false;
                if first == b'\n' {
                    self.line = 0;
                    rest = tail;
                    continue;
                }
                self.fault.get_or_insert(Fault::BareCr);
            }
            let run = memchr::memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
            self.line = self.line.saturating_add(u32::try_from(run).unwrap_or(u32::MAX));
            if self.line > DATA_LINE_MAX {
                self.fault.get_or_insert(Fault::LineTooLong);
            }
            match rest.get(run) {
                Some(b'\r') => self.after_cr = true,
                Some(b'\n') => {
                    self.fault.get_or_insert(Fault::BareLf);
                }
                Some(_) => {
                    self.fault.get_or_insert(Fault::Nul);
                }
                None => {}
            }
            rest = rest.get(run + 1..).unwrap_or_default();
        }
    }

    /// The verdict over all octets, once the last came.
    #[must_use]
    pub fn finish(&self) -> Option<Fault> {
        if self.after_cr { self.fault.or(Some(Fault::BareCr)) } else { self.fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything up to the true end: (message, fault, rest, look-alikes).
    fn read(pieces: &[&[u8]]) -> (Vec<u8>, Option<Fault>, Option<Vec<u8>>, usize) {
        let (mut reader, mut out, mut look_alikes) = (DataReader::new(), Vec::new(), 0);
        for (n, piece) in pieces.iter().enumerate() {
            let mut piece = *piece;
            loop {
                let progress = reader.push(piece, &mut out);
                piece = &piece[progress.consumed..];
                match progress.state {
                    State::More => break,
                    State::LookAlike => look_alikes += 1,
                    State::End => {
                        let mut rest = piece.to_vec();
                        pieces[n + 1..].iter().for_each(|p| rest.extend_from_slice(p));
                        return (out, reader.fault(), Some(rest), look_alikes);
                    }
                }
            }
        }
        (out, reader.fault(), None, look_alikes)
    }

    #[test]
    fn dots_are_taken_off_and_only_crlf_dot_crlf_ends() {
        for (wire, message, rest) in [
            (".\r\nQUIT\r\n", "", "QUIT\r\n"),
            ("a\r\n.\r\n", "a\r\n", ""),
            ("..\r\n...\r\n.a\r\n.\r\nX", ".\r\n..\r\na\r\n", "X"),
            ("a.\r\n.b.\r\n\r\n.\r\n", "a.\r\nb.\r\n\r\n", ""),
        ] {
            let (out, fault, tail, look_alikes) = read(&[wire.as_bytes()]);
            assert_eq!(String::from_utf8(out).unwrap(), message);
            assert_eq!((fault, look_alikes), (None, 0));
            assert_eq!(tail.unwrap(), rest.as_bytes());
        }
    }

    /// The variants of the smuggling papers: each must be one refused body, never an end.
    #[test]
    fn no_other_sequence_ends_the_data() {
        let ends = ["\n", "\r", "\r\n", "\0\n", "\r\0\n", "\r\n\0", "\n\r", "\0", "\r\r\n", "\n\n"];
        for before in ends {
            for after in ends {
                if before == "\r\n" && after == "\r\n" {
                    continue;
                }
                let wire = format!("a{before}.{after}MAIL FROM:<e@evil.test>\r\n.\r\nQUIT\r\n");
                let (out, fault, rest, _) = read(&[wire.as_bytes()]);
                // `<CRLF>.<CRLF>` within the probe itself is a true end.
                let inner = format!("a{before}.{after}");
                if inner.contains("\r\n.\r\n") {
                    continue;
                }
                assert_eq!(rest.as_deref(), Some(&b"QUIT\r\n"[..]), "{wire:?}");
                assert!(fault.is_some(), "{wire:?}");
                assert!(!out.windows(4).any(|w| w == b"MAIL"), "{wire:?}");
            }
        }
    }

    #[test]
    fn a_sender_that_waits_after_a_false_end_is_noticed() {
        for wire in ["a\n.\n", "a\n.\r\n", "a\r\n.\n", "a\r.\r", "a\r\n.\rX", "a\r.\r\n"] {
            let (_, fault, rest, look_alikes) = read(&[wire.as_bytes()]);
            assert_eq!((rest, look_alikes), (None, 1), "{wire:?}");
            assert!(fault.is_some());
        }
    }

    #[test]
    fn nul_and_endless_lines_are_faults() {
        assert_eq!(read(&[b"a\0b\r\n.\r\n"]).1, Some(Fault::Nul));
        let long = vec![b'x'; DATA_LINE_MAX as usize + 1];
        assert_eq!(read(&[&long, b"\r\n.\r\n"]).1, Some(Fault::LineTooLong));
        assert_eq!(read(&[&long[1..], b"\r\n.\r\n"]).1, None);
    }

    #[test]
    fn chunks_are_lines_too() {
        let check = |pieces: &[&[u8]]| {
            let mut check = ChunkCheck::default();
            pieces.iter().for_each(|piece| check.push(piece));
            check.finish()
        };
        assert_eq!(check(&[b"a\r", b"\nb"]), None);
        assert_eq!(check(&[b"a\r\n.\r\nb\r\n"]), None);
        assert_eq!(check(&[b"a\r", b"b"]), Some(Fault::BareCr));
        assert_eq!(check(&[b"a\r"]), Some(Fault::BareCr));
        assert_eq!(check(&[b"a\r\r\n"]), Some(Fault::BareCr));
        assert_eq!(check(&[b"a", b"\n"]), Some(Fault::BareLf));
        assert_eq!(check(&[b"\0"]), Some(Fault::Nul));
    }

    /// Bytes that matter, far more often than chance would bring them.
    fn wire() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            4 => Just(b'\r'), 4 => Just(b'\n'), 4 => Just(b'.'), 1 => Just(0), 2 => any::<u8>()
        ];
        let piece = prop_oneof![
            3 => proptest::collection::vec(byte, 0..6),
            2 => Just(b"\r\n".to_vec()),
            1 => Just(b"\r\n.\r\n".to_vec()),
            1 => Just(b"\r\n..".to_vec()),
        ];
        proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_cut_gives_the_same(wire in wire(), cuts in proptest::collection::vec(0usize..200, 0..8)) {
            let whole = read(&[&wire]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(wire.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&wire[from..cut]);
                from = cut;
            }
            pieces.push(&wire[from..]);
            prop_assert_eq!(whole, read(&pieces));
        }

        #[test]
        fn the_end_is_where_crlf_dot_crlf_first_stands(wire in wire()) {
            let framed = [b"\r\n".as_slice(), &wire].concat();
            let expected = framed.windows(5).position(|w| w == b"\r\n.\r\n").map(|at| &framed[at + 5..]);
            let (out, fault, rest, _) = read(&[&wire]);
            prop_assert_eq!(rest.as_deref(), expected);
            if fault.is_none() {
                let mut check = ChunkCheck::default();
                check.push(&out);
                prop_assert_eq!(check.finish(), None);
            }
        }

        #[test]
        fn stuffed_text_comes_back(lines in proptest::collection::vec("[.a]{0,4}", 0..12)) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let mut stuffed = Vec::new();
            let mut stuffer = crate::DotStuffer::default();
            for byte in message.as_bytes() {
                stuffer.push(&[*byte], &mut stuffed);
            }
            stuffer.finish(&mut stuffed);
            let (out, fault, rest, _) = read(&[&stuffed]);
            prop_assert_eq!((out, fault, rest), (message.into_bytes(), None, Some(Vec::new())));
        }
    }
}
