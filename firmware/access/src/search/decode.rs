//! The text of a part, in pieces: its transfer encoding undone (RFC 2045 §6), its charset made UTF-8.

use encoding_rs::{Decoder, Encoding, UTF_8, WINDOWS_1252};
use mail_parser::decoders::charsets::DecoderFnc;
use mail_parser::decoders::charsets::map::charset_decoder;

/// How much text of a charset is kept that can only be decoded as a whole (UTF-7 and the like).
const WHOLE_MAX: usize = 1024 * 1024;

/// Undoes a Content-Transfer-Encoding, keeping what one piece leaves unfinished.
#[derive(Debug)]
pub(crate) enum Transfer {
    Identity,
    Base64 { bits: u32, count: u8 },
    QuotedPrintable { pending: Vec<u8> },
}

const SKIP: u8 = 0xff;
const PAD: u8 = 0xfe;

/// RFC 2045 §6.8: the value of each character; what is not of the alphabet is passed over.
const BASE64: [u8; 256] = {
    let mut table = [SKIP; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        table[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    table[b'=' as usize] = PAD;
    table
};

fn decode_base64(bytes: &[u8], bits: &mut u32, count: &mut u8, out: &mut Vec<u8>) {
    out.reserve(bytes.len() / 4 * 3 + 3);
    for &byte in bytes {
        match BASE64[usize::from(byte)] {
            SKIP => {}
            PAD => (*bits, *count) = (0, 0),
            value => {
                *bits = (*bits << 6 | u32::from(value)) & 0xff_ffff;
                *count += 6;
                if *count >= 8 {
                    *count -= 8;
                    out.push((*bits >> *count & 0xff) as u8);
                }
            }
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// RFC 2045 §6.7; what is no valid escape stays as it is.
fn decode_quoted_printable(bytes: &[u8], pending: &mut Vec<u8>, out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some((&byte, behind)) = rest.split_first() {
        if pending.is_empty() {
            let run = memchr::memchr(b'=', rest).unwrap_or(rest.len());
            let (plain, escape) = rest.split_at(run);
            out.extend_from_slice(plain);
            rest = escape;
            if let Some((first, behind)) = rest.split_first() {
                pending.push(*first);
                rest = behind;
            }
            continue;
        }
        let is_padded = pending.iter().skip(1).all(|b| matches!(b, b' ' | b'\t' | b'\r'));
        match (pending.len(), byte) {
            // A soft line break, with what transports pad it with.
            (_, b'\n') if is_padded => pending.clear(),
            (1..64, b' ' | b'\t' | b'\r') if is_padded => pending.push(byte),
            (1, _) if hex(byte).is_some() => pending.push(byte),
            (2, low) => {
                let high = pending.get(1).copied().and_then(hex);
                match high.zip(hex(low)) {
                    Some((high, low)) => {
                        out.push(high << 4 | low);
                        pending.clear();
                    }
                    None => {
                        out.append(pending);
                        continue;
                    }
                }
            }
            _ => {
                out.append(pending);
                continue;
            }
        }
        rest = behind;
    }
}

impl Transfer {
    pub(crate) fn of(encoding: &str) -> Self {
        match encoding {
            "base64" => Self::Base64 { bits: 0, count: 0 },
            "quoted-printable" => Self::QuotedPrintable { pending: Vec::new() },
            _ => Self::Identity,
        }
    }

    /// Appends a decoded piece to `out`.
    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Identity => out.extend_from_slice(bytes),
            Self::Base64 { bits, count } => decode_base64(bytes, bits, count, out),
            Self::QuotedPrintable { pending } => decode_quoted_printable(bytes, pending, out),
        }
    }

    /// A decoded piece; `out` is only used where something must be decoded.
    pub(crate) fn decode<'a>(
        &mut self,
        bytes: &'a [u8],
        is_last: bool,
        out: &'a mut Vec<u8>,
    ) -> &'a [u8] {
        if matches!(self, Self::Identity) {
            return bytes;
        }
        out.clear();
        self.feed(bytes, out);
        if let (Self::QuotedPrintable { pending }, true) = (self, is_last) {
            out.append(pending);
        }
        out
    }
}

/// Makes UTF-8 of a charset, in pieces.
pub(crate) enum Charset {
    /// UTF-8, ASCII or nothing said; `carry` is the beginning of a character. What is no UTF-8 is read
    /// as windows-1252: mail without a charset that is not UTF-8 is that.
    Utf8 {
        carry: Vec<u8>,
    },
    Other {
        decoder: Box<Decoder>,
        text: String,
    },
    /// Charsets that only mail-parser knows, and only as a whole.
    Whole {
        decode: DecoderFnc,
        bytes: Vec<u8>,
    },
}

impl std::fmt::Debug for Charset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Utf8 { .. } => "Utf8",
            Self::Other { .. } => "Other",
            Self::Whole { .. } => "Whole",
        })
    }
}

impl Charset {
    /// By the `charset` parameter.
    pub(crate) fn of(label: Option<&str>) -> Self {
        let utf8 = || Self::Utf8 { carry: Vec::new() };
        let Some(label) = label.map(str::trim) else { return utf8() };
        // `us-ascii` is windows-1252 to encoding_rs; 8-bit text in it is UTF-8 nowadays.
        if label.eq_ignore_ascii_case("us-ascii") {
            return utf8();
        }
        match Encoding::for_label_no_replacement(label.as_bytes()) {
            Some(encoding) if encoding == UTF_8 => utf8(),
            Some(encoding) => Self::Other {
                // A byte order mark knows better than `charset=utf-16`.
                decoder: Box::new(encoding.new_decoder()),
                text: String::new(),
            },
            None => match charset_decoder(label.as_bytes()) {
                Some(decode) => Self::Whole { decode, bytes: Vec::new() },
                None => utf8(),
            },
        }
    }

    /// Decodes a piece and hands the text on; `take` says whether it wants more.
    pub(crate) fn decode(
        &mut self,
        bytes: &[u8],
        is_last: bool,
        take: &mut dyn FnMut(&str) -> bool,
    ) -> bool {
        match self {
            Self::Utf8 { carry } => decode_utf8(carry, bytes, is_last, take),
            Self::Other { decoder, text } => {
                text.clear();
                let room = decoder.max_utf8_buffer_length(bytes.len());
                text.reserve(room.unwrap_or(bytes.len() * 3 + 32));
                let (_, read, _) = decoder.decode_to_string(bytes, text, is_last);
                debug_assert_eq!(read, bytes.len(), "the buffer holds all by its computed length");
                take(text)
            }
            Self::Whole { decode, bytes: all } => {
                let room = WHOLE_MAX.saturating_sub(all.len()).min(bytes.len());
                all.extend_from_slice(bytes.get(..room).unwrap_or_default());
                if is_last { take(&decode(all)) } else { true }
            }
        }
    }
}

fn decode_utf8(
    carry: &mut Vec<u8>,
    bytes: &[u8],
    is_last: bool,
    take: &mut dyn FnMut(&str) -> bool,
) -> bool {
    let joined;
    let bytes = if carry.is_empty() {
        bytes
    } else {
        joined = [carry.as_slice(), bytes].concat();
        carry.clear();
        joined.as_slice()
    };
    if let Ok(text) = std::str::from_utf8(bytes) {
        return take(text);
    }
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        if !take(chunk.valid()) {
            return false;
        }
        let invalid = chunk.invalid();
        if invalid.is_empty() {
            continue;
        }
        // The last chunk may be a character whose rest is still to come.
        let may_go_on = std::str::from_utf8(invalid).is_err_and(|err| err.error_len().is_none());
        if chunks.peek().is_none() && !is_last && may_go_on {
            carry.extend_from_slice(invalid);
        } else if !take(&WINDOWS_1252.decode_without_bom_handling(invalid).0) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes in pieces of each length, so that every border falls everywhere.
    fn text(encoding: &str, charset: Option<&str>, bytes: &[u8]) -> String {
        let texts: Vec<String> = (1..=bytes.len())
            .map(|len| {
                let (mut transfer, mut charset) = (Transfer::of(encoding), Charset::of(charset));
                let (mut buffer, mut text) = (Vec::new(), String::new());
                let count = bytes.chunks(len).count();
                for (n, piece) in bytes.chunks(len).enumerate() {
                    let is_last = n + 1 == count;
                    let plain = transfer.decode(piece, is_last, &mut buffer);
                    charset.decode(plain, is_last, &mut |piece| {
                        text.push_str(piece);
                        true
                    });
                }
                text
            })
            .collect();
        assert!(texts.iter().all(|one| *one == texts[0]), "{texts:?}");
        texts[0].clone()
    }

    #[test]
    fn parts_become_text() {
        for (encoding, charset, bytes, want) in [
            ("7bit", None, &b"Hello World"[..], "Hello World"),
            ("8bit", Some("utf-8"), "GRÜSSE aus Köln €𝄞".as_bytes(), "GRÜSSE aus Köln €𝄞"),
            ("8bit", None, b"K\xf6ln", "Köln"),
            ("8bit", Some("us-ascii"), b"5 \x80", "5 €"),
            ("8bit", Some("iso-8859-1"), b"K\xf6ln", "Köln"),
            ("quoted-printable", None, b"K=C3=B6=\r\nln =3D x=ZZ", "Köln = x=ZZ"),
            ("quoted-printable", None, b"a=\nb=", "ab="),
            ("quoted-printable", None, b"a= \t\r\nb = c=", "ab = c="),
            ("quoted-printable", None, b"==41=4=41", "=A=4A"),
            ("quoted-printable", Some("koi8-r"), b"=F0=D2=C9=D7=C5=D4", "Привет"),
            ("base64", None, b"R3LDvMOf\r\nZSBh\r\ndXMgS8O2bG4=", "Grüße aus Köln"),
            ("base64", Some("utf-16"), b"//5IAGkA", "Hi"),
            ("base64", Some("utf-16"), b"/v8ASABp", "Hi"),
            ("base64", Some("utf-16be"), b"AEgAaQ==", "Hi"),
            ("7bit", Some("iso-2022-jp"), b"\x1b$BF|K\\8l\x1b(B!", "日本語!"),
            ("7bit", Some("utf-7"), b"+ZYeB9FH6ckh5Pg-, 1980.", "文致出版社, 1980."),
            ("8bit", Some("windows-1251"), b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"),
            ("7bit", Some("unheard-of"), b"plain", "plain"),
        ] {
            assert_eq!(text(encoding, charset, bytes), want);
        }
    }
}
