//! Who may do what with a mailbox: access control lists (RFC 4314) and the names under which an account
//! sees the mailboxes of others.
//!
//! This is the one place that decides. Every protocol server names a mailbox through
//! [`crate::Store::open_mailbox`] and asks [`crate::Store::rights`] before it works on one it has open.
//!
//! The owner of a mailbox has all rights unless its list says otherwise, and never loses `l` and `a`.
//! `\Seen` is shared like every other flag.
//!
//! Limits: 256 entries a list; 10,000 mailboxes of others are shown to one account.

pub(crate) mod acts;
pub(crate) mod index;
pub(crate) mod judge;
pub(crate) mod namespace;
pub(crate) mod principal;
pub(crate) mod rights;
pub(crate) mod row;

use base::AccountId;

pub use rights::Rights;

use crate::Mailbox;
use crate::directory::group::GroupKey;

/// Who owns the mailboxes under `Public/`: the office itself. No login, no entry, no quota.
pub const OFFICE: AccountId = AccountId(0);

/// Whoever holds a right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Principal {
    /// One account.
    Account(AccountId),
    /// The members of a group.
    Group(GroupKey),
    /// Every account.
    Anyone,
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AclEntry {
    pub(crate) principal: Principal,
    /// RFC 4314 §2: `-name` takes the rights away.
    pub(crate) is_negative: bool,
    pub(crate) rights: Rights,
}

/// How SETACL changes the rights of an identifier. RFC 4314 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclOp {
    /// No prefix.
    Replace,
    /// `+`
    Add,
    /// `-`
    Remove,
}

/// A mailbox as one account sees it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The mailbox; its name is the owner's.
    pub mailbox: Mailbox,
    /// The name under which the account sees it: `Shared/anna/INBOX`.
    pub name: String,
    /// What the account may do there.
    pub rights: Rights,
}

/// The answer of [`crate::Store::open_mailbox`].
#[derive(Clone, Debug)]
pub enum Access {
    /// Here it is.
    Granted(Box<Found>),
    /// It is there and may be seen, but not this.
    Refused,
    /// It is not there, or the account may not know that it is.
    Absent,
}

/// Where CREATE or RENAME may put a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewPlace {
    /// With this owner, under the owner's name for it.
    Granted(AccountId, String),
    /// The account may not make mailboxes there.
    Refused,
    /// Nothing can have that name.
    BadName,
}
