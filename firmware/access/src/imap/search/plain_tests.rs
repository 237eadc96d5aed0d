//! A search gives what plain reading gives: each text of a message decoded as a whole, folded as a whole
//! and looked through by itself.

use base::UidRanges;
use message::{Part, PartKind, Scanner, header_fields};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::index::tests::Office;
use crate::imap::parse::Key;
use crate::search::content::Place;
use crate::search::decode::{Charset, Transfer};
use crate::search::fold::fold;
use crate::search::words::decode_words;

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

/// A text and where it stands.
type Text = (Place, String);
type Folded = (Place, Vec<u8>);

/// RFC 5322 §2.2.3 and RFC 2047, byte by byte.
fn plain_fields(message: &[u8], part: &Part, place: Place, texts: &mut Vec<Text>) {
    let (begin, end) = (at(part.header_start), at(part.body_start));
    for field in header_fields(&message[begin..end]) {
        let value = field.value.trim_ascii().iter().copied();
        let value: Vec<u8> = value.filter(|b| !matches!(b, b'\r' | b'\n' | 0)).collect();
        let value = String::from_utf8(value)
            .unwrap_or_else(|err| err.as_bytes().iter().copied().map(char::from).collect());
        let value = if value.contains("=?") { decode_words(&value).into_owned() } else { value };
        texts.push((place, format!("{}: {value}", String::from_utf8_lossy(field.name))));
    }
}

fn plain_leaf(message: &[u8], part: &Part) -> String {
    let body = &message[at(part.body_start)..at(part.body_end)];
    let mut buffer = Vec::new();
    let bytes = Transfer::of(&part.encoding).decode(body, true, &mut buffer).to_vec();
    let mut text = String::new();
    match Charset::of(part.param("charset")) {
        Charset::Utf8 { .. } => {
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                let other = encoding_rs::WINDOWS_1252;
                text.push_str(&other.decode_without_bom_handling(chunk.invalid()).0);
            }
        }
        mut other => {
            other.decode(&bytes, true, &mut |piece| {
                text.push_str(piece);
                true
            });
        }
    }
    text
}

fn plain_body(message: &[u8], part: &Part, texts: &mut Vec<Text>) {
    match &part.kind {
        PartKind::Multipart(parts) => {
            for part in parts {
                plain_fields(message, part, Place::Header, texts);
                plain_body(message, part, texts);
            }
        }
        PartKind::Message(_, root) => {
            plain_fields(message, root, Place::Body, texts);
            plain_body(message, root, texts);
        }
        PartKind::Leaf if matches!(part.main_type.as_str(), "text" | "message") => {
            texts.push((Place::Body, plain_leaf(message, part)));
        }
        PartKind::Leaf => {}
    }
}

fn plain_texts(message: &[u8]) -> Vec<Folded> {
    let mut scanner = Scanner::new();
    scanner.feed(message);
    let root = scanner.finish().root;
    let mut texts = Vec::new();
    plain_fields(message, &root, Place::Header, &mut texts);
    plain_body(message, &root, &mut texts);
    texts.into_iter().map(|(place, text)| (place, fold(&text))).collect()
}

fn holds(texts: &[Folded], key: &Key) -> bool {
    let (needle, in_header) = match key {
        Key::Body(needle) => (needle, false),
        Key::Text(needle) => (needle, true),
        _ => unreachable!("{key:?}"),
    };
    texts.iter().any(|(place, text)| {
        (in_header || *place == Place::Body) && memchr::memmem::find(text, needle).is_some()
    })
}

const PIECES: [&str; 19] = [
    "harbour",
    "HARB",
    "our",
    "Grüße",
    "gru\u{308}sse",
    "ﬁne",
    "日本",
    "Привет",
    " ",
    "  ",
    "\r\n",
    "\r\n ",
    "\r",
    "\0",
    "=",
    "=?",
    "=?utf-8?q?Gr=C3=BC?=",
    "=?koi8-r?b?8NLJ18XU?=",
    ": ",
];

fn text() -> impl Strategy<Value = String> {
    vec(proptest::sample::select(PIECES.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
}

/// Charset and encoding of a part, and the bytes that a text has in them.
fn part() -> impl Strategy<Value = Vec<u8>> {
    const CHARSETS: [&str; 6] = [
        "",
        "; charset=utf-8",
        "; charset=us-ascii",
        "; charset=iso-8859-1",
        "; charset=koi8-r",
        "; charset=utf-7",
    ];
    const TYPES: [&str; 4] =
        ["text/plain", "text/html", "application/x", "message/delivery-status"];
    let filler = prop_oneof![29 => Just(None), 1 => (0usize..40).prop_map(Some)];
    let (charset, kind) =
        (proptest::sample::select(&CHARSETS[..]), proptest::sample::select(&TYPES[..]));
    (text(), charset, kind, 0u8..4, text(), filler).prop_map(|(text, charset, kind, form, name, filler)| {
        // Where a frame of the store ends within the text.
        let text = match filler {
            Some(back) => format!("{}{text}", "x y\r\n".repeat((store::READ_MAX - 150 - back * 3) / 5)),
            None => text,
        };
        let bytes = match charset {
            "; charset=koi8-r" => encoding_rs::KOI8_R.encode(&text).0.into_owned(),
            "; charset=iso-8859-1" => encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(),
            _ => text.into_bytes(),
        };
        let (encoding, bytes) = match form {
            0 => ("quoted-printable", bytes.iter().map(|b| match b {
                b'a'..=b'z' | b' ' | b'\r' | b'\n' => char::from(*b).to_string(),
                b'H' => "=\r\n=48".to_owned(),
                other => format!("={other:02X}"),
            }).collect::<String>().into_bytes()),
            1 => ("base64", base64(&bytes)),
            2 => ("8bit", bytes),
            _ => ("7bit", bytes.into_iter().map(|b| if b == b'o' { 0xf6 } else { b }).collect()),
        };
        let name = name.replace(['\r', '\n'], "");
        let head = format!(
            "Content-Type: {kind}{charset}; name=\"{name}\"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        );
        [head.into_bytes(), bytes].concat()
    })
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for (n, three) in bytes.chunks(3).enumerate() {
        let mut bits = [0u8; 4];
        bits[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(bits);
        let digits = (0..=three.len()).map(|n| ALPHABET[(bits >> (18 - 6 * n) & 63) as usize]);
        out.extend(digits.chain([b'='; 2]).take(4));
        if n % 15 == 14 {
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    (vec((text(), text()), 0..4), vec(part(), 1..4), 0u8..3).prop_map(|(fields, parts, form)| {
        let mut head = Vec::new();
        for (name, value) in fields {
            // What is no field is passed over, or ends the header: both must be told alike.
            let name = name.replace(['\r', '\n', ' ', ':', '\0'], "");
            head.extend_from_slice(format!("X{name}: {value}\r\n").as_bytes());
        }
        match form {
            0 => [head, parts[0].clone()].concat(),
            1 => {
                [&head[..], b"Content-Type: message/rfc822\r\n\r\nSubject: harbour\r\n", &parts[0]]
                    .concat()
            }
            _ => {
                let mut all =
                    [&head[..], b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"].concat();
                for part in parts {
                    all = [&all[..], b"--b\r\n", &part, b"\r\n"].concat();
                }
                [&all[..], b"--b--\r\n"].concat()
            }
        }
    })
}

fn key() -> impl Strategy<Value = Key> {
    (text(), 0usize..10, 1usize..14, any::<bool>()).prop_map(|(text, from, len, in_header)| {
        let text: String = text.chars().skip(from).take(len).collect();
        let needle = match fold(&text) {
            empty if empty.is_empty() => b"our".to_vec(),
            needle => needle,
        };
        if in_header { Key::Text(needle) } else { Key::Body(needle) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_what_plain_reading_finds(
        messages in vec(message(), 40..60),
        mut keys in vec(key(), 40),
        cuts in vec((any::<Index>(), any::<Index>(), 1usize..14, any::<bool>()), 40),
    ) {
        let office = Office::new();
        office.append(&messages);
        let texts: Vec<_> = messages.iter().map(|message| plain_texts(message)).collect();
        // What stands there, also across line ends, and across the end of a text, where nothing is found.
        for (message, from, len, in_header) in cuts {
            let all: Vec<u8> = message.get(&texts).iter().flat_map(|(_, text)| text.clone()).collect();
            let all: Vec<char> = String::from_utf8(all).unwrap().chars().collect();
            let text: String = all.iter().skip(from.index(all.len())).take(len).collect();
            let needle = text.into_bytes();
            keys.push(if in_header { Key::Text(needle) } else { Key::Body(needle) });
        }
        let found_plainly = |is_found: &dyn Fn(&[Folded]) -> bool| {
            let numbers = (1u32..).zip(&texts).filter(|(_, texts)| is_found(texts));
            numbers.map(|(number, _)| base::Uid(number)).collect::<UidRanges>().to_string()
        };
        for key in &keys {
            let want = found_plainly(&|texts| holds(texts, key));
            prop_assert_eq!(office.find(key, false), want, "{:?}", key);
        }
        // Several texts of one search are looked for in one pass.
        for two in keys.chunks(2) {
            let want = found_plainly(&|texts| two.iter().any(|key| holds(texts, key)));
            let either = Key::Or(Box::new(two[0].clone()), Box::new(two[1].clone()));
            prop_assert_eq!(office.find(&either, false), want, "{:?}", either);
        }
    }
}
