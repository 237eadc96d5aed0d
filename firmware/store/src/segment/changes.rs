//! The record that ends a group in the log: what the group changed in the index, and which contents
//! belong to it. A group counts if this record and all its contents are what was written.
//!
//! The salt of the segment goes into the checksum: nobody who sends us mail can put a record that we
//! would take for ours into a content.

use super::LogEnd;
use crate::StoreError;
use crate::codec::{In, Out, VERSION};

/// Bytes of the head with its checksum.
pub(crate) const CHANGES_HEADER_BYTES: usize = 64;
/// Changes of a group in the log.
pub(crate) const KIND_CHANGES: u8 = 2;
/// Plain bytes of one record; the writer's limit is far lower.
const PLAIN_MAX: u32 = 64 * 1024 * 1024;
/// Changes shorter than this are not worth packing.
const PACK_FROM: usize = 1024;
const ZSTD_LEVEL: i32 = 1;

/// The head of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangesHeader {
    pub(crate) is_packed: bool,
    /// Bytes behind the head.
    pub(crate) stored_len: u32,
    /// Bytes of the changes.
    pub(crate) plain_len: u32,
    /// The group's number; each is one more than the last.
    pub(crate) group: u64,
    /// Where the group begins.
    pub(crate) begin: LogEnd,
    /// Content records of the group.
    pub(crate) contents: u32,
    /// See [`Tie`].
    pub(crate) tie: [u8; 16],
}

/// What ties contents to their group: BLAKE3 of the checksums of their heads, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tie(blake3::Hasher);

impl Tie {
    /// Adds the checksum of a content record's head.
    pub(crate) fn add(&mut self, sum: &[u8; 8]) {
        self.0.update(sum);
    }
    pub(crate) fn end(&self) -> [u8; 16] {
        first(self.0.finalize())
    }
}

fn first<const N: usize>(hash: blake3::Hash) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&hash.as_bytes()[..N]);
    out
}

fn checksum(salt: &[u8], head: &[u8], stored: &[u8]) -> [u8; 8] {
    first(blake3::Hasher::new().update(salt).update(head).update(stored).finalize())
}

fn damaged() -> StoreError {
    StoreError::Damaged("a record of changes in the log".to_owned())
}

/// Makes the bytes of records; keeps its work space.
pub(crate) struct Packer(zstd::bulk::Compressor<'static>);

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    pub(crate) fn new() -> Result<Self, StoreError> {
        let doing = "compressing changes";
        zstd::bulk::Compressor::new(ZSTD_LEVEL).map(Self).map_err(StoreError::io(doing))
    }

    /// Head and changes as they stand in the segment.
    pub(crate) fn encode(
        &mut self,
        (group, begin): (u64, LogEnd),
        (contents, tie): (u32, &Tie),
        salt: &[u8],
        changes: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let packed = if changes.len() < PACK_FROM {
            None
        } else {
            Some(self.0.compress(changes).map_err(StoreError::io("compressing changes"))?)
        };
        let stored = packed.as_deref().filter(|p| p.len() < changes.len());
        let (is_packed, stored) = (stored.is_some(), stored.unwrap_or(changes));
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| StoreError::TooLarge);
        let head = Out::default()
            .bytes(super::record::MAGIC)
            .u8(VERSION)
            .u8(KIND_CHANGES)
            .u8(u8::from(is_packed))
            .u8(0)
            .u32(len(stored)?)
            .u32(len(changes)?)
            .u64(group)
            .u32(begin.segment)
            .u64(begin.offset)
            .u32(contents)
            .bytes(&tie.end());
        let sum = checksum(salt, &head.0, stored);
        Ok(head.bytes(&sum).bytes(stored).0)
    }
}

impl ChangesHeader {
    /// Reads a head; the checksum is over what follows too, see [`ChangesHeader::open`].
    pub(crate) fn decode(bytes: &[u8; CHANGES_HEADER_BYTES]) -> Result<Self, StoreError> {
        let mut fields = In::plain(bytes, "record of changes");
        if fields.take::<4>()? != *super::record::MAGIC {
            return Err(damaged());
        }
        let [version, kind, packing, _] = fields.take::<4>()?;
        if (version, kind) != (VERSION, KIND_CHANGES) || packing > 1 {
            return Err(damaged());
        }
        let header = Self {
            is_packed: packing == 1,
            stored_len: fields.u32()?,
            plain_len: fields.u32()?,
            group: fields.u64()?,
            begin: LogEnd { segment: fields.u32()?, offset: fields.u64()? },
            contents: fields.u32()?,
            tie: fields.take()?,
        };
        if header.plain_len > PLAIN_MAX || header.stored_len > header.plain_len {
            return Err(damaged());
        }
        Ok(header)
    }

    /// The changes, if head and stored bytes are what was written.
    pub(crate) fn open(
        &self,
        head: &[u8; CHANGES_HEADER_BYTES],
        salt: &[u8],
        stored: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        let (fields, sum) = head.split_at(CHANGES_HEADER_BYTES - 8);
        if checksum(salt, fields, &stored) != sum {
            return Err(damaged());
        }
        let plain = if self.is_packed {
            zstd::bulk::decompress(&stored, self.plain_len as usize).map_err(|_| damaged())?
        } else {
            stored
        };
        if plain.len() == self.plain_len as usize { Ok(plain) } else { Err(damaged()) }
    }
}
