//! The words of mail acts.

use base::{AccountId, BlobId, MailboxId, ModSeq, QueueId, Timestamp, Uid, UidRanges, UidValidity};

use crate::spool::NewQueueEntry;
use crate::staging::Staged;

/// Which mailbox of an account a delivery goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetMailbox {
    /// INBOX.
    Inbox,
    /// The mailbox with this special use, or INBOX where there is none.
    Special(SpecialUse),
    /// By name; made if absent.
    Named(String),
}

/// One local recipient.
#[derive(Clone, Debug)]
pub struct LocalTarget {
    /// Whose mailbox.
    pub account: AccountId,
    /// Which mailbox.
    pub mailbox: TargetMailbox,
    /// Flags it arrives with.
    pub flags: Flags,
}

/// One accepted message and where it goes.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message with our Return-Path and Received fields on top.
    pub message: Staged,
    /// Local mailboxes; an account stands at most once.
    pub local: Vec<LocalTarget>,
    /// Recipients that go to the spool.
    pub remote: Option<NewQueueEntry>,
}

/// What became of a delivery.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// The content; `None` if the delivery went nowhere.
    pub blob: Option<BlobId>,
    /// Where copies are.
    pub local: Vec<(AccountId, MailboxId, Uid)>,
    /// The spool's entry.
    pub queue: Option<QueueId>,
}

/// A message for [`crate::Store::append`].
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The bytes.
    pub message: Staged,
    /// Flags.
    pub flags: Flags,
    /// INTERNALDATE.
    pub internal_date: Timestamp,
    /// The zone in which that time was given, minutes east of UTC.
    pub zone_minutes: i16,
}

/// What an append gave.
#[derive(Clone, Debug)]
pub struct Appended {
    /// UIDVALIDITY of the mailbox.
    pub uid_validity: UidValidity,
    /// The new UIDs, in the order of the messages.
    pub uids: Vec<Uid>,
}

/// What a copy or move gave; `source[n]` became `target[n]`.
#[derive(Clone, Debug)]
pub struct Copied {
    /// UIDVALIDITY of the target.
    pub uid_validity: UidValidity,
    /// UIDs in the source, ascending.
    pub source: Vec<Uid>,
    /// UIDs in the target, ascending.
    pub target: Vec<Uid>,
}

/// How flags change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagOp {
    /// FLAGS.
    Replace,
    /// +FLAGS.
    Add,
    /// -FLAGS.
    Remove,
}

/// What a flag change gave.
#[derive(Clone, Debug, Default)]
pub struct FlagOutcome {
    /// All messages that were addressed and exist, with their flags and modseq now.
    pub rows: Vec<(Uid, Flags, ModSeq)>,
    /// Left alone because of `unchanged_since`.
    pub modified: UidRanges,
    /// HIGHESTMODSEQ before the act: who knows the mailbox up to there knows all but the act.
    pub before: ModSeq,
    /// HIGHESTMODSEQ behind it.
    pub modseq: ModSeq,
}

/// System flags as bits and keywords, sorted, without duplicates, at most 64 of 128 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Bits [`Flags::SEEN`] and so on.
    pub system: u8,
    /// Keywords as first written, sorted without regard to case.
    pub keywords: Vec<String>,
}

impl Flags {
    /// `\Seen`
    pub const SEEN: u8 = 1;
    /// `\Answered`
    pub const ANSWERED: u8 = 2;
    /// `\Flagged`
    pub const FLAGGED: u8 = 4;
    /// `\Deleted`
    pub const DELETED: u8 = 8;
    /// `\Draft`
    pub const DRAFT: u8 = 16;
    /// All bits that mean something.
    pub(crate) const ALL: u8 = 31;
}

/// RFC 6154.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialUse {
    /// `\Drafts`
    Drafts,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
    /// `\Junk`
    Junk,
    /// `\Archive`
    Archive,
}

/// A mailbox as it stands.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// Its id.
    pub id: MailboxId,
    /// Its owner.
    pub account: AccountId,
    /// UTF-8, `/` between levels.
    pub name: String,
    /// RFC 6154.
    pub special_use: Option<SpecialUse>,
    /// In LSUB.
    pub subscribed: bool,
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDNEXT.
    pub uid_next: Uid,
    /// HIGHESTMODSEQ.
    pub highest_modseq: ModSeq,
    /// Messages.
    pub exists: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Sum of the messages' sizes.
    pub bytes: u64,
}

/// A message in a mailbox.
#[derive(Clone, Debug)]
pub struct Row {
    /// UID.
    pub uid: Uid,
    /// Flags.
    pub flags: Flags,
    /// MODSEQ.
    pub modseq: ModSeq,
    /// RFC822.SIZE.
    pub size: u64,
    /// INTERNALDATE.
    pub internal_date: Timestamp,
    /// The zone in which that time was given, minutes east of UTC.
    pub zone_minutes: i16,
    /// SAVEDATE, where it is known (RFC 8514).
    pub saved: Option<Timestamp>,
    /// The content.
    pub blob: BlobId,
}

/// A message as POP3 lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropRow {
    /// UID.
    pub uid: Uid,
    /// Octets of its lines with CRLF, as [`message::LineOctets`] counts them.
    pub octets: u64,
    /// Bytes as stored.
    pub size: u64,
    /// The content.
    pub blob: BlobId,
}

/// Texts ready to stand in a FETCH response.
#[derive(Clone, Debug)]
pub struct ImapTexts {
    /// ENVELOPE.
    pub envelope: Vec<u8>,
    /// BODY.
    pub body: Vec<u8>,
    /// BODYSTRUCTURE.
    pub bodystructure: Vec<u8>,
}

/// What happened in a mailbox after a modseq.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// HIGHESTMODSEQ now.
    pub highest_modseq: ModSeq,
    /// UIDs that are new since.
    pub added: UidRanges,
    /// Messages (old and new) whose flags changed since, ascending.
    pub flags: Vec<(Uid, Flags, ModSeq)>,
    /// UIDs that went since.
    pub expunged: UidRanges,
    /// The change log does not reach back so far: `added` and `expunged` are right, but not sharp.
    pub is_beyond_log: bool,
}

/// What a walk over the store found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Findings in words; empty when all is well.
    pub problems: Vec<String>,
    /// Messages seen.
    pub messages: u64,
    /// Messages seen that were expunged and can be restored.
    pub deleted_messages: u64,
    /// Blobs seen.
    pub blobs: u64,
    /// Mailboxes seen.
    pub mailboxes: u64,
    /// Spool entries seen.
    pub queue_entries: u64,
}

/// Figures for the status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages in all mailboxes.
    pub messages: u64,
    /// Contents stored, linked or not.
    pub blobs: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// Entries in the spool.
    pub queue_entries: u64,
    /// Bytes of the segment files.
    pub segment_bytes: u64,
    /// Bytes of the index file.
    pub index_bytes: u64,
}
