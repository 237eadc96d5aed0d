//! The two acts by which a content comes in: DELIVER (mailboxes and spool, all or nothing) and APPEND.

use std::collections::BTreeSet;

use base::{AccountId, BlobId, MailboxId, Uid};

use crate::directory::account;
use crate::mailbox::adding::{Adding, Incoming};
use crate::mailbox::keywords::{self, Keywords};
use crate::mailbox::{acts, expunging, flags, message_row, row};
use crate::segment::{LoggedCopy, LoggedDelivery};
use crate::writer::Tx;
use crate::{
    Appended, Delivered, Delivery, Flags, LocalTarget, NewMessage, StoreError, TargetMailbox, blob,
    queue,
};

/// Local mailboxes of one delivery.
const LOCAL_MAX: usize = 100_000;
/// Messages of one append.
const APPEND_MAX: usize = 10_000;

/// One accepted message into mailboxes and spool.
pub(crate) fn deliver(
    tx: &mut Tx<'_, '_>,
    delivery: &Delivery,
    queue_limit: Option<u64>,
) -> Result<Delivered, StoreError> {
    check(tx, delivery, queue_limit)?;
    let mut delivered = Delivered::default();
    if delivery.local.is_empty() && remote_of(delivery).is_none() {
        return Ok(delivered);
    }
    let content = blob::number(tx, &delivery.message.inner)?;
    delivered.blob = Some(content);
    let mut logged = LoggedDelivery::default();
    for target in &delivery.local {
        let mailbox = mailbox_of(tx, target)?;
        let copy = put_copy(tx, delivery, content, target, mailbox)?;
        delivered.local.push((target.account, mailbox, copy.uid));
        logged.copies.push(copy);
    }
    if let Some(remote) = remote_of(delivery) {
        let id = crate::meta::next_queue(tx)?;
        queue::put_new(tx, id, remote, &delivery.message, content)?;
        logged.queue = Some(id);
        delivered.queue = Some(id);
    }
    let links = logged.copies.len() as u64 + u64::from(logged.queue.is_some());
    blob::bring(tx, content, &delivery.message.inner, &logged, links)?;
    Ok(delivered)
}

fn remote_of(delivery: &Delivery) -> Option<&crate::NewQueueEntry> {
    delivery.remote.as_ref().filter(|remote| !remote.recipients.is_empty())
}

/// All that can be refused, before anything is written.
fn check(tx: &Tx<'_, '_>, delivery: &Delivery, queue_limit: Option<u64>) -> Result<(), StoreError> {
    if delivery.local.len() > LOCAL_MAX {
        return Err(StoreError::LimitReached("mailboxes of a delivery"));
    }
    let mut seen = BTreeSet::<AccountId>::new();
    for target in &delivery.local {
        if !seen.insert(target.account) {
            return Err(StoreError::Misuse("an account stands twice in a delivery"));
        }
        account::must_live(&tx.tables, target.account)?;
        keywords::check(&target.flags)?;
    }
    if let (Some(_), Some(limit)) = (remote_of(delivery), queue_limit) {
        queue::check_room(&tx.tables, limit)?;
    }
    Ok(())
}

fn mailbox_of(tx: &mut Tx<'_, '_>, target: &LocalTarget) -> Result<MailboxId, StoreError> {
    let account = target.account;
    let special = match &target.mailbox {
        TargetMailbox::Named(name) => return acts::find_or_create(tx, account, name),
        TargetMailbox::Special(special) => {
            acts::with_special_use(&tx.tables, account, Some(*special))?
        }
        TargetMailbox::Inbox => None,
    };
    match special {
        Some(id) => Ok(id),
        None => acts::find_or_create(tx, account, "INBOX"),
    }
}

fn put_copy(
    tx: &mut Tx<'_, '_>,
    delivery: &Delivery,
    content: BlobId,
    target: &LocalTarget,
    mailbox: MailboxId,
) -> Result<LoggedCopy, StoreError> {
    let keywords = keywords::bits(tx, mailbox, &target.flags)?;
    let incoming = Incoming {
        blob: content,
        size: delivery.message.size(),
        internal_date: tx.now,
        zone_minutes: 0,
        system: target.flags.system,
        keywords,
    };
    let mut adding = Adding::begin(tx, mailbox)?;
    let modseq = adding.modseq();
    let uid = adding.add(tx, &incoming)?;
    adding.end(tx)?;
    Ok(LoggedCopy {
        account: target.account,
        mailbox,
        uid,
        modseq,
        internal_date: tx.now,
        zone_minutes: 0,
        system_flags: target.flags.system,
        keywords: target.flags.keywords.clone(),
    })
}

/// APPEND and MULTIAPPEND: all or nothing (RFC 3502 §3).
pub(crate) fn append(
    tx: &mut Tx<'_, '_>,
    id: MailboxId,
    messages: &[NewMessage],
) -> Result<Appended, StoreError> {
    append_freeing(tx, id, messages, 0)
}

/// A message takes the place of another, which may be of another mailbox (RFC 8508 §3.4).
pub(crate) fn replace(
    tx: &mut Tx<'_, '_>,
    from: MailboxId,
    uid: Uid,
    to: MailboxId,
    message: &NewMessage,
) -> Result<Appended, StoreError> {
    let (source, target) = (row::existing(&tx.tables, from)?, row::existing(&tx.tables, to)?);
    let (number, slot) = flags::place(uid);
    if !flags::load(&tx.tables, from, number)?.contains_key(&slot) {
        return Err(StoreError::NoSuchMessage);
    }
    let freed = if source.account == target.account {
        message_row::existing(&tx.tables, from, uid)?.size
    } else {
        0
    };
    let appended = append_freeing(tx, to, std::slice::from_ref(message), freed)?;
    let gone = [uid].into_iter().collect();
    expunging::remove(tx, from, &gone, expunging::Leaving::Kept)?;
    Ok(appended)
}

/// `freed` bytes of the account go in the same act.
fn append_freeing(
    tx: &mut Tx<'_, '_>,
    id: MailboxId,
    messages: &[NewMessage],
    freed: u64,
) -> Result<Appended, StoreError> {
    let mailbox = row::existing(&tx.tables, id)?;
    if messages.len() > APPEND_MAX {
        return Err(StoreError::LimitReached("messages of an append"));
    }
    let bytes = messages.iter().fold(0u64, |sum, m| sum.saturating_add(m.message.size()));
    // What is replaced makes room for one.
    let more = (messages.len() as u64).saturating_sub(u64::from(freed > 0));
    account::check_quota(tx, mailbox.account, more, bytes.saturating_sub(freed))?;
    // All names at once: a name that makes room for another must not be one of this act.
    let mut union = Flags::default();
    for keyword in messages.iter().flat_map(|m| &m.flags.keywords) {
        if !union.keywords.contains(keyword) {
            union.keywords.push(keyword.clone());
        }
    }
    keywords::bits(tx, id, &union)?;
    let keywords = Keywords::load(&tx.tables, id)?;
    let mut adding = Adding::begin(tx, id)?;
    let mut uids = Vec::with_capacity(messages.len());
    for new in messages {
        let content = blob::number(tx, &new.message.inner)?;
        let incoming = Incoming {
            blob: content,
            size: new.message.size(),
            internal_date: new.internal_date,
            zone_minutes: new.zone_minutes,
            system: new.flags.system,
            keywords: keywords.known_bits(&new.flags),
        };
        let uid = adding.add(tx, &incoming)?;
        let copy = LoggedCopy {
            account: mailbox.account,
            mailbox: id,
            uid,
            modseq: adding.modseq(),
            internal_date: new.internal_date,
            zone_minutes: new.zone_minutes,
            system_flags: new.flags.system,
            keywords: new.flags.keywords.clone(),
        };
        let logged = LoggedDelivery { copies: vec![copy], queue: None };
        blob::bring(tx, content, &new.message.inner, &logged, 1)?;
        uids.push(uid);
    }
    let row = adding.end(tx)?;
    Ok(Appended { uid_validity: row.uid_validity, uids })
}
