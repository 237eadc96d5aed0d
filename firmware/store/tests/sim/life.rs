//! The lives of one store: work, a disk that fails or a power that goes, recovery (which is cut off too),
//! and the comparison with the model. One seed decides all of it.

use std::collections::BTreeMap;
use std::future::Future as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use base::Clock;
use store::{Held, Options, Store};

use crate::act::Act;
use crate::caller::{Gate, perform};
use crate::choice::Chooser;
use crate::content::Contents;
use crate::disk::{Fault, Lie, Plan, Planned, SimDisk};
use crate::doubt::{Doubt, End};
use crate::model::Model;
use crate::random::Random;
use crate::shown::{Shown, difference, look};

/// Where the store stands on the simulated disk.
pub(crate) const DIR: &str = "/data/store";
/// Recoveries that are cut off, one after the other.
const CUT_RECOVERIES_MAX: u32 = 3;

/// What happened in the lives of a seed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lives: u64,
    pub(crate) power_losses: u64,
    pub(crate) kills: u64,
    pub(crate) cut_recoveries: u64,
    pub(crate) faults: u64,
    pub(crate) acknowledged: u64,
    /// Indexes that were made again.
    pub(crate) lost_indexes: u64,
    /// Those of them that began with the rows of an earlier time.
    pub(crate) from_rows: u64,
    /// States that were held and copied.
    pub(crate) copies: u64,
    /// Batches with acts whose outcome was unknown.
    pub(crate) in_doubt: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.power_losses += other.power_losses;
        self.kills += other.kills;
        self.cut_recoveries += other.cut_recoveries;
        self.faults += other.faults;
        self.from_rows += other.from_rows;
        self.copies += other.copies;
        self.lost_indexes += other.lost_indexes;
        self.acknowledged += other.acknowledged;
        self.in_doubt += other.in_doubt;
    }
}

/// Small caches and limits, so that little work reaches far.
pub(crate) fn options(disk: &SimDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        cache_bytes: 256 * 1024,
        message_memory_bytes: 64 * 1024,
        reserve_bytes: Some(0),
        ..Options::new(DIR)
    }
}

/// When the index becomes durable: with every group, or when the store is closed. What lies between
/// would depend on the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checkpoints {
    Always,
    AtTheEnd,
}

pub(crate) fn open(
    disk: &SimDisk,
    clock: &Arc<Gate>,
    checkpoints: Checkpoints,
) -> Result<Store, store::StoreError> {
    let checkpoint_after = match checkpoints {
        Checkpoints::Always => Duration::ZERO,
        Checkpoints::AtTheEnd => Duration::from_secs(24 * 3600),
    };
    let options = Options { checkpoint_after, ..options(disk) };
    Store::open(options, Arc::clone(clock) as Arc<dyn Clock>)
}

/// The walk over a stopped store finds nothing.
pub(crate) fn check(disk: &SimDisk) -> Result<(), String> {
    let report = Store::check_with(&options(disk)).map_err(|e| format!("check: {e:?}"))?;
    if report.problems.is_empty() {
        Ok(())
    } else {
        Err(format!("check found {:#?}", report.problems))
    }
}

/// How a life ends.
enum Ending {
    /// The disk is off.
    Off,
    /// The store gave up after an error.
    Failed,
    /// Nothing happened to it.
    Well,
}

struct Lives<'c> {
    random: Random,
    disk: SimDisk,
    clock: Arc<Gate>,
    contents: &'c Contents,
    lie: Option<Lie>,
    doubt: Doubt,
    tally: Tally,
}

/// Runs all lives of a seed.
pub(crate) async fn run(seed: u64, contents: &Contents, lie: Option<Lie>) -> Result<Tally, String> {
    let mut random = Random::new(seed);
    let disk = SimDisk::new(Path::new("/data"), random.fork());
    let mut lives = Lives {
        random,
        disk,
        clock: Arc::new(Gate::new(1_795_338_000_000)),
        contents,
        lie,
        doubt: Doubt::none(Model::new()),
        tally: Tally::default(),
    };
    let count = 2 + lives.random.below(4);
    for life in 1..=count {
        Box::pin(lives.life()).await.map_err(|e| format!("life {life}: {e}"))?;
    }
    lives.last_look().await.map_err(|e| format!("after {count} lives: {e}"))?;
    Ok(lives.tally)
}

impl Lives<'_> {
    /// What is to happen to the disk in the next life.
    fn plan(&mut self) -> Plan {
        let random = &mut self.random;
        let off_at = match random.below(8) {
            // In the recovery.
            0 | 1 => Some(1 + random.below(30)),
            2 => None,
            _ => Some(10 + random.any_size(600)),
        };
        let fault = random.once_in(2).then(|| Planned {
            fault: Fault::ALL[random.index(Fault::ALL.len())],
            at: random.any_size(200),
            counts_changes: true,
            lasts: random.once_in(3),
        });
        Plan { off_at, fault, lie: self.lie }
    }

    /// The plan of a recovery after a cut-off one.
    fn short_plan(&mut self) -> Plan {
        Plan { off_at: Some(1 + self.random.below(25)), fault: None, lie: self.lie }
    }

    /// The process or the machine starts anew.
    fn restart(&mut self) {
        if self.random.below(10) < 7 {
            self.tally.power_losses += 1;
            self.disk = self.disk.crash();
        } else {
            self.tally.kills += 1;
            self.disk = self.disk.kill();
        }
    }

    /// Opens the store; recoveries are cut off as planned. `None` if the store is on a disk that is off
    /// once more.
    async fn open(&mut self) -> Result<Store, String> {
        let plan = self.plan();
        self.disk.plan(plan);
        let checkpoints =
            if self.random.once_in(4) { Checkpoints::Always } else { Checkpoints::AtTheEnd };
        for _ in 0..CUT_RECOVERIES_MAX {
            match open(&self.disk, &self.clock, checkpoints) {
                Ok(store) => return Ok(store),
                Err(e) if !self.disk.is_off() && self.disk.hits() == 0 => {
                    return Err(format!("it cannot be opened: {e:?}"));
                }
                Err(_) => {}
            }
            self.tally.cut_recoveries += 1;
            self.restart();
            let plan = self.short_plan();
            self.disk.plan(plan);
        }
        self.disk.plan(Plan { lie: self.lie, ..Plan::default() });
        open(&self.disk, &self.clock, checkpoints)
            .map_err(|e| format!("it cannot be opened: {e:?}"))
    }

    /// Resolves the doubt by what the store shows. `None` if the disk is off or failing: then it stays.
    fn resolve(&mut self, store: &Store) -> Result<Option<Model>, String> {
        match look(store, self.contents) {
            // A look may have begun before the power went and ended after.
            Ok(found) if !self.unreadable(&found) => {
                let model = self.doubt.settle(&found, self.contents)?;
                self.doubt = Doubt::none(model.clone());
                Ok(Some(model))
            }
            Ok(_) => Ok(None),
            Err(_) if self.disk.is_off() || self.disk.hits() > 0 => Ok(None),
            Err(e) => Err(format!("it cannot be read: {e:?}")),
        }
    }

    /// Contents that could not be read because the disk failed or is off.
    fn unreadable(&self, found: &Shown) -> bool {
        (self.disk.is_off() || self.disk.hits() > 0)
            && found.values().any(|line| line.contains("Io {") || line.contains("Index {"))
    }

    /// The index is lost, and made again; that is cut off as planned, too.
    async fn lose_index(&mut self) -> Result<(), String> {
        let index = Path::new(DIR).join("index.redb");
        let files = self.disk.files();
        let has_log = files.iter().any(|(path, _)| path.extension().is_some_and(|e| e == "seg"));
        let Some((_, bytes)) = files.iter().find(|(path, _)| *path == index) else { return Ok(()) };
        if !has_log {
            return Ok(());
        }
        self.tally.lost_indexes += 1;
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        self.disk.lose_file(&index);
        match self.random.below(3) {
            0 => {}
            1 => self.disk.put_file(&index, half),
            _ => self.disk.put_file(&index, &[0x5A; 10_000]),
        }
        let mut plan = self.plan();
        for round in 0..=CUT_RECOVERIES_MAX {
            if round == CUT_RECOVERIES_MAX {
                plan = Plan { lie: self.lie, ..Plan::default() };
            }
            self.disk.plan(plan);
            let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
            let outcome = Store::repair_with(options(&self.disk), clock).await;
            let is_hurt = self.disk.is_off() || self.disk.hits() > 0;
            match outcome {
                Ok(done) if !is_hurt => {
                    let from_rows = done.iter().any(|what| what.contains("the rows of group"));
                    self.tally.from_rows += u64::from(from_rows);
                    return Ok(());
                }
                Err(e) if !is_hurt => return Err(format!("the index is not made again: {e:?}")),
                _ => {}
            }
            self.tally.cut_recoveries += 1;
            self.restart();
            // The power took a segment whose name was never durable: nothing was acknowledged.
            let is_kept =
                |path: &Path| path == index || path.extension().is_some_and(|e| e == "seg");
            if !self.disk.files().iter().any(|(path, _)| is_kept(path)) {
                return Ok(());
            }
            plan = self.plan();
        }
        Ok(())
    }

    async fn life(&mut self) -> Result<(), String> {
        self.tally.lives += 1;
        if self.random.once_in(5) {
            self.lose_index().await?;
        }
        let store = self.open().await?;
        let end = Box::pin(self.work(&store)).await;
        let hits = self.disk.hits();
        self.tally.faults += hits;
        match end? {
            Ending::Off | Ending::Failed => {
                drop(store);
                self.restart();
                return Ok(());
            }
            Ending::Well => match self.random.below(4) {
                0 => {
                    // The power goes while nobody does anything.
                    self.restart();
                    drop(store);
                    return Ok(());
                }
                1 => drop(store),
                _ => store.close().await.map_err(|e| format!("closing: {e:?}"))?,
            },
        }
        if self.disk.is_off() || self.disk.hits() > 0 {
            self.restart();
        } else if self.random.once_in(2) {
            self.disk.plan(Plan { lie: self.lie, ..Plan::default() });
            check(&self.disk)?;
        }
        Ok(())
    }

    async fn work(&mut self, store: &Store) -> Result<Ending, String> {
        let Some(mut model) = self.resolve(store)? else { return Ok(self.end(store)) };
        let batches = 1 + self.random.below(7);
        for _ in 0..batches {
            self.clock.advance(i64::try_from(self.random.below(3_000)).unwrap_or(0));
            let now = self.clock.at();
            let count = usize::try_from(self.random.any_size(12)).unwrap_or(1);
            let keeps_house = self.random.once_in(12);
            let held = match self.random.once_in(10) {
                true => store.hold().ok().map(|held| (held, model.shown(self.contents))),
                false => None,
            };
            let mut chooser = Chooser { random: &mut self.random, model: model.clone(), now };
            let acts = if keeps_house { vec![Act::KeepHouse] } else { chooser.acts(count) };
            let as_group = acts.len() > 1 && !self.random.once_in(4);
            // Settings are a group of their own, and with them there are several.
            let is_one = as_group && !acts.iter().any(|act| matches!(act, Act::SetHostname { .. }));
            let ends = if is_one && self.random.once_in(5) {
                let before = model.shown(self.contents);
                self.perform_watched(store, &acts, &before).await?
            } else {
                self.perform(store, &acts, as_group).await
            };
            let mut ended: Vec<(Act, End)> = acts.into_iter().zip(ends).collect();
            self.tally.acknowledged +=
                ended.iter().filter(|(_, end)| matches!(end, End::Acknowledged(_))).count() as u64;
            let doubt = std::mem::take(&mut ended);
            self.doubt = Doubt::new(model.clone(), doubt, now);
            if self.doubt.is_open() {
                self.tally.in_doubt += 1;
                if !self.disk.is_off() && self.disk.hits() == 0 {
                    return Err(format!("acts failed on a good disk: {:#?}", self.doubt));
                }
            }
            if self.disk.is_off() || has_failed(store) {
                return Ok(self.end(store));
            }
            if let Some((held, shown)) = held {
                self.copy_held(&held, &shown).await?;
            }
            if self.random.once_in(10) {
                // The log before it needs no replay; how it ends shows in the next act.
                drop(store.checkpoint().await);
                if has_failed(store) {
                    return Ok(self.end(store));
                }
            }
            // A store that goes on after an error shows what it made of it.
            match self.resolve(store)? {
                Some(now) => model = now,
                None => return Ok(self.end(store)),
            }
        }
        Ok(self.end(store))
    }

    /// A state that was held can be copied after others came, and the copy shows it.
    async fn copy_held(&mut self, held: &Held, expected: &Shown) -> Result<(), String> {
        let path = Path::new(DIR).join("copy.redb");
        let copied = held.copy_index(&path);
        let files: BTreeMap<_, _> = self.disk.files().into_iter().collect();
        if self.disk.is_off() || self.disk.hits() > 0 {
            return Ok(());
        }
        self.disk.lose_file(&path);
        copied.map_err(|e| format!("what is held cannot be copied: {e:?}"))?;
        let disk = SimDisk::new(Path::new("/data"), self.random.fork());
        let bytes = |path: &Path| files.get(path).map(Vec::as_slice).unwrap_or_default();
        disk.put_file(&Path::new(DIR).join("index.redb"), bytes(&path));
        for (segment, len) in held.segments() {
            let len = usize::try_from(*len).unwrap_or(usize::MAX);
            let part = bytes(segment).get(..len).ok_or("a segment that is held is short")?;
            disk.put_file(segment, part);
        }
        let store = open(&disk, &self.clock, Checkpoints::AtTheEnd)
            .map_err(|e| format!("a copy cannot be opened: {e:?}"))?;
        let found = look(&store, self.contents).map_err(|e| format!("reading a copy: {e:?}"))?;
        store.close().await.map_err(|e| format!("closing a copy: {e:?}"))?;
        self.tally.copies += 1;
        if found != *expected {
            return Err(format!("a copy is another: {}", difference(expected, &found)));
        }
        check(&disk)
    }

    fn end(&self, store: &Store) -> Ending {
        if self.disk.is_off() {
            Ending::Off
        } else if has_failed(store) {
            Ending::Failed
        } else {
            Ending::Well
        }
    }

    async fn perform(&self, store: &Store, acts: &[Act], as_group: bool) -> Vec<End> {
        let answers = perform(store, &self.clock, self.contents, acts, as_group).await;
        answers.into_iter().map(End::of).collect()
    }

    /// As [`Lives::perform`], for acts that form one group: until the log is durable, nobody may read
    /// anything of them.
    async fn perform_watched(
        &self,
        store: &Store,
        acts: &[Act],
        before: &Shown,
    ) -> Result<Vec<End>, String> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (reader, notes) = (store.clone(), Arc::clone(&seen));
        let contents = Contents::shared();
        self.disk.peek(Some(Arc::new(move || {
            // A look that fails does so because the disk does.
            if let (Ok(shown), Ok(mut notes)) = (look(&reader, contents), notes.lock()) {
                notes.push(shown);
            }
        })));
        let ends = self.perform(store, acts, true).await;
        self.disk.peek(None);
        let seen = seen.lock().map_err(|_| "the one who looked panicked".to_owned())?;
        match seen.iter().find(|shown| *shown != before && !self.unreadable(shown)) {
            Some(shown) => Err(format!(
                "what was not durable could be read: {}\nwith {acts:#?}",
                difference(before, shown)
            )),
            None => Ok(ends),
        }
    }

    /// On a disk that does what it should: all is there, the walk finds nothing, and a clean stop and
    /// start change nothing.
    async fn last_look(&mut self) -> Result<(), String> {
        self.disk.plan(Plan::default());
        let mut shown = Vec::new();
        for _ in 0..2 {
            let store = open(&self.disk, &self.clock, Checkpoints::AtTheEnd)
                .map_err(|e| format!("it cannot be opened: {e:?}"))?;
            shown.push(look(&store, self.contents).map_err(|e| format!("reading: {e:?}"))?);
            store.close().await.map_err(|e| format!("closing: {e:?}"))?;
            check(&self.disk)?;
        }
        self.doubt.settle(&shown[0], self.contents)?;
        if shown[0] != shown[1] {
            return Err(format!("a restart changed it: {}", difference(&shown[0], &shown[1])));
        }
        Ok(())
    }
}

/// Whether the store says that it takes no more acts.
pub(crate) fn has_failed(store: &Store) -> bool {
    let mut failed = Box::pin(tokio::task::unconstrained(store.failed()));
    failed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}
