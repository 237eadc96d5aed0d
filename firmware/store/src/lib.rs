//! Every persisted byte of the box: mail, directory, spool, settings.
//!
//! The public face is whole acts ([`Store::deliver`], [`Store::append`], [`Store::store_flags`], …), never
//! get and put. An act that returned `Ok` is durable. Acts go through one writer thread with group
//! commit; reads see the last committed state and may run on any thread.
//!
//! Never here: a protocol's grammar. Who may do what with a mailbox is decided here, in `acl`, and nowhere
//! else.
//!
//! # Map
//! - `store`, `store_mail`, `store_queue`, `store_directory`, `store_entries`, `store_recovery`: the
//!   face; each act is a closure for the writer, each read a snapshot.
//! - `writer`: the thread, groups, what an act sees (`Tx`). `watchers`: who is woken after a commit.
//! - `index`: redb's tables and the two views of them; `codec`: rows by hand; `meta`: counters.
//! - `segment`: the log (`log` writes, `reader` reads contents, `scan` reads groups); `replay`: what is in the
//!   log and not yet in the index, at open; `segment_row`: what of a segment is live; `upgrade`: format 1;
//!   `staging`: messages in the making.
//! - `blob`, `text`: contents by hash, and their IMAP texts.
//! - `mailbox`: rows, names, flag blocks, keywords, change log, usage; create, rename, add, mark,
//!   expunge, copy. `delivering`: DELIVER and APPEND. `queue`: the spool.
//! - `cleanup`: space comes back from segments that are mostly dead. `snapshot`: a state that is held
//!   for a copy.
//! - `recovery`: what was expunged or deleted, until its retention time is over.
//! - `acl`: rights, lists, the names of others' mailboxes (`store_acl` is its face); `annotation`: METADATA.
//! - `credential`: app passwords and second factors (`store_credentials` is their face).
//! - `directory_view`: the directory for reading.
//! - `directory`: entries, DNs, the index of addresses, accounts, domains, aliases, resolution.
//! - `origin`: in whose name an act is done; `mandate`: that and the judge who is asked
//!   inside it; `audit`: the log of acts, `store_audit` its face; `gate`: who may stop one; `webhook`, `store_webhook`: who is told.
//! - `settings`, `mail`, `spool`, `error`: words of the face. `disk`: the trait under everything,
//!   the real disk, folders, lock, space.
//! - `reading`: many messages in a row. `search_index`: signatures of messages, a cache beside the index.
//! - `check`: the walk over everything. `export`: mail out of a store in any state. `repair`:
//!   what can be made right again. `rows_file`: all rows at an earlier time, kept by `cleanup`; `rebuild`:
//!   a lost index made again from them and the log.
//!
//! `FORMAT.md` describes the bytes on disk and what is assumed of the disk.

mod acl;
mod annotation;
mod audit;
mod blob;
mod check;
mod cleanup;
mod codec;
mod credential;
mod delivering;
mod directory;
mod directory_view;
mod disk;
mod error;
mod export;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod index;
mod mail;
mod mailbox;
mod mandate;
mod meta;
mod origin;
mod queue;
mod reading;
mod rebuild;
mod recovery;
mod repair;
mod replay;
mod rows_file;
mod search_index;
mod segment;
mod segment_row;
mod settings;
mod shared_uids;
mod snapshot;
mod spool;
mod staging;
mod store;
mod store_acl;
mod store_audit;
mod store_credentials;
mod store_directory;
mod store_entries;
mod store_mail;
mod store_queue;
mod store_recovery;
mod store_source;
mod store_steps;
mod store_tokens;
mod store_webhook;
mod text;
mod upgrade;
mod watchers;
mod webhook;
mod writer;

pub use acl::{Access, AclOp, Found, NewPlace, OFFICE, Rights};
pub use annotation::{AnnotationChange, AnnotationScope};
pub use audit::{AuditChange, AuditEvent, AuditFilter, AuditPage, AuditRow};
pub use credential::{AppPassword, Credentials, Totp};
pub use directory::account::password_value;
pub use directory::importing::{ImportDone, ImportOptions, ImportRecord, Imported};
pub use directory::{
    Account, AccountChange, AccountPage, AccountQuery, AccountSort, AccountSource, AccountState,
    Alias, Domain, DomainChange, Entry, EntryId, Group, GroupChange, GroupSummary, Members,
    NewAccount, Quota, Resolution, SendAs,
};
pub use directory_view::{
    DirectoryFound, DirectorySearch, DirectoryView, Scope, SearchEnd, SortKey, SortedEntries,
};
pub use disk::{Disk, DiskFile};
pub use error::StoreError;
pub use export::{ExportAccount, ExportFormat, ExportReport};
pub use gate::Gate;
pub use mail::{
    Appended, Changes, CheckReport, Copied, Delivered, Delivery, DropRow, FlagOp, FlagOutcome,
    Flags, ImapTexts, LocalTarget, Mailbox, NewMessage, Row, SpecialUse, Stats, TargetMailbox,
};
pub use mailbox::keywords::KEYWORDS_MAX;
pub use mandate::{DirectoryState, Judge};
pub use origin::{Origin, Via};
pub use queue::is_due;
pub use reading::Reading;
pub use recovery::{
    DeletedAccount, DeletedFilter, DeletedMessage, DeletedPage, DeletedSum, Obstacle,
    RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MAX, Restored,
};
pub use search_index::{SearchIndexState, SearchSignatures};
pub use settings::{Outbound, OwnForwarding, Settings, SmarthostTls, TlsIdentity};
pub use snapshot::Held;
pub use spool::{
    BodyType, Envelope, NewQueueEntry, Notify, QueueEntry, QueueRecipient, RecipientState,
    RecipientUpdate, Ret,
};
pub use staging::{Spill, Staged, Staging};
pub use store::Store;
pub use store_source::{
    FromSource, SourceEntry, SourceKind, SourceOutcome, SourcePreset, SourceSettings, SourceTls,
};
pub use store_steps::Step;
pub use store_tokens::Token;
pub use text::TextsRef;
pub use webhook::{OldSecret, OnFailure, Webhook, WebhookMode, WebhookState};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Most bytes that one [`Store::read`] returns.
pub const READ_MAX: usize = 256 * 1024;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory; made if absent.
    pub dir: PathBuf,
    /// What the store keeps its files on.
    pub disk: Arc<dyn Disk>,
    /// redb's cache, bytes.
    pub cache_bytes: usize,
    /// Largest message, bytes.
    pub message_bytes_max: u64,
    /// What a staged message may hold in memory before it goes to a file, bytes.
    pub message_memory_bytes: usize,
    /// Entries of the spool; one more is `QueueFull`.
    pub queue_entries_max: u64,
    /// Records of one import: some seconds of the writer on a small box.
    pub import_records_max: usize,
    /// How long after an act the index may stay behind the log. The act is durable either way; this is what
    /// a start after a crash replays.
    pub checkpoint_after: Duration,
    /// Free bytes below which the disk counts as full; `None`: 64 MB or 2 % of the disk.
    pub reserve_bytes: Option<u64>,
    /// Mailboxes that are searched get an index.
    pub search_index: bool,
}

impl Options {
    /// The options of a small box, for `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            disk: Arc::new(disk::RealDisk),
            cache_bytes: 32 * 1024 * 1024,
            message_bytes_max: 100 * 1024 * 1024,
            message_memory_bytes: 256 * 1024,
            queue_entries_max: 50_000,
            import_records_max: 20_000,
            checkpoint_after: Duration::from_secs(1),
            reserve_bytes: None,
            search_index: true,
        }
    }
}
