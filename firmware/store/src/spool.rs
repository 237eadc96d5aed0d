//! The words of the spool.

use base::{Address, BlobId, QueueId, Timestamp};
use serde::{Deserialize, Serialize};

/// BODY= of RFC 6152.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyType {
    /// 7BIT.
    #[default]
    SevenBit,
    /// 8BITMIME.
    EightBitMime,
}

/// RET= of RFC 3461.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ret {
    /// The whole message comes back.
    Full,
    /// Its header comes back.
    Headers,
}

/// NOTIFY= of RFC 3461 §4.1. All false: NEVER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// SUCCESS.
    pub success: bool,
    /// FAILURE.
    pub failure: bool,
    /// DELAY.
    pub delay: bool,
}

impl Default for Notify {
    /// What holds without NOTIFY=: failure and delay.
    fn default() -> Self {
        Self { success: false, failure: true, delay: true }
    }
}

/// What MAIL FROM said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// `None` is the null reverse-path `<>`.
    pub reverse_path: Option<Address>,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 6152.
    pub body: BodyType,
    /// RFC 3461.
    pub ret: Option<Ret>,
    /// ENVID, decoded from xtext.
    pub envid: Option<String>,
}

/// What becomes of one recipient in the spool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecipientState {
    /// To be tried at `next_attempt_at`.
    Pending,
    /// The next host took it.
    Delivered,
    /// Given up; a bounce was made where one is due.
    Failed,
}

/// One recipient in the spool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecipient {
    /// Forward-path.
    pub address: Address,
    /// ORCPT as given: `rfc822;…`.
    pub orcpt: Option<String>,
    /// NOTIFY.
    pub notify: Notify,
    /// State.
    pub state: RecipientState,
    /// When it is due.
    pub next_attempt_at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// The last word of the other side, or why we could not ask it: `451 4.3.0 …`.
    pub last_reply: Option<String>,
    /// The host that said it.
    pub last_host: Option<String>,
    /// A delay notice was sent.
    pub delay_notified: bool,
}

/// Recipients for the spool; all become [`RecipientState::Pending`] and due at once.
#[derive(Clone, Debug)]
pub struct NewQueueEntry {
    /// The envelope.
    pub envelope: Envelope,
    /// (address, ORCPT, NOTIFY).
    pub recipients: Vec<(Address, Option<String>, Notify)>,
    /// Bytes at the start of the message that are for local copies only (Return-Path).
    pub skip: u32,
}

/// One envelope with its message in the spool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEntry {
    /// Its id.
    pub id: QueueId,
    /// The envelope.
    pub envelope: Envelope,
    /// The content.
    pub blob: BlobId,
    /// Size of the content, bytes, `skip` included.
    pub size: u64,
    /// Bytes at the start that are not sent.
    pub skip: u32,
    /// When it came.
    pub queued_at: Timestamp,
    /// An admin holds it.
    pub hold: bool,
    /// The recipients, settled ones included.
    pub recipients: Vec<QueueRecipient>,
}

/// What became of one recipient in an attempt.
#[derive(Clone, Debug)]
pub struct RecipientUpdate {
    /// Index in [`QueueEntry::recipients`].
    pub index: usize,
    /// The recipient's new self.
    pub recipient: QueueRecipient,
}
