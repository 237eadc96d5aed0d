//! The one pass over a message's bytes that finds its MIME structure. RFC 2045, RFC 2046 §5.
//!
//! A push parser: the pieces may be cut anywhere, the result is the same. It holds the header section
//! that is being read, the start of the current line and the open parts; a body is never held. Lines
//! may end in CRLF or in a bare LF.
//!
//! Limits: 100 levels, 1,000 parts, 1 MB of header in all, boundaries of 200 bytes. Time is linear in
//! the bytes.

use crate::mime;
use crate::structure::{MailHeader, Part, PartKind, Structure};

/// Open parts within each other.
const DEPTH_MAX: usize = 100;
/// Parts of one message.
const PARTS_MAX: usize = 1_000;
/// Header bytes that are read, all header sections of a message together.
const HEADER_BYTES_MAX: usize = 1024 * 1024;
/// Longest boundary (RFC 2046 §5.1.1 allows 70).
const BOUNDARY_MAX: usize = 200;
/// What is kept of a line's start: enough for `--`, a boundary and `--`.
const PREFIX_MAX: usize = BOUNDARY_MAX + 8;

/// What an open part holds.
#[derive(Debug, PartialEq, Eq)]
enum Holds {
    Leaf,
    Multipart,
    Message,
}

/// A part that has not ended.
#[derive(Debug)]
struct Frame {
    part: Part,
    holds: Holds,
    /// The delimiter of its children; `None` once it was closed.
    boundary: Option<Vec<u8>>,
    is_digest: bool,
    children: Vec<Part>,
    /// Set where the part is the root of a message: that message's header.
    mail: Option<MailHeader>,
    /// Set for [`Holds::Message`] when the embedded root has ended.
    embedded: Option<(Box<MailHeader>, Box<Part>)>,
    /// Line ends before the body.
    lines_before: u64,
}

impl Frame {
    fn new(header_start: u64, mail: Option<MailHeader>) -> Self {
        Self {
            part: Part::empty(header_start),
            holds: Holds::Leaf,
            boundary: None,
            is_digest: false,
            children: Vec::new(),
            mail,
            embedded: None,
            lines_before: 0,
        }
    }

    /// The part, ended at `end` with `lines` line ends before that.
    fn close(self, end: u64, lines: u64) -> (Part, Option<MailHeader>) {
        let mut part = self.part;
        part.body_end = end.max(part.body_start);
        // What holds an empty part reaches as far as that.
        let inner = self.children.iter().map(|child| child.body_end).max();
        let embedded = self.embedded.as_ref().map(|(_, root)| root.body_end);
        part.body_end = part.body_end.max(inner.unwrap_or(0)).max(embedded.unwrap_or(0));
        let lines = lines.saturating_sub(self.lines_before);
        part.lines = u32::try_from(lines).unwrap_or(u32::MAX);
        part.kind = match (self.holds, self.embedded) {
            (Holds::Multipart, _) => PartKind::Multipart(self.children),
            (Holds::Message, Some((mail, root))) => PartKind::Message(mail, root),
            _ => PartKind::Leaf,
        };
        (part, self.mail)
    }
}

/// Finds the [`Structure`] of a message that is fed in pieces.
#[derive(Debug)]
pub struct Scanner {
    /// From the message's root to the part that is being read.
    open: Vec<Frame>,
    /// Parts opened so far.
    parts: usize,
    /// The innermost open part is still in its header section.
    in_header: bool,
    header: Vec<u8>,
    /// Length of `header` at the start of the current line.
    header_before_line: usize,
    header_bytes_left: usize,
    /// `Received` fields of the message's own header.
    received: u32,
    /// The start of the current line if that is a `-`.
    prefix: Vec<u8>,
    line_start: u64,
    line_len: u64,
    /// The last two bytes of the current line.
    last_two: [u8; 2],
    /// Line ends before the current line.
    lines: u64,
    /// Length of the line end before the current line; 0 at the very start.
    previous_line_end: u64,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// A scanner at the start of a message.
    #[must_use]
    pub fn new() -> Self {
        Self {
            open: vec![Frame::new(0, Some(MailHeader::default()))],
            parts: 1,
            in_header: true,
            header: Vec::new(),
            header_before_line: 0,
            header_bytes_left: HEADER_BYTES_MAX,
            received: 0,
            prefix: Vec::new(),
            line_start: 0,
            line_len: 0,
            last_two: [0; 2],
            lines: 0,
            previous_line_end: 0,
        }
    }

    /// Takes the next piece, of any length.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(at) = bytes.iter().position(|&b| b == b'\n') {
            let (line, rest) = bytes.split_at(at + 1);
            self.take(line);
            self.end_line();
            bytes = rest;
        }
        self.take(bytes);
    }

    /// Ends the message.
    #[must_use]
    pub fn finish(mut self) -> Structure {
        if self.line_len > 0 {
            self.end_line();
        }
        let size = self.line_start;
        let lines = self.lines;
        self.close_down_to(1, size, lines);
        if self.in_header {
            self.end_header(size, lines);
            self.close_down_to(1, size, lines);
        }
        let root = self.open.pop().unwrap_or_else(|| Frame::new(0, None));
        let (root, mail) = root.close(size, lines);
        Structure { size, received: self.received, header: mail.unwrap_or_default(), root }
    }

    /// Takes bytes of one line; a line end is only at their end.
    fn take(&mut self, piece: &[u8]) {
        let Some(&last) = piece.last() else { return };
        let wanted =
            if self.line_len == 0 { piece.first() == Some(&b'-') } else { !self.prefix.is_empty() };
        if wanted {
            let room = PREFIX_MAX.saturating_sub(self.prefix.len()).min(piece.len());
            self.prefix.extend_from_slice(piece.get(..room).unwrap_or_default());
        }
        if self.in_header {
            let room = self.header_bytes_left.min(piece.len());
            self.header.extend_from_slice(piece.get(..room).unwrap_or_default());
            self.header_bytes_left -= room;
        }
        let before = piece.len().checked_sub(2).and_then(|at| piece.get(at));
        self.last_two = [before.copied().unwrap_or(self.last_two[1]), last];
        self.line_len = self.line_len.saturating_add(piece.len() as u64);
    }

    fn end_line(&mut self) {
        // The last line of a message may have no line end.
        let line_end = match self.last_two {
            [b'\r', b'\n'] if self.line_len > 1 => 2,
            [_, b'\n'] => 1,
            _ => 0,
        };
        let next_line = self.line_start.saturating_add(self.line_len);
        if let Some((frame, is_closing)) = self.find_boundary() {
            self.cross_boundary(frame, is_closing, next_line);
        } else if self.in_header && self.line_len == line_end {
            self.end_header(next_line, self.lines + 1);
        }
        self.lines += u64::from(line_end > 0);
        self.line_start = next_line;
        self.previous_line_end = line_end;
        self.line_len = 0;
        self.last_two = [0; 2];
        self.prefix.clear();
        self.header_before_line = self.header.len();
    }

    /// The open multipart whose delimiter the current line is, and whether it is the closing one.
    ///
    /// RFC 2046 §5.1.1: the delimiter is compared with the line's beginning. Of several that fit the
    /// longest is meant, of equal ones the innermost.
    fn find_boundary(&self) -> Option<(usize, bool)> {
        let line = self.prefix.strip_prefix(b"--")?;
        let mut best: Option<(usize, usize)> = None;
        for (at, frame) in self.open.iter().enumerate() {
            if let Some(boundary) = &frame.boundary
                && line.starts_with(boundary)
                && best.is_none_or(|(_, len)| len <= boundary.len())
            {
                best = Some((at, boundary.len()));
            }
        }
        let (at, len) = best?;
        Some((at, line.get(len..).is_some_and(|rest| rest.starts_with(b"--"))))
    }

    fn cross_boundary(&mut self, frame: usize, is_closing: bool, next_line: u64) {
        if self.in_header {
            self.header.truncate(self.header_before_line);
        }
        // RFC 2046 §5.1.1: the line end before the delimiter belongs to the delimiter.
        let end = self.line_start.saturating_sub(self.previous_line_end);
        let lines = self.lines.saturating_sub(u64::from(self.previous_line_end > 0));
        self.close_down_to(frame + 1, end, lines);
        let Some(multipart) = self.open.last_mut() else { return };
        if is_closing {
            multipart.boundary = None;
        } else if self.parts < PARTS_MAX {
            self.parts += 1;
            self.open.push(Frame::new(next_line, None));
            self.in_header = true;
        }
    }

    /// Ends the open parts beyond the first `keep`.
    fn close_down_to(&mut self, keep: usize, end: u64, lines: u64) {
        while self.open.len() > keep {
            if self.in_header {
                // A header section without an empty line: the body is empty and begins where the part
                // ends, before the line end of a delimiter. A part with nothing at all lies behind that.
                let begin = self.open.last().map_or(end, |frame| frame.part.header_start);
                self.end_header(end.max(begin), lines);
                continue;
            }
            let Some(frame) = self.open.pop() else { return };
            let (part, mail) = frame.close(end, lines);
            let Some(parent) = self.open.last_mut() else { return };
            match mail {
                Some(mail) => parent.embedded = Some((Box::new(mail), Box::new(part))),
                None => parent.children.push(part),
            }
        }
    }

    /// Reads the header section of the innermost part; its body begins at `body_start`.
    fn end_header(&mut self, body_start: u64, lines_before: u64) {
        self.in_header = false;
        let depth = self.open.len();
        let in_digest = depth.checked_sub(2).is_some_and(|at| self.open[at].is_digest);
        let Some(frame) = self.open.last_mut() else { return };
        mime::describe_part(&mut frame.part, &self.header, in_digest && frame.mail.is_none());
        if let Some(mail) = &mut frame.mail {
            let received;
            (*mail, received) = mime::describe_mail(&self.header);
            if depth == 1 {
                self.received = received;
            }
        }
        self.header.clear();
        self.header_before_line = 0;
        frame.part.body_start = body_start;
        frame.lines_before = lines_before;
        if depth >= DEPTH_MAX || self.parts >= PARTS_MAX {
            return;
        }
        if let Some(boundary) = frame.part.boundary() {
            frame.boundary = Some(boundary);
            frame.holds = Holds::Multipart;
            frame.is_digest = frame.part.sub_type == "digest";
        } else if frame.part.is_transparent_message() {
            frame.holds = Holds::Message;
            self.parts += 1;
            self.open.push(Frame::new(body_start, Some(MailHeader::default())));
            self.in_header = true;
        }
    }
}

impl Part {
    /// A part of which only the place is known.
    fn empty(header_start: u64) -> Self {
        Self {
            main_type: String::new(),
            sub_type: String::new(),
            params: Vec::new(),
            id: None,
            description: None,
            encoding: String::new(),
            md5: None,
            disposition: None,
            language: Vec::new(),
            location: None,
            header_start,
            body_start: header_start,
            body_end: header_start,
            lines: 0,
            kind: PartKind::Leaf,
        }
    }

    /// The delimiter of a multipart; `None` if the part is none, or one without a usable delimiter,
    /// which is then a leaf.
    fn boundary(&self) -> Option<Vec<u8>> {
        if self.main_type != "multipart" {
            return None;
        }
        let boundary = self.param("boundary")?.trim_ascii_end();
        let fits = !boundary.is_empty() && boundary.len() <= BOUNDARY_MAX;
        fits.then(|| boundary.as_bytes().to_vec())
    }

    /// True for a message in a message that is not encoded as a whole. RFC 2046 §5.2.1 forbids that
    /// it be; RFC 6532 §3.7 allows it for message/global. What is encoded stays shut.
    fn is_transparent_message(&self) -> bool {
        self.main_type == "message"
            && matches!(self.sub_type.as_str(), "rfc822" | "global")
            && matches!(self.encoding.as_str(), "7bit" | "8bit" | "binary")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(message: &[u8]) -> Structure {
        let mut scanner = Scanner::new();
        scanner.feed(message);
        scanner.finish()
    }

    /// `type/subtype [body] lines` of each part with its IMAP number.
    fn outline(message: &[u8]) -> Vec<String> {
        fn walk(out: &mut Vec<String>, message: &[u8], part: &Part, number: &str) {
            let range =
                usize::try_from(part.body_start).unwrap()..usize::try_from(part.body_end).unwrap();
            let body = match part.kind {
                PartKind::Leaf => format!("{:?}", String::from_utf8_lossy(&message[range])),
                _ => format!("{}", range.len()),
            };
            let kind = format!("{}/{}", part.main_type, part.sub_type);
            out.push(format!("{number} {kind} {body} {}", part.lines));
            match &part.kind {
                PartKind::Leaf => {}
                PartKind::Multipart(children) => {
                    for (n, child) in children.iter().enumerate() {
                        walk(out, message, child, &format!("{number}.{}", n + 1));
                    }
                }
                PartKind::Message(_, root) => walk(out, message, root, &format!("{number}>")),
            }
        }
        let structure = scan(message);
        assert_eq!(structure.size, message.len() as u64);
        let mut out = Vec::new();
        walk(&mut out, message, &structure.root, "*");
        out
    }

    #[test]
    fn bodies_begin_and_end_where_rfc_2046_says() {
        for (message, wanted) in [
            ("", &["* text/plain \"\" 0"][..]),
            ("Subject: x", &["* text/plain \"\" 0"]),
            ("\r\nhello", &["* text/plain \"hello\" 0"]),
            ("A: b\n\nhello\nyou\n", &["* text/plain \"hello\\nyou\\n\" 2"]),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\r\none\r\n\r\n\
                 --b \t\r\nContent-Type: image/png\r\n\r\n--b\r\nX: y\r\n--b--\r\nepi\r\n--b\r\n",
                &[
                    "* multipart/mixed 81 13",
                    "*.1 text/plain \"one\\r\\n\" 1",
                    "*.2 image/png \"\" 0",
                    "*.3 text/plain \"\" 0",
                ],
            ),
            // The parent's delimiter ends what the child forgot to end; of "b" and "bc" the longer.
            (
                "Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: \
                 multipart/alternative; boundary=bc\n\n--bc\n\nin\n--b\n\nout",
                &[
                    "* multipart/mixed 71 8",
                    "*.1 multipart/alternative 8 2",
                    "*.1.1 text/plain \"in\" 0",
                    "*.2 text/plain \"out\" 0",
                ],
            ),
            // RFC 2046 §5.1.5: message/rfc822 where nothing else is said.
            (
                "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nFrom: a@b\r\n\r\nhi\r\n--d--",
                &["* multipart/digest 29 5", "*.1 message/rfc822 15 2", "*.1> text/plain \"hi\" 0"],
            ),
            (
                "Content-Type: message/rfc822\nContent-Transfer-Encoding: BASE64\n\nQQ==\n",
                &["* message/rfc822 \"QQ==\\n\" 1"],
            ),
            // No delimiter, an empty one, a multipart without parts.
            ("Content-Type: multipart/mixed\n\n--\n", &["* multipart/mixed \"--\\n\" 1"]),
            (
                "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n",
                &["* multipart/mixed \"--\\n\" 1"],
            ),
            ("Content-Type: multipart/mixed; boundary=x\n\n", &["* multipart/mixed 0 0"]),
            ("Content-Type: text; charset=x\n\n", &["* text/plain \"\" 0"]),
        ] {
            assert_eq!(outline(message.as_bytes()), wanted, "{message:?}");
        }
    }

    #[test]
    fn limits_hold_and_lose_nothing() {
        let deep: String = (0..300)
            .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n:03}\n\n--b{n:03}\n"))
            .collect();
        assert_eq!(outline(deep.as_bytes()).len(), DEPTH_MAX);
        let embedded = "Content-Type: message/rfc822\n\n".repeat(300);
        assert_eq!(outline(embedded.as_bytes()).len(), DEPTH_MAX);
        let wide =
            format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(3000));
        assert_eq!(outline(wide.as_bytes()).len(), PARTS_MAX);
        let header = format!("X: {}\nSubject: late\n\nbody", "y".repeat(HEADER_BYTES_MAX));
        assert_eq!(scan(header.as_bytes()).header.subject, None);
        assert_eq!(outline(header.as_bytes()), ["* text/plain \"body\" 0"]);
    }

    /// Pieces of text that mail is made of, in any order.
    fn mail_like() -> impl Strategy<Value = Vec<u8>> {
        let word = prop::sample::select(vec![
            "\r\n",
            "\n",
            "\r",
            "--b",
            "--bb",
            "--",
            "Content-Type: ",
            "multipart/mixed",
            ";",
            " boundary=b",
            " boundary=\"bb\"",
            "message/rfc822",
            "multipart/digest",
            "\r\n\r\n",
            "From: ",
            "a@b, c <d@e>",
            "(",
            ")",
            "\"",
            "\\",
            "<",
            ">",
            ":",
            ",",
            "@",
            "x",
            " ",
            "é",
            "Content-Transfer-Encoding: base64",
            "To: g:;",
            "\0",
            "Content-Disposition: a; b=c",
        ]);
        prop::collection::vec(word, 0..80).prop_map(|words| words.concat().into_bytes())
    }

    fn contained(part: &Part, from: u64, to: u64) {
        assert!(from <= part.header_start && part.header_start <= part.body_start);
        assert!(part.body_start <= part.body_end && part.body_end <= to, "{part:?}");
        match &part.kind {
            PartKind::Leaf => {}
            PartKind::Multipart(children) => {
                let mut from = part.body_start;
                for child in children {
                    contained(child, from, part.body_end);
                    from = child.body_end;
                }
            }
            PartKind::Message(_, root) => contained(root, part.body_start, part.body_end),
        }
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(
            message in mail_like(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let whole = scan(&message);
            contained(&whole.root, 0, whole.size);
            let mut cuts: Vec<_> = cuts.iter().map(|c| c.index(message.len() + 1)).collect();
            cuts.sort_unstable();
            let mut scanner = Scanner::new();
            let mut from = 0;
            for to in cuts {
                scanner.feed(&message[from..to]);
                from = to;
            }
            scanner.feed(&message[from..]);
            prop_assert_eq!(&scanner.finish(), &whole);
            let text = whole.imap_body(true);
            prop_assert!(text.starts_with(b"(") && text.ends_with(b")") && !text.contains(&0));
        }

        #[test]
        fn any_bytes_have_a_structure(message in prop::collection::vec(any::<u8>(), 0..2000)) {
            let whole = scan(&message);
            contained(&whole.root, 0, whole.size);
            prop_assert!(whole.imap_envelope().starts_with(b"("));
        }
    }
}
