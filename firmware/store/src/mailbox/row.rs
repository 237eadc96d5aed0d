//! The row of a mailbox: written with every change of it, so small and by hand.

use base::{AccountId, MailboxId, ModSeq, Uid, UidValidity};

use crate::codec::{In, Out, mailbox_key, name_key};
use crate::index::{T, Tables, View};
use crate::writer::Tx;
use crate::{Mailbox, SpecialUse, StoreError};

/// A mailbox as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailboxRow {
    pub(crate) account: AccountId,
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid_next: Uid,
    pub(crate) highest_modseq: ModSeq,
    /// Changes up to here are no longer in the change log.
    pub(crate) log_floor: ModSeq,
    pub(crate) exists: u32,
    pub(crate) unseen: u32,
    pub(crate) deleted: u32,
    pub(crate) bytes: u64,
    pub(crate) special_use: Option<SpecialUse>,
    pub(crate) name: String,
}

fn special_code(special: Option<SpecialUse>) -> u8 {
    match special {
        None => 0,
        Some(SpecialUse::Drafts) => 1,
        Some(SpecialUse::Sent) => 2,
        Some(SpecialUse::Trash) => 3,
        Some(SpecialUse::Junk) => 4,
        Some(SpecialUse::Archive) => 5,
    }
}

fn special_of(code: u8) -> Result<Option<SpecialUse>, StoreError> {
    Ok(match code {
        0 => None,
        1 => Some(SpecialUse::Drafts),
        2 => Some(SpecialUse::Sent),
        3 => Some(SpecialUse::Trash),
        4 => Some(SpecialUse::Junk),
        5 => Some(SpecialUse::Archive),
        other => return Err(StoreError::Damaged(format!("special use {other}"))),
    })
}

impl MailboxRow {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut row = In::versioned(row, "mailbox row")?;
        Ok(Self {
            account: AccountId(row.u32()?),
            uid_validity: UidValidity(row.u32()?),
            uid_next: Uid(row.u32()?),
            highest_modseq: ModSeq(row.u64()?),
            log_floor: ModSeq(row.u64()?),
            exists: row.u32()?,
            unseen: row.u32()?,
            deleted: row.u32()?,
            bytes: row.u64()?,
            special_use: special_of(row.u8()?)?,
            name: row.text()?,
        })
    }

    fn encode(&self) -> Vec<u8> {
        Out::versioned()
            .u32(self.account.0)
            .u32(self.uid_validity.0)
            .u32(self.uid_next.0)
            .u64(self.highest_modseq.0)
            .u64(self.log_floor.0)
            .u32(self.exists)
            .u32(self.unseen)
            .u32(self.deleted)
            .u64(self.bytes)
            .u8(special_code(self.special_use))
            .bytes(self.name.as_bytes())
            .0
    }

    /// The mailbox as the face shows it.
    pub(crate) fn show(&self, view: &impl View, id: MailboxId) -> Result<Mailbox, StoreError> {
        Ok(Mailbox {
            id,
            account: self.account,
            name: self.name.clone(),
            special_use: self.special_use,
            subscribed: view.has(T::Subscription, &name_key(self.account, &self.name))?,
            uid_validity: self.uid_validity,
            uid_next: self.uid_next,
            highest_modseq: self.highest_modseq,
            exists: self.exists,
            unseen: self.unseen,
            deleted: self.deleted,
            bytes: self.bytes,
        })
    }

    /// The modseq of the next change.
    pub(crate) fn next_modseq(&self) -> Result<ModSeq, StoreError> {
        // RFC 7162 §3.1: 63 bits.
        let next = self.highest_modseq.0 + 1;
        if next >= 1 << 63 {
            Err(StoreError::LimitReached("mod-sequences"))
        } else {
            Ok(ModSeq(next))
        }
    }
}

pub(crate) fn find(view: &impl View, id: MailboxId) -> Result<Option<MailboxRow>, StoreError> {
    view.get(T::Mailbox, &mailbox_key(id))?.map(|row| MailboxRow::decode(&row)).transpose()
}

/// The row of a mailbox that must exist.
pub(crate) fn existing(view: &impl View, id: MailboxId) -> Result<MailboxRow, StoreError> {
    find(view, id)?.ok_or(StoreError::NoSuchMailbox)
}

pub(crate) fn put(
    tables: &mut Tables<'_>,
    id: MailboxId,
    row: &MailboxRow,
) -> Result<(), StoreError> {
    tables.put(T::Mailbox, &mailbox_key(id), &row.encode())
}

/// Stores a row after a change of its messages, and notes whom to wake.
pub(crate) fn put_changed(
    tx: &mut Tx<'_, '_>,
    id: MailboxId,
    row: &MailboxRow,
) -> Result<(), StoreError> {
    put(tx, id, row)?;
    tx.effects.accounts.insert(row.account);
    tx.effects.touched.insert(id, row.highest_modseq);
    Ok(())
}

/// The id of a mailbox by its (normalized) name.
pub(crate) fn id_of_name(
    view: &impl View,
    account: AccountId,
    name: &str,
) -> Result<Option<MailboxId>, StoreError> {
    let Some(row) = view.get(T::MailboxName, &name_key(account, name))? else { return Ok(None) };
    Ok(Some(MailboxId(In::versioned(&row, "mailbox name")?.u32()?)))
}

pub(crate) fn put_name(
    tables: &mut Tables<'_>,
    account: AccountId,
    name: &str,
    id: MailboxId,
) -> Result<(), StoreError> {
    tables.put(T::MailboxName, &name_key(account, name), &Out::versioned().u32(id.0).0)
}

/// Ids and names of an account's mailboxes, by name.
pub(crate) fn list(
    view: &impl View,
    account: AccountId,
) -> Result<Vec<(MailboxId, String)>, StoreError> {
    let mut found = Vec::new();
    view.scan_prefix(T::MailboxName, &crate::codec::account_key(account), &mut |key, row| {
        let mut fields = In::plain(key, "mailbox name");
        fields.u32()?;
        found.push((MailboxId(In::versioned(row, "mailbox name")?.u32()?), fields.text()?));
        Ok(true)
    })?;
    Ok(found)
}
