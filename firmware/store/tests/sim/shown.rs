//! What a store shows, as lines that can be compared: one way from the model, one from the store itself.

mod office;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base::{AccountId, BlobId, ModSeq, QueueId, Uid};
use store::{DeletedFilter, Store, StoreError};

use crate::content::Contents;
use crate::model::Model;

/// Key -> what stands there.
pub(crate) type Shown = BTreeMap<String, String>;

/// What differs, in a few lines.
pub(crate) fn difference(expected: &Shown, found: &Shown) -> String {
    let mut text = String::new();
    let keys: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let nothing = String::from("-");
    let mut differing = 0;
    for key in keys {
        let (a, b) = (expected.get(key), found.get(key));
        if a != b {
            differing += 1;
            if differing <= 12 {
                let (a, b) = (a.unwrap_or(&nothing), b.unwrap_or(&nothing));
                let _infallible = write!(text, "\n  {key}: expected {a}; found {b}");
            }
        }
    }
    format!("{differing} lines differ:{text}")
}

fn mailbox_line(
    (account, name, special_use): (u32, &str, &str),
    (uid_validity, uid_next, modseq): (u32, u32, u64),
    (exists, unseen, deleted, bytes): (u64, u64, u64, u64),
) -> String {
    format!(
        "account {account} {name:?} {special_use} validity {uid_validity} next {uid_next} modseq \
         {modseq} exists {exists} unseen {unseen} deleted {deleted} bytes {bytes}"
    )
}

impl Model {
    /// What a store in this state shows.
    pub(crate) fn shown(&self, contents: &Contents) -> Shown {
        let mut shown = Shown::new();
        shown.insert("domain".to_owned(), self.has_domain.to_string());
        shown.insert("hostname".to_owned(), self.hostname.clone());
        for (address, targets) in &self.aliases {
            shown.insert(format!("alias {address}"), format!("{targets:?}"));
        }
        for (id, account) in &self.accounts {
            let mine = self.mailboxes.values().filter(|m| m.account == *id);
            let messages = mine.flat_map(|m| m.messages.values());
            let used: u64 = messages.map(|m| contents.get(m.content).len() as u64).sum();
            let line = format!(
                "{} {:?} used {used} {:?}",
                account.address, account.name, account.subscriptions
            );
            shown.insert(format!("account {id}"), line);
        }
        for (id, mailbox) in &self.mailboxes {
            let count = |test: &dyn Fn(u8) -> bool| {
                mailbox.messages.values().filter(|m| test(m.marks.system)).count() as u64
            };
            let (unseen, deleted) = (count(&|s| s & 1 == 0), count(&|s| s & 8 != 0));
            let mut bytes = 0;
            for (uid, message) in &mailbox.messages {
                let size = contents.get(message.content).len() as u64;
                bytes += size;
                let keywords: Vec<_> = message.marks.keywords.iter().collect();
                let line = format!(
                    "{} {keywords:?} modseq {} date {} content {} of {size}",
                    message.marks.system, message.modseq, message.date, message.content
                );
                shown.insert(format!("mailbox {id} UID {uid}"), line);
            }
            let line = mailbox_line(
                (mailbox.account, &mailbox.name, mailbox.special_use),
                (mailbox.uid_validity, mailbox.uid_next, mailbox.modseq),
                (mailbox.messages.len() as u64, unseen, deleted, bytes),
            );
            shown.insert(format!("mailbox {id}"), line);
        }
        self.show_office(&mut shown);
        self.show_deleted(&mut shown);
        for (id, entry) in &self.queue {
            let mut line =
                format!("content {} at {} hold {}", entry.content, entry.queued_at, entry.hold);
            for r in &entry.recipients {
                let _infallible = write!(line, " {} {} {}", r.address, r.state, r.next_attempt_at);
            }
            shown.insert(format!("queue {id}"), line);
        }
        shown
    }

    fn show_deleted(&self, shown: &mut Shown) {
        for (id, deleted) in &self.deleted {
            if !self.accounts.contains_key(&deleted.account) {
                continue;
            }
            let message = &deleted.message;
            let keywords: Vec<_> = message.marks.keywords.iter().collect();
            let line = format!(
                "mailbox {} {:?} UID {} {} {keywords:?} date {} content {} at {}",
                deleted.mailbox,
                deleted.name,
                deleted.uid,
                message.marks.system,
                message.date,
                message.content,
                deleted.at
            );
            shown.insert(format!("account {} deleted {id}", deleted.account), line);
        }
        for (id, grave) in &self.graves {
            let messages: usize = grave.mailboxes.values().map(|m| m.messages.len()).sum();
            let line = format!("{} {messages} messages at {}", grave.account.address, grave.at);
            shown.insert(format!("deleted account {id}"), line);
        }
    }
}

/// Looks at a store.
struct Look<'s> {
    store: &'s Store,
    contents: &'s Contents,
    /// Contents that were read already.
    seen: BTreeMap<BlobId, String>,
    shown: Shown,
}

impl Look<'_> {
    /// The number of a content, from all of its bytes.
    fn content(&mut self, blob: &BlobId) -> String {
        if let Some(known) = self.seen.get(blob) {
            return known.clone();
        }
        let number = match self.bytes(blob) {
            Ok(bytes) => match self.contents.number_of(&bytes) {
                Some(number) => number.to_string(),
                None => format!("of {} bytes that nobody sent", bytes.len()),
            },
            Err(e) => format!("{e:?}"),
        };
        self.seen.insert(*blob, number.clone());
        number
    }

    fn bytes(&self, blob: &BlobId) -> Result<Vec<u8>, StoreError> {
        let mut all = Vec::new();
        loop {
            let piece = self.store.read(blob, all.len() as u64, store::READ_MAX)?;
            let is_last = piece.len() < store::READ_MAX;
            all.extend_from_slice(&piece);
            if is_last {
                return Ok(all);
            }
        }
    }

    fn accounts(&mut self) -> Result<(), StoreError> {
        for account in self.store.accounts(AccountId(0), usize::MAX)? {
            let id = account.id;
            let subscriptions: std::collections::BTreeSet<_> =
                self.store.subscriptions(id)?.into_iter().collect();
            let line = format!(
                "{} {:?} used {} {subscriptions:?}",
                account.address,
                account.name,
                self.store.quota(id)?.used_bytes
            );
            self.shown.insert(format!("account {id}"), line);
            self.extras(id)?;
            self.mailboxes(id)?;
            self.deleted(id)?;
        }
        for grave in self.store.deleted_accounts(AccountId(0), usize::MAX)? {
            let line =
                format!("{} {} messages at {}", grave.address, grave.messages, grave.deleted_at.0);
            self.shown.insert(format!("deleted account {}", grave.id), line);
        }
        Ok(())
    }

    fn mailboxes(&mut self, account: AccountId) -> Result<(), StoreError> {
        for mailbox in self.store.mailboxes(account)? {
            let id = mailbox.id;
            for row in self.store.rows(id, Uid(1), Uid(u32::MAX), usize::MAX)? {
                let content = self.content(&row.blob);
                let line = format!(
                    "{} {:?} modseq {} date {} content {content} of {}",
                    row.flags.system, row.flags.keywords, row.modseq, row.internal_date.0, row.size
                );
                self.shown.insert(format!("mailbox {id} UID {}", row.uid), line);
            }
            let line = mailbox_line(
                (account.0, &mailbox.name, &format!("{:?}", mailbox.special_use)),
                (mailbox.uid_validity.0, mailbox.uid_next.0, mailbox.highest_modseq.0),
                (
                    mailbox.exists.into(),
                    mailbox.unseen.into(),
                    mailbox.deleted.into(),
                    mailbox.bytes,
                ),
            );
            self.shown.insert(format!("mailbox {id}"), line);
            self.rights(id)?;
            self.changes(id, mailbox.highest_modseq)?;
        }
        Ok(())
    }

    /// The change log must lead from an empty mailbox to what is there.
    fn changes(&mut self, id: base::MailboxId, highest: ModSeq) -> Result<(), StoreError> {
        let changes = self.store.changes(id, ModSeq(1))?;
        let uids = self.store.uids(id)?;
        if changes.highest_modseq != highest || changes.added != uids {
            let line = format!("{:?} but there are {uids}", changes.added);
            self.shown.insert(format!("mailbox {id} changes"), line);
        }
        Ok(())
    }

    fn deleted(&mut self, account: AccountId) -> Result<(), StoreError> {
        let mut from = Some(0);
        while let Some(first) = from {
            let filter = DeletedFilter::default();
            let page = self.store.deleted_messages(account, &filter, first, 1_000)?;
            for deleted in page.messages {
                let content = self.content(&deleted.blob);
                let line = format!(
                    "mailbox {} {:?} UID {} {} {:?} date {} content {content} at {}",
                    deleted.mailbox,
                    deleted.mailbox_name,
                    deleted.uid,
                    deleted.flags.system,
                    deleted.flags.keywords,
                    deleted.internal_date.0,
                    deleted.deleted_at.0
                );
                self.shown.insert(format!("account {account} deleted {}", deleted.id), line);
            }
            from = page.next;
        }
        Ok(())
    }

    fn queue(&mut self) -> Result<(), StoreError> {
        for entry in self.store.queue_list(QueueId(0), usize::MAX)? {
            let content = self.content(&entry.blob);
            let mut line =
                format!("content {content} at {} hold {}", entry.queued_at.0, entry.hold);
            for r in &entry.recipients {
                let _infallible =
                    write!(line, " {} {:?} {}", r.address, r.state, r.next_attempt_at.0);
            }
            self.shown.insert(format!("queue {}", entry.id), line);
        }
        Ok(())
    }
}

/// What a store shows, with all of its contents read.
pub(crate) fn look(store: &Store, contents: &Contents) -> Result<Shown, StoreError> {
    let mut look = Look { store, contents, seen: BTreeMap::new(), shown: Shown::new() };
    let has_domain = !store.domains()?.is_empty();
    look.shown.insert("domain".to_owned(), has_domain.to_string());
    look.shown.insert("hostname".to_owned(), store.settings().hostname.clone());
    for alias in store.aliases()? {
        let targets: Vec<_> = alias.targets.iter().map(ToString::to_string).collect();
        look.shown.insert(format!("alias {}", alias.address), format!("{targets:?}"));
    }
    look.accounts()?;
    look.queue()?;
    look.office()?;
    Ok(look.shown)
}
