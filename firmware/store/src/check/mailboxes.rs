//! Mailboxes: counts, UIDs, flags, change logs, names, and the usage of accounts.

use std::collections::BTreeMap;

use base::{AccountId, MailboxId, ModSeq, Uid, UidRanges};

use super::{Walk, rows_of};
use crate::codec::{In, mailbox_key};
use crate::index::{T, View};
use crate::mailbox::changes;
use crate::mailbox::flags::{self, Marks};
use crate::mailbox::keywords::Keywords;
use crate::mailbox::message_row::MessageRow;
use crate::mailbox::row::{self, MailboxRow};
use crate::mailbox::usage::{self, Usage};
use crate::{Flags, StoreError, blob};

pub(super) fn walk(walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let view = walk.view;
    let mut sums = BTreeMap::<AccountId, Usage>::new();
    for (key, value) in rows_of(view, T::Mailbox, &[])? {
        let Some(id) = walk.note(In::plain(&key, "mailbox id").u32()).map(MailboxId) else {
            continue;
        };
        walk.mailboxes.insert(id);
        walk.report.mailboxes += 1;
        let Some(mailbox) = walk.note(MailboxRow::decode(&value)) else { continue };
        let has_account =
            mailbox.account == crate::OFFICE || walk.accounts.contains(&mailbox.account);
        walk.expect(has_account, || format!("mailbox {id} belongs to no account"));
        let named = row::id_of_name(view, mailbox.account, &mailbox.name)?;
        walk.expect(named == Some(id), || format!("mailbox {id} is not found by its name"));
        let sum = sums.entry(mailbox.account).or_default();
        sum.bytes += mailbox.bytes;
        sum.messages += u64::from(mailbox.exists);
        sum.mailboxes += 1;
        sum.last_uid_validity = sum.last_uid_validity.max(mailbox.uid_validity);
        let log = check_log(walk, id, &mailbox)?;
        check_messages(walk, id, &mailbox, &log)?;
    }
    check_usage(walk, &sums)?;
    check_orphans(walk)
}

/// The change log: one row for each modseq from the floor on. Returns it.
fn check_log(
    walk: &mut Walk<'_>,
    id: MailboxId,
    mailbox: &MailboxRow,
) -> Result<BTreeMap<ModSeq, UidRanges>, StoreError> {
    let mut log = BTreeMap::new();
    for (key, value) in rows_of(walk.view, T::Change, &mailbox_key(id))? {
        let mut key = In::plain(&key, "change row");
        let modseq = key.u32().and_then(|_| key.u64()).map(ModSeq);
        let (Some(modseq), Some((_, uids))) =
            (walk.note(modseq), walk.note(changes::decode(&value)))
        else {
            continue;
        };
        walk.expect(modseq > mailbox.log_floor && modseq <= mailbox.highest_modseq, || {
            format!("mailbox {id}: change {modseq} lies outside its log")
        });
        walk.expect(uids.last().is_some_and(|last| last < mailbox.uid_next), || {
            format!("mailbox {id}: change {modseq} names no UID, or one that was never given")
        });
        log.insert(modseq, uids);
    }
    let expected = mailbox.highest_modseq.0.saturating_sub(mailbox.log_floor.0);
    walk.expect(log.len() as u64 == expected, || {
        format!("mailbox {id}: {} changes in the log, {expected} expected", log.len())
    });
    Ok(log)
}

fn check_messages(
    walk: &mut Walk<'_>,
    id: MailboxId,
    mailbox: &MailboxRow,
    log: &BTreeMap<ModSeq, UidRanges>,
) -> Result<(), StoreError> {
    let view = walk.view;
    let Some(keywords) = walk.note(Keywords::load(view, id)) else { return Ok(()) };
    let mut marks = BTreeMap::<Uid, Marks>::new();
    let scanned = flags::scan(view, id, 0, u32::MAX, &mut |number, block| {
        marks.extend(block.into_iter().map(|(slot, m)| (flags::uid_at(number, slot), m)));
        Ok(true)
    });
    walk.note(scanned);
    let (mut bytes, mut rows) = (0, 0u32);
    for (key, value) in rows_of(view, T::Message, &mailbox_key(id))? {
        rows += 1;
        walk.report.messages += 1;
        let mut key = In::plain(&key, "message row");
        let uid = key.u32().and_then(|_| key.u32()).map(Uid);
        let (Some(uid), Some(message)) = (walk.note(uid), walk.note(MessageRow::decode(&value)))
        else {
            continue;
        };
        bytes += message.size;
        walk.link(message.blob);
        let size = blob::find(view, message.blob).ok().flatten().map(|b| b.place.size);
        walk.expect(size == Some(message.size), || {
            format!("mailbox {id}: UID {uid} is {} bytes, its content {size:?}", message.size)
        });
        walk.expect(marks.contains_key(&uid), || {
            format!("mailbox {id}: UID {uid} stands in no flag block")
        });
    }
    for (uid, mark) in &marks {
        let is_good = *uid > Uid(0) && *uid < mailbox.uid_next;
        walk.expect(is_good, || format!("mailbox {id}: UID {uid} is not below UIDNEXT"));
        let is_logged = mark.modseq <= mailbox.log_floor
            || log.get(&mark.modseq).is_some_and(|uids| uids.contains(*uid));
        walk.expect(is_logged && mark.modseq > ModSeq(0), || {
            format!("mailbox {id}: UID {uid} has modseq {}, of which no change knows", mark.modseq)
        });
        walk.expect(mark.keywords & !keywords.named_bits() == 0, || {
            format!("mailbox {id}: UID {uid} has a keyword without a name")
        });
    }
    let unseen = marks.values().filter(|m| m.system & Flags::SEEN == 0).count();
    let deleted = marks.values().filter(|m| m.system & Flags::DELETED != 0).count();
    let found = (rows, marks.len(), unseen, deleted, bytes);
    let said = (
        mailbox.exists,
        mailbox.exists as usize,
        mailbox.unseen as usize,
        mailbox.deleted as usize,
        mailbox.bytes,
    );
    walk.expect(found == said, || {
        format!("mailbox {id}: (rows, flags, unseen, deleted, bytes) are {found:?}, not {said:?}")
    });
    Ok(())
}

fn check_usage(walk: &mut Walk<'_>, sums: &BTreeMap<AccountId, Usage>) -> Result<(), StoreError> {
    let view = walk.view;
    for id in walk.accounts.iter().copied().chain([crate::OFFICE]).collect::<Vec<_>>() {
        let Some(said) = walk.note(usage::of(view, id)) else { continue };
        let found = sums.get(&id).copied().unwrap_or_default();
        let is_good = (said.bytes, said.messages, said.mailboxes)
            == (found.bytes, found.messages, found.mailboxes)
            && said.last_uid_validity >= found.last_uid_validity;
        walk.expect(is_good, || format!("account {id}: usage is {found:?}, not {said:?}"));
    }
    Ok(())
}

/// Rows of mailboxes that are not there.
fn check_orphans(walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let view = walk.view;
    for table in [T::Message, T::Flags, T::Keyword, T::Change] {
        let mut orphans = Vec::new();
        let mailboxes = &walk.mailboxes;
        let mut last = None;
        view.scan(table, &[], &[], &mut |key, _| {
            let id = MailboxId(In::plain(key, "key of a mailbox").u32()?);
            if last != Some(id) && !mailboxes.contains(&id) {
                orphans.push(id);
            }
            last = Some(id);
            Ok(true)
        })?;
        for id in orphans {
            walk.problem(format!("table {table:?} has rows of mailbox {id}, which is not there"));
        }
    }
    let mut names = 0;
    for (key, value) in rows_of(view, T::MailboxName, &[])? {
        let id = In::versioned(&value, "mailbox name").and_then(|mut row| row.u32());
        let Some(id) = walk.note(id).map(MailboxId) else { continue };
        let is_there = walk.mailboxes.contains(&id);
        let name = String::from_utf8_lossy(key.get(4..).unwrap_or_default()).into_owned();
        walk.expect(is_there, || {
            format!("name {name:?} leads to mailbox {id}, which is not there")
        });
        names += 1;
    }
    let mailboxes = walk.report.mailboxes;
    walk.expect(names == mailboxes, || format!("{names} names for {mailboxes} mailboxes"));
    Ok(())
}
