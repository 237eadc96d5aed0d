//! FETCH BINARY and BINARY.SIZE: parts without their transfer encoding. RFC 3516, RFC 9051 §6.4.5.
//!
//! A part is decoded twice, piece by piece: once for its size, which goes first, and once to be sent.

use message::{PartKind, Structure};
use store::{Row, Store, StoreError};

use super::parse::Section;
use super::reply::Fail;
use super::section::piece_len;
use super::session::Session;
use crate::search::decode::Transfer;

/// A part as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    start: u64,
    end: u64,
    /// Content-Transfer-Encoding, lower case.
    encoding: String,
    /// What is wanted of the decoded bytes.
    from: u64,
    to: u64,
}

/// What a binary section holds.
#[derive(Debug)]
pub(super) enum Binary {
    /// There is no such part.
    Nil,
    /// RFC 3516 §4.3: nobody knows how to decode it.
    UnknownEncoding,
    Part(Encoded),
}

/// What there is to send of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measure {
    /// Bytes that are wanted and there.
    pub(super) len: u64,
    /// NUL is among the decoded bytes: only a literal8 can hold them.
    pub(super) has_nul: bool,
}

/// Finds the part of a binary section.
pub(super) fn open(
    store: &Store,
    row: &Row,
    structure: &mut Option<Structure>,
    section: &Section,
) -> Result<Binary, StoreError> {
    let (from, to) = match section.partial {
        Some((offset, count)) => (u64::from(offset), u64::from(offset) + u64::from(count)),
        None => (0, u64::MAX),
    };
    let plain = String::new();
    if section.path.is_empty() {
        return Ok(Binary::Part(Encoded { start: 0, end: row.size, encoding: plain, from, to }));
    }
    let structure = match structure {
        Some(structure) => structure,
        None => structure.insert(store.structure(&row.blob)?),
    };
    let Some(part) = structure.part(&section.path) else { return Ok(Binary::Nil) };
    let encoding = match (&part.kind, part.encoding.as_str()) {
        (PartKind::Leaf, "base64" | "quoted-printable") => part.encoding.clone(),
        // What has parts of its own has no encoding of its own (RFC 2045 §6.4).
        (PartKind::Multipart(_) | PartKind::Message(..), _) => plain,
        (PartKind::Leaf, "7bit" | "8bit" | "binary" | "") => plain,
        _ => return Ok(Binary::UnknownEncoding),
    };
    let (start, end) = (part.body_start, part.body_end.max(part.body_start));
    Ok(Binary::Part(Encoded { start, end, encoding, from, to }))
}

/// Decodes a part from its beginning, one piece at a time.
struct Decoding<'a> {
    part: &'a Encoded,
    transfer: Transfer,
    at: u64,
    /// Decoded bytes so far.
    decoded: u64,
}

impl<'a> Decoding<'a> {
    fn new(part: &'a Encoded) -> Self {
        Self { part, transfer: Transfer::of(&part.encoding), at: part.start, decoded: 0 }
    }

    /// The next of the wanted bytes; `None` at the end.
    fn next(&mut self, store: &Store, row: &Row) -> Result<Option<Vec<u8>>, StoreError> {
        while self.at < self.part.end && self.decoded < self.part.to {
            let piece = store.read(&row.blob, self.at, piece_len(self.at, self.part.end))?;
            if piece.is_empty() {
                return Ok(None);
            }
            self.at += piece.len() as u64;
            let mut plain = Vec::with_capacity(piece.len());
            self.transfer.feed(&piece, &mut plain);
            let first = self.decoded;
            self.decoded += plain.len() as u64;
            let place = |wanted: u64| {
                let offset = wanted.saturating_sub(first);
                usize::try_from(offset).map_or(plain.len(), |offset| offset.min(plain.len()))
            };
            let (from, to) = (place(self.part.from), place(self.part.to));
            if from < to {
                plain.truncate(to);
                plain.drain(..from);
                return Ok(Some(plain));
            }
        }
        Ok(None)
    }
}

impl Session {
    /// The first pass.
    pub(super) async fn measure(
        &self,
        store: &Store,
        row: &Row,
        part: &Encoded,
    ) -> Result<Measure, StoreError> {
        let mut decoding = Decoding::new(part);
        let mut measure = Measure::default();
        while let Some(plain) = decoding.next(store, row)? {
            measure.len += plain.len() as u64;
            measure.has_nul |= plain.contains(&0);
            tokio::task::yield_now().await;
        }
        Ok(measure)
    }

    /// The second pass. The length is promised: who cannot keep it ends the session.
    pub(super) async fn send_binary(
        &mut self,
        store: &Store,
        row: &Row,
        part: &Encoded,
        measure: Measure,
    ) -> Result<(), Fail> {
        let tilde = if measure.has_nul { "~" } else { "" };
        self.conn.write(format!(" {tilde}{{{}}}\r\n", measure.len).as_bytes());
        let mut decoding = Decoding::new(part);
        let mut sent = 0;
        while let Ok(Some(plain)) = decoding.next(store, row) {
            sent += plain.len() as u64;
            self.conn.write_content(&plain);
            self.flush_if_full().await?;
            tokio::task::yield_now().await;
        }
        if sent == measure.len {
            return Ok(());
        }
        tracing::error!(session = self.conn.session(), uid = %row.uid, "a message ends early");
        Err(Fail::End)
    }
}
