//! From pieces to lines to records: folding, comments, the version line, limits.

use super::record::{self, Line};
use super::{LdifError, RECORD_BYTES_MAX, RECORD_LINES_MAX, Record};

/// What stands before the lines that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// Nothing of this record.
    Nothing,
    /// A line that a fold goes on.
    Line,
    /// A comment; a fold goes on with it.
    Comment,
}

/// Reads LDIF piece by piece.
#[derive(Debug)]
pub struct Reader {
    /// The line that is not ended yet.
    partial: Vec<u8>,
    /// The record that is not ended yet, unfolded.
    lines: Vec<Line>,
    last: Last,
    /// Lines read.
    number: usize,
    /// Bytes of the record.
    bytes: usize,
    /// The record is beyond the limits: it has been reported, the rest of it is passed over.
    is_skipping: bool,
    /// A record was read: no version line any more.
    has_begun: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader of a new text.
    pub fn new() -> Self {
        Self {
            partial: Vec::new(),
            lines: Vec::new(),
            last: Last::Nothing,
            number: 0,
            bytes: 0,
            is_skipping: false,
            has_begun: false,
        }
    }

    /// Takes a piece of the text and gives the records that end in it.
    pub fn push(&mut self, piece: &[u8]) -> Vec<Result<Record, LdifError>> {
        let mut records = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.keep(part, &mut records);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                self.line(&line, &mut records);
            }
        }
        records
    }

    /// Ends the text and gives the record that ends with it.
    pub fn finish(mut self) -> Option<Result<Record, LdifError>> {
        let mut records = Vec::new();
        if !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            self.line(&line, &mut records);
        }
        self.end(&mut records);
        records.pop()
    }

    /// All records of a text.
    pub fn all(text: &[u8]) -> Vec<Result<Record, LdifError>> {
        let mut reader = Self::new();
        let mut records = reader.push(text);
        records.extend(reader.finish());
        records
    }

    /// Keeps a part of a line, unless the record is too large.
    fn keep(&mut self, part: &[u8], records: &mut Vec<Result<Record, LdifError>>) {
        self.bytes += part.len();
        let is_too_large = self.bytes > RECORD_BYTES_MAX || self.lines.len() > RECORD_LINES_MAX;
        if is_too_large && !self.is_skipping {
            self.is_skipping = true;
            self.lines.clear();
            let text =
                format!("a record holds {RECORD_BYTES_MAX} bytes in {RECORD_LINES_MAX} lines");
            records.push(Err(LdifError { line: self.number + 1, text }));
        }
        if self.is_skipping {
            // Enough to know an empty line from another.
            self.partial.truncate(1);
            let room = 2 - self.partial.len();
            self.partial.extend(part.iter().take(room));
        } else {
            self.partial.extend_from_slice(part);
        }
    }

    fn line(&mut self, line: &[u8], records: &mut Vec<Result<Record, LdifError>>) {
        self.number += 1;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line {
            [] => self.end(records),
            _ if self.is_skipping => {}
            [b' ', rest @ ..] => match (self.last, self.lines.last_mut()) {
                (Last::Comment, _) => {}
                (Last::Line, Some(line)) => line.text.extend_from_slice(rest),
                // A fold of nothing: the record's reader says so.
                _ => self.add(line),
            },
            [b'#', ..] => self.last = Last::Comment,
            line => self.add(line),
        }
    }

    fn add(&mut self, line: &[u8]) {
        self.last = Last::Line;
        self.lines.push(Line { number: self.number, text: line.to_vec() });
    }

    fn end(&mut self, records: &mut Vec<Result<Record, LdifError>>) {
        let mut lines = std::mem::take(&mut self.lines);
        (self.last, self.bytes, self.is_skipping) = (Last::Nothing, 0, false);
        if !self.has_begun && lines.first().is_some_and(|line| record::is_version(&line.text)) {
            let version = lines.remove(0);
            self.has_begun = true;
            if let Err(error) = record::check_version(&version) {
                records.push(Err(error));
                return;
            }
        }
        if !lines.is_empty() {
            self.has_begun = true;
            records.push(record::parse(&lines));
        }
    }
}
