//! Which bytes of a message a section names. RFC 9051 §6.4.5.1.
//!
//! A section is a range of the stored message, read when it is sent. Only selected header fields are
//! made in memory, from the first [`HEADER_MAX`] bytes of a header.

use message::{Part, PartKind, Structure, header_fields};
use store::{READ_MAX, Row, Store, StoreError};

use super::parse::{Section, SectionText};

/// How much of a header is looked through for fields; the scanner keeps no more either.
const HEADER_MAX: u64 = 1024 * 1024;

/// What is to be sent for a section.
#[derive(Debug)]
pub(super) enum Content {
    /// There is no such part.
    Nil,
    Bytes(Vec<u8>),
    /// These bytes of the message.
    Range {
        start: u64,
        end: u64,
    },
}

/// The bytes of a message between `start` and `end`, for what is known to be small.
pub(super) fn read_range(
    store: &Store,
    row: &Row,
    start: u64,
    end: u64,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    let mut at = start;
    while at < end {
        let piece = store.read(&row.blob, at, piece_len(at, end))?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// How much to read at `at`: up to the next multiple of [`READ_MAX`], so that the store unpacks nothing
/// twice.
pub(super) fn piece_len(at: u64, end: u64) -> usize {
    let max = READ_MAX as u64;
    let to_boundary = max - at % max;
    usize::try_from(end.saturating_sub(at).min(to_boundary)).unwrap_or(READ_MAX)
}

/// The fields of a header that are named, or those that are not, and the empty line.
fn select_fields(header: &[u8], names: &[String], is_not: bool) -> Vec<u8> {
    let mut selected = Vec::new();
    for field in header_fields(header) {
        if names.iter().any(|name| field.is(name.as_bytes())) != is_not {
            selected.extend_from_slice(field.raw);
            // The last field of a message that ends in its header may lack it.
            if !field.raw.ends_with(b"\n") {
                selected.extend_from_slice(b"\r\n");
            }
        }
    }
    selected.extend_from_slice(b"\r\n");
    selected
}

/// The part whose header and text HEADER and TEXT mean: the message itself, or an embedded one.
fn message_part<'a>(structure: &'a Structure, path: &[u32]) -> Option<&'a Part> {
    if path.is_empty() {
        return Some(&structure.root);
    }
    match &structure.part(path)?.kind {
        PartKind::Message(_, root) => Some(root),
        _ => None,
    }
}

/// The range of a section, before its header fields are selected or its partial range is cut.
fn range(structure: &Structure, section: &Section) -> Option<(u64, u64)> {
    match &section.text {
        SectionText::Whole if section.path.is_empty() => Some((0, structure.size)),
        SectionText::Whole => {
            structure.part(&section.path).map(|part| (part.body_start, part.body_end))
        }
        SectionText::Mime => {
            structure.part(&section.path).map(|part| (part.header_start, part.body_start))
        }
        SectionText::Header | SectionText::HeaderFields(..) => {
            message_part(structure, &section.path).map(|part| (part.header_start, part.body_start))
        }
        SectionText::Text => {
            let part = message_part(structure, &section.path)?;
            // The text of the message itself reaches to its end, whatever stands behind the last part.
            let end = if section.path.is_empty() { structure.size } else { part.body_end };
            Some((part.body_start, end))
        }
    }
}

/// Finds what a section of the message holds. `structure` is loaded when it is first needed.
pub(super) fn open(
    store: &Store,
    row: &Row,
    structure: &mut Option<Structure>,
    section: &Section,
) -> Result<Content, StoreError> {
    let is_message = section.path.is_empty() && section.text == SectionText::Whole;
    let (start, end) = if is_message {
        (0, row.size)
    } else {
        let structure = match structure {
            Some(structure) => structure,
            None => structure.insert(store.structure(&row.blob)?),
        };
        match range(structure, section) {
            Some((start, end)) => (start, end.max(start)),
            None => return Ok(Content::Nil),
        }
    };
    if let SectionText::HeaderFields(names, is_not) = &section.text {
        let header = read_range(store, row, start, end.min(start + HEADER_MAX))?;
        let selected = select_fields(&header, names, *is_not);
        return Ok(Content::Bytes(match section.partial {
            Some((offset, count)) => {
                let from = (offset as usize).min(selected.len());
                let to = from.saturating_add(count as usize).min(selected.len());
                selected.get(from..to).unwrap_or_default().to_vec()
            }
            None => selected,
        }));
    }
    // RFC 9051 §6.4.5: a partial range is cut at the end of the text.
    Ok(match section.partial {
        Some((offset, count)) => {
            let from = start.saturating_add(u64::from(offset)).min(end);
            Content::Range { start: from, end: from.saturating_add(u64::from(count)).min(end) }
        }
        None => Content::Range { start, end },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_fields_are_selected() {
        let header = b"From: a\r\nSubject: x\r\n y\r\nTo: b\r\n\r\n";
        let names = ["SUBJECT".to_owned(), "From".to_owned()];
        assert_eq!(select_fields(header, &names, false), b"From: a\r\nSubject: x\r\n y\r\n\r\n");
        assert_eq!(select_fields(header, &names, true), b"To: b\r\n\r\n");
        assert_eq!(select_fields(header, &["X".to_owned()], false), b"\r\n");
        assert_eq!(select_fields(b"To: b", &["to".to_owned()], false), b"To: b\r\n\r\n");
    }

    #[test]
    fn pieces_end_at_the_boundaries_of_the_store() {
        let max = READ_MAX as u64;
        assert_eq!(piece_len(0, 10), 10);
        assert_eq!(piece_len(0, max * 3), READ_MAX);
        assert_eq!(piece_len(max - 7, max * 3), 7);
        assert_eq!(piece_len(9, 9), 0);
    }
}
