//! What a store holds, as plain maps, and what each act does to it.
//!
//! Exact in every number that a client can see: ids, UIDs, UIDVALIDITY, mod-sequences. An act is done
//! wholly or refused with the word of the store's error.

mod mail;
mod office;
mod recovery;
mod spool;

use std::collections::{BTreeMap, BTreeSet};

use crate::act::{Act, Marks};
use crate::caller::DOMAIN;

/// The answer of an act that was done, or the name of the refusal.
pub(crate) type Answer = Result<String, String>;

pub(crate) fn refuse<V>(word: &str) -> Result<V, String> {
    Err(word.to_owned())
}

/// What every account has from its first day.
const DEFAULTS: [(&str, &str); 6] = [
    ("INBOX", "None"),
    ("Drafts", "Some(Drafts)"),
    ("Sent", "Some(Sent)"),
    ("Trash", "Some(Trash)"),
    ("Junk", "Some(Junk)"),
    ("Archive", "Some(Archive)"),
];

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) marks: Marks,
    pub(crate) modseq: u64,
    pub(crate) content: u64,
    pub(crate) date: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    pub(crate) account: u32,
    pub(crate) name: String,
    pub(crate) special_use: &'static str,
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
    pub(crate) modseq: u64,
    pub(crate) messages: BTreeMap<u32, Message>,
    pub(crate) acl: Vec<office::AclEntry>,
    /// By holder (0: shared) and name.
    pub(crate) annotations: BTreeMap<(u32, String), String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) address: String,
    pub(crate) name: String,
    pub(crate) subscriptions: BTreeSet<String>,
    last_uid_validity: u32,
    extras: office::Extras,
}

/// A message that can be restored.
#[derive(Clone, Debug)]
pub(crate) struct Deleted {
    pub(crate) account: u32,
    pub(crate) mailbox: u32,
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) message: Message,
    pub(crate) at: i64,
}

/// An account that can be restored, with its mailboxes.
#[derive(Clone, Debug)]
pub(crate) struct Grave {
    pub(crate) account: Account,
    pub(crate) mailboxes: BTreeMap<u32, Mailbox>,
    pub(crate) at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    pub(crate) address: String,
    pub(crate) state: &'static str,
    pub(crate) next_attempt_at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) content: u64,
    pub(crate) queued_at: i64,
    pub(crate) hold: bool,
    pub(crate) recipients: Vec<Recipient>,
}

/// The state of a store.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) has_domain: bool,
    pub(crate) accounts: BTreeMap<u32, Account>,
    pub(crate) mailboxes: BTreeMap<u32, Mailbox>,
    /// By the id they are restored by: the number of a block of up to 256, and a place in it.
    pub(crate) deleted: BTreeMap<u64, Deleted>,
    pub(crate) graves: BTreeMap<u32, Grave>,
    pub(crate) queue: BTreeMap<u64, Entry>,
    pub(crate) aliases: BTreeMap<String, Vec<String>>,
    pub(crate) hostname: String,
    next_account: u32,
    next_mailbox: u32,
    next_queue: u64,
    /// Queue ids that acts of unknown outcome may have taken: one that came and went again shows nothing
    /// but the next id.
    pub(crate) queue_ids_in_doubt: u64,
    next_expunged: u64,
    office: office::Office,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            has_domain: false,
            accounts: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            deleted: BTreeMap::new(),
            graves: BTreeMap::new(),
            queue: BTreeMap::new(),
            aliases: BTreeMap::new(),
            hostname: String::new(),
            next_account: 1,
            next_mailbox: 1,
            next_queue: 1,
            queue_ids_in_doubt: 0,
            next_expunged: 1,
            office: office::Office::default(),
        }
    }

    /// Does the act at a time (ms), wholly or not at all.
    pub(crate) fn apply(&mut self, act: &Act, now: i64) -> Answer {
        let mut next = self.clone();
        let answer = next.run(act, now)?;
        *self = next;
        Ok(answer)
    }

    fn run(&mut self, act: &Act, now: i64) -> Answer {
        match act {
            Act::Restore { account, ids, into } => {
                return self.restore(*account, ids, into.as_deref(), now);
            }
            Act::RestoreAccount { account } => return self.restore_account(*account, now),
            Act::KeepHouse => return Ok(self.keep_house()),
            Act::Office(deed) => return self.do_deed(deed, now),
            Act::Replace { from, uid, to, message } => {
                return self.replace(*from, *uid, *to, message, now);
            }
            Act::Deliver(delivery) => return self.deliver(delivery, now),
            Act::Append { mailbox, messages } => return self.append(*mailbox, messages),
            Act::Mark { mailbox, uids, op, marks, since } => {
                return self.mark(*mailbox, uids, *op, marks, *since);
            }
            Act::Expunge { mailbox, uids } => return self.expunge(*mailbox, uids.as_ref(), now),
            Act::Copy { from, uids, to, moves } => return self.copy(*from, uids, *to, *moves),
            Act::Create { account, name } => return self.create(*account, name, now),
            Act::Delete { account, name } => return self.delete(*account, name, now),
            Act::Rename { account, from, to } => return self.rename(*account, from, to, now),
            Act::Subscribe { account, name, on } => {
                let subscriptions = &mut self.account(*account)?.subscriptions;
                if *on {
                    subscriptions.insert(name.clone());
                } else {
                    subscriptions.remove(name);
                }
            }
            Act::Settle { id, updates, notice } => {
                return self.settle(*id, updates, notice.as_ref(), now);
            }
            Act::Hold { id, on } => return Ok(self.hold(*id, *on, now)),
            Act::Retry { id } => return Ok(self.retry(*id, now)),
            Act::DeleteEntry { id } => {
                let gone = self.queue.remove(id).is_some();
                if gone {
                    self.note(now, "queue.delete", &id.to_string());
                }
                return Ok(gone.to_string());
            }
            _ => return self.change_directory(act, now),
        }
        Ok("done".to_owned())
    }

    fn change_directory(&mut self, act: &Act, now: i64) -> Answer {
        match act {
            Act::CreateDomain => {
                if self.has_domain {
                    return refuse("Exists");
                }
                self.has_domain = true;
                self.note(now, "domain.create", DOMAIN);
            }
            Act::CreateAccount { address } => return self.create_account(address, now),
            Act::RenameAccount { account, name } => {
                let known = self.account(*account)?;
                let brings_class = known.extras.take_class();
                let is_same = known.name == *name && !brings_class;
                let address = known.address.clone();
                known.name.clone_from(name);
                if !is_same {
                    self.note(now, "account.change", &address);
                }
            }
            Act::DeleteAccount { account } => return self.delete_account(*account, now),
            Act::PutAlias { address, targets, is_new } => {
                if *is_new && self.is_taken(address) {
                    return refuse("AddressTaken");
                }
                if !*is_new && !self.aliases.contains_key(address) {
                    return refuse("NoSuchAlias");
                }
                match self.aliases.insert(address.clone(), targets.clone()) {
                    None => self.note(now, "alias.create", address),
                    Some(old) if old != *targets => self.note(now, "alias.change", address),
                    Some(_) => {}
                }
            }
            Act::DeleteAlias { address } => {
                if self.aliases.remove(address).is_none() {
                    return refuse("NoSuchAlias");
                }
                self.note(now, "alias.delete", address);
            }
            Act::SetHostname { hostname } => {
                if self.hostname != *hostname {
                    self.hostname.clone_from(hostname);
                    self.note(now, "settings.change", "");
                }
            }
            _ => return refuse("Misuse"),
        }
        Ok("done".to_owned())
    }

    fn account(&mut self, id: u32) -> Result<&mut Account, String> {
        self.accounts.get_mut(&id).ok_or_else(|| "NoSuchAccount".to_owned())
    }

    fn is_taken(&self, address: &str) -> bool {
        self.aliases.contains_key(address)
            || self.accounts.values().any(|account| account.address == address)
    }

    fn create_account(&mut self, address: &str, now: i64) -> Answer {
        if !self.has_domain {
            return refuse("NoSuchDomain");
        }
        if self.is_taken(address) {
            return refuse("AddressTaken");
        }
        let id = self.next_account;
        self.next_account += 1;
        let account = Account {
            address: address.to_owned(),
            name: "A B".to_owned(),
            subscriptions: DEFAULTS.iter().map(|(name, _)| (*name).to_owned()).collect(),
            last_uid_validity: 0,
            extras: office::Extras::of_new(address),
        };
        self.accounts.insert(id, account);
        for (name, special_use) in DEFAULTS {
            self.create_one(id, name, special_use, now)?;
        }
        self.note(now, "account.create", address);
        Ok(id.to_string())
    }
}
