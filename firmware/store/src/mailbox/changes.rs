//! The change log of a mailbox: one row per modseq, what came, changed or went with it. It serves IDLE,
//! QRESYNC and JMAP.
//!
//! Limit: the last 65,536 changes of a mailbox. Who asks for older ones gets an answer that is right but
//! not sharp, see [`since`].

use base::{MailboxId, ModSeq, Uid, UidRanges};

use super::keywords::Keywords;
use super::row::MailboxRow;
use super::{flags, reads, row};
use crate::codec::{In, Out, change_key};
use crate::index::{T, Tables, View};
use crate::{Changes, StoreError};

/// Changes of a mailbox that are kept.
const KEPT_MAX: u64 = 65_536;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Added = 1,
    Flags = 2,
    Expunged = 3,
}

/// A row of the log.
pub(crate) fn decode(row: &[u8]) -> Result<(Kind, UidRanges), StoreError> {
    let mut row = In::versioned(row, "change row")?;
    let kind = match row.u8()? {
        1 => Kind::Added,
        2 => Kind::Flags,
        3 => Kind::Expunged,
        other => return Err(StoreError::Damaged(format!("change of kind {other}"))),
    };
    let mut uids = UidRanges::new();
    while !row.is_empty() {
        uids.insert_range(Uid(row.u32()?), Uid(row.u32()?));
    }
    Ok((kind, uids))
}

/// Writes the change that takes `mailbox` to `modseq` into the log and the row (which the caller
/// stores), and drops the oldest one over the limit.
pub(crate) fn log(
    tables: &mut Tables<'_>,
    id: MailboxId,
    mailbox: &mut MailboxRow,
    modseq: ModSeq,
    kind: Kind,
    uids: &UidRanges,
) -> Result<(), StoreError> {
    let mut row = Out::versioned().u8(kind as u8);
    for &(first, last) in uids.ranges() {
        row = row.u32(first).u32(last);
    }
    tables.put(T::Change, &change_key(id, modseq), &row.0)?;
    mailbox.highest_modseq = modseq;
    if modseq.0 - mailbox.log_floor.0 > KEPT_MAX {
        mailbox.log_floor.0 += 1;
        tables.remove(T::Change, &change_key(id, mailbox.log_floor))?;
    }
    Ok(())
}

/// What happened after `since`. Where the log no longer reaches back, `added` holds every message with a
/// higher modseq and `expunged` every UID that is not there (RFC 7162 §3.2.5.1 allows both).
pub(crate) fn since(view: &impl View, id: MailboxId, since: ModSeq) -> Result<Changes, StoreError> {
    let mailbox = row::existing(view, id)?;
    let mut changes = Changes { highest_modseq: mailbox.highest_modseq, ..Changes::default() };
    if since >= mailbox.highest_modseq {
        return Ok(changes);
    }
    if since < mailbox.log_floor {
        unsharp(view, id, &mailbox, since, &mut changes)?;
        return Ok(changes);
    }
    let mut flagged = UidRanges::new();
    let from = change_key(id, ModSeq(since.0 + 1));
    let to = change_key(id, ModSeq(mailbox.highest_modseq.0 + 1));
    view.scan(T::Change, &from, &to, &mut |_, row| {
        let (kind, uids) = decode(row)?;
        let set = match kind {
            Kind::Added => &mut changes.added,
            Kind::Flags => &mut flagged,
            Kind::Expunged => &mut changes.expunged,
        };
        for &(first, last) in uids.ranges() {
            set.insert_range(Uid(first), Uid(last));
        }
        Ok(true)
    })?;
    settle(&mut changes, &mut flagged);
    let keywords = Keywords::load(view, id)?;
    for number in flags::blocks_of(view, id, &flagged)? {
        for (slot, marks) in flags::load(view, id, number)? {
            let uid = flags::uid_at(number, slot);
            if flagged.contains(uid) {
                let shown = keywords.flags(marks.system, marks.keywords);
                changes.flags.push((uid, shown, marks.modseq));
            }
        }
    }
    Ok(changes)
}

/// A message that came and went since is told neither as added nor as changed, but as gone: a session
/// may have seen it in between.
fn settle(changes: &mut Changes, flagged: &mut UidRanges) {
    let gone = changes.added.intersection(&changes.expunged);
    for uid in gone.iter() {
        changes.added.remove(uid);
    }
    let gone = flagged.intersection(&changes.expunged);
    for uid in gone.iter() {
        flagged.remove(uid);
    }
}

fn unsharp(
    view: &impl View,
    id: MailboxId,
    mailbox: &MailboxRow,
    since: ModSeq,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    changes.is_beyond_log = true;
    let keywords = Keywords::load(view, id)?;
    flags::scan(view, id, 0, u32::MAX, &mut |number, block| {
        for (slot, marks) in block {
            if marks.modseq > since {
                let uid = flags::uid_at(number, slot);
                changes.added.insert(uid);
                let shown = keywords.flags(marks.system, marks.keywords);
                changes.flags.push((uid, shown, marks.modseq));
            }
        }
        Ok(true)
    })?;
    let mut next = 1;
    for &(first, last) in reads::uids(view, id)?.ranges() {
        changes.expunged.insert_range(Uid(next), Uid(first - 1));
        next = last.saturating_add(1);
    }
    changes.expunged.insert_range(Uid(next), Uid(mailbox.uid_next.0.saturating_sub(1)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use base::{AccountId, UidValidity};

    use super::*;
    use crate::index;
    use crate::mailbox::flags::{Block, Marks};

    /// A mailbox with one message, marked again and again until the log has lost its beginning.
    #[test]
    fn the_log_keeps_its_last_changes_and_answers_older_ones_whole() {
        let dir = tempfile::tempdir().unwrap();
        let disk = crate::Options::new(dir.path()).disk;
        let file = disk.open(&dir.path().join("index"), true).unwrap();
        let database = index::open(file, 4 << 20).unwrap();
        let transaction = index::begin(&database).unwrap();
        let mut tables = Tables::open(&transaction);
        let id = MailboxId(7);
        let mut mailbox = MailboxRow {
            account: AccountId(1),
            uid_validity: UidValidity(1),
            uid_next: Uid(6),
            highest_modseq: ModSeq(1),
            log_floor: ModSeq(1),
            exists: 1,
            unseen: 1,
            deleted: 0,
            bytes: 1,
            special_use: None,
            name: "x".to_owned(),
        };
        let three: UidRanges = [Uid(3)].into_iter().collect();
        for _ in 0..KEPT_MAX + 10 {
            let modseq = mailbox.next_modseq().unwrap();
            log(&mut tables, id, &mut mailbox, modseq, Kind::Flags, &three).unwrap();
        }
        let marks = Marks { system: 0, keywords: 0, modseq: mailbox.highest_modseq };
        flags::store(&mut tables, id, 0, &Block::from([(3, marks)])).unwrap();
        row::put(&mut tables, id, &mailbox).unwrap();
        assert_eq!((tables.len(T::Change).unwrap(), mailbox.log_floor), (KEPT_MAX, ModSeq(11)));

        let sharp = since(&tables, id, mailbox.log_floor).unwrap();
        assert!(sharp.added.is_empty() && sharp.expunged.is_empty() && !sharp.is_beyond_log);
        assert_eq!(sharp.flags.len(), 1);
        let older = since(&tables, id, ModSeq(10)).unwrap();
        assert!(older.is_beyond_log);
        assert_eq!((older.added, older.expunged.to_string().as_str()), (three, "1:2,4:5"));
        assert!(since(&tables, id, mailbox.highest_modseq).unwrap().flags.is_empty());
    }
}
