//! The texts of a message in the order in which they stand: header fields, text parts, the headers of
//! parts and of embedded messages.
//!
//! One frame of the store and one piece of decoded text are in memory. Parts that are no text are passed
//! over unread.

use std::borrow::Cow;

use base::BlobId;
use message::{Part, PartKind, Structure, header_fields};
use store::{READ_MAX, Reading, Row, StoreError};

use super::decode::{Charset, Transfer};
use super::words::decode_words;

/// How much of a header is looked at; the scanner keeps no more either.
const HEADER_MAX: u64 = 1024 * 1024;

/// Where a text stands: RFC 9051 §6.4.4 BODY looks only into the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The message's own header and the headers of its parts (names of attachments).
    Header,
    /// Text parts, and the headers of embedded messages.
    Body,
}

/// Who wants the texts.
pub(crate) trait Sink {
    /// A piece of a text; false ends the reading.
    fn piece(&mut self, place: Place, piece: &str) -> bool;
    /// The text ends here.
    fn end(&mut self);
}

/// Reads the bytes of one message, each frame of the store once.
#[derive(Debug)]
pub(crate) struct Bytes<'a> {
    reading: &'a mut Reading,
    blob: BlobId,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(reading: &'a mut Reading, row: &Row) -> Self {
        Self { reading, blob: row.blob }
    }

    /// The bytes from `at` to `end`, or to the end of the frame; empty where the message ends.
    fn piece(&mut self, at: u64, end: u64) -> Result<&[u8], StoreError> {
        let (number, begin) = (at / READ_MAX as u64, at % READ_MAX as u64);
        let frame = self.reading.frame(self.blob, number)?;
        let from = usize::try_from(begin).unwrap_or(usize::MAX);
        let len = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let to = from.saturating_add(len).min(frame.len());
        Ok(frame.get(from..to).unwrap_or_default())
    }

    /// The header of a part.
    pub(crate) fn header<S>(&mut self, part: &Part<S>) -> Result<Vec<u8>, StoreError> {
        let end = part.body_start.min(part.header_start.saturating_add(HEADER_MAX));
        let len = usize::try_from(end.saturating_sub(part.header_start)).unwrap_or_default();
        let mut header = Vec::with_capacity(len);
        let mut at = part.header_start;
        while at < end {
            let piece = self.piece(at, end)?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            header.extend_from_slice(piece);
        }
        Ok(header)
    }

    /// Hands all texts of the message to `sink`; false if that had enough.
    pub(crate) fn texts(
        &mut self,
        structure: &Structure<&str>,
        sink: &mut impl Sink,
    ) -> Result<bool, StoreError> {
        Ok(self.fields(&structure.root, Place::Header, sink)?
            && self.body(&structure.root, sink)?)
    }

    fn fields(
        &mut self,
        part: &Part<&str>,
        place: Place,
        sink: &mut impl Sink,
    ) -> Result<bool, StoreError> {
        let mut text = String::new();
        for field in header_fields(&self.header(part)?) {
            text.clear();
            text.push_str(&String::from_utf8_lossy(field.name));
            text.push_str(": ");
            let value = text.len();
            field.push_text(&mut text);
            if let Cow::Owned(decoded) = decode_words(text.get(value..).unwrap_or_default()) {
                text.truncate(value);
                text.push_str(&decoded);
            }
            if !sink.piece(place, &text) {
                return Ok(false);
            }
            sink.end();
        }
        Ok(true)
    }

    fn body(&mut self, part: &Part<&str>, sink: &mut impl Sink) -> Result<bool, StoreError> {
        match &part.kind {
            PartKind::Multipart(parts) => {
                for part in parts {
                    if !self.fields(part, Place::Header, sink)? || !self.body(part, sink)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            PartKind::Message(_, root) => {
                Ok(self.fields(root, Place::Body, sink)? && self.body(root, sink)?)
            }
            // Reports (message/delivery-status) are text too.
            PartKind::Leaf if matches!(part.main_type, "text" | "message") => self.leaf(part, sink),
            PartKind::Leaf => Ok(true),
        }
    }

    fn leaf(&mut self, part: &Part<&str>, sink: &mut impl Sink) -> Result<bool, StoreError> {
        let mut transfer = Transfer::of(part.encoding);
        let mut charset = Charset::of(part.param("charset"));
        let mut buffer = Vec::new();
        let mut at = part.body_start;
        while at < part.body_end {
            let piece = self.piece(at, part.body_end)?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            let is_last = at >= part.body_end;
            let plain = transfer.decode(piece, is_last, &mut buffer);
            if !charset.decode(plain, is_last, &mut |text| sink.piece(Place::Body, text)) {
                return Ok(false);
            }
        }
        sink.end();
        Ok(true)
    }
}
