//! Who waits for a change: of a mailbox, of the spool, of the settings. A wake is a hint after a commit,
//! never a promise.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use base::{MailboxId, ModSeq};
use tokio::sync::watch;

use crate::Settings;
use crate::writer::Effects;

/// Watched mailboxes before the unwatched among them are looked for.
const PRUNE_FROM: usize = 1024;

/// The senders' side.
#[derive(Debug)]
pub(crate) struct Watchers {
    mailboxes: Mutex<Mailboxes>,
    queue: watch::Sender<u64>,
    settings: watch::Sender<Arc<Settings>>,
}

#[derive(Debug)]
struct Mailboxes {
    senders: BTreeMap<MailboxId, watch::Sender<ModSeq>>,
    prune_at: usize,
}

impl Watchers {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            mailboxes: Mutex::new(Mailboxes { senders: BTreeMap::new(), prune_at: PRUNE_FROM }),
            queue: watch::Sender::new(0),
            settings: watch::Sender::new(settings),
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

    pub(crate) fn queue(&self) -> watch::Receiver<u64> {
        self.queue.subscribe()
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
        if effects.queue_changed {
            self.queue.send_modify(|n| *n = n.wrapping_add(1));
        }
        if !Arc::ptr_eq(&effects.settings, &self.settings.borrow()) {
            self.settings.send_replace(effects.settings);
        }
    }
}
