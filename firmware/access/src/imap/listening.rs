//! News from beyond the selected mailbox: annotations that others change (ENABLE METADATA, RFC 5464 §4.4)
//! and what NOTIFY asked for (RFC 5465).
//!
//! A session that asked for neither has one empty pointer of it.

use std::sync::Arc;

use store::{AnnotationChange, AnnotationScope};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;

use super::metadata::shows_annotations;
use super::notify::{Notify, SelectedEvents};
use super::reply::Fail;
use super::session::Session;

/// What a session listens to.
#[derive(Debug)]
pub(super) struct Listening {
    /// By which the store's news of our own changes are told.
    number: u64,
    changes: broadcast::Receiver<Arc<AnnotationChange>>,
    /// Heard while waiting, not told yet.
    waiting: Option<Arc<AnnotationChange>>,
    pub(super) notify: Option<Notify>,
    /// This command changed the selected mailbox.
    own_change: bool,
}

impl Listening {
    async fn heard(&mut self) {
        if self.waiting.is_some() {
            return;
        }
        let other = async {
            match &self.notify {
                Some(notify) => notify.waker().notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = other => {}
            change = self.changes.recv() => match change {
                Ok(change) => self.waiting = Some(change),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    fn next_change(&mut self) -> Option<Arc<AnnotationChange>> {
        if let Some(change) = self.waiting.take() {
            return Some(change);
        }
        loop {
            match self.changes.try_recv() {
                Ok(change) => return Some(change),
                // What was lost cannot be told; the next change of it will be.
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }
}

/// Returns when there may be something to tell; never for a session that does not listen.
pub(super) async fn heard(listening: &mut Option<Box<Listening>>) {
    match listening {
        Some(listening) => Box::pin(listening.heard()).await,
        None => std::future::pending().await,
    }
}

/// Waits for the next hint of a mailbox; for ever where none can come.
pub(super) async fn changed(watch: &mut Option<watch::Receiver<base::ModSeq>>) {
    if let Some(receiver) = watch
        && receiver.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

impl Session {
    /// Begins to listen.
    pub(super) fn listen(&mut self) -> &mut Listening {
        let store = self.store();
        self.listening.get_or_insert_with(|| {
            let (number, changes) = store.watch_annotations();
            Box::new(Listening { number, changes, waiting: None, notify: None, own_change: false })
        })
    }

    pub(super) fn listener_number(&self) -> Option<u64> {
        self.listening.as_ref().map(|listening| listening.number)
    }

    pub(super) fn notify(&mut self) -> Option<&mut Notify> {
        self.listening.as_mut()?.notify.as_mut()
    }

    /// This command changes the selected mailbox: it is told of it in any case, without what NOTIFY adds.
    pub(super) fn note_own_change(&mut self) {
        if let Some(listening) = &mut self.listening {
            listening.own_change = true;
        }
    }

    pub(super) fn take_own_change(&mut self) -> bool {
        self.listening.as_mut().is_some_and(|listening| std::mem::take(&mut listening.own_change))
    }

    /// This command changes names: they are no news to this client (RFC 5465 §5).
    pub(super) fn note_own_names(&mut self, names: &[&str]) {
        if let Some(notify) = self.notify() {
            notify.note_own(names);
        }
    }

    /// What is told of the selected mailbox.
    pub(super) fn selected_events(&self) -> SelectedEvents {
        let notify = self.listening.as_ref().and_then(|listening| listening.notify.as_ref());
        notify.map_or_else(SelectedEvents::default, |notify| notify.selected)
    }

    /// Waits for a command; tells meanwhile what NOTIFY asked for.
    pub(super) async fn wait_listening(&mut self) -> Result<(), Fail> {
        let mut watch = self
            .selected
            .as_ref()
            .map(|selected| self.conn.ctx().store.watch_mailbox(selected.mailbox));
        let may_expunge = !self.selected_events().delays_expunge;
        loop {
            tokio::select! {
                done = self.conn.readable() => {
                    done?;
                    return Ok(());
                }
                () = heard(&mut self.listening) => {}
                () = changed(&mut watch) => {}
            }
            Box::pin(self.tell_news(may_expunge)).await?;
            Box::pin(self.tell_listening()).await?;
            self.conn.flush().await?;
        }
    }

    /// True if the client wants news between commands.
    pub(super) fn is_notified(&self) -> bool {
        self.listening.as_ref().is_some_and(|listening| listening.notify.is_some())
    }

    /// Tells what was heard.
    pub(super) async fn tell_listening(&mut self) -> Result<(), Fail> {
        if self.listening.is_none() {
            return Ok(());
        }
        while let Some(change) = self.listening.as_mut().and_then(|l| l.next_change()) {
            if let Err(err) = self.tell_annotations(&change) {
                tracing::warn!(session = self.conn.session(), ?err, "no news of annotations");
            }
        }
        if self.is_notified() {
            self.tell_notified().await?;
        }
        Ok(())
    }

    /// `* METADATA mailbox /shared/comment`: RFC 5464 §4.4.2.
    fn tell_annotations(&mut self, change: &AnnotationChange) -> Result<(), Fail> {
        let account = self.account()?;
        if change.origin.is_some() && change.origin == self.listener_number() {
            return Ok(());
        }
        let is_for_us = |entry: &&String| change.by == account || entry.starts_with("/shared/");
        let entries: Vec<&String> = change.entries.iter().filter(is_for_us).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let store = self.store();
        let name = match change.scope {
            AnnotationScope::Server => String::new(),
            AnnotationScope::Mailbox(id) => {
                let Some(mailbox) = store.mailbox(id)? else { return Ok(()) };
                if !shows_annotations(store.rights(account, id)?) {
                    return Ok(());
                }
                let Some(name) = store.shown_name(account, &mailbox)? else { return Ok(()) };
                name
            }
        };
        let is_asked = self.notify().is_some_and(|notify| notify.wants_annotations(&name));
        if !is_asked && !self.enabled.metadata {
            return Ok(());
        }
        let mut line = b"* METADATA ".to_vec();
        self.push_name(&mut line, &name);
        for entry in entries {
            line.push(b' ');
            super::emit::push_astring(&mut line, entry.as_bytes());
        }
        line.extend_from_slice(b"\r\n");
        self.conn.write(&line);
        Ok(())
    }
}
