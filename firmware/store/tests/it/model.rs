//! Random acts against a simple model of mailboxes in memory, with reopens between them, and the walk at
//! the end. A failure prints its seed; `STORE_MODEL_SEED=n` runs that one again.

#![allow(clippy::cast_possible_truncation, reason = "all numbers here are small")]

use std::collections::{BTreeMap, BTreeSet};

use base::{AccountId, MailboxId, ModSeq, Timestamp, Uid, UidRanges};
use store::{FlagOp, Flags, NewMessage};

use crate::fixture::{Fixture, local, text};

const KEYWORDS: [&str; 5] = ["$Forwarded", "alpha", "beta", "gamma", "delta"];
const NAMES: [&str; 7] = ["INBOX", "Trash", "Archive", "a", "a/b", "a/b/c", "z"];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    system: u8,
    keywords: BTreeSet<String>,
    modseq: u64,
    content: u64,
}

#[derive(Clone, Debug)]
struct Box_ {
    uid_validity: u32,
    uid_next: u32,
    modseq: u64,
    messages: BTreeMap<u32, Message>,
}

struct Model {
    random: Random,
    boxes: BTreeMap<String, Box_>,
    last_uid_validity: u32,
    acts: u64,
}

impl Model {
    fn some_box(&mut self) -> String {
        let at = self.random.below(self.boxes.len() as u64) as usize;
        self.boxes.keys().nth(at).unwrap().clone()
    }

    fn some_flags(&mut self) -> Flags {
        let system = self.random.below(32) as u8;
        let bits = self.random.below(32);
        let keywords = (0..5).filter(|b| bits & (1 << b) != 0).map(|b| KEYWORDS[b].to_owned());
        // As the face shows them: sorted without regard to case.
        let mut keywords: Vec<String> = keywords.collect();
        keywords.sort_by_key(|k| k.to_ascii_lowercase());
        if self.random.below(2) == 0 {
            keywords.clear();
        }
        Flags { system, keywords }
    }

    fn some_uids(&mut self, name: &str) -> UidRanges {
        let next = u64::from(self.boxes[name].uid_next) + 2;
        let mut uids = UidRanges::new();
        for _ in 0..=self.random.below(3) {
            let first = 1 + self.random.below(next);
            let last = first + self.random.below(1 + next / 2);
            uids.insert_range(Uid(first as u32), Uid(last as u32));
        }
        if self.random.below(8) == 0 {
            uids.insert_range(Uid(1), Uid(u32::MAX));
        }
        uids
    }

    fn add(&mut self, name: &str, content: u64, flags: &Flags) -> u32 {
        let target = self.boxes.get_mut(name).unwrap();
        let uid = target.uid_next;
        target.uid_next += 1;
        let keywords = flags.keywords.iter().cloned().collect();
        let message = Message { system: flags.system, keywords, modseq: target.modseq, content };
        target.messages.insert(uid, message);
        uid
    }

    /// A new mailbox in the model; its UIDVALIDITY is taken from the store and must be higher.
    fn create(&mut self, name: &str, uid_validity: u32) {
        assert!(uid_validity > self.last_uid_validity, "UIDVALIDITY did not rise");
        self.last_uid_validity = uid_validity;
        let new = Box_ { uid_validity, uid_next: 1, modseq: 1, messages: BTreeMap::new() };
        assert!(self.boxes.insert(name.to_owned(), new).is_none());
    }
}

fn ids(uids: &UidRanges, target: &Box_) -> Vec<u32> {
    target.messages.keys().copied().filter(|uid| uids.contains(Uid(*uid))).collect()
}

struct Run {
    office: Fixture,
    anna: AccountId,
    model: Model,
    /// A past state of a mailbox, to ask for the changes since.
    past: BTreeMap<MailboxId, Box_>,
}

impl Run {
    fn id(&self, name: &str) -> MailboxId {
        self.office.mailbox(self.anna, name)
    }

    async fn bring(&mut self) {
        let name = self.model.some_box();
        let content = self.model.random.below(60);
        self.model.boxes.get_mut(&name).unwrap().modseq += 1;
        if self.model.random.below(2) == 0 {
            let flags = self.model.some_flags();
            let mut delivery = local(self.office.stage(&text(content)), &[self.anna]);
            delivery.local[0].mailbox = store::TargetMailbox::Named(name.clone());
            delivery.local[0].flags = flags.clone();
            let told = self.office.store.deliver(delivery).await.unwrap();
            let uid = self.model.add(&name, content, &flags);
            assert_eq!(told.local[0].2, Uid(uid));
            return;
        }
        let mut messages = Vec::new();
        let mut expected = Vec::new();
        for n in 0..=self.model.random.below(4) {
            let flags = self.model.some_flags();
            let message = self.office.stage(&text(content + n));
            expected.push(Uid(self.model.add(&name, content + n, &flags)));
            messages.push(NewMessage {
                message,
                flags,
                internal_date: Timestamp(5),
                zone_minutes: 60,
            });
        }
        let id = self.id(&name);
        let told = self.office.store.append(id, messages).await.unwrap();
        assert_eq!(told.uids, expected);
    }

    async fn mark(&mut self) {
        let name = self.model.some_box();
        let uids = self.model.some_uids(&name);
        let flags = self.model.some_flags();
        let op =
            [FlagOp::Add, FlagOp::Remove, FlagOp::Replace][self.model.random.below(3) as usize];
        let limit = self.model.random.below(3) == 0;
        let since = limit.then(|| self.model.random.below(self.model.boxes[&name].modseq + 1));
        let id = self.id(&name);
        let told = self
            .office
            .store
            .store_flags(id, uids.clone(), op, flags.clone(), since.map(ModSeq))
            .await
            .unwrap();
        let target = self.model.boxes.get_mut(&name).unwrap();
        let keywords: BTreeSet<String> = flags.keywords.iter().cloned().collect();
        let next = target.modseq + 1;
        let (mut modified, mut rows, mut any) = (UidRanges::new(), Vec::new(), false);
        for uid in ids(&uids, target) {
            let message = target.messages.get_mut(&uid).unwrap();
            if since.is_some_and(|since| message.modseq > since) {
                modified.insert(Uid(uid));
                continue;
            }
            let (system, new) = match op {
                FlagOp::Add => (message.system | flags.system, &message.keywords | &keywords),
                FlagOp::Remove => (message.system & !flags.system, &message.keywords - &keywords),
                FlagOp::Replace => (flags.system, keywords.clone()),
            };
            if (system, &new) != (message.system, &message.keywords) {
                *message =
                    Message { system, keywords: new, modseq: next, content: message.content };
                any = true;
            }
            rows.push((uid, message.modseq));
        }
        target.modseq += u64::from(any);
        assert_eq!(told.modified, modified);
        let told: Vec<_> = told.rows.iter().map(|(uid, _, modseq)| (uid.0, modseq.0)).collect();
        assert_eq!(told, rows);
    }

    async fn expunge(&mut self) {
        let name = self.model.some_box();
        let uids = (self.model.random.below(2) == 0).then(|| self.model.some_uids(&name));
        let id = self.id(&name);
        let (gone, modseq) = self.office.store.expunge(id, uids.clone()).await.unwrap();
        let target = self.model.boxes.get_mut(&name).unwrap();
        let mut expected = UidRanges::new();
        target.messages.retain(|uid, message| {
            let goes = message.system & Flags::DELETED != 0
                && uids.as_ref().is_none_or(|uids| uids.contains(Uid(*uid)));
            if goes {
                expected.insert(Uid(*uid));
            }
            !goes
        });
        target.modseq += u64::from(!expected.is_empty());
        assert_eq!((gone, modseq.0), (expected, target.modseq));
    }

    async fn copy(&mut self) {
        let (from, to) = (self.model.some_box(), self.model.some_box());
        let uids = self.model.some_uids(&from);
        let moves = self.model.random.below(2) == 0;
        // Unbounded doubling of one mailbox makes the test slow, not better.
        if !moves && self.model.boxes[&to].messages.len() > 600 {
            return;
        }
        let (from_id, to_id) = (self.id(&from), self.id(&to));
        let store = &self.office.store;
        let told = if moves {
            store.move_messages(from_id, uids.clone(), to_id).await.unwrap()
        } else {
            store.copy(from_id, uids.clone(), to_id).await.unwrap()
        };
        let source = ids(&uids, &self.model.boxes[&from]);
        assert_eq!(told.source.iter().map(|uid| uid.0).collect::<Vec<_>>(), source);
        if source.is_empty() {
            return;
        }
        self.model.boxes.get_mut(&to).unwrap().modseq += 1;
        let mut target = Vec::new();
        for uid in &source {
            let message = self.model.boxes[&from].messages[uid].clone();
            let keywords = message.keywords.into_iter().collect();
            let flags = Flags { system: message.system, keywords };
            target.push(Uid(self.model.add(&to, message.content, &flags)));
        }
        assert_eq!(told.target, target);
        if moves {
            let origin = self.model.boxes.get_mut(&from).unwrap();
            origin.modseq += 1;
            origin.messages.retain(|uid, _| !source.contains(uid));
        }
    }

    async fn create_or_delete(&mut self) {
        let name = NAMES[self.model.random.below(NAMES.len() as u64) as usize];
        let store = &self.office.store;
        if !self.model.boxes.contains_key(name) {
            let made = store.create_mailbox(self.anna, name.to_owned(), None).await.unwrap();
            let mut missing: Vec<_> = store.mailboxes(self.anna).unwrap();
            missing.retain(|m| !self.model.boxes.contains_key(&m.name));
            missing.sort_by_key(|m| m.uid_validity);
            assert_eq!(missing.last().unwrap().id, made.id, "parents come first");
            for parent in missing {
                assert!(name.starts_with(&parent.name));
                self.model.create(&parent.name, parent.uid_validity.0);
            }
        } else if self.model.random.below(3) == 0 {
            let has_children =
                self.model.boxes.keys().any(|other| other.starts_with(&format!("{name}/")));
            let outcome = store.delete_mailbox(self.anna, name.to_owned()).await;
            assert_eq!(outcome.is_ok(), name != "INBOX" && !has_children, "{name}");
            if outcome.is_ok() {
                self.model.boxes.remove(name);
            }
        }
    }

    async fn rename(&mut self) {
        let (from, to) = (self.model.some_box(), format!("r{}", self.model.random.below(4)));
        let store = &self.office.store;
        let outcome = store.rename_mailbox(self.anna, from.clone(), to.clone()).await;
        let is_free = !self.model.boxes.contains_key(&to);
        assert_eq!(outcome.is_ok(), is_free, "{from} {to} {outcome:?}");
        if !is_free {
            return;
        }
        if from == "INBOX" {
            let made = store.mailbox_by_name(self.anna, &to).unwrap().unwrap();
            self.model.create(&to, made.uid_validity.0);
            let inbox = self.model.boxes.get_mut("INBOX").unwrap();
            let moved = std::mem::take(&mut inbox.messages);
            inbox.modseq += u64::from(!moved.is_empty());
            self.model.boxes.get_mut(&to).unwrap().modseq += u64::from(!moved.is_empty());
            for message in moved.into_values() {
                let keywords = message.keywords.into_iter().collect();
                let flags = Flags { system: message.system, keywords };
                self.model.add(&to, message.content, &flags);
            }
            return;
        }
        let old = std::mem::take(&mut self.model.boxes);
        for (name, value) in old {
            let new = match name.strip_prefix(&from) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{to}{rest}"),
                _ => name,
            };
            self.model.boxes.insert(new, value);
        }
    }

    /// The whole store as it is read against the model.
    fn compare(&mut self) {
        let store = &self.office.store;
        let shown = store.mailboxes(self.anna).unwrap();
        let names: Vec<_> = shown.iter().map(|m| m.name.clone()).collect();
        assert_eq!(names, self.model.boxes.keys().cloned().collect::<Vec<_>>());
        let mut used = 0;
        for mailbox in shown {
            let expected = &self.model.boxes[&mailbox.name];
            let rows = store.rows(mailbox.id, Uid(1), Uid(u32::MAX), usize::MAX).unwrap();
            let found: BTreeMap<u32, Message> = rows
                .iter()
                .map(|row| {
                    let content = u64::MAX;
                    let keywords = row.flags.keywords.iter().cloned().collect();
                    let (system, modseq) = (row.flags.system, row.modseq.0);
                    (row.uid.0, Message { system, keywords, modseq, content })
                })
                .collect();
            let mut model = expected.messages.clone();
            let bytes: u64 = model.values().map(|m| text(m.content).len() as u64).sum();
            for (row, message) in rows.iter().zip(model.values()) {
                assert_eq!(row.size, text(message.content).len() as u64);
            }
            model.values_mut().for_each(|m| m.content = u64::MAX);
            assert_eq!(found, model, "{}", mailbox.name);
            let unseen = model.values().filter(|m| m.system & Flags::SEEN == 0).count();
            let deleted = model.values().filter(|m| m.system & Flags::DELETED != 0).count();
            assert_eq!(
                (mailbox.uid_validity.0, mailbox.uid_next.0, mailbox.highest_modseq.0),
                (expected.uid_validity, expected.uid_next, expected.modseq)
            );
            assert_eq!(
                (mailbox.exists, mailbox.unseen, mailbox.deleted, mailbox.bytes),
                (model.len() as u32, unseen as u32, deleted as u32, bytes)
            );
            used += bytes;
            let uids: Vec<u32> = store.uids(mailbox.id).unwrap().iter().map(|u| u.0).collect();
            assert_eq!(uids, model.keys().copied().collect::<Vec<_>>());
            let now = expected.clone();
            if let Some(past) = self.past.insert(mailbox.id, now) {
                compare_changes(store, mailbox.id, &past, expected);
            }
        }
        assert_eq!(store.quota(self.anna).unwrap().used_bytes, used);
    }
}

/// What a session that saw `past` is told leads it to `now`.
fn compare_changes(store: &store::Store, id: MailboxId, past: &Box_, now: &Box_) {
    let told = store.changes(id, ModSeq(past.modseq)).unwrap();
    assert_eq!(told.highest_modseq.0, now.modseq);
    let mut view: BTreeSet<u32> = past.messages.keys().copied().collect();
    view.extend(told.added.iter().map(|uid| uid.0));
    view.retain(|uid| !told.expunged.contains(Uid(*uid)));
    assert_eq!(view, now.messages.keys().copied().collect::<BTreeSet<_>>());
    for uid in told.added.iter() {
        assert!(uid.0 >= past.uid_next);
    }
    let flagged: BTreeMap<u32, u64> = told.flags.iter().map(|(u, _, m)| (u.0, m.0)).collect();
    for (uid, message) in &now.messages {
        let is_old = past.messages.contains_key(uid);
        if is_old && past.messages[uid].modseq != message.modseq {
            assert_eq!(flagged.get(uid), Some(&message.modseq), "UID {uid} changed untold");
        }
        if is_old && past.messages[uid].modseq == message.modseq {
            assert!(!flagged.contains_key(uid), "UID {uid} did not change");
        }
    }
}

async fn run(seed: u64, acts: u64) {
    let (office, anna) = Fixture::office().await;
    let mut boxes = BTreeMap::new();
    let mut last_uid_validity = 0;
    for mailbox in office.store.mailboxes(anna).unwrap() {
        last_uid_validity = last_uid_validity.max(mailbox.uid_validity.0);
        let new = Box_ {
            uid_validity: mailbox.uid_validity.0,
            uid_next: 1,
            modseq: 1,
            messages: BTreeMap::new(),
        };
        boxes.insert(mailbox.name, new);
    }
    let model = Model { random: Random(seed), boxes, last_uid_validity, acts };
    let mut run = Run { office, anna, model, past: BTreeMap::new() };
    for _ in 0..run.model.acts {
        match run.model.random.below(20) {
            0..=6 => run.bring().await,
            7..=11 => run.mark().await,
            12..=13 => run.expunge().await,
            14..=15 => run.copy().await,
            16 => run.create_or_delete().await,
            17 => run.rename().await,
            18 => run.compare(),
            _ => {
                if run.model.random.below(4) == 0 {
                    run.office = run.office.reopen().await;
                }
            }
        }
    }
    run.compare();
    run.office.finish().await;
}

#[tokio::test]
async fn random_acts_do_what_the_model_does() {
    let seeds: Vec<u64> = match std::env::var("STORE_MODEL_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=6).collect(),
    };
    for seed in seeds {
        println!("STORE_MODEL_SEED={seed}");
        run(seed, 250).await;
    }
}
