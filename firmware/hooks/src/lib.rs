//! Webhooks: the box tells others by HTTPS what was done, or asks them before it is done, and they extend it
//! without a shell on it.
//!
//! A hook *after* follows the audit log: each row that it wants to hear of is told once or more, in order,
//! until it says yes; how far it was told is in the store. A hook *before* is the store's gate: it may refuse
//! an act on accounts, aliases and groups with a text.
//!
//! Requests are signed as Standard Webhooks 1.0 says. No redirect is followed, certificates are checked with
//! the public authorities, plain HTTP goes only to loopback and private addresses, and never to our own admin
//! pages.
//!
//! Limits: [`before::TIME_MAX`] for an answer before an act, [`before::AT_ONCE_MAX`] questions at once,
//! [`after::GIVE_UP_AFTER`] until a hook that does not take anything is given up, [`attempts::KEPT`] attempts
//! of a hook in the list that an admin sees, of which the last [`attempts::STORED`] outlive a restart.
//!
//! Never here: a server, a secret in a log, a change of the audit log.

mod after;
mod attempts;
mod before;
mod http;
mod payload;
mod sign;
mod target;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Clock;
use store::{AuditEvent, Store, Webhook};
use tokio::sync::{Notify, watch};

pub use attempts::Attempt;
pub use http::Reason;
pub use sign::new_secret;
pub use target::TargetError;

use attempts::Attempts;
use before::Porter;
use http::{Call, Sender};

/// Asks for the addresses of a host name.
pub type Lookup =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = Option<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// Between two times that attempts are put into the store: a hook that is called often costs no more for it.
const STORE_EVERY: Duration = Duration::from_secs(5);

/// All webhooks of the box. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Hooks {
    shared: Arc<Shared>,
}

/// What both kinds of hooks use. It does not hold the store, whose gate it is.
pub(crate) struct Shared {
    pub(crate) hooks: watch::Receiver<Arc<[Webhook]>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sender: Sender,
    attempts: Mutex<BTreeMap<u32, Attempts>>,
    /// There are attempts that the store does not have.
    tried: Notify,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooks")
    }
}

impl Shared {
    fn attempts(&self) -> MutexGuard<'_, BTreeMap<u32, Attempts>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an attempt for the admin to see, and forgets those of hooks that are gone.
    pub(crate) fn keep(&self, hook: u32, attempt: Attempt) {
        let mut attempts = self.attempts();
        if !attempts.contains_key(&hook) {
            let hooks = self.hooks.borrow();
            attempts.retain(|id, _| hooks.iter().any(|hook| hook.id == *id));
        }
        attempts.entry(hook).or_default().push(attempt);
        self.tried.notify_one();
    }

    /// Has the store keep the attempts that it has not got.
    async fn store_attempts(&self, store: &Store) {
        let new: Vec<(u32, (String, u64))> =
            self.attempts().iter().filter_map(|(id, of)| Some((*id, of.unstored()?))).collect();
        for (id, (text, came)) in new {
            match store.keep_webhook_attempts(id, text).await {
                Ok(()) => {
                    if let Some(of) = self.attempts().get_mut(&id) {
                        of.are_stored(came);
                    }
                }
                Err(err) => tracing::warn!(%err, "the attempts of a webhook are not kept"),
            }
        }
    }

    /// Does so again and again, until it is dropped.
    async fn keep_attempts(&self, store: &Store) {
        loop {
            self.tried.notified().await;
            self.store_attempts(store).await;
            tokio::time::sleep(STORE_EVERY).await;
        }
    }
}

impl Hooks {
    /// The webhooks of a store; from now on those before an act are asked. `own_ports` are the ports of our
    /// admin pages, which no hook may call on this machine.
    #[must_use]
    pub fn new(store: &Store, clock: Arc<dyn Clock>, lookup: Lookup, own_ports: Vec<u16>) -> Self {
        let shared = Arc::new(Shared {
            hooks: store.watch_webhooks(),
            clock,
            sender: Sender::new(lookup, own_ports),
            attempts: Mutex::new(known_attempts(store)),
            tried: Notify::new(),
        });
        store.set_gate(Arc::new(Porter::new(shared.clone())));
        Self { shared }
    }

    /// Checks where a hook is to be.
    ///
    /// # Errors
    /// Why it cannot be there.
    pub fn check_url(&self, url: &str) -> Result<(), TargetError> {
        self.shared.sender.target(url).map(drop)
    }

    /// The last attempts of a hook, newest first.
    #[must_use]
    pub fn attempts(&self, hook: u32) -> Vec<Attempt> {
        self.shared.attempts().get(&hook).map(Attempts::newest_first).unwrap_or_default()
    }

    /// Calls a hook with an event that means nothing.
    pub async fn test(&self, hook: &Webhook) -> Attempt {
        let event = AuditEvent::new("webhook.test", hook.name.clone());
        let id = payload::random_id("test");
        let body = payload::question(&event, None, self.shared.clock.now());
        let time_max = before::TIME_MAX;
        let call = Call { id: &id, event: &event, body, seq: None, attempt: 1, time_max };
        Box::pin(self.shared.call(hook, call)).await.0
    }

    /// Tells the hooks that want to be told after an act, until `stopped`.
    pub async fn run(self, store: Store, stopped: impl Future<Output = ()> + Send) {
        tokio::select! {
            () = stopped => {}
            () = after::run(self.shared.clone(), store.clone()) => {}
            () = self.shared.keep_attempts(&store) => {}
        }
        self.shared.store_attempts(&store).await;
    }
}

/// The attempts before the start.
fn known_attempts(store: &Store) -> BTreeMap<u32, Attempts> {
    let hooks = store.watch_webhooks().borrow().clone();
    let each = hooks.iter().filter_map(|hook| {
        let kept = store.webhook_attempts(hook.id).inspect_err(|err| {
            tracing::warn!(%err, hook = hook.name, "the last attempts are not known");
        });
        Some((hook.id, Attempts::kept(&kept.ok()??)))
    });
    each.collect()
}

#[cfg(test)]
mod tests;
