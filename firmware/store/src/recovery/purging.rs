//! The end of the retention time, in small acts: a look at a snapshot says what is due, an act does a
//! bounded part of it and looks again at each thing before it goes.
//!
//! Limits: [`MESSAGES_PER_ACT`] messages an act. Besides the retention time, one account keeps at most as
//! many bytes of deleted mail as its quota allows, and [`MESSAGES_MAX`] messages; the oldest go first.
//! Otherwise whoever may append and expunge could fill the disk.

use base::{AccountId, UidRanges};

use super::accounts::Grave;
use super::{DeletedSum, age, block};
use crate::codec::{In, account_key};
use crate::directory::account;
use crate::index::{T, View};
use crate::mailbox::expunging::{self, Leaving};
use crate::mailbox::{acts, flags, row};
use crate::writer::Tx;
use crate::{Settings, StoreError, blob};

/// Messages that one act ends.
const MESSAGES_PER_ACT: u64 = 1024;
/// Deleted messages that one account keeps.
const MESSAGES_MAX: u64 = 2_000_000;
/// Deleted bytes that an account with a small quota may keep all the same.
const BYTES_MIN: u64 = 256 * 1024 * 1024;
/// What has rows of an account besides its mailboxes; all keys begin with its id.
const ACCOUNT_TABLES: [T; 5] =
    [T::Subscription, T::Usage, T::Credential, T::DeletedAccount, T::Account];

/// One thing that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A block of expunged messages.
    Block(AccountId, u64),
    /// A part of a deleted account.
    Account(AccountId),
}

/// Which blocks and accounts are due by their age.
#[derive(Clone, Copy, Debug)]
struct Limits<'s> {
    age: u64,
    retention: u64,
    settings: &'s Settings,
}

impl<'s> Limits<'s> {
    fn of(view: &impl View, settings: &'s Settings) -> Result<Self, StoreError> {
        let retention = u64::from(settings.retention_days()) * 24 * 3600 * 1000;
        Ok(Self { age: age::now(view)?, retention, settings })
    }

    fn is_over(&self, since: u64) -> bool {
        self.age.saturating_sub(since) >= self.retention
    }

    /// What an account may keep.
    fn most(&self, view: &impl View, id: AccountId) -> Result<DeletedSum, StoreError> {
        let limit = account::limits(view, self.settings, id)?.0;
        let bytes = limit.map_or(u64::MAX, |limit| limit.max(BYTES_MIN));
        Ok(DeletedSum { messages: MESSAGES_MAX, bytes })
    }
}

fn is_more(sum: DeletedSum, most: DeletedSum) -> bool {
    sum.messages > most.messages || sum.bytes > most.bytes
}

/// What is due now, about as much as one act does. Reads only.
pub(crate) fn due(view: &impl View, settings: &Settings) -> Result<Vec<Due>, StoreError> {
    let limits = Limits::of(view, settings)?;
    let mut due = Vec::new();
    let mut messages = 0;
    view.scan(T::DeletedAccount, &[], &[], &mut |key, row| {
        let id = AccountId(In::plain(key, "account id").u32()?);
        if limits.is_over(Grave::decode(row)?.age) {
            due.push(Due::Account(id));
        }
        // One after the other: each is many acts.
        Ok(due.is_empty())
    })?;
    if !due.is_empty() {
        return Ok(due);
    }
    // The accounts with deleted messages, and of each the oldest blocks.
    let mut accounts = Vec::new();
    view.scan(T::ExpungedSum, &[], &[], &mut |key, _| {
        accounts.push(AccountId(In::plain(key, "account id").u32()?));
        Ok(true)
    })?;
    for id in accounts {
        let (mut sum, most) = (block::sum_of(view, id)?, limits.most(view, id)?);
        let mut from = 0;
        while let Some((number, block)) = block::first_from(view, id, from)? {
            if !limits.is_over(block.age) && !is_more(sum, most) {
                break;
            }
            sum.messages = sum.messages.saturating_sub(block.sum().messages);
            sum.bytes = sum.bytes.saturating_sub(block.sum().bytes);
            due.push(Due::Block(id, number));
            messages += block.messages.len() as u64;
            from = number.saturating_add(1);
            if messages >= MESSAGES_PER_ACT {
                return Ok(due);
            }
        }
    }
    Ok(due)
}

/// Ends what is (still) due.
pub(crate) fn purge(tx: &mut Tx<'_, '_>, due: &[Due]) -> Result<(), StoreError> {
    let settings = std::sync::Arc::clone(&tx.effects.settings);
    for thing in due {
        let limits = Limits::of(&tx.tables, &settings)?;
        match *thing {
            Due::Block(id, number) => purge_block(tx, &limits, id, number)?,
            Due::Account(id) => purge_account(tx, &limits, id)?,
        }
    }
    Ok(())
}

fn purge_block(
    tx: &mut Tx<'_, '_>,
    limits: &Limits<'_>,
    id: AccountId,
    number: u64,
) -> Result<(), StoreError> {
    let Some(block) = block::find(&tx.tables, id, number)? else { return Ok(()) };
    let (sum, most) = (block::sum_of(&tx.tables, id)?, limits.most(&tx.tables, id)?);
    if limits.is_over(block.age) || is_more(sum, most) {
        end_block(tx, id, number, block)?;
    }
    Ok(())
}

fn end_block(
    tx: &mut Tx<'_, '_>,
    id: AccountId,
    number: u64,
    mut block: block::Block,
) -> Result<(), StoreError> {
    let sum = block.sum();
    for kept in std::mem::take(&mut block.messages) {
        blob::unlink(tx, kept.message.blob)?;
    }
    block::store(tx, id, number, &block)?;
    block::release(tx, id, sum)
}

/// Ends a part of a deleted account: some messages of its first mailbox, that mailbox, what others' mailboxes
/// say of it, or in the end the account. After each act all counts are right.
fn purge_account(
    tx: &mut Tx<'_, '_>,
    limits: &Limits<'_>,
    id: AccountId,
) -> Result<(), StoreError> {
    match super::accounts::find(&tx.tables, id)? {
        Some(grave) if limits.is_over(grave.age) => {}
        // Restored meanwhile.
        _ => return Ok(()),
    }
    let mut left = MESSAGES_PER_ACT;
    while let Some((number, block)) = block::first_from(&tx.tables, id, 0)? {
        left = left.saturating_sub(block.messages.len() as u64);
        end_block(tx, id, number, block)?;
        if left == 0 {
            return Ok(());
        }
    }
    for (mailbox, _) in row::list(&tx.tables, id)? {
        let some = first_uids(tx, mailbox, left)?;
        left = left.saturating_sub(some.len());
        expunging::remove(tx, mailbox, &some, Leaving::Gone)?;
        if row::existing(&tx.tables, mailbox)?.exists > 0 || left == 0 {
            return Ok(());
        }
        acts::remove_empty(tx, mailbox)?;
    }
    // What the mailboxes of others say of it.
    let mut room = usize::try_from(left).unwrap_or(usize::MAX);
    for forget in [crate::acl::acts::forget_account, crate::annotation::forget_account] {
        room = room.saturating_sub(forget(tx, id, room)?);
        if room == 0 {
            return Ok(());
        }
    }
    for table in ACCOUNT_TABLES {
        tx.remove_prefix(table, &account_key(id))?;
    }
    Ok(())
}

/// About `count` UIDs that exist, the lowest, in whole flag blocks.
fn first_uids(
    tx: &Tx<'_, '_>,
    mailbox: base::MailboxId,
    count: u64,
) -> Result<UidRanges, StoreError> {
    let mut uids = UidRanges::new();
    flags::scan(&tx.tables, mailbox, 0, u32::MAX, &mut |number, block| {
        for slot in block.into_keys() {
            uids.insert(flags::uid_at(number, slot));
        }
        Ok(uids.len() < count)
    })?;
    Ok(uids)
}
