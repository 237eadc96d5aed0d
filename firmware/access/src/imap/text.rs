//! Looks for a text in the decoded parts of a message, in pieces: RFC 9051 §6.4.4 `BODY` and `TEXT`.
//!
//! A part is read, decoded (RFC 2045 §6), turned into UTF-8 and folded to lower case piece by piece, so
//! that a match is found wherever it stands and memory does not grow with the part. Parts that are no
//! text are passed over.

use encoding_rs::{Decoder, Encoding, UTF_8};
use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;
use message::{Field, Part, PartKind, header_fields};
use store::{Row, Store, StoreError};

use super::section::{HEADER_MAX, piece_len, read_range};

/// Lower case, character by character: the same for a text and for its pieces.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A header field's value with RFC 2047 words decoded, in lower case.
pub(super) fn field_text(field: &Field<'_>) -> String {
    let mut line = field.text().into_bytes();
    line.push(b'\n');
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => fold(&text),
        _ => String::new(),
    }
}

/// The header of a part, at most [`HEADER_MAX`] bytes of it.
pub(super) fn header_of(store: &Store, row: &Row, part: &Part) -> Result<Vec<u8>, StoreError> {
    let end = part.body_start.min(part.header_start + HEADER_MAX);
    read_range(store, row, part.header_start, end)
}

/// True if a field of the header, its name included, holds the text.
pub(super) fn is_in_header(header: &[u8], needle: &str) -> bool {
    header_fields(header).any(|field| {
        let name = fold(&String::from_utf8_lossy(field.name));
        format!("{name}: {}", field_text(&field)).contains(needle)
    })
}

/// True if a text part below `part`, or the header of an embedded message, holds the text.
pub(super) fn is_in_body(
    store: &Store,
    row: &Row,
    part: &Part,
    needle: &str,
) -> Result<bool, StoreError> {
    match &part.kind {
        PartKind::Multipart(parts) => {
            for part in parts {
                if is_in_body(store, row, part, needle)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        PartKind::Message(_, root) => Ok(is_in_header(&header_of(store, row, root)?, needle)
            || is_in_body(store, row, root, needle)?),
        PartKind::Leaf if part.main_type == "text" => is_in_leaf(store, row, part, needle),
        PartKind::Leaf => Ok(false),
    }
}

fn is_in_leaf(store: &Store, row: &Row, part: &Part, needle: &str) -> Result<bool, StoreError> {
    let charset = part.params.iter().find(|(name, _)| name == "charset");
    let mut finder = Finder::new(&part.encoding, charset.map(|param| param.1.as_str()), needle);
    let mut at = part.body_start;
    while at < part.body_end {
        let piece = store.read(&row.blob, at, piece_len(at, part.body_end))?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        if finder.feed(&piece, at >= part.body_end) {
            return Ok(true);
        }
    }
    Ok(needle.is_empty())
}

/// Undoes a Content-Transfer-Encoding, keeping what one piece leaves unfinished.
pub(super) enum Transfer {
    Identity,
    Base64 { bits: u32, count: u8 },
    QuotedPrintable { pending: Vec<u8> },
}

impl Transfer {
    pub(super) fn of(encoding: &str) -> Self {
        match encoding {
            "base64" => Self::Base64 { bits: 0, count: 0 },
            "quoted-printable" => Self::QuotedPrintable { pending: Vec::new() },
            _ => Self::Identity,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Identity => out.extend_from_slice(bytes),
            Self::Base64 { bits, count } => {
                for byte in bytes {
                    push_base64(*byte, bits, count, out);
                }
            }
            Self::QuotedPrintable { pending } => {
                for byte in bytes {
                    push_quoted_printable(*byte, pending, out);
                }
            }
        }
    }
}

/// RFC 2045 §6.8; what is not of the alphabet is passed over.
fn push_base64(byte: u8, bits: &mut u32, count: &mut u8, out: &mut Vec<u8>) {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        b'=' => {
            (*bits, *count) = (0, 0);
            return;
        }
        _ => return,
    };
    *bits = (*bits << 6 | u32::from(value)) & 0xff_ffff;
    *count += 6;
    if *count >= 8 {
        *count -= 8;
        out.push((*bits >> *count & 0xff) as u8);
    }
}

/// RFC 2045 §6.7; what is no valid escape stays as it is.
fn push_quoted_printable(byte: u8, pending: &mut Vec<u8>, out: &mut Vec<u8>) {
    let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    match (pending.as_slice(), byte) {
        ([], b'=') => pending.push(byte),
        ([], _) => out.push(byte),
        ([_], b'\n') | ([_, b'\r'], b'\n') => pending.clear(),
        ([_], _) if byte == b'\r' || hex(byte).is_some() => pending.push(byte),
        ([_, high], low) => {
            if let (Some(high), Some(low)) = (hex(*high), hex(low)) {
                out.push(high << 4 | low);
            } else {
                out.extend_from_slice(pending);
                out.push(low);
            }
            pending.clear();
        }
        _ => {
            out.extend_from_slice(pending);
            out.push(byte);
            pending.clear();
        }
    }
}

/// Finds a text in a stream of encoded bytes.
struct Finder<'a> {
    transfer: Transfer,
    decoder: Decoder,
    needle: &'a str,
    /// The folded text that may hold the beginning of a match.
    window: String,
}

impl<'a> Finder<'a> {
    fn new(encoding: &str, charset: Option<&str>, needle: &'a str) -> Self {
        // `us-ascii` is windows-1252 to encoding_rs; 8-bit text without a charset is UTF-8 nowadays.
        let charset = charset.filter(|name| !name.eq_ignore_ascii_case("us-ascii"));
        let charset =
            charset.and_then(|name| Encoding::for_label(name.as_bytes())).unwrap_or(UTF_8);
        Self {
            transfer: Transfer::of(encoding),
            decoder: charset.new_decoder_with_bom_removal(),
            needle,
            window: String::new(),
        }
    }

    fn feed(&mut self, bytes: &[u8], is_last: bool) -> bool {
        let mut plain = Vec::with_capacity(bytes.len());
        self.transfer.feed(bytes, &mut plain);
        let mut text = String::new();
        let capacity =
            self.decoder.max_utf8_buffer_length(plain.len()).unwrap_or(plain.len() * 3 + 32);
        text.reserve(capacity);
        let (_, read, _) = self.decoder.decode_to_string(&plain, &mut text, is_last);
        debug_assert_eq!(read, plain.len(), "the buffer holds all by its computed length");
        self.window.extend(text.chars().flat_map(char::to_lowercase));
        if self.window.contains(self.needle) {
            return true;
        }
        let mut keep_from = self.window.len().saturating_sub(self.needle.len());
        while !self.window.is_char_boundary(keep_from) {
            keep_from -= 1;
        }
        self.window.drain(..keep_from);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the bytes in pieces of each length, so that every border falls everywhere.
    fn finds(encoding: &str, charset: Option<&str>, bytes: &[u8], needle: &str) -> bool {
        let found: Vec<bool> = (1..=bytes.len())
            .map(|len| {
                let mut finder = Finder::new(encoding, charset, needle);
                let count = bytes.chunks(len).count();
                bytes.chunks(len).enumerate().any(|(n, piece)| finder.feed(piece, n + 1 == count))
            })
            .collect();
        assert!(found.iter().all(|one| *one == found[0]), "{needle}");
        found[0]
    }

    #[test]
    fn encoded_text_is_found() {
        for (encoding, charset, bytes, needle, want) in [
            ("7bit", None, &b"Hello World"[..], "lo wo", true),
            ("7bit", None, b"Hello World", "lo  wo", false),
            ("8bit", Some("utf-8"), "GRÜSSE aus Köln".as_bytes(), "grüsse", true),
            ("8bit", Some("iso-8859-1"), b"K\xf6ln", "köln", true),
            ("quoted-printable", Some("utf-8"), b"K=C3=B6=\r\nln =3D x=ZZ", "köln = x=zz", true),
            ("quoted-printable", Some("utf-8"), b"a=\nb=", "ab", true),
            ("base64", Some("utf-8"), b"R3LDvMOf\r\nZSBh\r\ndXMgS8O2bG4=", "grüße aus köln", true),
            ("base64", None, b"SGVsbG8=", "sgvs", false),
        ] {
            assert_eq!(finds(encoding, charset, bytes, needle), want, "{needle}");
        }
    }

    #[test]
    fn header_words_are_decoded() {
        let header = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= an\r\n alle\r\nX-A: b\r\n\r\n";
        assert!(is_in_header(header, "grüße an alle"));
        assert!(is_in_header(header, "x-a: b"));
        assert!(!is_in_header(header, "utf-8"));
    }
}
