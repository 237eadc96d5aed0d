//! The row of a message in a mailbox: what never changes about it.

use base::{BlobId, MailboxId, Timestamp, Uid, UidRanges};

use crate::StoreError;
use crate::codec::{In, Out, message_key};
use crate::index::{T, Tables, View};

/// Version 1 named the content by its hash.
const VERSION: u8 = 2;
/// Stands for a time that is not known.
const NOT_KNOWN: Timestamp = Timestamp(i64::MIN);

/// What never changes about a message in a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub(crate) size: u64,
    pub(crate) internal_date: Timestamp,
    /// The zone in which that time was given, minutes east of UTC.
    pub(crate) zone_minutes: i16,
    /// When the message came into this mailbox; not known of rows that a format 1 wrote.
    pub(crate) saved: Option<Timestamp>,
    pub(crate) blob: BlobId,
}

impl MessageRow {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut row = In::of_version(VERSION, row, "message row")?;
        Ok(Self {
            size: row.u64()?,
            internal_date: Timestamp(row.u64()?.cast_signed()),
            zone_minutes: row.i16()?,
            saved: Some(Timestamp(row.u64()?.cast_signed())).filter(|at| *at != NOT_KNOWN),
            blob: BlobId(row.u64()?),
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        Out::of_version(VERSION)
            .u64(self.size)
            .u64(self.internal_date.0.cast_unsigned())
            .i16(self.zone_minutes)
            .u64(self.saved.unwrap_or(NOT_KNOWN).0.cast_unsigned())
            .u64(self.blob.0)
            .0
    }
}

/// A message that stands in a flag block and has no row.
pub(crate) fn missing(mailbox: MailboxId, uid: Uid) -> StoreError {
    StoreError::Damaged(format!("mailbox {mailbox}: UID {uid} has no row"))
}

/// The row of a message that stands in a flag block.
pub(crate) fn existing(
    view: &impl View,
    mailbox: MailboxId,
    uid: Uid,
) -> Result<MessageRow, StoreError> {
    let row =
        view.get(T::Message, &message_key(mailbox, uid))?.ok_or_else(|| missing(mailbox, uid))?;
    MessageRow::decode(&row)
}

/// The rows of those of `uids` that exist, ascending: a walk for each range, not a search for each row.
pub(crate) fn all(
    view: &impl View,
    mailbox: MailboxId,
    uids: &UidRanges,
) -> Result<Vec<(Uid, MessageRow)>, StoreError> {
    let mut found = Vec::new();
    for &(first, last) in uids.ranges() {
        let from = message_key(mailbox, Uid(first));
        // The key behind the last one; 9 bytes, so greater than it and smaller than the next.
        let to = Out::default().bytes(&message_key(mailbox, Uid(last))).u8(0).0;
        view.scan(T::Message, &from, &to, &mut |key, row| {
            found.push(decode(key, row)?);
            Ok(true)
        })?;
    }
    Ok(found)
}

/// Removes the rows of those of `uids` that exist, and gives them as [`all`] does.
pub(crate) fn take(
    tables: &mut Tables<'_>,
    mailbox: MailboxId,
    uids: &UidRanges,
) -> Result<Vec<(Uid, MessageRow)>, StoreError> {
    let mut taken = Vec::new();
    for &(first, last) in uids.ranges() {
        let (first, last) = (message_key(mailbox, Uid(first)), message_key(mailbox, Uid(last)));
        tables.remove_range(T::Message, &first, &last, &mut |key, row| {
            taken.push(decode(key, row)?);
            Ok(())
        })?;
    }
    Ok(taken)
}

fn decode(key: &[u8], row: &[u8]) -> Result<(Uid, MessageRow), StoreError> {
    let mut key = In::plain(key, "message row");
    key.u32()?;
    Ok((Uid(key.u32()?), MessageRow::decode(row)?))
}
