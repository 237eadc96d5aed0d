//! The head of a segment: its number, where the log was when it was begun, and its salt.
//!
//! A log goes from segment to segment by these heads: one that goes on at the end of a group takes
//! precedence over what stands behind that end in the older segment, because its writer had given that
//! up.

use super::LogEnd;
use crate::codec::{In, Out};
use crate::{DiskFile, StoreError};

/// What stands before the first record of a segment.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = HEADER_LEN as u64;
const HEADER_LEN: usize = 52;
const MAGIC: &[u8; 8] = b"POSTROOM";
/// Version 1 has 16 bytes: magic, version, number.
const VERSION: u8 = 2;

/// Bytes that nobody outside knows.
pub(crate) type Salt = [u8; 16];

/// The head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u32,
    /// The end of the log when this segment was begun.
    pub(crate) behind: LogEnd,
    pub(crate) salt: Salt,
}

impl SegmentHeader {
    /// A head for a new segment.
    pub(crate) fn new(number: u32, behind: LogEnd) -> Result<Self, StoreError> {
        let mut salt = Salt::default();
        getrandom::fill(&mut salt).map_err(|_| StoreError::Io {
            doing: "asking for random bytes",
            source: std::io::ErrorKind::Other.into(),
        })?;
        Ok(Self { number, behind, salt })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let out = Out::default()
            .bytes(MAGIC)
            .u8(VERSION)
            .bytes(&[0; 3])
            .u32(self.number)
            .u32(self.behind.segment)
            .u64(self.behind.offset)
            .bytes(&self.salt);
        let sum = checksum(&out.0);
        out.bytes(&sum).0
    }

    /// The head of segment `number`; `None` if it is torn, of version 1 or another's.
    pub(crate) fn read(file: &dyn DiskFile, number: u32) -> Result<Option<Self>, StoreError> {
        let mut bytes = [0; HEADER_LEN];
        match file.read_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(e) => return Err(StoreError::io("reading a segment")(e)),
        }
        Ok(Self::decode(&bytes)?.filter(|header| header.number == number))
    }

    fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Option<Self>, StoreError> {
        let mut fields = In::plain(bytes, "head of a segment");
        let is_ours = fields.take::<8>()? == *MAGIC && fields.take::<4>()? == [VERSION, 0, 0, 0];
        let header = Self {
            number: fields.u32()?,
            behind: LogEnd { segment: fields.u32()?, offset: fields.u64()? },
            salt: fields.take()?,
        };
        let (head, sum) = bytes.split_at(HEADER_LEN - 8);
        Ok(Some(header).filter(|_| is_ours && checksum(head) == sum))
    }
}

fn checksum(head: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&blake3::hash(head).as_bytes()[..8]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written_or_not_at_all() {
        let behind = LogEnd { segment: 6, offset: 4711 };
        let header = SegmentHeader::new(7, behind).unwrap();
        let bytes: [u8; HEADER_LEN] = header.encode().try_into().unwrap();
        assert_eq!(SegmentHeader::decode(&bytes).unwrap(), Some(header));
        for at in 0..HEADER_LEN {
            let mut other = bytes;
            other[at] ^= 1;
            assert_eq!(SegmentHeader::decode(&other).unwrap(), None, "{at}");
        }
    }
}
