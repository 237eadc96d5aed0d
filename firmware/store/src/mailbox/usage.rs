//! What an account uses: bytes and messages (its quota), mailboxes, and its last UIDVALIDITY.

use base::{AccountId, Timestamp, UidValidity};

use crate::StoreError;
use crate::codec::{In, Out, account_key};
use crate::index::{T, Tables, View};

/// Mailboxes of one account.
pub(crate) const MAILBOXES_MAX: u32 = 10_000;

/// An account's usage row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) bytes: u64,
    pub(crate) messages: u64,
    pub(crate) mailboxes: u32,
    pub(crate) last_uid_validity: UidValidity,
}

impl Usage {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut row = In::versioned(row, "usage row")?;
        Ok(Self {
            bytes: row.u64()?,
            messages: row.u64()?,
            mailboxes: row.u32()?,
            last_uid_validity: UidValidity(row.u32()?),
        })
    }
}

pub(crate) fn of(view: &impl View, account: AccountId) -> Result<Usage, StoreError> {
    match view.get(T::Usage, &account_key(account))? {
        Some(row) => Usage::decode(&row),
        None => Ok(Usage::default()),
    }
}

pub(crate) fn put(
    tables: &mut Tables<'_>,
    account: AccountId,
    usage: Usage,
) -> Result<(), StoreError> {
    let row = Out::versioned()
        .u64(usage.bytes)
        .u64(usage.messages)
        .u32(usage.mailboxes)
        .u32(usage.last_uid_validity.0);
    tables.put(T::Usage, &account_key(account), &row.0)
}

/// Adds messages to an account's usage.
pub(crate) fn charge(
    tables: &mut Tables<'_>,
    account: AccountId,
    messages: u64,
    bytes: u64,
) -> Result<(), StoreError> {
    let mut usage = of(tables, account)?;
    usage.bytes = usage.bytes.saturating_add(bytes);
    usage.messages = usage.messages.saturating_add(messages);
    put(tables, account, usage)
}

/// Takes messages from an account's usage.
pub(crate) fn release(
    tables: &mut Tables<'_>,
    account: AccountId,
    messages: u64,
    bytes: u64,
) -> Result<(), StoreError> {
    let mut usage = of(tables, account)?;
    let short = || StoreError::Damaged(format!("usage of account {account} is too small"));
    usage.bytes = usage.bytes.checked_sub(bytes).ok_or_else(short)?;
    usage.messages = usage.messages.checked_sub(messages).ok_or_else(short)?;
    put(tables, account, usage)
}

/// A UIDVALIDITY higher than any that the account ever had: a name that comes again gets a new one
/// (RFC 9051 §2.3.1.1).
pub(crate) fn next_uid_validity(
    usage: &mut Usage,
    now: Timestamp,
) -> Result<UidValidity, StoreError> {
    let clock = u32::try_from(now.secs().max(1)).unwrap_or(u32::MAX);
    let after =
        usage.last_uid_validity.0.checked_add(1).ok_or(StoreError::LimitReached("UIDVALIDITY"))?;
    usage.last_uid_validity = UidValidity(clock.max(after));
    Ok(usage.last_uid_validity)
}
