//! Tokens of structured header fields: RFC 2045 §5.1 and RFC 5322 §3.2, read with tolerance.
//!
//! Works on the raw field value, folds included. Never fails, never loops: what fits nothing is
//! skipped byte by byte.

/// Deepest comment that is followed; deeper parentheses count as text of the comment.
const COMMENT_DEPTH_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Takes `byte` if it comes next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Skips white space; true if there was any.
    pub(crate) fn skip_space(&mut self) -> bool {
        let from = self.at;
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
        self.at > from
    }

    /// Skips white space and comments.
    pub(crate) fn skip_cfws(&mut self) {
        loop {
            self.skip_space();
            if self.peek() != Some(b'(') {
                return;
            }
            self.comment();
        }
    }

    /// Reads a comment, its outer parentheses not included. RFC 5322 §3.2.2.
    pub(crate) fn comment(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        if !self.eat(b'(') {
            return text;
        }
        let mut depth = 1;
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => text.extend(self.next()),
                b'(' if depth < COMMENT_DEPTH_MAX => {
                    depth += 1;
                    text.push(byte);
                }
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                    text.push(byte);
                }
                b'\r' | b'\n' => {}
                _ => text.push(byte),
            }
        }
        text
    }

    /// Reads a quoted string without its quotes; one that does not end goes to the end.
    /// RFC 5322 §3.2.4.
    pub(crate) fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        if !self.eat(b'"') {
            return text;
        }
        while let Some(byte) = self.next() {
            match byte {
                b'"' => break,
                b'\\' => text.extend(self.next()),
                b'\r' | b'\n' => {}
                _ => text.push(byte),
            }
        }
        text
    }

    /// Reads as long as `wanted` holds.
    pub(crate) fn run(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        self.bytes.get(from..self.at).unwrap_or_default()
    }

    /// RFC 2045 §5.1 `token`; octets above 127 are let through.
    pub(crate) fn token(&mut self) -> &'a [u8] {
        self.run(|b| b > b' ' && b != 127 && !b"()<>@,;:\\\"/[]?=".contains(&b))
    }

    /// The value of a parameter: a quoted string, or all up to the semicolon (file names with blanks
    /// stand there unquoted more often than not).
    pub(crate) fn parameter_value(&mut self) -> Vec<u8> {
        self.skip_cfws();
        if self.peek() == Some(b'"') {
            return self.quoted();
        }
        let run = self.run(|b| b != b';' && b != b'\r' && b != b'\n');
        let comment = run.windows(2).position(|w| is_space(w[0]) && w[1] == b'(');
        let run = comment.and_then(|at| run.get(..at)).unwrap_or(run);
        run.trim_ascii().to_vec()
    }
}
