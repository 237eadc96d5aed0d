//! APPEND. RFC 9051 §6.3.12, RFC 4315 (APPENDUID), RFC 7889 (APPENDLIMIT).
//!
//! Whatever can be refused is refused before the client is asked for the message: no mailbox, too large,
//! over quota, disk full. The message goes to the store piece by piece, never whole into memory.

use base::AccountId;
use session::Line;
use store::{Mailbox, NewMessage, Staged, StoreError};

use super::names;
use super::parse::LiteralMark;
use super::receive::PendingAppend;
use super::reply::{Answer, Fail, Outcome, bad_name, no, of_store, try_create};
use super::session::Session;

/// What may stand behind the message: the end of the command.
const TAIL_MAX: usize = 8 * 1024;

impl Session {
    /// Runs APPEND and answers it.
    pub(super) async fn obey_append(&mut self, append: PendingAppend) -> Result<(), Fail> {
        let PendingAppend { head, mark } = append;
        let outcome = match self.may_append(&head.mailbox, mark) {
            Ok(mailbox) => self.take_and_append(&head, mailbox, mark).await,
            Err(fail) => return self.refuse_append(&head.tag, mark, fail).await,
        };
        self.conclude(&head.tag, outcome, true).await
    }

    /// Answers a refused APPEND. The answer comes first where the message cannot be read away.
    async fn refuse_append(
        &mut self,
        tag: &str,
        mark: LiteralMark,
        fail: Fail,
    ) -> Result<(), Fail> {
        let answer = match fail {
            Fail::Answer(answer) => answer,
            Fail::Store(err) => of_store(self.conn.session(), &err),
            fail => return Err(fail),
        };
        if !self.is_discardable(mark) {
            self.answer(tag, &answer)?;
            return Err(Fail::Bye("The message is too large"));
        }
        self.discard(mark).await?;
        self.conclude(tag, Ok(answer), true).await
    }

    /// The mailbox, if a message of that size may go there.
    fn may_append(&self, mailbox: &[u8], mark: LiteralMark) -> Result<Mailbox, Fail> {
        let store = self.store();
        let account = self.account()?;
        let name = names::decode(mailbox).ok_or_else(bad_name)?;
        let mailbox = store.mailbox_by_name(account, &name)?.ok_or_else(try_create)?;
        if mark.size > self.conn.ctx().budget.message_bytes_max {
            return Err(StoreError::TooLarge.into());
        }
        if mark.size == 0 {
            return Err(no("The message is empty"));
        }
        self.has_room(account, mark.size)?;
        if store.disk_is_low() {
            return Err(StoreError::DiskFull.into());
        }
        Ok(mailbox)
    }

    /// RFC 9208 §4.3.2: the quota is checked before the message is asked for.
    fn has_room(&self, account: AccountId, size: u64) -> Result<(), Fail> {
        match self.store().quota(account)? {
            (used, Some(limit)) if used.saturating_add(size) > limit => {
                Err(StoreError::OverQuota.into())
            }
            _ => Ok(()),
        }
    }

    async fn take_and_append(
        &mut self,
        head: &super::parse::AppendHead,
        mailbox: Mailbox,
        mark: LiteralMark,
    ) -> Outcome {
        self.invite(mark).await?;
        let staged = self.stage(mark.size).await?;
        // RFC 9051 §9: CRLF ends the command; a second message (MULTIAPPEND) is not offered.
        match self.conn.read_line(TAIL_MAX).await? {
            Line::Full(line) if matches!(line.as_slice(), b"\r\n" | b"\n") => {}
            Line::Full(line) => {
                if let Some(mark) = super::parse::literal_mark(&line) {
                    self.discard(mark).await?;
                }
                return Ok(Answer::Bad("unexpected text behind the message".into()));
            }
            Line::TooLong => return Ok(Answer::Bad("unexpected text behind the message".into())),
            Line::Eof => return Err(Fail::End),
        }
        let message = NewMessage {
            message: staged?,
            flags: head.flags.clone(),
            internal_date: head.internal_date.unwrap_or_else(|| self.conn.ctx().clock.now()),
        };
        let appended = match self.store().append(mailbox.id, vec![message]).await {
            Err(StoreError::NoSuchMailbox) => return Err(try_create()),
            appended => appended?,
        };
        let uids: base::UidRanges = appended.uids.iter().copied().collect();
        tracing::debug!(
            session = self.conn.session(),
            account = %mailbox.account,
            mailbox = %mailbox.id,
            uid = %uids,
            "appended"
        );
        Ok(Answer::Ok(
            format!("[APPENDUID {} {uids}] APPEND completed", appended.uid_validity).into(),
        ))
    }

    /// Reads the message into the store. The outer error ends the session; after an inner one the bytes
    /// are read all the same, so that the next command is found.
    async fn stage(&mut self, size: u64) -> Result<Result<Staged, StoreError>, Fail> {
        let mut left = size;
        let transit = self.conn.ctx().admission.begin_message(self.conn.peer());
        let mut staging = match &transit {
            Some(_) => self.store().stage(),
            None => Err(StoreError::QueueFull),
        };
        while left > 0 {
            let piece = self.conn.fill().await?;
            if piece.is_empty() {
                return Err(Fail::End);
            }
            let taken = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
            let written = match &mut staging {
                Ok(staging) => staging.write(piece.get(..taken).unwrap_or_default()),
                Err(_) => Ok(()),
            };
            if let Err(err) = written {
                staging = Err(err);
            }
            self.conn.consume(taken);
            left -= taken as u64;
        }
        Ok(staging.and_then(store::Staging::finish))
    }
}
