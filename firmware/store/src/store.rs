//! Opening, closing, and the way of an act to the writer and back.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use base::{Clock, Timestamp};
use redb::Database;
use tokio::sync::{mpsc, oneshot, watch};

use crate::disk::{self, Space};
use crate::index::{self, Snapshot, T, Tables, View};
use crate::mandate::Mandate;
use crate::replay::{self, Replayed};
use crate::rows_file::{self, RowsFile};
use crate::search_index::{self, SearchIndexes};
use crate::segment::{self, Log, Segments};
use crate::shared_uids::SharedUids;
use crate::watchers::Watchers;
use crate::writer::{Act, Order, QUEUE_MAX, Tx, Unpersisted, Writer};
use crate::{Gate, Options, Spill, Staging, Stats, StoreError, meta, settings, upgrade, webhook};

/// The store. Cheap to clone; all clones are one store. What differs is in whose name they act,
/// and who judges that.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
    pub(crate) mandate: Mandate,
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) segments: Arc<Segments>,
    pub(crate) search: SearchIndexes,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) shared_uids: SharedUids,
    space: Space,
    orders: Option<mpsc::Sender<Order>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    failed: watch::Receiver<bool>,
    /// Housekeeping has looked at the clock in this run.
    pub(crate) was_aged: AtomicBool,
    pub(crate) cleaning: Mutex<crate::cleanup::Cleaning>,
    /// The rows of an earlier time that a lost index is made again from.
    pub(crate) rows: Mutex<Option<RowsFile>>,
    /// Who is asked before acts on accounts, aliases and groups.
    pub(crate) gate: Mutex<Option<Arc<dyn Gate>>>,
    /// Snapshots that are held: no segment goes meanwhile.
    pub(crate) holds: AtomicUsize,
    // The order of the fields is the order of dropping: the lock goes last.
    database: Arc<Database>,
    _lock: Box<dyn Send + Sync>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.inner.options.dir).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The writer ends when no sender is left; the lock must not go before it.
        self.orders = None;
        self.join();
    }
}

impl Inner {
    fn join(&self) {
        let mut writer = match self.writer.lock() {
            Ok(writer) => writer,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(thread) = writer.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

/// Opens the index of a data directory whose lock is held, brings it to this format and replays the log.
pub(crate) fn open_index(
    options: &Options,
    segments: &Segments,
    mode: Mode,
    now: Timestamp,
) -> Result<(Database, Replayed), StoreError> {
    let (disk, dir) = (&*options.disk, options.dir.as_path());
    let path = disk::index_path(dir);
    let open = |e: std::io::Error| StoreError::Open(format!("{}: {e}", path.display()));
    let is_new = !disk::has_index(disk, dir).map_err(open)?;
    let has_segments = !segment::list(disk, &disk::segments_path(dir)).map_err(open)?.is_empty();
    if is_new && (has_segments || mode == Mode::Check) {
        // Starting over with an empty index would cut the segments, which hold the mail.
        return Err(StoreError::Open(format!(
            "{} is missing; postroomd check --repair makes it again from the log",
            path.display()
        )));
    }
    if is_new {
        // redb gives a new file its length before its magic number; stopped in between, no start would
        // open it again. So it gets its name when it is whole.
        let making = dir.join("index.new");
        let file = disk.open(&making, true).map_err(open)?;
        file.set_len(0).map_err(open)?;
        drop(index::open(file, options.cache_bytes)?);
        disk.rename(&making, &path).map_err(open)?;
    }
    let file = disk.open(&path, false).map_err(open)?;
    let mut database = index::open(Arc::clone(&file), options.cache_bytes).map_err(|e| {
        StoreError::Open(format!("{e}; postroomd check --repair makes it again from the log"))
    })?;
    disk.sync_dir(dir).map_err(open)?;
    match format(&database)? {
        Some(meta::FORMAT) if index::has_all_tables(&database)? => {}
        None if has_segments => {
            return Err(StoreError::Open(format!(
                "there is nothing in {}; postroomd check --repair makes it again from the log",
                path.display()
            )));
        }
        None | Some(meta::FORMAT) => make_tables(&database)?,
        Some(from @ meta::OLDEST_FORMAT..meta::FORMAT) if mode == Mode::Run => {
            if from > meta::OLDEST_FORMAT {
                // What the log has behind the index are changes of the old rows.
                replay::run(&database, segments)?;
            }
            drop(database);
            let kept = disk.open(&dir.join(format!("index.v{from}")), true).map_err(open)?;
            upgrade::keep(&*file, &kept).map_err(open)?;
            // It may be of a time after the last upgrade, if the way back was taken meanwhile.
            search_index::history::clear(disk, dir).map_err(open)?;
            rows_file::remove(disk, dir)?;
            disk.sync_dir(dir).map_err(open)?;
            database = index::open(file, options.cache_bytes)?;
            upgrade::run(&database, segments, from, now)?;
        }
        Some(other) => {
            let ours = meta::FORMAT;
            let reason = format!("it has format {other}, this version runs with {ours}");
            return Err(StoreError::Open(reason));
        }
    }
    let replayed = replay::run(&database, segments)?;
    Ok((database, replayed))
}

/// Opens the index of a stopped store on a disk that takes no writes: with what the log has behind it, or
/// as it is where that cannot be read.
pub(crate) fn open_to_read(options: &Options, segments: &Segments) -> Result<Database, StoreError> {
    match open_index(options, segments, Mode::Check, Timestamp::default()) {
        Ok((database, _)) => Ok(database),
        Err(e) => {
            let dir = options.dir.as_path();
            let has_index = disk::has_index(&*options.disk, dir).unwrap_or(false);
            if !has_index {
                return Err(e);
            }
            let file = options.disk.open(&disk::index_path(dir), false);
            let file = file.map_err(StoreError::io("opening the index"))?;
            index::open(file, options.cache_bytes)
        }
    }
}

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To be used: made if absent, upgraded if old.
    Run,
    /// To be looked at.
    Check,
}

pub(crate) fn format(database: &Database) -> Result<Option<u64>, StoreError> {
    let view = Snapshot::of(database)?;
    if view.is_new()? { Ok(None) } else { meta::format(&view) }
}

/// Makes the tables of a new store, and those that a later version of the format has more.
pub(crate) fn make_tables(database: &Database) -> Result<(), StoreError> {
    let mut transaction = index::begin(database)?;
    index::make_durable(&mut transaction)?;
    let mut tables = Tables::open(&transaction);
    tables.make_all()?;
    if meta::format(&tables)?.is_none() {
        meta::put_format(&mut tables)?;
    }
    tables.flush()?;
    drop(tables);
    transaction.commit().map_err(StoreError::index("committing"))
}

impl Store {
    /// Opens the store in `options.dir`, or makes it, and starts its writer.
    ///
    /// # Errors
    /// `Open` says why not: another process has it, a later version wrote it, the disk refuses.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let dir = &options.dir;
        let lock = disk::prepare(&*options.disk, dir)?;
        let segments =
            Arc::new(Segments::new(Arc::clone(&options.disk), &disk::segments_path(dir)));
        let (database, replayed) = open_index(&options, &segments, Mode::Run, clock.now())?;
        let database = Arc::new(database);
        let snapshot = Snapshot::of(&database)?;
        let settings = Arc::new(settings::load(&snapshot)?);
        let webhooks = webhook::list(&snapshot)?.into();
        drop(snapshot);
        let group = replayed.group;
        search_index::history::open(&*options.disk, dir, group)
            .map_err(StoreError::io("removing the search index of another past"))?;
        let rows = rows_file::open(&*options.disk, dir, group)?;
        let log = Log::open(Arc::clone(&segments), replayed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|e| StoreError::Open(format!("the writer's clock: {e}")))?;
        let watchers = Arc::new(Watchers::new(Arc::clone(&settings), webhooks));
        let (orders, queue) = mpsc::channel(QUEUE_MAX);
        let (failed, has_failed) = watch::channel(false);
        let writer = Writer {
            database: Arc::clone(&database),
            log,
            clock,
            watchers: Arc::clone(&watchers),
            failed,
            settings,
            group,
            unpersisted: Unpersisted::default(),
            checkpoint_after: options.checkpoint_after,
            runtime,
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|e| StoreError::Open(format!("the writer thread: {e}")))?;
        let space = Space::new(Arc::clone(&options.disk), dir, options.reserve_bytes);
        let search = SearchIndexes::new(Arc::clone(&options.disk), dir);
        Ok(Self {
            inner: Arc::new(Inner {
                options,
                segments,
                search,
                watchers,
                shared_uids: SharedUids::default(),
                space,
                orders: Some(orders),
                writer: Mutex::new(Some(thread)),
                failed: has_failed,
                was_aged: AtomicBool::new(false),
                cleaning: Mutex::default(),
                rows: Mutex::new(rows),
                gate: Mutex::default(),
                holds: AtomicUsize::new(0),
                database,
                _lock: lock,
            }),
            mandate: Mandate::default(),
        })
    }

    /// Waits for the writer to finish what is queued; later acts are `Closed`. The files are closed when
    /// the last clone is dropped.
    ///
    /// # Errors
    /// None today; the face keeps room for one.
    pub async fn close(self) -> Result<(), StoreError> {
        if let Some(orders) = &self.inner.orders {
            // A writer that is gone has nothing left to finish.
            let _gone = orders.send(Order::Stop).await.is_err();
        }
        let inner = self.inner;
        // It may hold the store by ways of its own.
        drop(inner.gate.lock().unwrap_or_else(PoisonError::into_inner).take());
        tokio::task::spawn_blocking(move || inner.join()).await.map_err(|_| StoreError::Closed)
    }

    /// Makes the index durable up to the last act, so that the log before needs no replay. No act needs it
    /// to be durable; who removes a segment does.
    ///
    /// # Errors
    /// `Index`, after which no act is taken any more; `Closed`.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::Checkpoint(reply), answer).await
    }

    /// Returns when the index has failed and no act is taken any more. Whoever runs the store then ends
    /// the process: opening it again finds the last good commit.
    pub async fn failed(&self) {
        let mut failed = self.inner.failed.clone();
        // An error means that the writer is gone; it is as good as failed.
        let _gone = failed.wait_for(|failed| *failed).await.is_err();
    }

    /// True when free space is under the low-water mark: deliveries are refused, reading, flags and
    /// expunging go on.
    #[must_use]
    pub fn disk_is_low(&self) -> bool {
        self.inner.space.is_low()
    }

    /// (free, total) bytes of the data disk.
    ///
    /// # Errors
    /// `Io`.
    pub fn disk_space(&self) -> Result<(u64, u64), StoreError> {
        self.inner.space.bytes()
    }

    /// Figures for the status page.
    ///
    /// # Errors
    /// `Index`, `Io`.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let view = self.snapshot()?;
        let (disk, dir) = (&*self.inner.options.disk, &self.inner.options.dir);
        let bytes = |path: &Path| disk.open(path, false).and_then(|f| f.len()).unwrap_or(0);
        let segments = disk::segments_path(dir);
        let numbers =
            segment::list(disk, &segments).map_err(StoreError::io("listing the segments"))?;
        Ok(Stats {
            messages: view.len(T::Message)?,
            blobs: view.len(T::Blob)?,
            mailboxes: view.len(T::Mailbox)?,
            queue_entries: view.len(T::Queue)?,
            segment_bytes: numbers.iter().map(|&n| bytes(&segment::path_of(&segments, n))).sum(),
            index_bytes: bytes(&disk::index_path(dir)),
        })
    }

    /// Begins a message.
    ///
    /// # Errors
    /// None today; the face keeps room for one.
    pub fn stage(&self) -> Result<Staging, StoreError> {
        let options = &self.inner.options;
        Ok(Staging::new(
            Arc::clone(&options.disk),
            &disk::tmp_path(&options.dir),
            options.message_bytes_max,
            options.message_memory_bytes,
            Spill::default(),
        ))
    }

    /// As [`Store::stage`], for one of many messages that wait together: at most `memory_bytes` of it are
    /// held in memory, and what is beyond goes into the file that they share.
    ///
    /// # Errors
    /// None today; the face keeps room for one.
    pub fn stage_among(&self, spill: Spill, memory_bytes: usize) -> Result<Staging, StoreError> {
        let options = &self.inner.options;
        let tmp = disk::tmp_path(&options.dir);
        let memory_bytes = options.message_memory_bytes.min(memory_bytes);
        let disk = Arc::clone(&options.disk);
        Ok(Staging::new(disk, &tmp, options.message_bytes_max, memory_bytes, spill))
    }

    /// The last committed state.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Snapshot::of(&self.inner.database)
    }

    /// Refuses new content when space runs out.
    pub(crate) fn check_space(&self) -> Result<(), StoreError> {
        if self.disk_is_low() { Err(StoreError::DiskFull) } else { Ok(()) }
    }

    /// Sends an act to the writer and waits until it is durable.
    pub(crate) async fn act<V, F>(&self, apply: F) -> Result<V, StoreError>
    where
        V: Send + 'static,
        F: FnMut(&mut Tx<'_, '_>) -> Result<V, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Act { apply, mandate: self.mandate.clone(), value: None, reply: Some(reply) };
        self.order(Order::Act(Box::new(job)), answer).await
    }

    /// As [`Store::act`], for an act that can run only once.
    pub(crate) async fn act_alone<V, F>(&self, apply: F) -> Result<V, StoreError>
    where
        V: Send + 'static,
        F: FnOnce(&mut Tx<'_, '_>) -> Result<V, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let mut once = Some(apply);
        let apply = move |tx: &mut Tx<'_, '_>| match once.take() {
            Some(apply) => apply(tx),
            None => Err(StoreError::Misuse("an act ran twice")),
        };
        let job = Act { apply, mandate: self.mandate.clone(), value: None, reply: Some(reply) };
        self.order(Order::Alone(Box::new(job)), answer).await
    }

    pub(crate) async fn order<V>(
        &self,
        order: Order,
        answer: oneshot::Receiver<Result<V, StoreError>>,
    ) -> Result<V, StoreError> {
        let orders = self.inner.orders.as_ref().ok_or(StoreError::Closed)?;
        orders.send(order).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
