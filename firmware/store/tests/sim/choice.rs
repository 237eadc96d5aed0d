//! Which acts come next: random, but such that most of them have something to do.

use std::collections::BTreeSet;

use store::{FlagOp, SpecialUse};

use crate::act::{Act, Delivery, Marks, Place, Settled, Uids};
use crate::caller::DOMAIN;
use crate::content::Contents;
use crate::model::Model;
use crate::random::Random;

const KEYWORDS: [&str; 4] = ["$Forwarded", "alpha", "beta", "gamma"];
const NAMES: [&str; 8] = ["INBOX", "Trash", "Archive", "a", "a/b", "a/b/c", "z", "z/y"];
/// Accounts there are at most.
const ACCOUNTS_MAX: usize = 4;
/// Messages beyond which mailboxes are no longer filled by copies.
const MESSAGES_MAX: usize = 120;

/// Chooses acts on a state that it follows itself.
pub(crate) struct Chooser<'r> {
    pub(crate) random: &'r mut Random,
    pub(crate) model: Model,
    pub(crate) now: i64,
}

impl Chooser<'_> {
    /// So many acts, each chosen in the light of those before.
    pub(crate) fn acts(&mut self, count: usize) -> Vec<Act> {
        let mut acts = Vec::new();
        for _ in 0..count {
            let act = self.one();
            // A refusal is an answer too.
            drop(self.model.apply(&act, self.now));
            acts.push(act);
        }
        acts
    }

    fn one(&mut self) -> Act {
        if !self.model.has_domain {
            return Act::CreateDomain;
        }
        if self.model.accounts.is_empty() {
            return self.create_account();
        }
        match self.random.below(82) {
            64..=66 => self.replace(),
            67..=81 => Act::Office(self.deed()),
            0..=15 => Act::Deliver(self.delivery()),
            16..=22 => self.append(),
            23..=31 => self.mark(),
            32..=35 => self.expunge(),
            36..=42 => self.copy(),
            43..=48 => self.mailbox_act(),
            49..=51 => self.restore(),
            52..=58 => self.queue_act(),
            _ => self.directory_act(),
        }
    }

    pub(crate) fn pick<'v, V>(&mut self, values: &'v [V]) -> &'v V {
        &values[self.random.index(values.len())]
    }

    pub(crate) fn account(&mut self) -> u32 {
        let ids: Vec<u32> = self.model.accounts.keys().copied().collect();
        // Sometimes one that is not there.
        if self.random.once_in(60) { 1_000 } else { *self.pick(&ids) }
    }

    pub(crate) fn mailbox(&mut self) -> u32 {
        let ids: Vec<u32> = self.model.mailboxes.keys().copied().collect();
        let full: Vec<u32> = ids
            .iter()
            .copied()
            .filter(|id| !self.model.mailboxes[id].messages.is_empty())
            .collect();
        if self.random.once_in(60) {
            1_000_000
        } else if full.is_empty() || self.random.once_in(4) {
            *self.pick(&ids)
        } else {
            *self.pick(&full)
        }
    }

    fn name(&mut self) -> String {
        (*self.pick(&NAMES)).to_owned()
    }

    fn marks(&mut self) -> Marks {
        let system = u8::try_from(self.random.below(32)).unwrap_or(0);
        let mut keywords = BTreeSet::new();
        if self.random.once_in(2) {
            let chosen = KEYWORDS.iter().filter(|_| self.random.once_in(2));
            keywords.extend(chosen.map(|k| (*k).to_owned()));
        }
        Marks { system, keywords }
    }

    fn uids(&mut self, mailbox: u32) -> Uids {
        let next = self.model.mailboxes.get(&mailbox).map_or(1, |m| m.uid_next);
        let mut below = |n: u32| u32::try_from(self.random.below(n.into())).unwrap_or(0);
        let mut ranges = Vec::new();
        for _ in 0..=below(2) {
            let first = 1 + below(next);
            ranges.push((first, first + below(1 + next / 2)));
        }
        if below(6) == 0 {
            ranges.push((1, u32::MAX));
        }
        Uids(ranges)
    }

    fn delivery(&mut self) -> Delivery {
        let mut accounts: Vec<u32> = self.model.accounts.keys().copied().collect();
        let count = 1 + self.random.index(accounts.len());
        let mut local = Vec::new();
        for _ in 0..count {
            let account = accounts.remove(self.random.index(accounts.len()));
            let place = match self.random.below(10) {
                0 => Place::Special(SpecialUse::Junk),
                1 | 2 => Place::Named(self.name()),
                _ => Place::Inbox,
            };
            local.push((account, place, self.marks()));
        }
        if self.random.once_in(50) {
            // Refused behind its first copies: nothing of it may stay.
            let bad = (self.account(), Place::Named("bad//name".to_owned()), Marks::default());
            if !local.iter().any(|(account, _, _)| *account == bad.0) {
                local.push(bad);
            }
        }
        let mut remote = Vec::new();
        if self.random.once_in(3) {
            remote = (0..=self.random.below(2)).map(|n| format!("r{n}@else.test")).collect();
        }
        if !remote.is_empty() && self.random.once_in(3) {
            local.clear();
        }
        Delivery { content: Contents::any(self.random), local, remote }
    }

    fn append(&mut self) -> Act {
        let mailbox = self.mailbox();
        let mut messages = Vec::new();
        for _ in 0..=self.random.below(3) {
            let date = i64::try_from(self.random.below(1 << 40)).unwrap_or(0);
            messages.push((Contents::any(self.random), self.marks(), date));
        }
        Act::Append { mailbox, messages }
    }

    fn replace(&mut self) -> Act {
        let (from, to) = (self.mailbox(), self.mailbox());
        let uids = self.model.mailboxes.get(&from).map(|m| m.messages.keys().copied().collect());
        let uids: Vec<u32> = uids.unwrap_or_default();
        let uid = if uids.is_empty() { 9_999 } else { *self.pick(&uids) };
        let message = (Contents::any(self.random), self.marks(), self.now);
        Act::Replace { from, uid, to, message }
    }

    fn mark(&mut self) -> Act {
        let mailbox = self.mailbox();
        let uids = self.uids(mailbox);
        let op = *self.pick(&[FlagOp::Add, FlagOp::Remove, FlagOp::Replace]);
        let modseq = self.model.mailboxes.get(&mailbox).map_or(1, |m| m.modseq);
        let since = self.random.once_in(4).then(|| self.random.below(modseq + 1));
        Act::Mark { mailbox, uids, op, marks: self.marks(), since }
    }

    fn expunge(&mut self) -> Act {
        let mailbox = self.mailbox();
        let uids = self.random.once_in(2).then(|| self.uids(mailbox));
        Act::Expunge { mailbox, uids }
    }

    fn restore(&mut self) -> Act {
        let account = self.account();
        let mine: Vec<u64> = self
            .model
            .deleted
            .iter()
            .filter(|(_, deleted)| deleted.account == account)
            .map(|(id, _)| *id)
            .collect();
        let mut ids: Vec<u64> =
            mine.into_iter().filter(|_| self.random.once_in(3)).take(20).collect();
        if self.random.once_in(8) {
            ids.push(self.random.below(100_000));
        }
        let into = self.random.once_in(3).then(|| self.name());
        Act::Restore { account, ids, into }
    }

    fn copy(&mut self) -> Act {
        let (from, to) = (self.mailbox(), self.mailbox());
        let uids = self.uids(from);
        let is_full = self
            .model
            .mailboxes
            .get(&to)
            .is_some_and(|mailbox| mailbox.messages.len() > MESSAGES_MAX);
        Act::Copy { from, uids, to, moves: is_full || self.random.once_in(2) }
    }

    fn mailbox_act(&mut self) -> Act {
        let account = self.account();
        let name = self.name();
        match self.random.below(8) {
            0..=2 => Act::Create { account, name },
            3 => Act::Delete { account, name },
            4 | 5 => {
                let to = format!("r{}", self.random.below(4));
                if self.random.once_in(2) {
                    Act::Rename { account, from: to, to: name }
                } else {
                    Act::Rename { account, from: name, to }
                }
            }
            _ => Act::Subscribe { account, name, on: self.random.once_in(2) },
        }
    }

    fn queue_act(&mut self) -> Act {
        let ids: Vec<u64> = self.model.queue.keys().copied().collect();
        let id = if ids.is_empty() { 77_777 } else { *self.pick(&ids) };
        match self.random.below(6) {
            0 => Act::Hold { id, on: self.random.once_in(2) },
            1 => Act::Retry { id },
            2 => Act::DeleteEntry { id },
            _ => {
                let count = self.model.queue.get(&id).map_or(1, |e| e.recipients.len());
                let mut updates = Vec::new();
                for index in 0..count {
                    if self.random.once_in(4) {
                        continue;
                    }
                    let settled = match self.random.below(3) {
                        0 => Settled::Delivered,
                        1 => Settled::Failed,
                        _ => Settled::Later(self.now + 60_000),
                    };
                    updates.push((index, format!("r{index}@else.test"), settled));
                }
                let notice = self.random.once_in(3).then(|| self.delivery());
                Act::Settle { id, updates, notice }
            }
        }
    }

    fn create_account(&mut self) -> Act {
        Act::CreateAccount { address: format!("u{}@{DOMAIN}", self.random.below(6)) }
    }

    fn directory_act(&mut self) -> Act {
        let address = format!("x{}@{DOMAIN}", self.random.below(3));
        match self.random.below(7) {
            0 => Act::SetHostname { hostname: format!("h{}.{DOMAIN}", self.random.below(1000)) },
            1 => {
                let name = format!("N {}", self.random.below(1000));
                Act::RenameAccount { account: self.account(), name }
            }
            2 => Act::DeleteAlias { address },
            3 | 4 => {
                let targets = vec![format!("t{}@else.test", self.random.below(1000))];
                Act::PutAlias { address, targets, is_new: self.random.once_in(2) }
            }
            5 if self.model.accounts.len() > 2 && self.random.once_in(3) => {
                Act::DeleteAccount { account: self.account() }
            }
            5 => match self.model.graves.keys().next() {
                Some(account) => Act::RestoreAccount { account: *account },
                None => Act::DeleteAlias { address },
            },
            _ if self.model.accounts.len() < ACCOUNTS_MAX => self.create_account(),
            _ => Act::SetHostname { hostname: format!("h{}.{DOMAIN}", self.random.below(1000)) },
        }
    }
}
