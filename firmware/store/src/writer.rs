//! The one writer: takes what is queued, applies it in one index transaction, makes the log durable,
//! commits, and only then answers. No timer: a group is what came while the last one was written.
//!
//! An act that fails before it wrote anything is answered alone. One that fails later makes the group
//! start over without it, so that neighbours never see half of it.

mod tx;

pub(crate) use tx::{Effects, Tx};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use base::Clock;
use redb::{Database, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};

use crate::index::{self, Tables};
use crate::segment::Log;
use crate::watchers::Watchers;
use crate::{Settings, StoreError, meta};

/// Acts that wait for the writer; who comes later waits for a place.
pub(crate) const QUEUE_MAX: usize = 1024;
/// Acts in one group.
const GROUP_MAX: usize = 256;

/// An act on its way through the writer.
pub(crate) trait Job: Send {
    /// Applies the act; may run again after a group was given up.
    fn run(&mut self, tx: &mut Tx<'_, '_>) -> Result<(), StoreError>;
    /// Answers the caller.
    fn answer(&mut self, outcome: Result<(), StoreError>);
}

/// What goes through the channel.
pub(crate) enum Order {
    /// An act that shares a group.
    Act(Box<dyn Job>),
    /// An act that can run only once and so has a group of its own.
    Alone(Box<dyn Job>),
    /// Answer all that came before, then end.
    Stop,
}

/// An act as a closure with the place of its answer.
pub(crate) struct Act<V, F> {
    pub(crate) apply: F,
    pub(crate) value: Option<V>,
    pub(crate) reply: Option<oneshot::Sender<Result<V, StoreError>>>,
}

impl<V, F> Job for Act<V, F>
where
    V: Send,
    F: FnMut(&mut Tx<'_, '_>) -> Result<V, StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_, '_>) -> Result<(), StoreError> {
        self.value = Some((self.apply)(tx)?);
        Ok(())
    }
    fn answer(&mut self, outcome: Result<(), StoreError>) {
        let answer = outcome.and_then(|()| self.value.take().ok_or(StoreError::Closed));
        if let Some(reply) = self.reply.take() {
            // The caller may have gone; the act stands all the same.
            drop(reply.send(answer));
        }
    }
}

/// The writer thread's own.
pub(crate) struct Writer {
    pub(crate) database: Arc<Database>,
    pub(crate) log: Log,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) failed: watch::Sender<bool>,
    pub(crate) settings: Arc<Settings>,
}

/// How an attempt at a group ended.
enum Attempt {
    /// All that is left of the group is durable.
    Committed(Effects),
    /// Nothing is left of it.
    Empty,
    /// An act failed half-way and is out; the others start over.
    Again,
}

impl Writer {
    /// Runs until it is stopped or all stores are gone.
    pub(crate) fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut held = None;
        while let Some(first) = held.take().or_else(|| orders.blocking_recv()) {
            let mut group = Vec::new();
            match first {
                Order::Stop => return,
                Order::Alone(job) => group.push(job),
                Order::Act(job) => {
                    group.push(job);
                    while group.len() < GROUP_MAX {
                        match orders.try_recv() {
                            Ok(Order::Act(job)) => group.push(job),
                            Ok(other) => {
                                held = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                }
            }
            self.commit(group);
        }
    }

    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) {
        let mark = self.log.end();
        while !group.is_empty() {
            let error = if *self.failed.borrow() {
                StoreError::Closed
            } else {
                match self.attempt(&mut group) {
                    Ok(Attempt::Committed(effects)) => {
                        self.settings = Arc::clone(&effects.settings);
                        self.watchers.fire(effects);
                        group.iter_mut().for_each(|job| job.answer(Ok(())));
                        return;
                    }
                    Ok(Attempt::Empty) => return self.log.roll_back(mark),
                    Ok(Attempt::Again) => {
                        self.log.roll_back(mark);
                        continue;
                    }
                    Err(e) => e,
                }
            };
            give_up(&self.failed, &error);
            // A commit that failed may stand all the same; the next opening sees, and cuts the log where
            // the index says. Until then nothing is written any more.
            if !matches!(error, StoreError::Index { .. }) {
                self.log.roll_back(mark);
            }
            group.iter_mut().for_each(|job| job.answer(Err(error.again())));
            return;
        }
    }

    fn attempt(&mut self, group: &mut Vec<Box<dyn Job>>) -> Result<Attempt, StoreError> {
        let transaction = index::begin(&self.database)?;
        let applied = self.apply(&transaction, group)?;
        if matches!(applied, Attempt::Committed(_)) {
            self.log.sync()?;
            transaction.commit().map_err(StoreError::index("committing"))?;
        }
        Ok(applied)
    }

    /// Applies the acts; `Committed` is then still to be made true.
    fn apply(
        &mut self,
        transaction: &WriteTransaction,
        group: &mut Vec<Box<dyn Job>>,
    ) -> Result<Attempt, StoreError> {
        let before = self.log.end();
        let mut tx = Tx {
            tables: Tables::open(transaction)?,
            log: &mut self.log,
            effects: Effects::new(Arc::clone(&self.settings)),
            now: self.clock.now(),
        };
        let mut at = 0;
        while let Some(job) = group.get_mut(at) {
            let writes = tx.writes();
            // A bug in one act must not take the box's only writer with it.
            let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&mut tx)))
                .unwrap_or(Err(StoreError::Misuse("an act panicked")));
            let Err(error) = outcome else {
                at += 1;
                continue;
            };
            let is_clean = tx.writes() == writes;
            give_up(&self.failed, &error);
            group.remove(at).answer(Err(error));
            if !is_clean {
                return Ok(Attempt::Again);
            }
        }
        if group.is_empty() {
            return Ok(Attempt::Empty);
        }
        let end = tx.log.end();
        if end != before {
            meta::put_log_end(&mut tx.tables, end)?;
        }
        Ok(Attempt::Committed(tx.effects))
    }
}

/// After an error of the index nothing can be known about its state: no act is taken any more, and
/// whoever runs the store ends the process; opening it again finds the last good commit.
fn give_up(failed: &watch::Sender<bool>, error: &StoreError) {
    if matches!(error, StoreError::Index { .. }) && !failed.send_replace(true) {
        tracing::error!(err = ?error, "the index failed: the store takes no more acts");
    }
}
