//! What others hold of all sources: when they are synced, how that went, and the door to the other parts.
//!
//! Limits: one sync at a time, one test at a time.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{AccountId, Clock, DomainName, TierBudget, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Origin, SourceSettings, Store, StoreError, Via};
use tokio::sync::{AcquireError, Notify, Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::connect::{self, LookupFailure};
use crate::failure::{Failure, Reason, Stage};
use crate::read::{self, Found};
use crate::settings::Effective;
use crate::sync::{Report, Sync};
use crate::test::{self, TestReport};

/// Longest reading of a source.
const READ_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How often it is looked which source is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Passwords asked for at once.
const BINDS_MAX: usize = 32;
/// After a sync that failed the next one is tried so soon, or at its time if that is sooner.
const AGAIN_AFTER: Duration = Duration::from_secs(5 * 60);

/// Finds the addresses of a host.
pub type Lookup = Arc<
    dyn Fn(
            String,
        )
            -> Pin<Box<dyn Future<Output = Result<Vec<std::net::IpAddr>, LookupFailure>> + Send>>
        + Send
        + std::marker::Sync,
>;

/// What the daemon lends.
#[derive(Clone)]
pub struct Hooks {
    /// The name servers.
    pub lookup: Lookup,
    /// Ends the connections of who may not log in any more.
    pub lock_out: Arc<dyn Fn(AccountId) + Send + std::marker::Sync>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooks")
    }
}

/// How the last sync went.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// One runs.
    pub is_running: bool,
    /// Syncs that ended since the start.
    pub ended: u64,
    /// When the last one ended, also one before the start.
    pub last_sync_at: Option<Timestamp>,
    /// What it did, or why not.
    pub outcome: Option<Result<Report, Failure>>,
}

/// How a sync went, as the store keeps it.
#[derive(Serialize, Deserialize)]
struct Kept {
    at: Timestamp,
    outcome: Result<Report, Failure>,
}

/// What is remembered of one source.
#[derive(Debug, Default)]
struct State {
    status: Status,
    /// When the next sync is due by itself; `None`: now.
    next: Option<Instant>,
    /// Somebody wants one; true if also with few people.
    wanted: Option<bool>,
    /// Not asked for passwords before.
    rests_until: Option<Instant>,
}

/// All sources of the box. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Sources {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    budget: Arc<TierBudget>,
    clock: Arc<dyn Clock>,
    hooks: Hooks,
    states: Mutex<BTreeMap<DomainName, State>>,
    wake: Notify,
    tests: Semaphore,
    binds: Semaphore,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sources")
    }
}

impl Sources {
    /// The sources of a store. [`Sources::run`] syncs them.
    #[must_use]
    pub fn new(store: Store, budget: Arc<TierBudget>, clock: Arc<dyn Clock>, hooks: Hooks) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                budget,
                clock,
                hooks,
                states: Mutex::default(),
                wake: Notify::new(),
                tests: Semaphore::new(1),
                binds: Semaphore::new(BINDS_MAX),
            }),
        }
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<DomainName, State>> {
        self.inner.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The store in the name of the source of a domain.
    pub(crate) fn store_of(&self, domain: &DomainName) -> Store {
        self.store().by(Origin::new(format!("source {domain}"), Via::Sync, None))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn lookup(&self) -> &Lookup {
        &self.inner.hooks.lookup
    }

    pub(crate) async fn bind_turn(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.inner.binds.acquire().await
    }

    pub(crate) fn rests_until(&self, domain: &DomainName) -> Option<Instant> {
        self.states().get(domain)?.rests_until
    }

    pub(crate) fn rest(&self, domain: &DomainName, until: Instant) {
        self.states().entry(domain.clone()).or_default().rests_until = Some(until);
    }

    /// How the last sync of a domain's source went.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn status(&self, domain: &DomainName) -> Result<Status, StoreError> {
        let mut status =
            self.states().get(domain).map(|state| state.status.clone()).unwrap_or_default();
        if status.outcome.is_none()
            && let Some(text) = self.store().source_result(domain)?
        {
            // What another version wrote may not be read: then nothing is known, as before the first sync.
            match serde_json::from_str::<Kept>(&text) {
                Ok(Kept { at, outcome }) => {
                    (status.last_sync_at, status.outcome) = (Some(at), Some(outcome));
                }
                Err(err) => tracing::warn!(%domain, %err, "the last sync is not known any more"),
            }
        }
        Ok(status)
    }

    /// Keeps how a sync went over a restart.
    async fn keep(&self, domain: &DomainName, kept: &Kept) {
        let Ok(text) = serde_json::to_string(kept) else { return };
        if let Err(err) = self.store().keep_source_result(domain.clone(), text).await {
            tracing::warn!(%domain, %err, "how the sync went is not kept");
        }
    }

    /// Asks for a sync now; with `is_forced` also if the source shows few people. False if one runs.
    pub fn start(&self, domain: &DomainName, is_forced: bool) -> bool {
        let mut states = self.states();
        let state = states.entry(domain.clone()).or_default();
        if state.status.is_running {
            return false;
        }
        state.wanted = Some(is_forced);
        state.rests_until = None;
        self.inner.wake.notify_one();
        true
    }

    /// Forgets what is remembered of a source that is no more.
    pub fn forget(&self, domain: &DomainName) {
        self.states().remove(domain);
    }

    /// Tries settings, stored or not. `None` if another test runs.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn test(
        &self,
        domain: &DomainName,
        settings: &SourceSettings,
    ) -> Result<Option<TestReport>, StoreError> {
        let Ok(_turn) = self.inner.tests.try_acquire() else { return Ok(None) };
        let domains = self.store().domains()?.into_iter().map(|domain| domain.name);
        let domains: Vec<DomainName> = domains.collect();
        Ok(Some(Box::pin(test::run(settings, self.lookup(), domain, &domains)).await))
    }

    /// Makes all people and groups of a domain's source local ones and forgets it. `store` is the one in the
    /// name of who wants it.
    ///
    /// # Errors
    /// The store's; what is not done then is done by calling it again.
    pub async fn release(&self, store: &Store, domain: &DomainName) -> Result<(), StoreError> {
        // From now on nothing new comes.
        if let Some(settings) = store.source(domain)? {
            let settings = SourceSettings { enabled: false, ..settings };
            store.set_source(domain.clone(), settings).await?;
        }
        let (reading, of) = (store.clone(), domain.clone());
        let all = tokio::task::spawn_blocking(move || reading.source_entries(&of)).await;
        for entry in all.map_err(|_| StoreError::Closed)?? {
            store.release_from_source(entry.entry).await?;
        }
        store.delete_source(domain.clone()).await?;
        self.forget(domain);
        Ok(())
    }

    /// Syncs what is due until the daemon stops.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            let round = async {
                match self.inner.store.sources() {
                    Ok(all) => {
                        for (domain, settings) in all {
                            Box::pin(self.look_at(&domain, &settings)).await;
                        }
                    }
                    Err(err) => tracing::warn!(%err, "the sources cannot be read"),
                }
                // Both may come while the other is done: nothing is lost, `notify_one` is kept.
                let _waited = timeout(LOOK_EVERY, self.inner.wake.notified()).await.is_ok();
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = round => {}
            }
        }
    }

    /// Syncs a source if it is due.
    pub(crate) async fn look_at(&self, domain: &DomainName, settings: &SourceSettings) {
        let is_forced = {
            let mut states = self.states();
            let state = states.entry(domain.clone()).or_default();
            let wanted = state.wanted.take();
            let is_due = state.next.is_none_or(|next| Instant::now() >= next);
            if !settings.enabled || (wanted.is_none() && !is_due) {
                return;
            }
            state.status.is_running = true;
            wanted.unwrap_or(false)
        };
        // A task of its own: a panic over what a stranger sent ends one sync, not all of them.
        let (of, with, this) = (domain.clone(), settings.clone(), self.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { Box::pin(this.sync(&of, &with, is_forced)).await });
        let outcome = match task.join_next().await {
            Some(Ok(outcome)) => outcome,
            _ => Err(Failure::new(Stage::Search, Reason::ProtocolError, "the sync broke off")),
        };
        match &outcome {
            Ok(report) => tracing::info!(
                %domain, people = report.people, groups = report.groups, created = report.created,
                changed = report.changed, disabled = report.disabled, deleted = report.deleted,
                errors = report.errors.len(), "source synced"
            ),
            Err(why) => tracing::warn!(
                %domain, stage = ?why.stage, reason = ?why.reason, detail = why.detail,
                "source not synced"
            ),
        }
        let kept = Kept { at: self.now(), outcome };
        self.keep(domain, &kept).await;
        let Kept { at, outcome } = kept;
        let interval = Duration::from_secs(60 * u64::from(settings.interval_minutes));
        let wait = if outcome.is_ok() { interval } else { interval.min(AGAIN_AFTER) };
        let mut states = self.states();
        let state = states.entry(domain.clone()).or_default();
        state.next = Some(Instant::now() + wait);
        let ended = state.status.ended + 1;
        let (last_sync_at, outcome) = (Some(at), Some(outcome));
        state.status = Status { is_running: false, ended, last_sync_at, outcome };
    }

    async fn sync(
        &self,
        domain: &DomainName,
        settings: &SourceSettings,
        is_forced: bool,
    ) -> Result<Report, Failure> {
        let effective = Effective::of(settings);
        let reading = Box::pin(self.read(settings, &effective));
        let found = timeout(READ_TIMEOUT, reading).await.unwrap_or_else(|_| {
            Err(Failure::new(Stage::Search, Reason::Timeout, "reading took more than 10 minutes"))
        })?;
        // Somebody may have taken it away meanwhile.
        if !self.store().source(domain)?.is_some_and(|now| now == *settings) {
            let detail = "the settings were changed meanwhile";
            return Err(Failure::new(Stage::Search, Reason::Disabled, detail));
        }
        let store = self.store_of(domain);
        let lock_out = &*self.inner.hooks.lock_out;
        let now = self.now();
        let sync = Sync { store: &store, domain, effective: &effective, now, is_forced, lock_out };
        Box::pin(sync.run(&found)).await
    }

    async fn read(
        &self,
        settings: &SourceSettings,
        effective: &Effective,
    ) -> Result<Found, Failure> {
        let mut client = connect::open(settings, self.lookup(), &Arc::default()).await?;
        let password = settings.bind_password.clone().unwrap_or_default();
        client.bind(&settings.bind_dn, password.as_bytes()).await?;
        let budget = &self.inner.budget;
        let most = budget.source_people_max;
        let people = read::people(&mut client, settings, effective, most, true).await?;
        let groups = read::groups(&mut client, settings, effective, budget).await?;
        Ok(Found { people, groups })
    }
}
