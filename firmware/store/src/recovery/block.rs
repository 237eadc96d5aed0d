//! The rows of expunged messages: up to 256 of one act in a block, so that expunging a large mailbox
//! writes hundreds of rows, not a hundred thousand. An id is the block's number and a place in it.

use base::{AccountId, MailboxId, Timestamp, Uid};

use crate::codec::{In, Out, account_key};
use crate::index::{T, Tables, View};
use crate::mailbox::message_row::MessageRow;
use crate::recovery::{DeletedMessage, DeletedSum};
use crate::{Flags, StoreError};

/// Messages of a block.
pub(crate) const MESSAGES_MAX: usize = 256;
/// Set in the stored system byte when keyword bits follow.
const HAS_KEYWORDS: u8 = 0x80;

/// One message in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The low byte of its id.
    pub(crate) slot: u8,
    pub(crate) uid: Uid,
    /// Bits of [`Flags`].
    pub(crate) system: u8,
    /// Bits of [`Block::keywords`].
    pub(crate) keywords: u64,
    pub(crate) message: MessageRow,
}

/// Messages that one act expunged from one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The store's age then.
    pub(crate) age: u64,
    /// The clock then.
    pub(crate) at: Timestamp,
    pub(crate) mailbox: MailboxId,
    pub(crate) name: String,
    /// Names of the keyword bits that are used, (bit, name).
    pub(crate) keywords: Vec<(u8, String)>,
    pub(crate) messages: Vec<Kept>,
}

pub(crate) fn key(account: AccountId, number: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&account.0.to_be_bytes());
    key[4..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Account and number of a key.
pub(crate) fn decode_key(key: &[u8]) -> Result<(AccountId, u64), StoreError> {
    let mut key = In::plain(key, "key of deleted messages");
    Ok((AccountId(key.u32()?), key.u64()?))
}

/// Block and place of an id.
pub(crate) fn place(id: u64) -> (u64, u8) {
    let [.., low] = id.to_be_bytes();
    (id >> 8, low)
}

pub(crate) fn id_at(number: u64, slot: u8) -> u64 {
    number << 8 | u64::from(slot)
}

fn short_len(len: usize) -> Result<u8, StoreError> {
    u8::try_from(len).map_err(|_| StoreError::TooLarge)
}

impl Block {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut row = In::versioned(row, "deleted messages")?;
        let (age, at) = (row.u64()?, Timestamp(row.u64()?.cast_signed()));
        let mailbox = MailboxId(row.u32()?);
        let name_len = row.u32()?;
        let name = In::plain(row.slice(name_len as usize)?, "mailbox name").text()?;
        let mut keywords = Vec::new();
        for _ in 0..row.u8()? {
            let (bit, len) = (row.u8()?, row.u8()?);
            let keyword = In::plain(row.slice(len.into())?, "keyword").text()?;
            if bit > 63 {
                return Err(StoreError::Damaged(format!("keyword bit {bit}")));
            }
            keywords.push((bit, keyword));
        }
        let mut messages = Vec::new();
        while !row.is_empty() {
            let (slot, uid, system) = (row.u8()?, Uid(row.u32()?), row.u8()?);
            let keywords = if system & HAS_KEYWORDS == 0 { 0 } else { row.u64()? };
            let len = row.u8()?;
            let message = MessageRow::decode(row.slice(len.into())?)?;
            messages.push(Kept { slot, uid, system: system & !HAS_KEYWORDS, keywords, message });
        }
        Ok(Self { age, at, mailbox, name, keywords, messages })
    }

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let name_len = u32::try_from(self.name.len()).map_err(|_| StoreError::TooLarge)?;
        let mut row = Out::versioned()
            .u64(self.age)
            .u64(self.at.0.cast_unsigned())
            .u32(self.mailbox.0)
            .u32(name_len)
            .bytes(self.name.as_bytes())
            .u8(short_len(self.keywords.len())?);
        for (bit, keyword) in &self.keywords {
            row = row.u8(*bit).u8(short_len(keyword.len())?).bytes(keyword.as_bytes());
        }
        for kept in &self.messages {
            let mark = if kept.keywords == 0 { 0 } else { HAS_KEYWORDS };
            row = row.u8(kept.slot).u32(kept.uid.0).u8(kept.system & !HAS_KEYWORDS | mark);
            if kept.keywords != 0 {
                row = row.u64(kept.keywords);
            }
            let message = kept.message.encode();
            row = row.u8(short_len(message.len())?).bytes(&message);
        }
        Ok(row.0)
    }

    pub(crate) fn sum(&self) -> DeletedSum {
        let bytes = self.messages.iter().fold(0u64, |sum, m| sum.saturating_add(m.message.size));
        DeletedSum { messages: self.messages.len() as u64, bytes }
    }

    /// The flags a message had.
    pub(crate) fn flags(&self, kept: &Kept) -> Flags {
        let named = self.keywords.iter().filter(|(bit, _)| kept.keywords & (1 << bit) != 0);
        let mut keywords: Vec<String> = named.map(|(_, name)| name.clone()).collect();
        keywords.sort_by_key(|name| name.to_ascii_lowercase());
        Flags { system: kept.system, keywords }
    }

    /// A message as the face shows it.
    pub(crate) fn show(&self, number: u64, kept: &Kept) -> DeletedMessage {
        DeletedMessage {
            id: id_at(number, kept.slot),
            deleted_at: self.at,
            mailbox: self.mailbox,
            mailbox_name: self.name.clone(),
            uid: kept.uid,
            flags: self.flags(kept),
            internal_date: kept.message.internal_date,
            size: kept.message.size,
            blob: kept.message.blob,
        }
    }
}

pub(crate) fn find(
    view: &impl View,
    account: AccountId,
    number: u64,
) -> Result<Option<Block>, StoreError> {
    view.get(T::Expunged, &key(account, number))?.map(|row| Block::decode(&row)).transpose()
}

/// Stores a block; an empty one has no row. The caller moves the sum.
pub(crate) fn store(
    tables: &mut Tables<'_>,
    account: AccountId,
    number: u64,
    block: &Block,
) -> Result<(), StoreError> {
    let key = key(account, number);
    if block.messages.is_empty() {
        return tables.remove(T::Expunged, &key).map(|_| ());
    }
    tables.put(T::Expunged, &key, &block.encode()?)
}

/// The first block of an account with a number of `from` or more.
pub(crate) fn first_from(
    view: &impl View,
    account: AccountId,
    from: u64,
) -> Result<Option<(u64, Block)>, StoreError> {
    let mut found = None;
    let to = crate::codec::behind(&account_key(account));
    view.scan(T::Expunged, &key(account, from), &to, &mut |key, row| {
        found = Some((decode_key(key)?.1, Block::decode(row)?));
        Ok(false)
    })?;
    Ok(found)
}

pub(crate) fn decode_sum(row: &[u8]) -> Result<DeletedSum, StoreError> {
    let mut row = In::versioned(row, "sum of deleted messages")?;
    Ok(DeletedSum { messages: row.u64()?, bytes: row.u64()? })
}

/// What of an account can be restored, all in all.
pub(crate) fn sum_of(view: &impl View, account: AccountId) -> Result<DeletedSum, StoreError> {
    match view.get(T::ExpungedSum, &account_key(account))? {
        Some(row) => decode_sum(&row),
        None => Ok(DeletedSum::default()),
    }
}

pub(crate) fn put_sum(
    tables: &mut Tables<'_>,
    account: AccountId,
    sum: DeletedSum,
) -> Result<(), StoreError> {
    let key = account_key(account);
    if sum.messages == 0 {
        return tables.remove(T::ExpungedSum, &key).map(|_| ());
    }
    tables.put(T::ExpungedSum, &key, &Out::versioned().u64(sum.messages).u64(sum.bytes).0)
}

/// Takes messages out of an account's sum.
pub(crate) fn release(
    tables: &mut Tables<'_>,
    account: AccountId,
    gone: DeletedSum,
) -> Result<(), StoreError> {
    let mut sum = sum_of(tables, account)?;
    let short = || {
        StoreError::Damaged(format!("sum of deleted messages of account {account} is too small"))
    };
    sum.messages = sum.messages.checked_sub(gone.messages).ok_or_else(short)?;
    sum.bytes = sum.bytes.checked_sub(gone.bytes).ok_or_else(short)?;
    put_sum(tables, account, sum)
}
