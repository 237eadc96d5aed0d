//! Acts on mailboxes and messages.

use store::{FlagOp, Flags};

use super::{Answer, Mailbox, Message, Model, refuse};
use crate::act::{Delivery, Marks, Place, Uids};

fn parents(name: &str) -> Vec<&str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at)).collect()
}

fn is_name(name: &str) -> bool {
    name.split('/').all(|level| !level.is_empty())
}

impl Mailbox {
    pub(super) fn add(&mut self, content: u64, marks: Marks, date: i64, modseq: u64) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        self.messages.insert(uid, Message { marks, modseq, content, date });
        uid
    }

    fn chosen(&self, uids: &Uids) -> Vec<u32> {
        self.messages.keys().copied().filter(|uid| uids.contains(*uid)).collect()
    }
}

impl Model {
    pub(super) fn mailbox(&mut self, id: u32) -> Result<&mut Mailbox, String> {
        self.mailboxes.get_mut(&id).ok_or_else(|| "NoSuchMailbox".to_owned())
    }

    pub(crate) fn id_of(&self, account: u32, name: &str) -> Option<u32> {
        let mut all = self.mailboxes.iter();
        all.find(|(_, m)| m.account == account && m.name == name).map(|(id, _)| *id)
    }

    pub(super) fn create_one(
        &mut self,
        account: u32,
        name: &str,
        special_use: &'static str,
        now: i64,
    ) -> Result<u32, String> {
        let clock = u32::try_from((now / 1000).max(1)).unwrap_or(u32::MAX);
        let owner = self.account(account)?;
        owner.last_uid_validity = clock.max(owner.last_uid_validity + 1);
        let uid_validity = owner.last_uid_validity;
        let id = self.next_mailbox;
        self.next_mailbox += 1;
        let mailbox = Mailbox {
            account,
            name: name.to_owned(),
            special_use,
            uid_validity,
            uid_next: 1,
            modseq: 1,
            messages: std::collections::BTreeMap::new(),
            acl: self.inherited(account, name),
            annotations: std::collections::BTreeMap::new(),
        };
        self.mailboxes.insert(id, mailbox);
        Ok(id)
    }

    /// A new mailbox takes over the list of its parent.
    fn inherited(&self, account: u32, name: &str) -> Vec<super::office::AclEntry> {
        let parent = name.rsplit_once('/').and_then(|(parent, _)| self.id_of(account, parent));
        parent.map(|id| self.mailboxes[&id].acl.clone()).unwrap_or_default()
    }

    fn create_parents(&mut self, account: u32, name: &str, now: i64) -> Result<(), String> {
        for parent in parents(name) {
            if self.id_of(account, parent).is_none() {
                self.create_one(account, parent, "None", now)?;
            }
        }
        Ok(())
    }

    pub(super) fn create(&mut self, account: u32, name: &str, now: i64) -> Answer {
        self.account(account)?;
        if self.id_of(account, name).is_some() {
            return refuse("NameTaken");
        }
        self.create_parents(account, name, now)?;
        let id = self.create_one(account, name, "None", now)?;
        Ok(format!("{id} {}", self.mailboxes[&id].uid_validity))
    }

    pub(super) fn find_or_create(
        &mut self,
        account: u32,
        name: &str,
        now: i64,
    ) -> Result<u32, String> {
        if !is_name(name) {
            return refuse("BadName");
        }
        if let Some(id) = self.id_of(account, name) {
            return Ok(id);
        }
        self.create_parents(account, name, now)?;
        let id = self.create_one(account, name, "None", now)?;
        self.account(account)?.subscriptions.insert(name.to_owned());
        Ok(id)
    }

    pub(super) fn deliver(&mut self, delivery: &Delivery, now: i64) -> Answer {
        for (account, _, _) in &delivery.local {
            self.account(*account)?;
        }
        let mut copies = Vec::new();
        for (account, place, marks) in &delivery.local {
            let special = match place {
                Place::Special(special) => {
                    let word = format!("Some({special:?})");
                    let mut all = self.mailboxes.iter();
                    all.find(|(_, m)| m.account == *account && m.special_use == word)
                        .map(|(id, _)| *id)
                }
                Place::Inbox => None,
                Place::Named(name) => Some(self.find_or_create(*account, name, now)?),
            };
            let id = match special {
                Some(id) => id,
                None => self.find_or_create(*account, "INBOX", now)?,
            };
            let mailbox = self.mailbox(id)?;
            mailbox.modseq += 1;
            let modseq = mailbox.modseq;
            let uid = mailbox.add(delivery.content, marks.clone(), now, modseq);
            copies.push((*account, id, uid));
        }
        let queue = self.enqueue(delivery, now);
        Ok(format!("{copies:?} {queue:?}"))
    }

    pub(super) fn append(&mut self, id: u32, messages: &[(u64, Marks, i64)]) -> Answer {
        let account = self.mailbox(id)?.account;
        self.check_room(account, messages.len())?;
        let mailbox = self.mailbox(id)?;
        mailbox.modseq += u64::from(!messages.is_empty());
        let modseq = mailbox.modseq;
        let add = |(content, marks, date): &(u64, Marks, i64)| {
            mailbox.add(*content, marks.clone(), *date, modseq)
        };
        let uids: Vec<u32> = messages.iter().map(add).collect();
        Ok(format!("{} {uids:?}", self.mailboxes[&id].uid_validity))
    }

    pub(super) fn mark(
        &mut self,
        id: u32,
        uids: &Uids,
        op: FlagOp,
        marks: &Marks,
        since: Option<u64>,
    ) -> Answer {
        let mailbox = self.mailbox(id)?;
        let next = mailbox.modseq + 1;
        let (mut rows, mut modified, mut any) = (Vec::new(), Vec::new(), false);
        for uid in mailbox.chosen(uids) {
            let Some(message) = mailbox.messages.get_mut(&uid) else { continue };
            if since.is_some_and(|since| message.modseq > since) {
                modified.push(uid);
                continue;
            }
            let old = &message.marks;
            let (system, keywords) = match op {
                FlagOp::Add => (old.system | marks.system, &old.keywords | &marks.keywords),
                FlagOp::Remove => (old.system & !marks.system, &old.keywords - &marks.keywords),
                FlagOp::Replace => (marks.system, marks.keywords.clone()),
            };
            let new = Marks { system, keywords };
            if new != *old {
                message.marks = new;
                message.modseq = next;
                any = true;
            }
            rows.push((uid, message.modseq));
        }
        mailbox.modseq += u64::from(any);
        Ok(format!("{rows:?} {modified:?}"))
    }

    pub(super) fn expunge(&mut self, id: u32, uids: Option<&Uids>, now: i64) -> Answer {
        let mailbox = self.mailbox(id)?;
        let mut kept = Vec::new();
        mailbox.messages.retain(|uid, message| {
            let goes = message.marks.system & Flags::DELETED != 0
                && uids.is_none_or(|uids| uids.contains(*uid));
            if goes {
                kept.push((*uid, message.clone()));
            }
            !goes
        });
        mailbox.modseq += u64::from(!kept.is_empty());
        let gone: Vec<u32> = kept.iter().map(|(uid, _)| *uid).collect();
        let answer = format!("{gone:?} {}", mailbox.modseq);
        self.keep(id, &kept, now);
        Ok(answer)
    }

    pub(super) fn copy(&mut self, from: u32, uids: &Uids, to: u32, moves: bool) -> Answer {
        let source = self.mailbox(from)?.chosen(uids);
        let (mine, theirs) = (self.mailbox(from)?.account, self.mailbox(to)?.account);
        if !moves || mine != theirs {
            self.check_room(theirs, source.len())?;
        }
        let target = self.mailbox(to)?;
        target.modseq += u64::from(!source.is_empty());
        let modseq = target.modseq;
        let uid_validity = target.uid_validity;
        let mut copies = Vec::new();
        for uid in &source {
            let Message { marks, content, date, .. } = self.mailbox(from)?.messages[uid].clone();
            copies.push(self.mailbox(to)?.add(content, marks, date, modseq));
        }
        if moves && !source.is_empty() {
            let origin = self.mailbox(from)?;
            origin.modseq += 1;
            origin.messages.retain(|uid, _| !source.contains(uid));
        }
        Ok(format!("{uid_validity} {source:?} {copies:?}"))
    }

    pub(super) fn replace(
        &mut self,
        from: u32,
        uid: u32,
        to: u32,
        message: &(u64, Marks, i64),
        now: i64,
    ) -> Answer {
        let (mine, theirs) = (self.mailbox(from)?.account, self.mailbox(to)?.account);
        let Some(old) = self.mailbox(from)?.messages.get(&uid).cloned() else {
            return refuse("NoSuchMessage");
        };
        if mine != theirs {
            self.check_room(theirs, 1)?;
        }
        let target = self.mailbox(to)?;
        target.modseq += 1;
        let (modseq, uid_validity) = (target.modseq, target.uid_validity);
        let (content, marks, date) = message;
        let new = target.add(*content, marks.clone(), *date, modseq);
        self.keep(from, &[(uid, old)], now);
        let source = self.mailbox(from)?;
        source.messages.remove(&uid);
        source.modseq += 1;
        Ok(format!("{uid_validity} {:?}", [new]))
    }

    pub(super) fn delete(&mut self, account: u32, name: &str, now: i64) -> Answer {
        if name == "INBOX" {
            return refuse("Misuse");
        }
        let Some(id) = self.id_of(account, name) else { return refuse("NoSuchMailbox") };
        let prefix = format!("{name}/");
        if self.mailboxes.values().any(|m| m.account == account && m.name.starts_with(&prefix)) {
            return refuse("HasChildren");
        }
        let all: Vec<_> = self.mailboxes[&id].messages.clone().into_iter().collect();
        self.keep(id, &all, now);
        self.mailboxes.remove(&id);
        Ok("done".to_owned())
    }

    pub(super) fn rename(&mut self, account: u32, from: &str, to: &str, now: i64) -> Answer {
        self.account(account)?;
        let Some(id) = self.id_of(account, from) else { return refuse("NoSuchMailbox") };
        if self.id_of(account, to).is_some() {
            return refuse("NameTaken");
        }
        if from == "INBOX" {
            self.create_parents(account, to, now)?;
            let target = self.create_one(account, to, "None", now)?;
            self.copy(id, &Uids(vec![(1, u32::MAX)]), target, true)?;
            let annotations = self.mailbox(id)?.annotations.clone();
            self.mailbox(target)?.annotations = annotations;
            return Ok("done".to_owned());
        }
        if to.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) {
            return refuse("BadName");
        }
        self.create_parents(account, to, now)?;
        for mailbox in self.mailboxes.values_mut().filter(|m| m.account == account) {
            match mailbox.name.strip_prefix(from) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    mailbox.name = format!("{to}{rest}");
                }
                _ => {}
            }
        }
        Ok("done".to_owned())
    }
}
