//! The sums: deleted messages, the spool's due times, usage of accounts, live bytes of segments.

use std::collections::BTreeMap;

use base::{AccountId, QueueId};

use super::{Repair, rows_of};
use crate::codec::In;
use crate::index::T;
use crate::mailbox::row;
use crate::mailbox::usage::{self, Usage};
use crate::recovery::DeletedSum;
use crate::recovery::block::{self, Block};
use crate::segment_row::{self, SegmentRow};
use crate::{StoreError, queue};

impl Repair<'_, '_, '_> {
    /// Blocks of deleted messages: contents that are gone go, and the sums follow.
    pub(super) fn recovery(&mut self) -> Result<(), StoreError> {
        let mut sums = BTreeMap::<AccountId, DeletedSum>::new();
        for (key, value) in rows_of(&self.tx.tables, T::Expunged, &[])? {
            let Ok((account, number)) = block::decode_key(&key) else { continue };
            let Ok(mut block) = Block::decode(&value) else {
                self.done.push(format!("deleted messages {number} cannot be read: taken away"));
                self.tx.remove(T::Expunged, &key)?;
                continue;
            };
            let before = block.messages.len();
            block.messages.retain(|kept| {
                self.links.get_mut(&kept.message.blob).map(|links| *links += 1).is_some()
            });
            if block.messages.len() != before {
                self.done.push(format!("deleted messages {number}: a content is gone"));
                block::store(self.tx, account, number, &block)?;
            }
            let sum = sums.entry(account).or_default();
            sum.messages += block.sum().messages;
            sum.bytes = sum.bytes.saturating_add(block.sum().bytes);
        }
        for (key, _) in rows_of(&self.tx.tables, T::ExpungedSum, &[])? {
            if let Ok(id) = In::plain(&key, "account id").u32() {
                sums.entry(AccountId(id)).or_default();
            }
        }
        for (id, sum) in sums {
            if block::sum_of(&self.tx.tables, id).ok() != Some(sum) {
                self.done.push(format!("account {id}: the sum of its deleted messages"));
                block::put_sum(self.tx, id, sum)?;
            }
        }
        Ok(())
    }

    /// Entries of the spool and when they are due.
    pub(super) fn queue(&mut self) -> Result<(), StoreError> {
        let mut due = BTreeMap::<QueueId, base::Timestamp>::new();
        for (key, value) in rows_of(&self.tx.tables, T::Queue, &[])? {
            let entry = match queue::decode(&value) {
                Ok(entry) if self.link(entry.blob) => entry,
                _ => {
                    self.done.push("a queue entry whose content is gone".to_owned());
                    self.tx.remove(T::Queue, &key)?;
                    continue;
                }
            };
            due.extend(queue::due_of(&entry).map(|at| (entry.id, at)));
        }
        for (key, _) in rows_of(&self.tx.tables, T::QueueDue, &[])? {
            match queue::decode_due(&key) {
                Ok((at, id)) if due.get(&id) == Some(&at) => drop(due.remove(&id)),
                _ => {
                    self.done.push("a due time of no queue entry".to_owned());
                    self.tx.remove(T::QueueDue, &key)?;
                }
            }
        }
        for (id, at) in due {
            self.done.push(format!("queue entry {id} was never due"));
            queue::put_due_row(self.tx, at, id)?;
        }
        Ok(())
    }

    /// Usage of each account from its mailboxes.
    pub(super) fn usage(&mut self) -> Result<(), StoreError> {
        let mut sums = BTreeMap::<AccountId, Usage>::new();
        for (key, _) in rows_of(&self.tx.tables, T::Account, &[])? {
            if let Ok(id) = In::plain(&key, "account id").u32() {
                sums.insert(AccountId(id), Usage::default());
            }
        }
        for id in self.mailboxes.clone() {
            let mailbox = row::existing(&self.tx.tables, id)?;
            let sum = sums.entry(mailbox.account).or_default();
            sum.bytes = sum.bytes.saturating_add(mailbox.bytes);
            sum.messages += u64::from(mailbox.exists);
            sum.mailboxes += 1;
            sum.last_uid_validity = sum.last_uid_validity.max(mailbox.uid_validity);
        }
        for (id, mut sum) in sums {
            let said = usage::of(&self.tx.tables, id).unwrap_or_default();
            sum.last_uid_validity = sum.last_uid_validity.max(said.last_uid_validity);
            if said != sum {
                self.done.push(format!("account {id}: its usage"));
                usage::put(self.tx, id, sum)?;
            }
        }
        Ok(())
    }

    /// Live bytes of the segments.
    pub(super) fn segments(&mut self, live: &BTreeMap<u32, u64>) -> Result<(), StoreError> {
        let mut rows: BTreeMap<u32, u64> = live.clone();
        for (key, _) in rows_of(&self.tx.tables, T::Segment, &[])? {
            if let Ok(segment) = In::plain(&key, "segment number").u32() {
                rows.entry(segment).or_default();
            }
        }
        for (segment, live) in rows {
            let said = segment_row::of(&self.tx.tables, segment).unwrap_or_default();
            let mut found = SegmentRow { live, ..said };
            // The log has left it, so it has a length.
            if found.total == 0 && segment < self.tx.log.end().segment {
                found.total = self.files.get(&segment).copied().unwrap_or_default();
            }
            if said != found {
                self.done.push(format!("segment {segment} has {live} live bytes"));
                segment_row::put(self.tx, segment, found)?;
            }
        }
        Ok(())
    }
}
