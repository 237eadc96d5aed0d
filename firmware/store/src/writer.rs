//! The one writer: takes what is queued, applies it in one index transaction, makes the log durable,
//! commits, and only then answers. No timer: a group is what came while the last one was written.
//!
//! The commit itself is not durable: the log is, and a replay makes the commit again. The index becomes
//! durable at checkpoints: a while after the first group that is not, after so many groups or bytes, and
//! at the end. Then the log before needs no replay.
//!
//! An act that fails before it wrote anything is answered alone. One that fails later makes the group
//! start over without it, so that neighbours never see half of it.

mod tx;

pub(crate) use tx::{Effects, Tx};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::Clock;
use redb::{Database, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};

use crate::index::{self, Tables};
use crate::mandate::Mandate;
use crate::segment::{Log, LogEnd};
use crate::watchers::Watchers;
use crate::{Settings, StoreError, meta, segment_row};

/// Acts that wait for the writer; who comes later waits for a place.
pub(crate) const QUEUE_MAX: usize = 1024;
/// Acts in one group.
const GROUP_MAX: usize = 256;
/// Groups in the log without a checkpoint: what a start replays.
const UNPERSISTED_GROUPS_MAX: u64 = 1_000;
/// Bytes in the log without a checkpoint.
const UNPERSISTED_BYTES_MAX: u64 = 32 * 1024 * 1024;

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
    /// Make the index durable and tell.
    Checkpoint(oneshot::Sender<Result<(), StoreError>>),
    /// Answer all that came before, then end.
    Stop,
}

/// An act as a closure with the place of its answer.
pub(crate) struct Act<V, F> {
    pub(crate) apply: F,
    pub(crate) mandate: Mandate,
    pub(crate) value: Option<V>,
    pub(crate) reply: Option<oneshot::Sender<Result<V, StoreError>>>,
}

impl<V, F> Job for Act<V, F>
where
    V: Send,
    F: FnMut(&mut Tx<'_, '_>) -> Result<V, StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_, '_>) -> Result<(), StoreError> {
        tx.begin(&self.mandate)?;
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
    /// The number of the last group.
    pub(crate) group: u64,
    pub(crate) unpersisted: Unpersisted,
    /// How long a commit may wait for a checkpoint.
    pub(crate) checkpoint_after: Duration,
    /// Waits for orders with a limit of time; it drives nothing else.
    pub(crate) runtime: tokio::runtime::Runtime,
}

/// What was committed since the last checkpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unpersisted {
    since: Option<Instant>,
    groups: u64,
    bytes: u64,
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

/// What of a group the log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Logged {
    /// The group changed nothing.
    Nothing,
    /// Contents and changes: a replay makes the commit again.
    Changes,
    /// Contents only, for the changes are too large: the commit itself must be durable.
    Contents,
}

impl Writer {
    /// Runs until it is stopped or all stores are gone.
    pub(crate) fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut held = None;
        while let Some(order) = held.take().or_else(|| self.next(&mut orders)) {
            let mut group = Vec::new();
            match order {
                Order::Stop => break,
                Order::Checkpoint(reply) => {
                    // Who asked may have gone.
                    drop(reply.send(self.checkpoint()));
                    continue;
                }
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
            if self.is_checkpoint_due() {
                // A failure is told to all by `failed`.
                drop(self.checkpoint());
            }
        }
        drop(self.checkpoint());
    }

    /// The next order; makes a checkpoint when it is due and none comes.
    fn next(&mut self, orders: &mut mpsc::Receiver<Order>) -> Option<Order> {
        let deadline = self.unpersisted.since.and_then(|at| at.checked_add(self.checkpoint_after));
        if let Some(deadline) = deadline {
            let wait = async { tokio::time::timeout_at(deadline.into(), orders.recv()).await };
            if let Ok(order) = self.runtime.block_on(wait) {
                return order;
            }
            drop(self.checkpoint());
        }
        orders.blocking_recv()
    }

    fn is_checkpoint_due(&self) -> bool {
        let now = &self.unpersisted;
        now.groups >= UNPERSISTED_GROUPS_MAX
            || now.bytes >= UNPERSISTED_BYTES_MAX
            || now.since.is_some_and(|at| at.elapsed() >= self.checkpoint_after)
    }

    /// Makes the index durable up to the last commit.
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        if *self.failed.borrow() {
            return Err(StoreError::Closed);
        }
        if self.unpersisted.groups == 0 {
            return Ok(());
        }
        let done = index::checkpoint(&self.database);
        match &done {
            Ok(()) => self.unpersisted = Unpersisted::default(),
            // The acts are durable in the log; the next opening takes them from there.
            Err(e) => give_up(&self.failed, e),
        }
        done
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
                    Ok(Attempt::Empty) => return self.roll_back(mark),
                    Ok(Attempt::Again) => {
                        self.roll_back(mark);
                        continue;
                    }
                    Err(e) => e,
                }
            };
            give_up(&self.failed, &error);
            // A commit that failed may stand all the same; the next opening sees, and cuts the log where
            // the index says. Until then nothing is written any more.
            if !matches!(error, StoreError::Index { .. }) {
                self.roll_back(mark);
            }
            group.iter_mut().for_each(|job| job.answer(Err(error.again())));
            return;
        }
    }

    /// Gives up what a group left in the log. Where it might come back after a crash nobody may see a state
    /// without it: then no act is taken any more, and the next opening says what holds.
    fn roll_back(&mut self, mark: LogEnd) {
        if let Err(e) = self.log.roll_back(mark)
            && !self.failed.send_replace(true)
        {
            tracing::error!(err = ?e, "the log failed: the store takes no more acts");
        }
    }

    fn attempt(&mut self, group: &mut Vec<Box<dyn Job>>) -> Result<Attempt, StoreError> {
        let mut transaction = index::begin(&self.database)?;
        let begin = self.log.end();
        let (applied, logged) = self.apply(&transaction, group)?;
        if !matches!(applied, Attempt::Committed(_)) || logged == Logged::Nothing {
            return Ok(applied);
        }
        self.log.sync()?;
        if logged == Logged::Contents {
            index::make_durable(&mut transaction)?;
        }
        transaction.commit().map_err(StoreError::index("committing"))?;
        self.log.committed();
        self.group += 1;
        if logged == Logged::Contents {
            self.unpersisted = Unpersisted::default();
            return Ok(applied);
        }
        let end = self.log.end();
        let is_same = end.segment == begin.segment;
        self.unpersisted.bytes += end.offset - if is_same { begin.offset } else { 0 };
        self.unpersisted.groups += 1;
        self.unpersisted.since.get_or_insert_with(Instant::now);
        Ok(applied)
    }

    /// Applies the acts; `Committed` is then still to be made true.
    fn apply(
        &mut self,
        transaction: &WriteTransaction,
        group: &mut Vec<Box<dyn Job>>,
    ) -> Result<(Attempt, Logged), StoreError> {
        self.log.begin();
        let mut tx = Tx {
            tables: Tables::open(transaction),
            log: &mut self.log,
            effects: Effects::new(Arc::clone(&self.settings)),
            now: self.clock.now(),
            origin: None,
            noted: None,
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
                return Ok((Attempt::Again, Logged::Nothing));
            }
        }
        if group.is_empty() {
            return Ok((Attempt::Empty, Logged::Nothing));
        }
        let logged = end_group(&mut tx.tables, tx.log, self.group + 1)?;
        Ok((Attempt::Committed(tx.effects), logged))
    }
}

/// Brings the rows of a group into the index and their changes into the log.
fn end_group(tables: &mut Tables<'_>, log: &mut Log, group: u64) -> Result<Logged, StoreError> {
    tables.flush()?;
    let has_changes = tables.redo().is_none_or(|changes| !changes.is_empty());
    if !has_changes && !log.has_records() {
        return Ok(Logged::Nothing);
    }
    log.make_room()?;
    for &(segment, bytes) in log.left() {
        segment_row::leave(tables, segment, bytes)?;
    }
    tables.flush()?;
    let logged = match tables.redo() {
        Some(changes) => {
            log.append_changes(group, changes)?;
            Logged::Changes
        }
        None => {
            meta::put_unlogged(tables, group)?;
            Logged::Contents
        }
    };
    meta::put_log_end(tables, log.end(), group)?;
    tables.flush()?;
    Ok(logged)
}

/// After an error of the index nothing can be known about its state: no act is taken any more, and
/// whoever runs the store ends the process; opening it again finds the last good commit.
fn give_up(failed: &watch::Sender<bool>, error: &StoreError) {
    if matches!(error, StoreError::Index { .. }) && !failed.send_replace(true) {
        tracing::error!(err = ?error, "the index failed: the store takes no more acts");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use base::SystemClock;

    use crate::index::{T, View};
    use crate::{Options, Store};

    /// The changes of such an act are not in the log, so its commit must be durable by itself.
    #[tokio::test]
    async fn an_act_too_large_for_the_log_is_durable_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let mut options = Options::new(path("data"));
        options.checkpoint_after = Duration::from_secs(3600);
        let store = Store::open(options, Arc::new(SystemClock)).unwrap();
        store.update_settings(Box::new(|s| s.language = "de".to_owned())).await.unwrap();
        let put = |first: u8, count: u8| {
            store.act(move |tx| {
                (first..first + count).try_for_each(|n| tx.put(T::Entry, &[n], &[n; 1 << 20]))
            })
        };
        put(1, 9).await.unwrap();
        put(100, 1).await.unwrap();
        let log = std::fs::metadata(path("data/segments/00000001.seg")).unwrap().len();
        assert!(log < 1 << 20, "{log} bytes of log");
        // What a crash would leave now.
        std::fs::create_dir_all(path("copy/segments")).unwrap();
        for name in ["index.redb", "segments/00000001.seg"] {
            std::fs::copy(path("data").join(name), path("copy").join(name)).unwrap();
        }
        let again = Store::open(Options::new(path("copy")), Arc::new(SystemClock)).unwrap();
        assert_eq!(again.snapshot().unwrap().len(T::Entry).unwrap(), 10);
        assert_eq!(again.settings().language, "de");
    }
}
