//! Header fields that we write. RFC 5322 §2.2.3, §2.1.1.

/// Lines are folded before this column where a blank allows it.
const FOLD_AT: usize = 78;

/// Appends `name: value` and CRLF to `out`, folded at blanks. Control characters of the value,
/// line ends among them, become blanks: no value can begin a field of its own.
pub fn emit_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut column = name.len() + 1;
    for word in value.split(|c: char| c == ' ' || c.is_control()).filter(|w| !w.is_empty()) {
        if column > name.len() + 1 && column + 1 + word.len() > FOLD_AT {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
        column += 1 + word.len();
    }
    out.extend_from_slice(b"\r\n");
}

/// `bytes` with every line end as CRLF; a CR or LF that stands alone is a line end too.
#[must_use]
pub fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    let mut crlf = CrlfWriter::default();
    crlf.push(bytes, &mut out);
    out
}

/// Makes every line end CRLF in content that comes in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrlfWriter {
    after_cr: bool,
}

impl CrlfWriter {
    /// Appends `bytes` to `out`; every CR, LF or CRLF becomes one CRLF, also across pieces.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            match byte {
                b'\r' => out.extend_from_slice(b"\r\n"),
                b'\n' if self.after_cr => {}
                b'\n' => out.extend_from_slice(b"\r\n"),
                _ => out.push(byte),
            }
            self.after_cr = byte == b'\r';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_begins_a_field_of_its_own() {
        let mut out = Vec::new();
        emit_field(&mut out, "Subject", "a\r\nBcc: x@y.test\0 b");
        emit_field(&mut out, "X", &"word ".repeat(20));
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("Subject: a Bcc: x@y.test b\r\nX: word word"), "{text}");
        assert!(text.split("\r\n").all(|line| line.len() <= FOLD_AT), "{text}");
        assert_eq!(crate::header_fields(text.as_bytes()).count(), 2);
    }

    #[test]
    fn line_ends_become_crlf_across_pieces() {
        let mut crlf = CrlfWriter::default();
        let mut out = Vec::new();
        for piece in [&b"a\r"[..], b"\nb\rc", b"\nd\n", b"\n\r"] {
            crlf.push(piece, &mut out);
        }
        assert_eq!(out, b"a\r\nb\r\nc\r\nd\r\n\r\n\r\n");
    }
}
