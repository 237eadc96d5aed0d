//! Who waits for a change: of a mailbox, of the spool, of the settings. A wake is a hint after a commit,
//! never a promise.

mod accounts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use accounts::Accounts;
use base::{AccountId, MailboxId, ModSeq};
use tokio::sync::{Notify, broadcast, watch};

use crate::writer::Effects;
use crate::{AnnotationChange, Settings, Webhook};

/// Watched mailboxes before the unwatched among them are looked for.
const PRUNE_FROM: usize = 1024;
/// Changes of annotations that a slow listener may lag behind.
const ANNOTATIONS_KEPT: usize = 256;

/// The senders' side.
#[derive(Debug)]
pub(crate) struct Watchers {
    mailboxes: Mutex<Mailboxes>,
    queue: watch::Sender<u64>,
    audit: watch::Sender<u64>,
    webhooks: watch::Sender<Arc<[Webhook]>>,
    settings: watch::Sender<Arc<Settings>>,
    accounts: Accounts,
    annotations: broadcast::Sender<Arc<AnnotationChange>>,
    next_listener: AtomicU64,
    directory: AtomicU64,
}

#[derive(Debug)]
struct Mailboxes {
    senders: BTreeMap<MailboxId, watch::Sender<ModSeq>>,
    prune_at: usize,
}

impl Watchers {
    pub(crate) fn new(settings: Arc<Settings>, webhooks: Arc<[Webhook]>) -> Self {
        Self {
            mailboxes: Mutex::new(Mailboxes { senders: BTreeMap::new(), prune_at: PRUNE_FROM }),
            queue: watch::Sender::new(0),
            audit: watch::Sender::new(0),
            webhooks: watch::Sender::new(webhooks),
            settings: watch::Sender::new(settings),
            accounts: Accounts::default(),
            annotations: broadcast::Sender::new(ANNOTATIONS_KEPT),
            next_listener: AtomicU64::new(1),
            directory: AtomicU64::new(0),
        }
    }

    fn mailboxes(&self) -> MutexGuard<'_, Mailboxes> {
        match self.mailboxes.lock() {
            Ok(mailboxes) => mailboxes,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Watches a mailbox from now on; the map is bounded by twice the receivers that live.
    pub(crate) fn mailbox(&self, id: MailboxId, now: ModSeq) -> watch::Receiver<ModSeq> {
        let mut mailboxes = self.mailboxes();
        if mailboxes.senders.len() >= mailboxes.prune_at {
            mailboxes.senders.retain(|_, sender| sender.receiver_count() > 0);
            mailboxes.prune_at = PRUNE_FROM.max(mailboxes.senders.len() * 2);
        }
        mailboxes.senders.entry(id).or_insert_with(|| watch::Sender::new(now)).subscribe()
    }

    /// One waker for changes of any of these accounts.
    pub(crate) fn accounts(&self, ids: &BTreeSet<AccountId>) -> Arc<Notify> {
        self.accounts.watch(ids)
    }

    /// Changes of annotations from now on, with a number for the listener.
    pub(crate) fn annotations(&self) -> (u64, broadcast::Receiver<Arc<AnnotationChange>>) {
        let number = self.next_listener.fetch_add(1, Ordering::Relaxed);
        (number, self.annotations.subscribe())
    }

    /// How often the directory has changed in this run.
    pub(crate) fn directory(&self) -> u64 {
        self.directory.load(Ordering::Acquire)
    }

    pub(crate) fn queue(&self) -> watch::Receiver<u64> {
        self.queue.subscribe()
    }

    pub(crate) fn audit(&self) -> watch::Receiver<u64> {
        self.audit.subscribe()
    }

    pub(crate) fn webhooks(&self) -> watch::Receiver<Arc<[Webhook]>> {
        self.webhooks.subscribe()
    }

    pub(crate) fn settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.subscribe()
    }

    pub(crate) fn current_settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    /// Wakes whom a commit concerns.
    pub(crate) fn fire(&self, effects: Effects) {
        if !effects.touched.is_empty() {
            let mut mailboxes = self.mailboxes();
            for (id, modseq) in effects.touched {
                let Some(sender) = mailboxes.senders.get(&id) else { continue };
                if sender.receiver_count() == 0 {
                    mailboxes.senders.remove(&id);
                } else {
                    sender.send_replace(modseq);
                }
            }
        }
        self.accounts.fire(&effects.accounts);
        for change in effects.annotated {
            // Nobody listens: nobody need be told.
            let _unheard = self.annotations.send(change).is_err();
        }
        if effects.directory_changed {
            self.directory.fetch_add(1, Ordering::Release);
        }
        if effects.queue_changed {
            self.queue.send_modify(|n| *n = n.wrapping_add(1));
        }
        if let Some(webhooks) = effects.webhooks {
            self.webhooks.send_replace(webhooks);
        }
        if effects.audit_changed {
            self.audit.send_modify(|n| *n = n.wrapping_add(1));
        }
        if !Arc::ptr_eq(&effects.settings, &self.settings.borrow()) {
            self.settings.send_replace(effects.settings);
        }
    }
}
