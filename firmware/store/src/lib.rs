//! Every persisted byte of the box: mail, directory, spool, settings.
//!
//! The public face is whole acts ([`Store::deliver`], [`Store::append`], [`Store::store_flags`], …), never
//! get and put. An act that returned `Ok` is durable. Acts go through one writer thread with group
//! commit; reads see the last committed state and may run on any thread.
//!
//! Never here: a protocol's grammar, a decision about who may do what with mail.

mod directory;
mod error;
mod mail;
mod settings;
mod spool;

pub use directory::{
    Account, AccountChange, AccountState, Alias, Domain, Entry, NewAccount, Resolution,
};
pub use error::StoreError;
pub use mail::{
    Appended, Changes, CheckReport, Copied, Delivered, Delivery, FlagOp, FlagOutcome, Flags,
    ImapTexts, LocalTarget, Mailbox, NewMessage, Row, SpecialUse, Staged, Staging, TargetMailbox,
};
pub use settings::{Outbound, Settings, SmarthostTls, TlsIdentity};
pub use spool::{
    BodyType, Envelope, NewQueueEntry, Notify, QueueEntry, QueueRecipient, RecipientState,
    RecipientUpdate, Ret,
};

use std::path::PathBuf;
use std::sync::Arc;

use base::{
    AccountId, Address, BlobHash, Clock, DomainName, MailboxId, ModSeq, QueueId, Timestamp, Uid,
    UidRanges,
};
use tokio::sync::watch;

/// Most bytes that one [`Store::read`] returns.
pub const READ_MAX: usize = 256 * 1024;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory; made if absent.
    pub dir: PathBuf,
    /// redb's cache, bytes.
    pub cache_bytes: usize,
    /// Largest message, bytes.
    pub message_bytes_max: u64,
    /// What a staged message may hold in memory before it goes to a file, bytes.
    pub message_memory_bytes: usize,
}

/// The store. Cheap to clone; all clones are one store.
#[derive(Clone, Debug)]
pub struct Store {}

// The face. Reads are plain functions; acts are async and durable when they return.
#[allow(
    unused_variables,
    missing_docs,
    clippy::unused_async,
    clippy::unimplemented,
    clippy::needless_pass_by_value,
    reason = "the face, before its body"
)]
impl Store {
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        unimplemented!()
    }
    /// Waits for the writer to finish and closes the files.
    pub async fn close(self) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Walks everything in a stopped store.
    pub fn check(dir: &std::path::Path) -> Result<CheckReport, StoreError> {
        unimplemented!()
    }
    /// True when free space is under the low-water mark.
    pub fn disk_is_low(&self) -> bool {
        unimplemented!()
    }
    /// (free, total) bytes of the data disk.
    pub fn disk_space(&self) -> Result<(u64, u64), StoreError> {
        unimplemented!()
    }

    // Messages in the making.
    pub fn stage(&self) -> Result<Staging, StoreError> {
        unimplemented!()
    }

    // Mail acts.
    /// One accepted message: into local mailboxes and into the spool, all or nothing.
    pub async fn deliver(&self, delivery: Delivery) -> Result<Delivered, StoreError> {
        unimplemented!()
    }
    pub async fn append(
        &self,
        mailbox: MailboxId,
        messages: Vec<NewMessage>,
    ) -> Result<Appended, StoreError> {
        unimplemented!()
    }
    /// `unchanged_since`: RFC 7162 §3.1.3; rows with a higher modseq are left alone and reported.
    pub async fn store_flags(
        &self,
        mailbox: MailboxId,
        uids: UidRanges,
        op: FlagOp,
        flags: Flags,
        unchanged_since: Option<ModSeq>,
    ) -> Result<FlagOutcome, StoreError> {
        unimplemented!()
    }
    /// Expunges what has `\Deleted` (within `uids` if given); returns what went and the new modseq.
    pub async fn expunge(
        &self,
        mailbox: MailboxId,
        uids: Option<UidRanges>,
    ) -> Result<(UidRanges, ModSeq), StoreError> {
        unimplemented!()
    }
    pub async fn copy(
        &self,
        from: MailboxId,
        uids: UidRanges,
        to: MailboxId,
    ) -> Result<Copied, StoreError> {
        unimplemented!()
    }
    /// RFC 6851: one act; the source UIDs are expunged whether `\Deleted` or not.
    pub async fn move_messages(
        &self,
        from: MailboxId,
        uids: UidRanges,
        to: MailboxId,
    ) -> Result<Copied, StoreError> {
        unimplemented!()
    }

    // Mailbox acts. Names are UTF-8, `/` between levels, INBOX in upper case.
    /// Makes parents too (each selectable). `NameTaken` if it exists.
    pub async fn create_mailbox(
        &self,
        account: AccountId,
        name: String,
        special_use: Option<SpecialUse>,
    ) -> Result<Mailbox, StoreError> {
        unimplemented!()
    }
    /// `HasChildren` if there are children; INBOX is `Misuse`.
    pub async fn delete_mailbox(&self, account: AccountId, name: String) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Children go with it; renaming INBOX moves its messages (RFC 9051 §6.3.6).
    pub async fn rename_mailbox(
        &self,
        account: AccountId,
        from: String,
        to: String,
    ) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// A subscription may name a mailbox that does not exist.
    pub async fn subscribe(
        &self,
        account: AccountId,
        name: String,
        subscribed: bool,
    ) -> Result<(), StoreError> {
        unimplemented!()
    }

    // Mail reads.
    pub fn mailboxes(&self, account: AccountId) -> Result<Vec<Mailbox>, StoreError> {
        unimplemented!()
    }
    /// Subscribed names, also of mailboxes that are gone.
    pub fn subscriptions(&self, account: AccountId) -> Result<Vec<String>, StoreError> {
        unimplemented!()
    }
    pub fn mailbox_by_name(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<Mailbox>, StoreError> {
        unimplemented!()
    }
    pub fn mailbox(&self, mailbox: MailboxId) -> Result<Option<Mailbox>, StoreError> {
        unimplemented!()
    }
    pub fn uids(&self, mailbox: MailboxId) -> Result<UidRanges, StoreError> {
        unimplemented!()
    }
    /// Rows with `from <= uid <= to`, ascending, at most `limit`.
    pub fn rows(
        &self,
        mailbox: MailboxId,
        from: Uid,
        to: Uid,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        unimplemented!()
    }
    pub fn structure(&self, blob: &BlobHash) -> Result<message::Structure, StoreError> {
        unimplemented!()
    }
    pub fn imap_texts(&self, blob: &BlobHash) -> Result<ImapTexts, StoreError> {
        unimplemented!()
    }
    /// At most [`READ_MAX`] bytes of the message from `offset`; short only at its end.
    pub fn read(&self, blob: &BlobHash, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        unimplemented!()
    }
    /// What happened in a mailbox after `since`.
    pub fn changes(&self, mailbox: MailboxId, since: ModSeq) -> Result<Changes, StoreError> {
        unimplemented!()
    }
    /// Wakes when the mailbox changes; a hint, the value is its highest modseq.
    pub fn watch_mailbox(&self, mailbox: MailboxId) -> watch::Receiver<ModSeq> {
        unimplemented!()
    }
    /// (used bytes, limit bytes) of an account.
    pub fn quota(&self, account: AccountId) -> Result<(u64, Option<u64>), StoreError> {
        unimplemented!()
    }

    // Spool.
    /// Entries with a recipient due at `now`, not on hold, earliest first.
    pub fn queue_due(&self, now: Timestamp, limit: usize) -> Result<Vec<QueueEntry>, StoreError> {
        unimplemented!()
    }
    /// When the next entry that is not on hold falls due.
    pub fn queue_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        unimplemented!()
    }
    /// Records what became of recipients; an entry with none pending leaves the spool. `notices` (bounces,
    /// delay notices) are delivered in the same transaction.
    pub async fn queue_settle(
        &self,
        id: QueueId,
        updates: Vec<RecipientUpdate>,
        notices: Vec<Delivery>,
    ) -> Result<(), StoreError> {
        unimplemented!()
    }
    pub fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, StoreError> {
        unimplemented!()
    }
    pub fn queue_list(&self, after: QueueId, limit: usize) -> Result<Vec<QueueEntry>, StoreError> {
        unimplemented!()
    }
    pub fn queue_len(&self) -> Result<u64, StoreError> {
        unimplemented!()
    }
    /// Makes all pending recipients due now.
    pub async fn queue_retry(&self, id: QueueId) -> Result<bool, StoreError> {
        unimplemented!()
    }
    pub async fn queue_hold(&self, id: QueueId, hold: bool) -> Result<bool, StoreError> {
        unimplemented!()
    }
    pub async fn queue_delete(&self, id: QueueId) -> Result<bool, StoreError> {
        unimplemented!()
    }
    /// Wakes when the spool changed.
    pub fn watch_queue(&self) -> watch::Receiver<u64> {
        unimplemented!()
    }

    // Directory.
    pub async fn create_domain(&self, domain: DomainName) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// `InUse` while accounts or aliases are in it.
    pub async fn delete_domain(&self, domain: DomainName) -> Result<(), StoreError> {
        unimplemented!()
    }
    pub fn domains(&self) -> Result<Vec<Domain>, StoreError> {
        unimplemented!()
    }
    /// With INBOX, Drafts, Sent, Trash, Junk, Archive, all subscribed. `AddressTaken`, `NoSuchDomain`.
    pub async fn create_account(&self, account: NewAccount) -> Result<AccountId, StoreError> {
        unimplemented!()
    }
    pub async fn update_account(
        &self,
        id: AccountId,
        change: AccountChange,
    ) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// The entry is gone at once; its mail stays on disk for the retention time.
    pub async fn delete_account(&self, id: AccountId) -> Result<(), StoreError> {
        unimplemented!()
    }
    pub fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        unimplemented!()
    }
    pub fn accounts(&self, after: AccountId, limit: usize) -> Result<Vec<Account>, StoreError> {
        unimplemented!()
    }
    pub fn accounts_len(&self) -> Result<u64, StoreError> {
        unimplemented!()
    }
    /// The account whose primary address or alias this is (login names).
    pub fn account_by_address(&self, address: &Address) -> Result<Option<Account>, StoreError> {
        unimplemented!()
    }
    pub async fn create_alias(&self, alias: Alias) -> Result<(), StoreError> {
        unimplemented!()
    }
    pub async fn update_alias(&self, alias: Alias) -> Result<(), StoreError> {
        unimplemented!()
    }
    pub async fn delete_alias(&self, address: Address) -> Result<(), StoreError> {
        unimplemented!()
    }
    pub fn aliases(&self) -> Result<Vec<Alias>, StoreError> {
        unimplemented!()
    }
    /// Where mail to an address goes: follows aliases (depth 10), `+detail`, postmaster's fall-back.
    pub fn resolve(&self, address: &Address) -> Result<Resolution, StoreError> {
        unimplemented!()
    }
    /// The stored LDAP entry of an account, domain or alias, by DN.
    pub fn entry(&self, dn: &str) -> Result<Option<Entry>, StoreError> {
        unimplemented!()
    }

    // Settings.
    pub fn settings(&self) -> Arc<Settings> {
        unimplemented!()
    }
    /// Runs `change` on the current settings inside the writer.
    pub async fn update_settings(
        &self,
        change: Box<dyn FnOnce(&mut Settings) + Send>,
    ) -> Result<Arc<Settings>, StoreError> {
        unimplemented!()
    }
    pub fn watch_settings(&self) -> watch::Receiver<Arc<Settings>> {
        unimplemented!()
    }
    pub fn tls_identity(&self) -> Result<Option<TlsIdentity>, StoreError> {
        unimplemented!()
    }
    pub async fn set_tls_identity(&self, identity: TlsIdentity) -> Result<(), StoreError> {
        unimplemented!()
    }
}
