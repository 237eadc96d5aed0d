//! The head of a log record: what it is, how long, whose, and a checksum over all of that.

use base::{AccountId, BlobHash, BlobId, MailboxId, ModSeq, QueueId, Timestamp, Uid};
use serde::{Deserialize, Serialize};

use super::FRAME_LOG2;
use crate::StoreError;
use crate::codec::{In, Out, VERSION, from_postcard_of, to_postcard_of};

/// Bytes of the head with its checksum.
pub(crate) const RECORD_HEADER_BYTES: usize = 72;
/// Each record begins with it.
pub(crate) const MAGIC: &[u8; 4] = b"PRec";
/// A message's content with the delivery that brought it.
pub(crate) const KIND_CONTENT: u8 = 1;

/// The version of the delivery record. Version 1 had no content number before it.
const DELIVERY_VERSION: u8 = 2;

/// What a record says about the delivery that brought the content: enough to find mail again in a log
/// whose index is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoggedDelivery {
    /// Copies in mailboxes.
    pub(crate) copies: Vec<LoggedCopy>,
    /// The spool's entry.
    pub(crate) queue: Option<QueueId>,
}

/// One copy in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoggedCopy {
    pub(crate) account: AccountId,
    pub(crate) mailbox: MailboxId,
    pub(crate) uid: Uid,
    pub(crate) modseq: ModSeq,
    pub(crate) internal_date: Timestamp,
    pub(crate) zone_minutes: i16,
    pub(crate) system_flags: u8,
    pub(crate) keywords: Vec<String>,
}

/// The delivery record of the content with this number.
pub(crate) fn encode_delivery(
    id: BlobId,
    delivery: &LoggedDelivery,
) -> Result<Vec<u8>, StoreError> {
    to_postcard_of(DELIVERY_VERSION, &(id, delivery))
}

/// The content and the delivery of a delivery record.
pub(crate) fn decode_delivery(bytes: &[u8]) -> Result<(BlobId, LoggedDelivery), StoreError> {
    from_postcard_of(DELIVERY_VERSION, bytes, "delivery record")
}

/// The head of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the delivery record.
    pub(crate) meta_len: u32,
    /// Frames of content.
    pub(crate) frames: u32,
    /// Bytes of all frames.
    pub(crate) data_len: u64,
    /// Plain bytes.
    pub(crate) size: u64,
    /// BLAKE3 of the plain bytes.
    pub(crate) hash: BlobHash,
}

impl Header {
    /// Head, delivery record and frame table as they stand in the segment.
    pub(crate) fn encode(&self, meta: &[u8], frames: &[u32]) -> Vec<u8> {
        let head = Out::default()
            .bytes(MAGIC)
            .u8(VERSION)
            .u8(KIND_CONTENT)
            .u8(FRAME_LOG2)
            .u8(0)
            .u32(self.meta_len)
            .u32(self.frames)
            .u64(self.data_len)
            .u64(self.size)
            .bytes(&self.hash.0);
        let mut tail = meta.to_vec();
        for frame in frames {
            tail.extend_from_slice(&frame.to_be_bytes());
        }
        let sum = checksum(&head.0, &tail);
        head.bytes(&sum).bytes(&tail).0
    }

    /// Reads a head; the checksum is over what follows too, see [`Header::verify`].
    pub(crate) fn decode(bytes: &[u8; RECORD_HEADER_BYTES]) -> Result<Self, StoreError> {
        let damaged = |why: &str| StoreError::Damaged(format!("log record: {why}"));
        let mut fields = In::plain(bytes, "log record");
        if fields.take::<4>()? != *MAGIC {
            return Err(damaged("no record begins here"));
        }
        let [version, kind, frame_log2, _] = fields.take::<4>()?;
        if (version, kind, frame_log2) != (VERSION, KIND_CONTENT, FRAME_LOG2) {
            return Err(damaged("unknown version, kind or frame size"));
        }
        Ok(Self {
            meta_len: fields.u32()?,
            frames: fields.u32()?,
            data_len: fields.u64()?,
            size: fields.u64()?,
            hash: BlobHash(fields.take()?),
        })
    }

    /// Bytes between the head and the first frame.
    pub(crate) fn tail_len(&self) -> u64 {
        u64::from(self.meta_len) + 4 * u64::from(self.frames)
    }

    /// True if head and what follows it are what was written.
    pub(crate) fn verify(head: &[u8; RECORD_HEADER_BYTES], tail: &[u8]) -> bool {
        let (fields, sum) = head.split_at(RECORD_HEADER_BYTES - 8);
        checksum(fields, tail) == sum
    }
}

fn checksum(head: &[u8], tail: &[u8]) -> [u8; 8] {
    let hash = blake3::Hasher::new().update(head).update(tail).finalize();
    let mut sum = [0; 8];
    sum.copy_from_slice(&hash.as_bytes()[..8]);
    sum
}
