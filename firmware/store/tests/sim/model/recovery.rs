//! What was deleted, restoring it, and its end.

use std::collections::{BTreeMap, BTreeSet};

use store::Flags;

use super::{Answer, Deleted, Grave, Message, Model, refuse};

/// Messages of a block.
const BLOCK: usize = 256;
/// Messages that one step of housekeeping ends, about.
const STEP: usize = 1024;

impl Model {
    /// Keeps messages that leave a mailbox.
    pub(super) fn keep(&mut self, id: u32, gone: &[(u32, Message)], at: i64) {
        let (account, name) = (self.mailboxes[&id].account, self.mailboxes[&id].name.clone());
        for block in gone.chunks(BLOCK) {
            for (slot, (uid, message)) in (0..).zip(block) {
                let deleted = Deleted {
                    account,
                    mailbox: id,
                    name: name.clone(),
                    uid: *uid,
                    message: message.clone(),
                    at,
                };
                self.deleted.insert(self.next_expunged << 8 | slot, deleted);
            }
            self.next_expunged += 1;
        }
    }

    pub(super) fn restore(
        &mut self,
        account: u32,
        ids: &[u64],
        into: Option<&str>,
        now: i64,
    ) -> Answer {
        self.account(account)?;
        let mut blocks = BTreeMap::<u64, Vec<(u64, Deleted)>>::new();
        let mut missing = Vec::new();
        for id in ids.iter().collect::<BTreeSet<_>>() {
            match self.deleted.get(id) {
                Some(deleted) if deleted.account == account => {
                    blocks.entry(id >> 8).or_default().push((*id, deleted.clone()));
                }
                _ => missing.push(*id),
            }
        }
        let count: usize = blocks.values().map(Vec::len).sum();
        self.check_room(account, count)?;
        let mut restored = Vec::new();
        for messages in blocks.into_values() {
            let Deleted { mailbox, name, .. } = &messages[0].1;
            let target = match into {
                Some(name) => self.find_or_create(account, name, now)?,
                None => match self.mailboxes.get(mailbox) {
                    Some(still) if still.account == account => *mailbox,
                    _ => self.find_or_create(account, name, now)?,
                },
            };
            let mailbox = self.mailbox(target)?;
            mailbox.modseq += 1;
            let modseq = mailbox.modseq;
            for (id, deleted) in messages {
                let Message { mut marks, content, date, .. } = deleted.message;
                marks.system &= !Flags::DELETED;
                let uid = self.mailbox(target)?.add(content, marks, date, modseq);
                restored.push((id, target, uid));
                self.deleted.remove(&id);
            }
        }
        if count > 0 {
            let owner = self.account(account)?.address.clone();
            self.note(now, "messages.restore", &owner);
        }
        Ok(format!("{restored:?} {missing:?}"))
    }

    pub(super) fn delete_account(&mut self, id: u32, at: i64) -> Answer {
        self.account(id)?;
        let Some(account) = self.accounts.remove(&id) else { return refuse("NoSuchAccount") };
        let (mailboxes, others) =
            std::mem::take(&mut self.mailboxes).into_iter().partition(|(_, m)| m.account == id);
        self.mailboxes = others;
        let address = account.address.clone();
        self.graves.insert(id, Grave { account, mailboxes, at });
        self.note(at, "account.delete", &address);
        self.leave_groups(id, at);
        Ok("done".to_owned())
    }

    pub(super) fn restore_account(&mut self, id: u32, now: i64) -> Answer {
        let Some(grave) = self.graves.get(&id) else { return refuse("NoSuchAccount") };
        if self.is_taken(&grave.account.address) {
            return refuse("AddressTaken");
        }
        if let Some(grave) = self.graves.remove(&id) {
            let address = grave.account.address.clone();
            self.note(now, "account.restore", &address);
            self.accounts.insert(id, grave.account);
            self.mailboxes.extend(grave.mailboxes);
        }
        Ok("done".to_owned())
    }

    /// A deleted account, or some blocks of messages; whether there was anything.
    pub(super) fn keep_house(&mut self) -> String {
        if let Some((id, _)) = self.graves.pop_first() {
            self.deleted.retain(|_, deleted| deleted.account != id);
            self.forget(id);
            return true.to_string();
        }
        let accounts: BTreeSet<u32> = self.deleted.values().map(|d| d.account).collect();
        let (mut due, mut messages) = (BTreeSet::new(), 0);
        for account in accounts {
            let mine = self.deleted.iter().filter(|(_, deleted)| deleted.account == account);
            let blocks: BTreeSet<u64> = mine.map(|(id, _)| id >> 8).collect();
            for block in blocks {
                if messages < STEP {
                    messages += self.deleted.keys().filter(|id| *id >> 8 == block).count();
                    due.insert(block);
                }
            }
        }
        self.deleted.retain(|id, _| !due.contains(&(id >> 8)));
        (!due.is_empty()).to_string()
    }
}
