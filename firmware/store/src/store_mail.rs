//! The face for mail: acts go to the writer, reads to a snapshot.

use std::sync::Arc;

use base::{AccountId, BlobHash, BlobId, MailboxId, ModSeq, Uid, UidRanges};
use tokio::sync::watch;

use crate::directory::account;
use crate::mailbox::copying::{self, Source};
use crate::mailbox::keywords::Keywords;
use crate::mailbox::marking::Marking;
use crate::mailbox::{acts, changes, expunging, maildrop, reads};
use crate::{
    Appended, Changes, Copied, Delivered, Delivery, DropRow, FlagOp, FlagOutcome, Flags, ImapTexts,
    Mailbox, NewMessage, Quota, READ_MAX, Rights, Row, SpecialUse, Store, StoreError, TextsRef,
    blob, delivering, text,
};

/// # Errors
/// Each method says which refusals are its own; all may fail with `Io`, `Index`, `Damaged` or (acts)
/// `Closed`, after which the outcome of the act is unknown.
impl Store {
    /// One accepted message: into local mailboxes and into the spool, all or nothing. `DiskFull`,
    /// `NoSuchAccount`, `QueueFull`, `BadName`. An account that is over its quota still receives: whether
    /// it should was asked at RCPT.
    pub async fn deliver(&self, delivery: Delivery) -> Result<Delivered, StoreError> {
        self.check_space()?;
        let limit = Some(self.inner.options.queue_entries_max);
        self.act(move |tx| delivering::deliver(tx, &delivery, limit)).await
    }

    /// Messages into one mailbox, all or nothing. `NoSuchMailbox`, `OverQuota`, `DiskFull`.
    pub async fn append(
        &self,
        mailbox: MailboxId,
        messages: Vec<NewMessage>,
    ) -> Result<Appended, StoreError> {
        self.check_space()?;
        self.act(move |tx| delivering::append(tx, mailbox, &messages)).await
    }

    /// RFC 8508: `message` goes into `to` and `uid` leaves `from`, in one act. The quota looks at what is
    /// more. `NoSuchMailbox`, `NoSuchMessage`, `OverQuota`, `DiskFull`.
    pub async fn replace(
        &self,
        from: MailboxId,
        uid: Uid,
        to: MailboxId,
        message: NewMessage,
    ) -> Result<Appended, StoreError> {
        self.check_space()?;
        self.act(move |tx| delivering::replace(tx, from, uid, to, &message)).await
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
        let rights = Rights::ALL;
        self.store_flags_within_rights(mailbox, uids, op, flags, unchanged_since, rights).await
    }

    /// As [`Store::store_flags`]; flags that `rights` do not allow to change stay as they are.
    pub async fn store_flags_within_rights(
        &self,
        mailbox: MailboxId,
        uids: UidRanges,
        op: FlagOp,
        flags: Flags,
        unchanged_since: Option<ModSeq>,
        rights: Rights,
    ) -> Result<FlagOutcome, StoreError> {
        let marking = Marking { mailbox, uids, op, flags, unchanged_since, rights };
        self.act(move |tx| marking.apply(tx)).await
    }

    /// Expunges what has `\Deleted` (within `uids` if given); returns what went and the modseq now.
    pub async fn expunge(
        &self,
        mailbox: MailboxId,
        uids: Option<UidRanges>,
    ) -> Result<(UidRanges, ModSeq), StoreError> {
        self.act(move |tx| expunging::expunge(tx, mailbox, uids.as_ref())).await
    }

    /// The end of a POP3 session: `seen` get `\Seen` and `deleted` go, whether they have `\Deleted` or
    /// not; returns what went. `NoSuchMailbox`.
    pub async fn update_maildrop(
        &self,
        mailbox: MailboxId,
        seen: UidRanges,
        deleted: UidRanges,
    ) -> Result<UidRanges, StoreError> {
        self.act(move |tx| maildrop::update(tx, mailbox, &seen, &deleted)).await
    }

    /// New rows that link the same contents. `NoSuchMailbox`, `OverQuota`.
    pub async fn copy(
        &self,
        from: MailboxId,
        uids: UidRanges,
        to: MailboxId,
    ) -> Result<Copied, StoreError> {
        self.act(move |tx| copying::copy(tx, from, &uids, to, Source::Keep, Rights::ALL)).await
    }

    /// RFC 6851: one act; the source UIDs are expunged whether `\Deleted` or not.
    pub async fn move_messages(
        &self,
        from: MailboxId,
        uids: UidRanges,
        to: MailboxId,
    ) -> Result<Copied, StoreError> {
        self.act(move |tx| copying::copy(tx, from, &uids, to, Source::Expunge, Rights::ALL)).await
    }

    /// Makes a mailbox, and parents too (each selectable). Names are UTF-8, `/` between levels, INBOX in
    /// upper case. `NameTaken` if it exists, `Exists` if another one has that special use, `BadName`.
    pub async fn create_mailbox(
        &self,
        account: AccountId,
        name: String,
        special_use: Option<SpecialUse>,
    ) -> Result<Mailbox, StoreError> {
        self.act(move |tx| acts::create(tx, account, account, &name, special_use)).await
    }

    /// `HasChildren` if there are children; INBOX is `Misuse`.
    pub async fn delete_mailbox(&self, account: AccountId, name: String) -> Result<(), StoreError> {
        self.act(move |tx| acts::delete(tx, account, &name)).await
    }

    /// Children go with it; renaming INBOX moves its messages (RFC 9051 §6.3.6). Subscriptions stay as
    /// they are.
    pub async fn rename_mailbox(
        &self,
        account: AccountId,
        from: String,
        to: String,
    ) -> Result<(), StoreError> {
        self.act(move |tx| acts::rename(tx, account, &from, &to)).await
    }

    /// A subscription may name a mailbox that does not exist.
    pub async fn subscribe(
        &self,
        account: AccountId,
        name: String,
        subscribed: bool,
    ) -> Result<(), StoreError> {
        self.act(move |tx| acts::subscribe(tx, account, &name, subscribed)).await
    }

    /// The mailboxes of an account, by name.
    pub fn mailboxes(&self, account: AccountId) -> Result<Vec<Mailbox>, StoreError> {
        reads::mailboxes(&self.snapshot()?, account)
    }

    /// Subscribed names, also of mailboxes that are gone.
    pub fn subscriptions(&self, account: AccountId) -> Result<Vec<String>, StoreError> {
        reads::subscriptions(&self.snapshot()?, account)
    }

    /// A mailbox by its name.
    pub fn mailbox_by_name(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<Mailbox>, StoreError> {
        reads::by_name(&self.snapshot()?, account, name)
    }

    /// A mailbox by its id.
    pub fn mailbox(&self, mailbox: MailboxId) -> Result<Option<Mailbox>, StoreError> {
        reads::mailbox(&self.snapshot()?, mailbox)
    }

    /// All UIDs of a mailbox.
    pub fn uids(&self, mailbox: MailboxId) -> Result<UidRanges, StoreError> {
        reads::uids(&self.snapshot()?, mailbox)
    }

    /// The set of UIDs that a session has of a mailbox at `modseq`: one for all that have the same.
    #[must_use]
    pub fn share_uids(
        &self,
        mailbox: MailboxId,
        modseq: ModSeq,
        uids: Arc<UidRanges>,
    ) -> Arc<UidRanges> {
        self.inner.shared_uids.share(mailbox, modseq, uids)
    }

    /// The keywords of a mailbox, as they were first written.
    pub fn keywords(&self, mailbox: MailboxId) -> Result<Vec<String>, StoreError> {
        Ok(Keywords::load(&self.snapshot()?, mailbox)?.into_names())
    }

    /// The first message without `\Seen`. Looks through the flags of the mailbox up to it.
    pub fn first_unseen(&self, mailbox: MailboxId) -> Result<Option<Uid>, StoreError> {
        reads::first_unseen(&self.snapshot()?, mailbox)
    }

    /// Rows with `from <= uid <= to`, ascending, at most `limit`.
    pub fn rows(
        &self,
        mailbox: MailboxId,
        from: Uid,
        to: Uid,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        reads::rows(&self.snapshot()?, mailbox, from, to, limit)
    }

    /// As [`Store::rows`], as POP3 lists them.
    pub fn drop_rows(
        &self,
        mailbox: MailboxId,
        from: Uid,
        to: Uid,
        limit: usize,
    ) -> Result<Vec<DropRow>, StoreError> {
        maildrop::rows(&self.snapshot()?, mailbox, from, to, limit)
    }

    /// Visits rows with `from <= uid <= to`, ascending, each with its texts, all of one snapshot; `visit`
    /// says whether to go on. One walk over neighbouring rows: far cheaper than [`Store::rows`] and
    /// [`Store::imap_texts`] for each, and nothing is copied. Keep it short: the snapshot holds back
    /// space in the index while it lives.
    pub fn walk_texts(
        &self,
        mailbox: MailboxId,
        from: Uid,
        to: Uid,
        visit: &mut dyn FnMut(Row, TextsRef<'_>) -> bool,
    ) -> Result<(), StoreError> {
        reads::walk_texts(&self.snapshot()?, mailbox, from, to, visit)
    }

    /// Visits UID, flags and modseq of messages with `from <= uid <= to`, ascending, of one snapshot; `visit`
    /// says whether to go on. Keep it short, as [`Store::walk_texts`].
    pub fn walk_flags(
        &self,
        mailbox: MailboxId,
        from: Uid,
        to: Uid,
        visit: &mut dyn FnMut(Uid, &Flags, ModSeq) -> bool,
    ) -> Result<(), StoreError> {
        reads::walk_flags(&self.snapshot()?, mailbox, from, to, visit)
    }

    /// The MIME structure of a content.
    pub fn structure(&self, blob: &BlobId) -> Result<message::Structure, StoreError> {
        text::structure(&self.snapshot()?, *blob)
    }

    /// ENVELOPE, BODY and BODYSTRUCTURE of a content.
    pub fn imap_texts(&self, blob: &BlobId) -> Result<ImapTexts, StoreError> {
        text::imap_texts(&self.snapshot()?, *blob)
    }

    /// BLAKE3 of a content: the same in every mailbox and on every box (EMAILID, export).
    pub fn hash(&self, blob: &BlobId) -> Result<BlobHash, StoreError> {
        Ok(blob::linked(&self.snapshot()?, *blob)?.hash)
    }

    /// At most [`READ_MAX`] bytes of the message from `offset`; short only at its end.
    pub fn read(&self, blob: &BlobId, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let place = blob::linked(&self.snapshot()?, *blob)?.place;
        match self.inner.segments.read(&place, offset, len.min(READ_MAX)) {
            Err(StoreError::Damaged(what)) => {
                // The clean-up may have moved it since it was looked up.
                let now = blob::linked(&self.snapshot()?, *blob)?.place;
                if now == place {
                    return Err(StoreError::Damaged(what));
                }
                self.inner.segments.read(&now, offset, len.min(READ_MAX))
            }
            read => read,
        }
    }

    /// What happened in a mailbox after `since`. Where the change log (65,536 changes) does not reach back
    /// so far, `added` holds every message with a higher modseq, old ones too, and `expunged` every UID
    /// below UIDNEXT that is not there.
    pub fn changes(&self, mailbox: MailboxId, since: ModSeq) -> Result<Changes, StoreError> {
        changes::since(&self.snapshot()?, mailbox, since)
    }

    /// Wakes when the mailbox changes or is deleted; a hint, the value is its highest modseq. Watch first
    /// and read then: what was committed before is in the read, what comes later wakes.
    #[must_use]
    pub fn watch_mailbox(&self, mailbox: MailboxId) -> watch::Receiver<ModSeq> {
        let now = self.mailbox(mailbox).ok().flatten().map(|m| m.highest_modseq);
        self.inner.watchers.mailbox(mailbox, now.unwrap_or_default())
    }

    /// What an account uses and may use. `NoSuchAccount`.
    pub fn quota(&self, account: AccountId) -> Result<Quota, StoreError> {
        account::quota(&self.snapshot()?, &self.settings(), account)
    }
}
