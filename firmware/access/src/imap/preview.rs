//! FETCH PREVIEW: the first words of a message. RFC 8970.
//!
//! Made when it is asked for, of the first kilobytes of the first text: that is one read of the store.

use encoding_rs::{Encoding, UTF_8};
use message::{Part, PartKind, Structure};
use store::{Row, Store, StoreError};

use super::section::read_range;
use crate::search::decode::Transfer;

/// RFC 8970 §3.2: at most 256 characters, better 200.
const CHARS_MAX: usize = 200;
/// How much of the text is looked at, still encoded.
const LOOK_BYTES: u64 = 16 * 1024;
/// Parts that are looked through.
const DEPTH_MAX: usize = 20;

/// The part that a reader sees first: plain text, else HTML; no attachment, nothing encrypted.
fn first_text<'a>(part: &'a Part, sub_type: &str, depth: usize) -> Option<&'a Part> {
    if depth == DEPTH_MAX {
        return None;
    }
    match &part.kind {
        PartKind::Multipart(_) if part.sub_type == "encrypted" => None,
        PartKind::Multipart(parts) => {
            parts.iter().find_map(|part| first_text(part, sub_type, depth + 1))
        }
        PartKind::Message(_, root) => first_text(root, sub_type, depth + 1),
        PartKind::Leaf => {
            let is_attached = part.disposition.as_ref().is_some_and(|d| d.kind == "attachment");
            let is_wanted = part.main_type == "text" && part.sub_type == sub_type;
            (is_wanted && !is_attached).then_some(part)
        }
    }
}

/// The text between the tags of HTML, without what is no text.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let lower: String = tag.chars().take(8).collect::<String>().to_ascii_lowercase();
        let end = match lower.as_str() {
            name if name.starts_with("style") => "</style",
            name if name.starts_with("script") => "</script",
            name if name.starts_with("title") => "</title",
            name if name.starts_with("!--") => "--",
            _ => "",
        };
        let from = if end.is_empty() { Some(0) } else { tag.to_ascii_lowercase().find(end) };
        rest = from
            .and_then(|from| tag.get(from..))
            .and_then(|tag| tag.split_once('>'))
            .map_or("", |(_, behind)| behind);
        // Words of two paragraphs do not grow together.
        if !lower.starts_with(['b', 'i', 'a', 's']) || lower.starts_with("br") {
            text.push(' ');
        }
    }
    text.push_str(rest);
    let entities = [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(text, |text, (entity, plain)| text.replace(entity, plain))
}

/// The first words, with one space between them and nothing that steers a terminal.
fn first_words(text: &str) -> String {
    let mut words = String::new();
    let mut count = 0;
    for c in text.chars() {
        let is_space = c.is_whitespace() || c == '\u{200b}' || c == '\u{feff}' || c == '\u{34f}';
        if is_space && (words.is_empty() || words.ends_with(' ')) || !is_space && c.is_control() {
            continue;
        }
        words.push(if is_space { ' ' } else { c });
        count += 1;
        if count == CHARS_MAX {
            break;
        }
    }
    words.truncate(words.trim_end().len());
    words
}

/// The preview; empty where a message has no text to show (RFC 8970 §3.2).
pub(super) fn make(store: &Store, row: &Row, structure: &Structure) -> Result<String, StoreError> {
    let plain = first_text(&structure.root, "plain", 0);
    let (part, is_html) = match plain {
        Some(part) => (part, false),
        None => match first_text(&structure.root, "html", 0) {
            Some(part) => (part, true),
            None => return Ok(String::new()),
        },
    };
    let end = part.body_end.min(part.body_start + LOOK_BYTES);
    let encoded = read_range(store, row, part.body_start, end)?;
    let mut bytes = Vec::with_capacity(encoded.len());
    Transfer::of(&part.encoding).feed(&encoded, &mut bytes);
    let charset = part.param("charset").filter(|name| !name.eq_ignore_ascii_case("us-ascii"));
    let charset = charset.and_then(|name| Encoding::for_label(name.as_bytes())).unwrap_or(UTF_8);
    // A character that was cut at the end is no part of the preview.
    let (text, _, _) = charset.decode(&bytes);
    let text = text.trim_end_matches('\u{fffd}');
    Ok(first_words(&if is_html { without_tags(text) } else { text.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_set_in_one_line() {
        assert_eq!(first_words("  Hello,\r\n\r\n  World\t!\u{7}\n"), "Hello, World !");
        assert_eq!(first_words(&"ä ".repeat(300)).chars().count(), 199);
        assert_eq!(first_words("\r\n"), "");
    }

    #[test]
    fn tags_are_left_out() {
        let html = "<html><head><title>x</title><style>p {color: red}</style></head><body>\
            <!-- no --><p>Grüße &amp; <b>Dank</b></p><p>2 &lt; 3<br>Ende</p><scri";
        assert_eq!(first_words(&without_tags(html)), "Grüße & Dank 2 < 3 Ende");
        assert_eq!(first_words(&without_tags("<style>never ends")), "");
    }
}
