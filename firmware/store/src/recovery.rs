//! Nothing is gone at once: expunged messages and deleted accounts stay for the retention time.
//!
//! A message that is expunged keeps its content's link and moves into a block of the account, outside its
//! quota. `age` counts the time that really passed, `block` has the rows, `keeping` is what goes in,
//! `listing` and `restoring` are what comes out, `accounts` are deleted accounts, `purging` ends it all.
//!
//! Never here: the source of a MOVE, which is not gone.

pub(crate) mod accounts;
pub(crate) mod age;
pub(crate) mod block;
pub(crate) mod keeping;
pub(crate) mod listing;
pub(crate) mod purging;
pub(crate) mod restoring;

use base::{AccountId, Address, BlobId, MailboxId, Timestamp, Uid};

use crate::Flags;

/// The retention time where the settings say nothing.
pub const RETENTION_DAYS_DEFAULT: u16 = 14;
/// The longest retention time.
pub const RETENTION_DAYS_MAX: u16 = 365;

/// A message that was expunged and can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedMessage {
    /// Names it for [`crate::Store::restore_messages`]; grows with time.
    pub id: u64,
    /// When it was expunged, by the clock.
    pub deleted_at: Timestamp,
    /// Where it was.
    pub mailbox: MailboxId,
    /// What that mailbox was called then.
    pub mailbox_name: String,
    /// The UID it had.
    pub uid: Uid,
    /// The flags it had.
    pub flags: Flags,
    /// INTERNALDATE.
    pub internal_date: Timestamp,
    /// RFC822.SIZE.
    pub size: u64,
    /// The content.
    pub blob: BlobId,
}

/// Which deleted messages are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletedFilter {
    /// The mailbox was called so.
    pub mailbox: Option<String>,
    /// Expunged then or later.
    pub from: Option<Timestamp>,
    /// Expunged before.
    pub to: Option<Timestamp>,
}

/// A page of deleted messages, in the order in which they were expunged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletedPage {
    /// The messages.
    pub messages: Vec<DeletedMessage>,
    /// Where the next page begins; `None` at the end. A page may be empty and not the last.
    pub next: Option<u64>,
}

/// What a restore gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// (id, mailbox, new UID).
    pub messages: Vec<(u64, MailboxId, Uid)>,
    /// Ids that are not (or no longer) there.
    pub missing: Vec<u64>,
}

/// Messages and bytes of an account that can be restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletedSum {
    /// Messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

/// An account that was deleted and can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedAccount {
    /// Its id, which it keeps.
    pub id: AccountId,
    /// Its address.
    pub address: Address,
    /// Its name.
    pub name: String,
    /// When it was deleted, by the clock.
    pub deleted_at: Timestamp,
    /// Messages in its mailboxes.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why it cannot be brought back as things are.
    pub obstacle: Option<Obstacle>,
}

/// What keeps a deleted account from being brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Somebody else has its address.
    AddressTaken,
    /// Its domain is gone.
    NoDomain,
    /// Another entry has its name.
    NameTaken,
}
