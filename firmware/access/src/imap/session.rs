//! One IMAP session: the state of RFC 9051 §3, the turn of command and answer, and the news that go
//! before an answer.
//!
//! Memory: between commands a session holds its connection, an id and the ranges of its view. Whatever
//! a command needs lives in a boxed future that ends with the command.

use std::borrow::Cow;
use std::time::Duration;

use base::{AccountId, MailboxId, ModSeq, Uid};
use session::{Conn, ConnError, Refusal};
use store::{Flags, Rights, Store, StoreError};

use super::enable::Enabled;
use super::listening::Listening;
use super::parse::{Command, Numbers, Tagged};
use super::receive::Received;
use super::reply::{Answer, Fail, Outcome, ok};
use super::view::{News, View};
use super::{capability, emit, reply};

/// RFC 9051 §5.4: at least 30 minutes.
const AUTOLOGOUT: Duration = Duration::from_secs(31 * 60);
/// Bad commands and wrong logins before the login.
const BAD_BEFORE_LOGIN_MAX: u32 = 10;
/// Bad commands in a row after it.
const BAD_IN_A_ROW_MAX: u32 = 100;
/// Bytes that may wait to be sent before a flush.
pub(super) const FLUSH_AT: usize = 16 * 1024;

/// The selected mailbox.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) mailbox: MailboxId,
    pub(super) view: View,
    /// EXAMINE, or no right to change anything.
    pub(super) is_read_only: bool,
    /// Another account's.
    pub(super) is_foreign: bool,
    /// As the client knows them.
    pub(super) rights: Rights,
    /// Flag changes of the current command that the client has heard of, ascending by UID.
    pub(super) told: Vec<(Uid, ModSeq)>,
    /// Of the keywords that FLAGS named last.
    pub(super) keywords: u64,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) conn: Conn,
    pub(super) account: Option<AccountId>,
    pub(super) selected: Option<Box<Selected>>,
    /// RFC 7162 §3.1: answers carry MODSEQ from the first command that asks for it.
    pub(super) is_condstore: bool,
    /// The client knows how far its knowledge of the mailbox reaches: HIGHESTMODSEQ was told.
    pub(super) knows_modseq: bool,
    /// What ENABLE turned on.
    pub(super) enabled: Enabled,
    /// News from beyond the selected mailbox, for who asked for them.
    pub(super) listening: Option<Box<Listening>>,
    bad_commands: u32,
}

impl Session {
    pub(super) fn new(conn: Conn) -> Self {
        Self {
            conn,
            account: None,
            selected: None,
            is_condstore: false,
            knows_modseq: false,
            enabled: Enabled::default(),
            listening: None,
            bad_commands: 0,
        }
    }

    pub(super) fn store(&self) -> Store {
        self.conn.ctx().store.clone()
    }

    /// The account, or the answer that a login comes first.
    pub(super) fn account(&self) -> Result<AccountId, Fail> {
        self.account.ok_or_else(|| Fail::Answer(Answer::Bad("log in first".into())))
    }

    /// The selected mailbox, or the answer that one must be selected first.
    pub(super) fn selected(&mut self) -> Result<&mut Selected, Fail> {
        self.account()?;
        let bad = || Fail::Answer(Answer::Bad("select a mailbox first".into()));
        self.selected.as_deref_mut().ok_or_else(bad)
    }

    /// The selected mailbox, if messages may be changed there.
    pub(super) fn writable(&mut self) -> Result<&mut Selected, Fail> {
        let selected = self.selected()?;
        if selected.is_read_only {
            return Err(reply::no("[READ-ONLY] The mailbox was opened with EXAMINE"));
        }
        Ok(selected)
    }

    /// Writes one untagged line.
    pub(super) fn say(&mut self, text: std::fmt::Arguments<'_>) {
        use std::io::Write as _;
        self.conn.write_with(|out| {
            // Writing to memory does not fail.
            write!(out, "* {text}\r\n").unwrap_or_default();
        });
    }

    /// Sends what waits if it is enough to be worth it.
    pub(super) async fn flush_if_full(&mut self) -> Result<(), ConnError> {
        if self.conn.pending_out() > FLUSH_AT { self.conn.flush().await } else { Ok(()) }
    }

    /// Speaks with the client until the end.
    pub(super) async fn serve(mut self) {
        let capabilities = capability::list(&self);
        self.say(format_args!("OK [CAPABILITY {capabilities}] Postroom ready"));
        let fail = loop {
            if let Err(fail) = self.turn().await {
                break fail;
            }
        };
        Box::pin(self.farewell(fail)).await;
    }

    async fn farewell(mut self, fail: Fail) {
        let bye = match &fail {
            Fail::Bye(text) => Some(*text),
            Fail::Conn(ConnError::TimedOut) => Some("Autologout: nothing was heard for too long"),
            Fail::Conn(ConnError::NoLogin) => Some("No login in time"),
            Fail::Conn(ConnError::Flood) => Some("The command line does not end"),
            Fail::Conn(ConnError::Shutdown) => Some("[UNAVAILABLE] The server is stopping"),
            Fail::Conn(ConnError::Revoked) => Some("This login was ended"),
            _ => None,
        };
        if let Some(text) = bye {
            self.say(format_args!("BYE {text}"));
        }
        tracing::debug!(session = self.conn.session(), ?fail, "imap session over");
        self.conn.close().await;
    }

    /// One command and its answer.
    async fn turn(&mut self) -> Result<(), Fail> {
        self.conn.flush().await?;
        if self.is_notified() {
            Box::pin(self.wait_listening()).await?;
        } else {
            self.conn.readable().await?;
        }
        // A TLS ClientHello has no line end: without a look it would wait for one.
        if self.account.is_none() && self.conn.buffered().starts_with(&[0x16, 0x03]) {
            return Err(Fail::Bye("This port speaks plain text first: use STARTTLS, or port 993"));
        }
        match Box::pin(self.receive()).await? {
            Received::Command(Tagged { tag, command: Command::Idle }) => self.idle(&tag).await,
            Received::Command(tagged) => Box::pin(self.obey(tagged)).await,
            Received::Append(append) => Box::pin(self.obey_append(*append)).await,
            Received::Rejected { tag, answer } => {
                self.answer(tag.as_deref().unwrap_or("*"), &answer)
            }
        }
    }

    /// Runs a command and answers it, with the news before the answer.
    async fn obey(&mut self, Tagged { tag, command }: Tagged) -> Result<(), Fail> {
        // RFC 9051 §7.5.1: sequence numbers stand still while these speak of them.
        let may_expunge = !matches!(
            command,
            Command::Fetch(_, Numbers::Sequence)
                | Command::Store(_, Numbers::Sequence)
                | Command::Search(_, Numbers::Sequence)
                | Command::Sort(_, Numbers::Sequence)
                | Command::Thread(_, Numbers::Sequence)
        );
        let outcome = self.run(&tag, command).await;
        self.conclude(&tag, outcome, may_expunge).await
    }

    /// Turns an outcome into the tagged answer.
    pub(super) async fn conclude(
        &mut self,
        tag: &str,
        outcome: Outcome,
        may_expunge: bool,
    ) -> Result<(), Fail> {
        let answer = match outcome {
            Ok(answer) | Err(Fail::Answer(answer)) => answer,
            Err(Fail::Store(err)) => reply::of_store(self.conn.session(), &err),
            Err(fail) => return Err(fail),
        };
        if matches!(answer, Answer::Expunged(_)) {
            self.note_own_change();
        }
        if !matches!(answer, Answer::Bad(_) | Answer::Given)
            && let Err(fail) = self.tell_all(may_expunge).await
        {
            // What was done is answered before a goodbye: who sees no OK to an APPEND does it again.
            self.answer(tag, &answer)?;
            return Err(fail);
        }
        self.say_modseq();
        match answer {
            Answer::Expunged(text) => self.answer(tag, &self.expunged(text)),
            answer => self.answer(tag, &answer),
        }
    }

    /// The news of the selected mailbox, and those from beyond it.
    async fn tell_all(&mut self, may_expunge: bool) -> Result<(), Fail> {
        self.tell_news(may_expunge).await?;
        if self.listening.is_some() {
            Box::pin(self.tell_listening()).await?;
        }
        Ok(())
    }

    /// RFC 7162 §3.1: the first command that asks for modseqs in a selected mailbox is told HIGHESTMODSEQ.
    /// §3.2: while an expunge is held back, the client must not take its knowledge for newer than that.
    fn say_modseq(&mut self) {
        let Some(view) = self.selected.as_ref().map(|selected| &selected.view) else { return };
        let is_held = self.enabled.qresync && view.told_up_to.is_some();
        if self.is_condstore && (is_held || !self.knows_modseq) {
            let modseq = view.told_up_to.unwrap_or(view.modseq);
            self.say(format_args!("OK [HIGHESTMODSEQ {modseq}] All changes up to it are told"));
            self.knows_modseq = true;
        }
    }

    /// RFC 7162 §3.2.7: the answer to a command that expunged.
    fn expunged(&self, text: &'static str) -> Answer {
        match &self.selected {
            Some(selected) if self.enabled.qresync => {
                let modseq = selected.view.told_up_to.unwrap_or(selected.view.modseq);
                Answer::Ok(format!("[HIGHESTMODSEQ {modseq}] {text}").into())
            }
            _ => Answer::Ok(text.into()),
        }
    }

    /// Writes the tagged answer and counts the bad ones.
    pub(super) fn answer(&mut self, tag: &str, answer: &Answer) -> Result<(), Fail> {
        let (word, text) = match answer {
            Answer::Ok(text) => ("OK", text),
            Answer::No(text) => ("NO", text),
            Answer::Bad(text) => ("BAD", text),
            Answer::Expunged(text) => ("OK", &Cow::Borrowed(*text)),
            Answer::Given => return Ok(()),
        };
        self.conn.write(format!("{tag} {word} {text}\r\n").as_bytes());
        if let Some(selected) = &mut self.selected {
            selected.told = Vec::new();
        }
        match (answer, self.account) {
            (Answer::Bad(_), _) | (Answer::No(_), None) => self.bad_commands += 1,
            (_, Some(_)) => self.bad_commands = 0,
            _ => {}
        }
        let max = if self.account.is_some() { BAD_IN_A_ROW_MAX } else { BAD_BEFORE_LOGIN_MAX };
        if self.bad_commands >= max { Err(Fail::Bye("Too many bad commands")) } else { Ok(()) }
    }

    /// Counts the session as `account`'s.
    pub(super) fn log_in(&mut self, login: &session::Login) -> Outcome {
        let account = &login.account;
        match self.conn.set_login(account.id, login.app_password) {
            Ok(()) => {}
            Err(Refusal::Account) => {
                return Err(reply::no("[LIMIT] The account has too many connections"));
            }
            Err(_) => return Err(reply::no("[UNAVAILABLE] Too many connections, try again later")),
        }
        self.conn.set_timeout(AUTOLOGOUT);
        self.account = Some(account.id);
        self.bad_commands = 0;
        tracing::info!(
            session = self.conn.session(),
            peer = %self.conn.peer(),
            account = %account.address,
            tls = self.conn.is_tls(),
            "imap login"
        );
        let capabilities = capability::list(self);
        Ok(Answer::Ok(format!("[CAPABILITY {capabilities}] Logged in").into()))
    }

    async fn run(&mut self, tag: &str, command: Command) -> Outcome {
        match command {
            Command::Capability => {
                let capabilities = capability::list(self);
                self.say(format_args!("CAPABILITY {capabilities}"));
                ok("CAPABILITY completed")
            }
            Command::Noop => ok("NOOP completed"),
            Command::Logout => {
                self.say(format_args!("BYE Logging out"));
                self.answer(tag, &Answer::Ok("LOGOUT completed".into()))?;
                Err(Fail::End)
            }
            // RFC 2971 §3.1; a client that hears no untagged ID before the OK may not log in at all.
            Command::Id(client) => {
                if let Some(client) = client {
                    self.conn.set_client(&client);
                }
                self.say(format_args!("ID (\"name\" \"Postroom\")"));
                ok("ID completed")
            }
            Command::StartTls => self.start_tls(tag).await,
            Command::Compress(algorithm) => self.compress(tag, &algorithm).await,
            Command::Authenticate { mechanism, initial } => {
                self.authenticate(&mechanism, initial).await
            }
            Command::Login { login, password } => self.login(&login, &password).await,
            command => self.run_authenticated(tag, command).await,
        }
    }

    async fn run_authenticated(&mut self, tag: &str, command: Command) -> Outcome {
        let account = self.account()?;
        match command {
            Command::Enable(names) => self.enable(&names),
            Command::Select(select) => self.select(*select).await,
            Command::Create { mailbox, special_uses } => {
                self.create(account, &mailbox, &special_uses).await
            }
            Command::Delete(mailbox) => self.delete(&mailbox).await,
            Command::Rename { from, to } => self.rename(&from, &to).await,
            Command::Subscribe { mailbox, is_subscribed } => {
                self.subscribe(account, &mailbox, is_subscribed).await
            }
            Command::List(list) => self.list(account, &list).await,
            Command::Namespace => {
                // RFC 2342: personal, of other users, shared.
                self.say(format_args!(
                    "NAMESPACE ((\"\" \"/\")) ((\"Shared/\" \"/\")) ((\"Public/\" \"/\"))"
                ));
                ok("NAMESPACE completed")
            }
            Command::Acl(command) => self.acl(*command).await,
            Command::Status { mailbox, items } => self.status(&mailbox, &items),
            Command::GetQuota(root) => self.get_quota(&root),
            Command::GetQuotaRoot(mailbox) => self.get_quota_root(&mailbox),
            Command::SetQuota { root, limits } => self.set_quota(&root, &limits).await,
            Command::Metadata(command) => self.metadata(*command).await,
            Command::Notify(command) => self.set_notify(*command).await,
            command => self.run_selected(tag, command).await,
        }
    }

    async fn run_selected(&mut self, tag: &str, command: Command) -> Outcome {
        // What was taken away is gone for every command; the owner keeps what he has.
        if self.selected()?.is_foreign {
            self.rights_here()?;
        }
        match command {
            Command::Check => ok("CHECK completed"),
            Command::Close => self.close().await,
            Command::Unselect => self.unselect(),
            Command::Expunge(set) => self.expunge(set.as_ref()).await,
            Command::Search(search, numbers) => Box::pin(self.search(tag, *search, numbers)).await,
            Command::Sort(sort, numbers) => Box::pin(self.sort(tag, *sort, numbers)).await,
            Command::Thread(thread, numbers) => Box::pin(self.thread(*thread, numbers)).await,
            Command::Fetch(fetch, numbers) => self.fetch(&fetch, numbers).await,
            Command::Store(store, numbers) => self.store_flags(*store, numbers).await,
            Command::Copy { set, to, numbers, is_move } => {
                self.copy(&set, &to, numbers, is_move).await
            }
            _ => Err(Fail::Answer(Answer::Bad("unknown command".into()))),
        }
    }

    /// Tells what happened in the selected mailbox since the last time.
    pub(super) async fn tell_news(&mut self, may_expunge: bool) -> Result<(), Fail> {
        self.tell_rights()?;
        let events = self.selected_events();
        let is_own = self.take_own_change();
        if !events.tells && !is_own {
            return Ok(());
        }
        let store = self.store();
        let Some(selected) = self.selected.as_deref_mut() else { return Ok(()) };
        let last = selected.view.uids().last();
        let changes = match store.changes(selected.mailbox, selected.view.modseq) {
            Ok(changes) => changes,
            Err(StoreError::NoSuchMailbox) => {
                return Err(Fail::Bye("The selected mailbox was deleted"));
            }
            Err(err) => {
                // The command itself was done: its answer must not be lost to this.
                tracing::warn!(session = self.conn.session(), %err, "no news of a mailbox");
                return Ok(());
            }
        };
        let mut news = selected.view.take(&changes, may_expunge);
        if news.exists.is_some() || !news.expunged.is_empty() {
            selected.view.share(&store, selected.mailbox);
        }
        let has_flags = !changes.added.is_empty() || !news.flags.is_empty();
        let told = std::mem::take(&mut selected.told);
        news.flags.retain(|(_, uid, _, modseq)| {
            told.binary_search_by_key(uid, |known| known.0)
                .ok()
                .and_then(|at| told.get(at))
                .is_none_or(|known| known.1 < *modseq)
        });
        if !events.flags {
            news.flags.clear();
        }
        if has_flags {
            self.tell_keywords();
        }
        self.write_news(&news).await?;
        // RFC 5465 §5.2: what NOTIFY wants to know of new messages, but not of our own.
        if news.exists.is_some() && !is_own && self.is_notified() {
            Box::pin(self.fetch_new(last)).await?;
        }
        Ok(())
    }

    async fn write_news(&mut self, news: &News) -> Result<(), Fail> {
        if self.enabled.qresync {
            self.say_vanished(&news.vanished, false).await?;
        } else {
            for seq in &news.expunged {
                self.say(format_args!("{seq} EXPUNGE"));
                self.flush_if_full().await?;
            }
        }
        if let Some(exists) = news.exists {
            self.say(format_args!("{exists} EXISTS"));
        }
        for (seq, uid, flags, modseq) in &news.flags {
            // RFC 7162 §3.2.4.
            let uid = (self.is_condstore || self.is_notified()).then_some(*uid);
            self.write_flags(*seq, uid, Some(flags), *modseq);
            self.flush_if_full().await?;
        }
        Ok(())
    }

    /// `* n FETCH (UID … FLAGS (…) MODSEQ (…))`; MODSEQ only for those who asked for it: it breaks old
    /// Outlooks.
    pub(super) fn write_flags(
        &mut self,
        seq: u32,
        uid: Option<Uid>,
        flags: Option<&Flags>,
        modseq: ModSeq,
    ) {
        let is_condstore = self.is_condstore;
        self.conn.write_with(|out| {
            out.extend_from_slice(b"* ");
            emit::push_number(out, seq.into());
            out.extend_from_slice(b" FETCH (");
            let start = out.len();
            let next = |out: &mut Vec<u8>| {
                if out.len() > start {
                    out.push(b' ');
                }
            };
            if let Some(uid) = uid {
                out.extend_from_slice(b"UID ");
                emit::push_number(out, uid.0.into());
            }
            if let Some(flags) = flags {
                next(out);
                out.extend_from_slice(b"FLAGS ");
                emit::push_flags(out, flags);
            }
            if is_condstore {
                next(out);
                out.extend_from_slice(b"MODSEQ (");
                emit::push_number(out, modseq.0);
                out.push(b')');
            }
            out.extend_from_slice(b")\r\n");
        });
    }
}
