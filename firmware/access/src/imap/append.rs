//! APPEND and REPLACE. RFC 9051 §6.3.12, RFC 3502 (MULTIAPPEND), RFC 4315 (APPENDUID), RFC 7889
//! (APPENDLIMIT), RFC 3516 §4.4 (BINARY), RFC 8508 (REPLACE).
//!
//! Whatever can be refused is refused before the client is asked for a message: no mailbox, too large,
//! over quota, disk full. Messages go to the store piece by piece, never whole into memory, and come in
//! all together or not at all.

use base::{Timestamp, Uid};
use session::{Line, Transit};
use store::{Flags, Found, Mailbox, NewMessage, Rights, Spill, Staging, StoreError};

use super::parse::{
    self, AppendGrammar, AppendHead, AppendKind, AppendPiece, Bad, InternalDate, LiteralMark,
    literal_mark,
};
use super::receive::PendingAppend;
use super::reply::{Answer, Fail, Outcome, no, try_create};
use super::rights::allowed_flags;
use super::session::Session;

/// What may stand between two literals, and in a URL that is one.
const TEXT_MAX: usize = 8 * 1024;
/// Messages of one command.
const MESSAGES_MAX: usize = 1_000;
/// How many of the largest message a command may bring in all.
pub(super) const COMMAND_FACTOR: u64 = 10;
/// Packed bytes that the messages of a command may hold in memory; what comes then goes to a file.
const MEMORY_MAX: u64 = 1024 * 1024;
/// Bytes that they may hold in memory with their texts and structures; then no more begins.
const HELD_MAX: u64 = 4 * 1024 * 1024;

/// Where messages go, and what goes for them.
struct Target {
    mailbox: Mailbox,
    rights: Rights,
    /// REPLACE: the message that goes, and its size.
    replaced: Option<(base::MailboxId, Uid, u64)>,
}

/// A message that is being put together.
pub(super) struct Draft {
    flags: Flags,
    internal_date: Option<InternalDate>,
    pub(super) staging: Staging,
}

/// A command that is being read.
pub(super) struct Appending {
    grammar: AppendGrammar,
    text: Vec<u8>,
    /// The literal that stands behind `text` and was not taken yet.
    mark: Option<LiteralMark>,
    messages: Vec<NewMessage>,
    draft: Option<Draft>,
    /// Bytes of all messages so far.
    bytes: u64,
    /// Of these, what is in memory: packed bytes, and all that is held.
    packed: u64,
    held: u64,
    /// Where what is not in memory lies.
    spill: Spill,
    _transit: Transit,
}

impl Appending {
    pub(super) fn draft(&mut self) -> Result<&mut Draft, Fail> {
        self.draft.as_mut().ok_or_else(|| no("[SERVERBUG] Internal error"))
    }
}

impl Session {
    /// Runs APPEND or REPLACE and answers it.
    pub(super) async fn obey_append(&mut self, append: PendingAppend) -> Result<(), Fail> {
        let PendingAppend { head, text, mark } = append;
        let begun = match self.conn.ctx().admission.begin_message(self.conn.peer()) {
            Some(transit) => Ok(transit),
            None => Err(Fail::Store(StoreError::QueueFull)),
        };
        let (outcome, left) = match begun {
            Ok(_transit) => {
                let mut appending = Appending {
                    grammar: AppendGrammar::new(),
                    text,
                    mark,
                    messages: Vec::new(),
                    draft: None,
                    bytes: 0,
                    packed: 0,
                    held: 0,
                    spill: Spill::default(),
                    _transit,
                };
                let outcome = self.append(&head, &mut appending).await;
                (outcome, appending.mark)
            }
            Err(fail) => (Err(fail), mark),
        };
        match (outcome, left) {
            (Err(fail @ (Fail::Answer(_) | Fail::Store(_))), Some(mark)) => {
                self.refuse_append(&head.tag, mark, fail).await
            }
            (outcome, _) => self.conclude(&head.tag, outcome, true).await,
        }
    }

    /// Answers a refused command. The answer comes first where the message cannot be read away.
    async fn refuse_append(
        &mut self,
        tag: &str,
        mark: LiteralMark,
        fail: Fail,
    ) -> Result<(), Fail> {
        if self.is_discardable(mark) {
            self.discard(mark).await?;
            return self.conclude(tag, Err(fail), true).await;
        }
        self.conclude(tag, Err(fail), true).await?;
        Err(Fail::Bye("The message is too large"))
    }

    async fn append(&mut self, head: &AppendHead, appending: &mut Appending) -> Outcome {
        let target = self.target(head)?;
        self.gather(&target, appending).await?;
        let messages = std::mem::take(&mut appending.messages);
        self.bring(&target, messages).await
    }

    /// The mailbox, and for REPLACE the message that goes (RFC 8508 §3.4).
    fn target(&mut self, head: &AppendHead) -> Result<Target, Fail> {
        self.account()?;
        let replaced = match &head.kind {
            AppendKind::Append => None,
            AppendKind::Replace(set, numbers) => {
                // RFC 8508 §3.5: what APPEND, STORE +FLAGS (\Deleted) and EXPUNGE need.
                self.needs(Rights::MARK_DELETED.and(Rights::EXPUNGE))?;
                let store = self.store();
                let selected = self.writable()?;
                let uids = selected.view.resolve(set, *numbers)?;
                let row = match uids.first() {
                    Some(uid) => store.rows(selected.mailbox, uid, uid, 1)?.pop(),
                    None => None,
                };
                let row = row.ok_or_else(|| no("[NONEXISTENT] There is no such message"))?;
                Some((selected.mailbox, row.uid, row.size))
            }
        };
        let Found { mailbox, rights, .. } = self.open_target(&head.mailbox)?;
        Ok(Target { mailbox, rights, replaced })
    }

    /// Refuses `more` bytes that cannot be taken, before they come. RFC 9208 §4.3.2, RFC 7889.
    fn may_take(&self, target: &Target, appending: &Appending, more: u64) -> Result<(), Fail> {
        let max = self.conn.ctx().budget.message_bytes_max;
        let of_message = appending.draft.as_ref().map_or(0, |draft| draft.staging.size());
        if more > max || of_message.saturating_add(more) > max {
            return Err(StoreError::TooLarge.into());
        }
        let total = appending.bytes.saturating_add(of_message).saturating_add(more);
        // A short command of URLs can name very much, and all of it waits on the disk.
        if total > max.saturating_mul(COMMAND_FACTOR) {
            return Err(no("[LIMIT] Too much for one command"));
        }
        if self.store().disk_is_low() {
            return Err(StoreError::DiskFull.into());
        }
        let freed = match target.replaced {
            Some((mailbox, _, size)) if self.is_of(mailbox, target) => size,
            _ => 0,
        };
        let messages = appending.messages.len() as u64 + 1 - u64::from(freed > 0);
        let quota = self.store().quota(target.mailbox.account)?;
        if quota.has_room(messages, total.saturating_sub(freed)) {
            Ok(())
        } else {
            Err(StoreError::OverQuota.into())
        }
    }

    /// True if a mailbox belongs to the account that gets the message.
    fn is_of(&self, mailbox: base::MailboxId, target: &Target) -> bool {
        let owner = self.store().mailbox(mailbox).ok().flatten().map(|mailbox| mailbox.account);
        owner == Some(target.mailbox.account)
    }

    /// Reads all messages of the command into the store's stagings.
    async fn gather(&mut self, target: &Target, appending: &mut Appending) -> Result<(), Fail> {
        loop {
            let has_literal = appending.mark.is_some();
            match appending.grammar.next(&mut appending.text, has_literal)? {
                AppendPiece::Begin { flags, internal_date } => {
                    self.begin_draft(target, appending, &flags, internal_date)?;
                }
                AppendPiece::Literal { is_utf8 } => {
                    if is_utf8 && !self.enabled.utf8 {
                        return Err(Bad("UTF8 needs ENABLE UTF8=ACCEPT").into());
                    }
                    self.take_literal(target, appending).await?;
                }
                AppendPiece::Url(url) => self.take_url(target, appending, &url).await?,
                AppendPiece::UrlLiteral => {
                    let url = self.url_literal(appending).await?;
                    self.take_url(target, appending, &url).await?;
                }
                AppendPiece::End => end_draft(appending, self.conn.ctx().clock.now())?,
                AppendPiece::Done => return Ok(()),
            }
        }
    }

    fn begin_draft(
        &self,
        target: &Target,
        appending: &mut Appending,
        flags: &Flags,
        internal_date: Option<InternalDate>,
    ) -> Result<(), Fail> {
        if appending.messages.len() == MESSAGES_MAX || appending.held > HELD_MAX {
            return Err(no("[LIMIT] Too many messages for one command"));
        }
        // RFC 8508 §4.7: one message takes the place of one.
        if target.replaced.is_some() && !appending.messages.is_empty() {
            return Err(Bad("REPLACE takes one message").into());
        }
        // RFC 4314 §4: only flags that may be set there.
        let flags = allowed_flags(flags, target.rights);
        let room = usize::try_from(MEMORY_MAX.saturating_sub(appending.packed)).unwrap_or_default();
        let staging = self.store().stage_among(std::mem::take(&mut appending.spill), room)?;
        appending.draft = Some(Draft { flags, internal_date, staging });
        Ok(())
    }

    /// Takes the literal behind the text into the message, and reads the text behind it.
    async fn take_literal(
        &mut self,
        target: &Target,
        appending: &mut Appending,
    ) -> Result<(), Fail> {
        let Some(mark) = appending.mark else { return Err(Bad("a literal is missing").into()) };
        // RFC 3502 §3: an empty message takes the command back.
        if mark.size == 0 {
            return Err(no("The message is empty"));
        }
        self.may_take(target, appending, mark.size)?;
        appending.mark = None;
        self.invite(mark).await?;
        let written = self.stage(mark.size, &mut appending.draft()?.staging).await?;
        self.read_text(appending).await?;
        Ok(written?)
    }

    /// Reads bytes into the store. The outer error ends the session; after an inner one the bytes are
    /// read all the same, so that the next command is found.
    async fn stage(
        &mut self,
        size: u64,
        staging: &mut Staging,
    ) -> Result<Result<(), StoreError>, Fail> {
        let mut left = size;
        let mut outcome = Ok(());
        while left > 0 {
            let piece = self.conn.fill().await?;
            if piece.is_empty() {
                return Err(Fail::End);
            }
            let taken = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
            if outcome.is_ok() {
                outcome = staging.write(piece.get(..taken).unwrap_or_default());
            }
            self.conn.consume(taken);
            left -= taken as u64;
        }
        Ok(outcome)
    }

    /// Reads the text up to the next literal or the end of the command.
    async fn read_text(&mut self, appending: &mut Appending) -> Result<(), Fail> {
        match self.conn.read_line(TEXT_MAX).await? {
            Line::Full(mut line) => {
                appending.mark = literal_mark(&line);
                let end = match appending.mark {
                    Some(mark) => mark.at,
                    None => line.trim_ascii_end().len(),
                };
                line.truncate(end);
                appending.text = line;
                Ok(())
            }
            // What the rest of the line announces is unknown: there is no way back into the protocol.
            Line::TooLong => Err(Fail::Bye("The text between two messages is too long")),
            Line::Eof => Err(Fail::End),
        }
    }

    /// A URL that comes as a literal.
    async fn url_literal(&mut self, appending: &mut Appending) -> Result<Vec<u8>, Fail> {
        let Some(mark) = appending.mark else { return Err(Bad("a literal is missing").into()) };
        let size = usize::try_from(mark.size).ok().filter(|size| *size <= TEXT_MAX);
        let Some(size) = size else { return Err(no("[TOOBIG] The URL is too long")) };
        appending.mark = None;
        self.invite(mark).await?;
        let mut url = Vec::new();
        self.read_literal(size, &mut url).await?;
        self.read_text(appending).await?;
        Ok(url)
    }

    /// CATENATE: bytes of a message that is there already.
    async fn take_url(
        &mut self,
        target: &Target,
        appending: &mut Appending,
        url: &[u8],
    ) -> Result<(), Fail> {
        // Thousands of URLs stand in one line.
        tokio::task::yield_now().await;
        let source = parse::message_url(url).ok().map(|url| self.open_url(&url));
        let source = match source {
            Some(Ok(Some(source))) => source,
            Some(Err(err)) => return Err(err),
            Some(Ok(None)) | None => return Err(super::catenate::bad_url(url)),
        };
        self.may_take(target, appending, source.len())?;
        self.copy_source(&source, appending.draft()?).await
    }

    async fn bring(&mut self, target: &Target, messages: Vec<NewMessage>) -> Outcome {
        let mailbox = &target.mailbox;
        let appended = match (target.replaced, messages) {
            (Some((from, uid, _)), mut messages) => {
                let Some(message) = messages.pop() else { return Err(Bad("no message").into()) };
                self.store().replace(from, uid, mailbox.id, message).await
            }
            (None, messages) => self.store().append(mailbox.id, messages).await,
        };
        let appended = match appended {
            Err(StoreError::NoSuchMailbox) => return Err(try_create()),
            Err(StoreError::NoSuchMessage) => {
                return Err(no("[NONEXISTENT] There is no such message"));
            }
            appended => appended?,
        };
        if self.selected.as_ref().is_some_and(|selected| selected.mailbox == mailbox.id) {
            self.note_own_change();
        }
        let uids: base::UidRanges = appended.uids.iter().copied().collect();
        tracing::debug!(
            session = self.conn.session(),
            account = %mailbox.account,
            mailbox = %mailbox.id,
            uid = %uids,
            "appended"
        );
        let code = format!("[APPENDUID {} {uids}]", appended.uid_validity);
        if target.replaced.is_some() {
            // RFC 8508 §4.3: APPENDUID goes before the EXPUNGE.
            self.say(format_args!("OK {code} Replacement ready"));
            return Ok(Answer::Expunged("REPLACE completed"));
        }
        Ok(Answer::Ok(format!("{code} APPEND completed").into()))
    }
}

fn end_draft(appending: &mut Appending, now: Timestamp) -> Result<(), Fail> {
    let Some(draft) = appending.draft.take() else { return Ok(()) };
    appending.bytes = appending.bytes.saturating_add(draft.staging.size());
    if draft.staging.size() == 0 {
        return Err(no("The message is empty"));
    }
    let date = draft.internal_date.unwrap_or(InternalDate { at: now, zone_minutes: 0 });
    let (message, spill) = draft.staging.finish_among()?;
    appending.spill = spill;
    appending.packed += message.memory_bytes();
    appending.held += message.held_bytes();
    appending.messages.push(NewMessage {
        message,
        flags: draft.flags,
        internal_date: date.at,
        zone_minutes: date.zone_minutes,
    });
    Ok(())
}
