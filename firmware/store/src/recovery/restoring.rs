//! Messages come back: into their mailbox or a named one, under new UIDs, without `\Deleted`.

use std::collections::BTreeMap;

use base::{AccountId, MailboxId};

use super::block::{self, Block, Kept};
use super::{DeletedSum, Restored};
use crate::directory::account;
use crate::mailbox::adding::{Adding, Incoming};
use crate::mailbox::keywords::{self, Keywords};
use crate::mailbox::{acts, row};
use crate::writer::Tx;
use crate::{AuditEvent, Flags, StoreError, audit};

/// Messages of one restore.
pub(crate) const MESSAGES_MAX: usize = 10_000;

/// What is taken out of one block.
struct Taken {
    number: u64,
    block: Block,
    messages: Vec<Kept>,
}

pub(crate) fn restore(
    tx: &mut Tx<'_, '_>,
    id: AccountId,
    ids: &[u64],
    into: Option<&str>,
) -> Result<Restored, StoreError> {
    if ids.len() > MESSAGES_MAX {
        return Err(StoreError::LimitReached("messages of a restore"));
    }
    account::must_live(&tx.tables, id)?;
    let (taken, missing) = take(tx, id, ids)?;
    let mut sum = DeletedSum::default();
    for message in taken.iter().flat_map(|t| &t.messages) {
        sum.messages += 1;
        sum.bytes = sum.bytes.saturating_add(message.message.size);
    }
    account::check_quota(tx, id, sum.messages, sum.bytes)?;
    let mut restored = Restored { messages: Vec::new(), missing };
    for taken in taken {
        put_back(tx, id, taken, into, &mut restored)?;
    }
    if sum.messages > 0 {
        block::release(tx, id, sum)?;
        note(tx, id, sum.messages, into)?;
    }
    Ok(restored)
}

/// What people bring back of their own is no administrative act.
fn note(
    tx: &mut Tx<'_, '_>,
    id: AccountId,
    messages: u64,
    into: Option<&str>,
) -> Result<(), StoreError> {
    let owner = account::find(&tx.tables, id)?.map(|account| account.address.to_string());
    let owner = owner.unwrap_or_default();
    if tx.origin.as_ref().is_some_and(|origin| origin.who == owner) {
        return Ok(());
    }
    let event = AuditEvent::new("messages.restore", owner)
        .with("messages", "", messages.to_string())
        .with("mailbox", "", into.unwrap_or_default());
    audit::note(tx, event)
}

/// The messages of these ids by block, without those that are not there. Writes nothing.
fn take(
    tx: &Tx<'_, '_>,
    account: AccountId,
    ids: &[u64],
) -> Result<(Vec<Taken>, Vec<u64>), StoreError> {
    let mut wanted = BTreeMap::<u64, Vec<u8>>::new();
    for (number, slot) in ids.iter().map(|id| block::place(*id)) {
        wanted.entry(number).or_default().push(slot);
    }
    let (mut taken, mut missing) = (Vec::new(), Vec::new());
    for (number, mut slots) in wanted {
        slots.sort_unstable();
        slots.dedup();
        let Some(block) = block::find(&tx.tables, account, number)? else {
            missing.extend(slots.into_iter().map(|slot| block::id_at(number, slot)));
            continue;
        };
        let mut messages = Vec::with_capacity(slots.len());
        for slot in slots {
            match block.messages.iter().find(|kept| kept.slot == slot) {
                Some(kept) => messages.push(*kept),
                None => missing.push(block::id_at(number, slot)),
            }
        }
        taken.push(Taken { number, block, messages });
    }
    Ok((taken, missing))
}

/// The mailbox it was in, if it is still the account's, else one of that name.
fn target_of(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    block: &Block,
    into: Option<&str>,
) -> Result<MailboxId, StoreError> {
    if let Some(name) = into {
        return acts::find_or_create(tx, account, name);
    }
    match row::find(&tx.tables, block.mailbox)? {
        Some(mailbox) if mailbox.account == account => Ok(block.mailbox),
        _ => acts::find_or_create(tx, account, &block.name),
    }
}

fn put_back(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    taken: Taken,
    into: Option<&str>,
    restored: &mut Restored,
) -> Result<(), StoreError> {
    let Taken { number, mut block, messages } = taken;
    if messages.is_empty() {
        return Ok(());
    }
    let target = target_of(tx, account, &block, into)?;
    let used = messages.iter().fold(0, |bits, kept| bits | kept.keywords);
    let union = block.flags(&Kept { keywords: used, ..messages[0] });
    keywords::bits(tx, target, &Flags { system: 0, keywords: union.keywords })?;
    let names = Keywords::load(&tx.tables, target)?;
    let mut adding = Adding::begin(tx, target)?;
    for kept in &messages {
        let incoming = Incoming {
            blob: kept.message.blob,
            size: kept.message.size,
            internal_date: kept.message.internal_date,
            zone_minutes: kept.message.zone_minutes,
            system: kept.system & !Flags::DELETED,
            keywords: names.known_bits(&block.flags(kept)),
        };
        let uid = adding.add(tx, &incoming)?;
        restored.messages.push((block::id_at(number, kept.slot), target, uid));
    }
    adding.end(tx)?;
    block.messages.retain(|kept| !messages.iter().any(|gone| gone.slot == kept.slot));
    block::store(tx, account, number, &block)
}
