//! What callers do to a store, as data: the model and the store are both told the same.

use std::collections::BTreeSet;

use base::{Uid, UidRanges};
use store::{FlagOp, Flags, SpecialUse};

use crate::office::Deed;

/// Flags of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) system: u8,
    pub(crate) keywords: BTreeSet<String>,
}

impl Marks {
    pub(crate) fn flags(&self) -> Flags {
        Flags { system: self.system, keywords: self.keywords.iter().cloned().collect() }
    }
}

/// Where a delivery goes.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Inbox,
    Special(SpecialUse),
    Named(String),
}

/// A set of UIDs as ranges.
#[derive(Clone, Debug)]
pub(crate) struct Uids(pub(crate) Vec<(u32, u32)>);

impl Uids {
    pub(crate) fn ranges(&self) -> UidRanges {
        let mut ranges = UidRanges::new();
        for &(first, last) in &self.0 {
            ranges.insert_range(Uid(first), Uid(last));
        }
        ranges
    }

    pub(crate) fn contains(&self, uid: u32) -> bool {
        self.0.iter().any(|&(first, last)| first <= uid && uid <= last)
    }
}

/// One message and where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) content: u64,
    pub(crate) local: Vec<(u32, Place, Marks)>,
    pub(crate) remote: Vec<String>,
}

/// What becomes of a recipient in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Delivered,
    Failed,
    /// Another attempt at this time (ms).
    Later(i64),
}

/// An act.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    CreateDomain,
    CreateAccount {
        address: String,
    },
    RenameAccount {
        account: u32,
        name: String,
    },
    DeleteAccount {
        account: u32,
    },
    PutAlias {
        address: String,
        targets: Vec<String>,
        is_new: bool,
    },
    DeleteAlias {
        address: String,
    },
    SetHostname {
        hostname: String,
    },
    Deliver(Delivery),
    Append {
        mailbox: u32,
        messages: Vec<(u64, Marks, i64)>,
    },
    Mark {
        mailbox: u32,
        uids: Uids,
        op: FlagOp,
        marks: Marks,
        since: Option<u64>,
    },
    /// RFC 8508: a message goes into `to`, and the one of this UID leaves `from`.
    Replace {
        from: u32,
        uid: u32,
        to: u32,
        message: (u64, Marks, i64),
    },
    /// What an administrator does.
    Office(Deed),
    Expunge {
        mailbox: u32,
        uids: Option<Uids>,
    },
    Copy {
        from: u32,
        uids: Uids,
        to: u32,
        moves: bool,
    },
    Create {
        account: u32,
        name: String,
    },
    Delete {
        account: u32,
        name: String,
    },
    Rename {
        account: u32,
        from: String,
        to: String,
    },
    Subscribe {
        account: u32,
        name: String,
        on: bool,
    },
    Restore {
        account: u32,
        ids: Vec<u64>,
        into: Option<String>,
    },
    RestoreAccount {
        account: u32,
    },
    /// A step of housekeeping after a month: what was deleted before may end. Never in a group: it is
    /// more than one act for the writer.
    KeepHouse,
    Settle {
        id: u64,
        updates: Vec<(usize, String, Settled)>,
        notice: Option<Delivery>,
    },
    Hold {
        id: u64,
        on: bool,
    },
    Retry {
        id: u64,
    },
    DeleteEntry {
        id: u64,
    },
}
