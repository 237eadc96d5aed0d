//! The queue runner: takes what is due in the spool, tries it, settles it.
//!
//! Limits: `delivery_outbound_max` sessions at once, `delivery_per_destination_max` of them to one
//! destination; 1,000 entries are looked at in one round.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use base::{QueueId, Timestamp};
use message::dsn::Report;
use store::{
    Delivery as StoreDelivery, NewQueueEntry, Outbound, QueueEntry, READ_MAX, RecipientState,
    Resolution, StoreError,
};
use tokio::task::{Id, JoinError, JoinSet};

use crate::Delivery;
use crate::accept::into_inbox;
use crate::attempt::Outcome;
use crate::client::{Verdict, Word};
use crate::route::Destination;
use crate::settle::decide;

/// Entries looked at in one round.
const ROUND_ENTRIES: usize = 1_000;
/// The runner looks at the clock at least this often: the wall clock may jump.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The same while sessions are under way, whose entries hide when the next one falls due.
const PAUSE_BUSY: Duration = Duration::from_secs(5);
/// What sessions under way get to end after the stop.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// One entry's recipients (by index) for one destination.
type Errand = (QueueId, Destination, Vec<usize>);

/// Runs until `shutdown` is ready; then lets the sessions under way end (at most 10 s) and returns.
/// What was not settled is tried again after the next start.
pub async fn run(delivery: Delivery, shutdown: impl Future<Output = ()> + Send) {
    let mut shutdown = pin!(shutdown);
    let mut changed = delivery.store().watch_queue();
    let mut runner = Runner::new(delivery);
    loop {
        changed.mark_unchanged();
        runner.start_due();
        let pause = runner.pause();
        tokio::select! {
            () = &mut shutdown => break,
            // An error: the store is closed.
            woken = changed.changed() => if woken.is_err() { break },
            Some(ended) = runner.tasks.join_next_with_id(), if !runner.tasks.is_empty() => {
                runner.ended(&ended);
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
    let rest = async { while runner.tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_GRACE, rest).await.is_err() {
        tracing::debug!("sessions were cut off by the stop; their mail is tried again");
    }
}

impl Delivery {
    /// Tries everything that is due now and comes back when it is settled.
    pub async fn run_due(&self) {
        let mut runner = Runner::new(self.clone());
        loop {
            runner.start_due();
            match runner.tasks.join_next_with_id().await {
                Some(ended) => runner.ended(&ended),
                None => return,
            }
        }
    }
}

struct Runner {
    delivery: Delivery,
    tasks: JoinSet<()>,
    errands: BTreeMap<Id, Errand>,
    /// By recipient: changed settings give it another destination, and must not send it twice.
    under_way: BTreeSet<(QueueId, usize)>,
    per_destination: BTreeMap<Destination, u32>,
}

impl Runner {
    fn new(delivery: Delivery) -> Self {
        Self {
            delivery,
            tasks: JoinSet::new(),
            errands: BTreeMap::new(),
            under_way: BTreeSet::new(),
            per_destination: BTreeMap::new(),
        }
    }

    fn start_due(&mut self) {
        let budget = self.delivery.budget();
        let at_once = usize::try_from(budget.delivery_outbound_max).unwrap_or(usize::MAX);
        let per_destination = budget.delivery_per_destination_max;
        if self.tasks.len() >= at_once {
            return;
        }
        let now = self.delivery.clock().now();
        let due = match self.delivery.store().queue_due(now, ROUND_ENTRIES) {
            Ok(due) => due,
            Err(err) => {
                tracing::error!(err = %err, "the queue could not be read");
                return;
            }
        };
        for entry in due {
            for (destination, mut indices) in self.delivery.group(&entry, now) {
                if self.tasks.len() >= at_once {
                    return;
                }
                indices.retain(|&index| !self.under_way.contains(&(entry.id, index)));
                let count = self.per_destination.get(&destination).copied().unwrap_or(0);
                if indices.is_empty() || count >= per_destination {
                    continue;
                }
                self.per_destination.insert(destination.clone(), count + 1);
                self.under_way.extend(indices.iter().map(|&index| (entry.id, index)));
                let errand = (entry.id, destination.clone(), indices.clone());
                let (delivery, entry) = (self.delivery.clone(), entry.clone());
                let task = self.tasks.spawn(async move {
                    Box::pin(delivery.run_errand(&entry, &destination, &indices)).await;
                });
                self.errands.insert(task.id(), errand);
            }
        }
    }

    fn ended(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let (id, has_panicked) = match ended {
            Ok((id, ())) => (*id, false),
            Err(err) => (err.id(), true),
        };
        let Some(errand) = self.errands.remove(&id) else { return };
        if let Some(count) = self.per_destination.get_mut(&errand.1) {
            *count = count.saturating_sub(1);
        }
        self.per_destination.retain(|_, count| *count > 0);
        if has_panicked {
            // It stays marked as under way: tried again at once it would only fail again.
            tracing::error!(queue_id = %errand.0, "an entry made the queue runner fail");
        } else {
            for index in errand.2 {
                self.under_way.remove(&(errand.0, index));
            }
        }
    }

    /// How long nothing will happen, if nothing changes.
    fn pause(&self) -> Duration {
        let next = match self.delivery.store().queue_next_due() {
            Ok(next) => next,
            Err(err) => {
                tracing::error!(err = %err, "the queue could not be read");
                return PAUSE_MAX;
            }
        };
        let Some(next) = next else { return PAUSE_MAX };
        let wait = next.0.saturating_sub(self.delivery.clock().now().0);
        match u64::try_from(wait) {
            Ok(wait) if wait > 0 => Duration::from_millis(wait).min(PAUSE_MAX),
            _ => PAUSE_BUSY,
        }
    }
}

impl Delivery {
    /// The recipients of an entry that are due, by destination.
    fn group(&self, entry: &QueueEntry, now: Timestamp) -> BTreeMap<Destination, Vec<usize>> {
        let is_direct = self.store().settings().outbound == Outbound::Direct;
        let mut groups: BTreeMap<Destination, Vec<usize>> = BTreeMap::new();
        for (index, recipient) in entry.recipients.iter().enumerate() {
            let is_due = store::is_due(recipient.next_attempt_at, now);
            if recipient.state != RecipientState::Pending || !is_due {
                continue;
            }
            let destination = match self.store().resolve(&recipient.address) {
                Ok(Resolution::NotLocal) if is_direct => {
                    Destination::Domain(recipient.address.domain().clone())
                }
                Ok(Resolution::NotLocal) => Destination::Smarthost,
                Ok(_) => Destination::Local,
                Err(err) => {
                    tracing::error!(queue_id = %entry.id, err = %err, "the directory failed");
                    continue;
                }
            };
            groups.entry(destination).or_default().push(index);
        }
        groups
    }

    async fn run_errand(&self, entry: &QueueEntry, destination: &Destination, indices: &[usize]) {
        if *destination == Destination::Local {
            self.deliver_local(entry, indices).await;
            return;
        }
        let outcomes = self.attempt(entry, destination, indices).await;
        let decision = decide(entry, &outcomes, self.clock().now());
        self.settle(entry, decision, Vec::new()).await;
    }

    /// Recipients that turned out to be ours: their domain was added after the message came, or
    /// their address went between RCPT and the end of the data.
    async fn deliver_local(&self, entry: &QueueEntry, indices: &[usize]) {
        let mut outcomes = Vec::new();
        let mut copies = Vec::new();
        for &index in indices {
            let verdict = match self.local_copy(entry, index) {
                Ok(LocalCopy::Of(copy)) => {
                    copies.push(*copy);
                    // Success is reported below, as `delivered`, not as `relayed`.
                    Verdict::Delivered { reply: "250 2.1.5 local".to_owned(), dsn_passed: true }
                }
                Ok(LocalCopy::Nobodys) => {
                    Verdict::Permanent(Word::ours("5.1.1", "no such user here"))
                }
                // As RCPT would have been answered.
                Ok(LocalCopy::Suspended) => {
                    Verdict::Temporary(Word::ours("4.2.1", "the mailbox is suspended"))
                }
                Err(err) => Verdict::Temporary(Word::ours("4.3.0", err.to_string())),
            };
            outcomes.push(Outcome { index, verdict, host: None });
        }
        let now = self.clock().now();
        let mut decision = decide(entry, &outcomes, now);
        for update in &decision.updates {
            let recipient = &update.recipient;
            if recipient.state == RecipientState::Delivered && recipient.notify.success {
                let (address, orcpt) = (recipient.address.clone(), recipient.orcpt.clone());
                decision.delivered.push(Report::delivered(address, orcpt, now));
            }
        }
        self.settle(entry, decision, copies).await;
    }

    /// The message for one recipient of ours.
    fn local_copy(&self, entry: &QueueEntry, index: usize) -> Result<LocalCopy, StoreError> {
        let Some(recipient) = entry.recipients.get(index) else { return Ok(LocalCopy::Nobodys) };
        let Resolution::Known { accounts, remote } = self.store().resolve(&recipient.address)?
        else {
            return Ok(LocalCopy::Nobodys);
        };
        if remote.is_empty() && self.are_suspended(&accounts) {
            return Ok(LocalCopy::Suspended);
        }
        let mut staging = self.store().stage()?;
        let mut offset = 0;
        loop {
            let bytes = self.store().read(&entry.blob, offset, READ_MAX)?;
            if bytes.is_empty() {
                break;
            }
            staging.write(&bytes)?;
            offset += bytes.len() as u64;
        }
        let recipients: Vec<_> = remote
            .into_iter()
            .map(|address| (address, recipient.orcpt.clone(), recipient.notify))
            .collect();
        let remote = (!recipients.is_empty()).then(|| NewQueueEntry {
            envelope: entry.envelope.clone(),
            recipients,
            skip: entry.skip,
        });
        let local = accounts.into_iter().map(into_inbox).collect();
        let delivery = StoreDelivery { message: staging.finish()?, local, remote };
        Ok(LocalCopy::Of(Box::new(delivery)))
    }
}

/// What becomes of a recipient of ours.
enum LocalCopy {
    Of(Box<StoreDelivery>),
    /// There is no such address.
    Nobodys,
    /// Its account takes no mail now.
    Suspended,
}
