//! The few helpers with which rows are written by hand: big-endian fields in order, read with checks.
//!
//! Never here: what a row means. A short or over-long row is [`StoreError::Damaged`], never a panic.

use base::{AccountId, BlobId, MailboxId, ModSeq, QueueId, Uid};

use crate::StoreError;

/// The version byte of a record that never changed.
pub(crate) const VERSION: u8 = 1;

/// A row being written.
#[derive(Debug, Default)]
pub(crate) struct Out(pub(crate) Vec<u8>);

impl Out {
    /// A row that begins with the version byte.
    pub(crate) fn versioned() -> Self {
        Self::of_version(VERSION)
    }
    /// A row of a later version.
    pub(crate) fn of_version(version: u8) -> Self {
        // Most rows fit, so that writing their fields moves nothing.
        let mut row = Vec::with_capacity(96);
        row.push(version);
        Self(row)
    }
    pub(crate) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }
    pub(crate) fn i16(mut self, value: i16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    pub(crate) fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }
}

/// A row being read.
#[derive(Debug)]
pub(crate) struct In<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> In<'a> {
    /// Fields without a version byte (keys).
    pub(crate) fn plain(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// Checks the version byte.
    pub(crate) fn versioned(bytes: &'a [u8], what: &'static str) -> Result<Self, StoreError> {
        Self::of_version(VERSION, bytes, what)
    }

    /// Checks the version byte of a record that is not in its first version.
    pub(crate) fn of_version(
        version: u8,
        bytes: &'a [u8],
        what: &'static str,
    ) -> Result<Self, StoreError> {
        match bytes.split_first() {
            Some((&first, rest)) if first == version => Ok(Self { rest, what }),
            Some((other, _)) => Err(StoreError::Damaged(format!("{what} of version {other}"))),
            None => Err(StoreError::Damaged(format!("{what} is empty"))),
        }
    }

    fn short(&self) -> StoreError {
        StoreError::Damaged(format!("{} is too short", self.what))
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(*head)
    }
    pub(crate) fn slice(&mut self, len: usize) -> Result<&'a [u8], StoreError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(head)
    }
    pub(crate) fn u8(&mut self) -> Result<u8, StoreError> {
        Ok(self.take::<1>()?[0])
    }
    pub(crate) fn i16(&mut self) -> Result<i16, StoreError> {
        Ok(i16::from_be_bytes(self.take()?))
    }
    pub(crate) fn u32(&mut self) -> Result<u32, StoreError> {
        Ok(u32::from_be_bytes(self.take()?))
    }
    pub(crate) fn u64(&mut self) -> Result<u64, StoreError> {
        Ok(u64::from_be_bytes(self.take()?))
    }
    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }
    /// What is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }
    /// What is left, as text.
    pub(crate) fn text(self) -> Result<String, StoreError> {
        String::from_utf8(self.rest.to_vec())
            .map_err(|_| StoreError::Damaged(format!("{} is not UTF-8", self.what)))
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Version byte and postcard.
pub(crate) fn to_postcard<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    to_postcard_of(VERSION, value)
}

/// As [`to_postcard`], for a record that is not in its first version.
pub(crate) fn to_postcard_of<T: serde::Serialize>(
    version: u8,
    value: &T,
) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(value, vec![version])
        .map_err(|_| StoreError::Misuse("a record that cannot be written"))
}

/// Reads what [`to_postcard`] wrote.
pub(crate) fn from_postcard<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
    what: &'static str,
) -> Result<T, StoreError> {
    from_postcard_of(VERSION, bytes, what)
}

/// As [`from_postcard`], for a record that is not in its first version.
pub(crate) fn from_postcard_of<T: serde::de::DeserializeOwned>(
    version: u8,
    bytes: &[u8],
    what: &'static str,
) -> Result<T, StoreError> {
    let body = In::of_version(version, bytes, what)?.rest();
    postcard::from_bytes(body).map_err(|e| StoreError::Damaged(format!("{what}: {e}")))
}

/// A time so that the order of its bytes is the order in time.
pub(crate) fn time_key(at: base::Timestamp) -> u64 {
    at.0.cast_unsigned() ^ (1 << 63)
}

/// Reads what [`time_key`] gave.
pub(crate) fn time_of_key(key: u64) -> base::Timestamp {
    base::Timestamp((key ^ (1 << 63)).cast_signed())
}

pub(crate) fn account_key(account: AccountId) -> [u8; 4] {
    account.0.to_be_bytes()
}

/// Account and a name within it.
pub(crate) fn name_key(account: AccountId, name: &str) -> Vec<u8> {
    Out::default().u32(account.0).bytes(name.as_bytes()).0
}

pub(crate) fn mailbox_key(mailbox: MailboxId) -> [u8; 4] {
    mailbox.0.to_be_bytes()
}

/// Mailbox and UID, or mailbox and flag block.
pub(crate) fn pair_key(mailbox: MailboxId, second: u32) -> [u8; 8] {
    (u64::from(mailbox.0) << 32 | u64::from(second)).to_be_bytes()
}

pub(crate) fn message_key(mailbox: MailboxId, uid: Uid) -> [u8; 8] {
    pair_key(mailbox, uid.0)
}

pub(crate) fn change_key(mailbox: MailboxId, modseq: ModSeq) -> Vec<u8> {
    Out::default().u32(mailbox.0).u64(modseq.0).0
}

pub(crate) fn queue_key(id: QueueId) -> [u8; 8] {
    id.0.to_be_bytes()
}

pub(crate) fn blob_key(id: BlobId) -> [u8; 8] {
    id.0.to_be_bytes()
}

/// The smallest key behind all keys that begin with `prefix`; empty if there is none.
pub(crate) fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::*;
    use crate::blob::Blob;
    use crate::directory::{account::AccountRow, address_index};
    use crate::mailbox::{changes, flags, message_row::MessageRow, row::MailboxRow, usage::Usage};
    use crate::segment::{Header, RECORD_HEADER_BYTES};

    /// Any bytes give a value or `Damaged`, never a panic.
    #[test]
    fn damaged_rows_are_refused() {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        let mut refused = 0;
        for round in 0..20_000 {
            let len = usize::from(next()) % 120;
            let mut row: Vec<u8> = (0..len).map(|_| next()).collect();
            if let (Some(first), true) = (row.first_mut(), round % 2 == 0) {
                *first = VERSION;
            }
            let outcomes = [
                Blob::decode(&row).is_err(),
                MailboxRow::decode(&row).is_err(),
                MessageRow::decode(&row).is_err(),
                Usage::decode(&row).is_err(),
                AccountRow::decode(&row).is_err(),
                address_index::decode(&row).is_err(),
                address_index::address_of_key(&row).is_err(),
                flags::decode(&row).is_err(),
                changes::decode(&row).is_err(),
                crate::acl::row::decode(&row).is_err(),
                crate::annotation::decode(&row).is_err(),
                crate::credential::decode(&row).is_err(),
                crate::queue::decode(&row).is_err(),
                crate::queue::decode_due(&row).is_err(),
                crate::recovery::block::Block::decode(&row).is_err(),
                crate::recovery::block::decode_sum(&row).is_err(),
                crate::recovery::accounts::Grave::decode(&row).is_err(),
                crate::directory::entry::decode(&row).is_err(),
                <&[u8; RECORD_HEADER_BYTES]>::try_from(row.as_slice())
                    .is_ok_and(|head| Header::decode(head).is_err()),
            ];
            refused += outcomes.iter().filter(|is_err| **is_err).count();
        }
        assert!(refused > 100_000, "{refused}");
    }

    #[test]
    fn keys_order_as_their_values() {
        let times = [i64::MIN, -1, 0, 1, i64::MAX].map(|ms| time_key(Timestamp(ms)));
        assert!(times.is_sorted());
        assert_eq!(time_of_key(times[1]), Timestamp(-1));
        assert_eq!(behind(b"ab"), b"ac");
        assert_eq!(behind(&[1, 0xFF]), [2]);
        assert_eq!(behind(&[0xFF, 0xFF]), Vec::<u8>::new());
        assert_eq!(pair_key(MailboxId(1), 2), [0, 0, 0, 1, 0, 0, 0, 2]);
    }
}
