//! A disk in memory that forgets, tears and refuses as a seed says.
//!
//! It keeps exactly what FORMAT.md assumes of a disk and nothing more: what was not synced may be there
//! or not, in any combination, torn anywhere.

mod image;
mod names;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use store::{Disk, DiskFile};

use crate::random::Random;
use names::{Node, Platter};

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    Create,
    Remove,
    Rename,
    List,
    MakeDir,
    SyncDir,
    Len,
    Read,
    Write,
    SetLen,
    Sync,
}

impl Call {
    /// Whether the call can change what is found later. Only these are counted for the power: how often
    /// something is read may depend on threads.
    pub(crate) fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::List | Self::Len | Self::Read)
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An error, nothing done.
    Error,
    /// A write is done in part, then an error.
    ShortWrite,
    /// The disk is full.
    NoSpace,
    /// A sync fails and forgets.
    LostSync,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] =
        [Self::Error, Self::ShortWrite, Self::NoSpace, Self::LostSync];

    /// Whether such a call can fail so.
    pub(crate) fn fits(self, call: Call) -> bool {
        match self {
            Self::Error => true,
            Self::ShortWrite => call == Call::Write,
            Self::NoSpace => {
                matches!(call, Call::Create | Call::MakeDir | Call::Write | Call::SetLen)
                    || matches!(call, Call::Sync | Call::Rename | Call::SyncDir)
            }
            Self::LostSync => call == Call::Sync,
        }
    }

    fn error(self) -> io::Error {
        let errno = match self {
            Self::NoSpace => rustix::io::Errno::NOSPC,
            _ => rustix::io::Errno::IO,
        };
        io::Error::from_raw_os_error(errno.raw_os_error())
    }
}

/// When calls fail: the first one that fits at or behind number `at` (from 1), or all from there on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    pub(crate) fault: Fault,
    pub(crate) at: u64,
    /// Count only calls that change something.
    pub(crate) counts_changes: bool,
    pub(crate) lasts: bool,
}

/// How a disk lies. The negative control: with such a disk mail is lost, and the simulation must say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// One sync of a file in so many does nothing and says it did.
    FileSync(u64),
    /// A sync of a folder does nothing and says it did.
    FolderSync,
}

/// What is to happen to a disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    /// The change (from 1) at which the power goes or the process is killed.
    pub(crate) off_at: Option<u64>,
    pub(crate) fault: Option<Planned>,
    pub(crate) lie: Option<Lie>,
}

#[derive(Debug)]
struct State {
    platter: Platter,
    random: Random,
    plan: Plan,
    calls: u64,
    /// What they were, for whoever wants to fail each of them.
    called: Vec<Call>,
    changes: u64,
    syncs: u64,
    is_off: bool,
    /// Faults that hit.
    hits: u64,
    locked: BTreeSet<PathBuf>,
    peek: Option<Peek>,
    is_traced: bool,
}

/// How a call goes on.
enum Go {
    Do,
    /// It fails, done in part or not.
    Part(io::Error),
    /// It fails, not done.
    Not(io::Error),
    /// A sync that fails and forgets.
    Lost(io::Error),
    /// A sync that says it was done.
    Lie,
}

fn power() -> io::Error {
    io::Error::other("the power is off")
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl State {
    fn enter(&mut self, call: Call, what: &dyn std::fmt::Display) -> Go {
        let go = self.decide(call);
        if self.is_traced {
            let word = match &go {
                Go::Do => "ok",
                Go::Part(_) => "IN PART",
                Go::Not(_) => "NOT",
                Go::Lost(_) => "LOST",
                Go::Lie => "LIE",
            };
            println!("{:>5} {:>5} {call:?} {what} {word}", self.calls, self.changes);
        }
        go
    }

    fn decide(&mut self, call: Call) -> Go {
        if self.is_off {
            return Go::Not(power());
        }
        self.calls += 1;
        self.called.push(call);
        self.changes += u64::from(call.changes());
        if call.changes() && self.plan.off_at.is_some_and(|at| self.changes >= at) {
            self.is_off = true;
            return Go::Part(power());
        }
        if let Some(planned) = self.plan.fault {
            let count = if planned.counts_changes { self.changes } else { self.calls };
            let is_meant = !planned.counts_changes || call.changes();
            if count >= planned.at && is_meant && planned.fault.fits(call) {
                if !planned.lasts {
                    self.plan.fault = None;
                }
                self.hits += 1;
                let error = planned.fault.error();
                return match planned.fault {
                    Fault::ShortWrite => Go::Part(error),
                    Fault::LostSync => Go::Lost(error),
                    // A disk that fills up takes the beginning of a write.
                    Fault::NoSpace if call == Call::Write && self.random.once_in(2) => {
                        Go::Part(error)
                    }
                    Fault::NoSpace | Fault::Error => Go::Not(error),
                };
            }
        }
        match self.plan.lie {
            Some(Lie::FileSync(one_in)) if call == Call::Sync => {
                self.syncs += 1;
                if self.syncs.is_multiple_of(one_in) { Go::Lie } else { Go::Do }
            }
            Some(Lie::FolderSync) if call == Call::SyncDir => Go::Lie,
            _ => Go::Do,
        }
    }

    /// A call that is done or not done.
    fn whole(&mut self, call: Call, what: &dyn std::fmt::Display) -> Result<bool, io::Error> {
        match self.enter(call, what) {
            Go::Do => Ok(true),
            Go::Lie => Ok(false),
            Go::Part(e) => {
                // The power went during the call: whether it was done is as open as the rest.
                if self.is_off && self.random.once_in(2) { Ok(true) } else { Err(e) }
            }
            Go::Not(e) | Go::Lost(e) => Err(e),
        }
    }
}

/// Whoever wants to look at the store while its log is being synced.
#[derive(Clone)]
struct Peek(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Peek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Peek")
    }
}

/// The disk. Clones are one disk.
#[derive(Clone, Debug)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
}

fn held(state: &Mutex<State>) -> MutexGuard<'_, State> {
    match state.lock() {
        Ok(state) => state,
        Err(poisoned) => poisoned.into_inner(),
    }
}

impl SimDisk {
    /// An empty disk, mounted at a folder.
    pub(crate) fn new(mount: &Path, random: Random) -> Self {
        let mut platter = Platter::default();
        platter.make_dir(mount);
        platter.sync_all_dirs();
        Self::of(platter, random)
    }

    fn of(platter: Platter, random: Random) -> Self {
        let state = State {
            platter,
            random,
            plan: Plan::default(),
            calls: 0,
            called: Vec::new(),
            changes: 0,
            syncs: 0,
            is_off: false,
            hits: 0,
            locked: BTreeSet::new(),
            peek: None,
            is_traced: std::env::var_os("POSTROOM_SIM_TRACE").is_some(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// What happens from now on; calls are counted anew.
    pub(crate) fn plan(&self, plan: Plan) {
        let mut state = held(&self.state);
        state.plan = plan;
        (state.calls, state.changes, state.hits) = (0, 0, 0);
        state.called.clear();
    }

    /// The calls since the last plan.
    pub(crate) fn calls(&self) -> Vec<Call> {
        held(&self.state).called.clone()
    }

    /// Faults that hit since the last plan.
    pub(crate) fn hits(&self) -> u64 {
        held(&self.state).hits
    }

    /// Calls `peek` before each sync of a file of the log, on the thread that syncs.
    pub(crate) fn peek(&self, peek: Option<Arc<dyn Fn() + Send + Sync>>) {
        // Dropped outside: it may hold the last handle of a store.
        let _old = std::mem::replace(&mut held(&self.state).peek, peek.map(Peek));
    }

    /// All files with their bytes.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        held(&self.state).platter.files()
    }

    /// Puts a file there, durably, with the folders it needs.
    pub(crate) fn put_file(&self, path: &Path, bytes: &[u8]) {
        held(&self.state).platter.put_file(path, bytes);
    }

    /// Takes a file away, durably.
    pub(crate) fn lose_file(&self, path: &Path) {
        let mut state = held(&self.state);
        state.platter.remove(path);
        if let Some(dir) = path.parent() {
            state.platter.sync_dir(dir);
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        held(&self.state).is_off
    }

    /// The power goes now, and comes back: what was not synced is there or not.
    pub(crate) fn crash(&self) -> Self {
        let mut state = held(&self.state);
        state.is_off = true;
        let mut random = state.random.fork();
        let platter = state.platter.crash(&mut random);
        Self::of(platter, random)
    }

    /// The process is killed now: the system still has all that was written, but it is not durable.
    pub(crate) fn kill(&self) -> Self {
        let mut state = held(&self.state);
        state.is_off = true;
        let random = state.random.fork();
        Self::of(state.platter.clone(), random)
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = held(&self.state);
        let found = match state.platter.find(path) {
            Some(Node::File(id)) => Some(id),
            Some(Node::Folder) => return Err(io::Error::from(io::ErrorKind::IsADirectory)),
            None => None,
        };
        let call = if found.is_none() && create { Call::Create } else { Call::Open };
        state.whole(call, &path.display())?;
        let id = match found {
            Some(id) => id,
            None if create => state.platter.create(path).ok_or_else(not_found)?,
            None => return Err(not_found()),
        };
        Ok(Arc::new(SimFile { id, path: path.to_owned(), state: Arc::clone(&self.state) }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = held(&self.state);
        state.whole(Call::Remove, &path.display())?;
        state.platter.remove(path).ok_or_else(not_found)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = held(&self.state);
        state.whole(Call::Rename, &format_args!("{} {}", from.display(), to.display()))?;
        state.platter.rename(from, to).ok_or_else(not_found)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = held(&self.state);
        state.whole(Call::List, &dir.display())?;
        state.platter.list(dir).ok_or_else(not_found)
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = held(&self.state);
        if !state.platter.has_dir(dir) {
            state.whole(Call::MakeDir, &dir.display())?;
            state.platter.make_dir(dir);
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = held(&self.state);
        if state.whole(Call::SyncDir, &dir.display())? {
            return state.platter.sync_dir(dir).ok_or_else(not_found);
        }
        Ok(())
    }

    fn space(&self, _dir: &Path) -> io::Result<(u64, u64)> {
        // How often it is asked depends on the wall clock, so it is not counted.
        Ok((1 << 40, 1 << 41))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.open(path, true)?;
        if !held(&self.state).locked.insert(path.to_owned()) {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        Ok(Box::new(Lock { path: path.to_owned(), state: Arc::clone(&self.state) }))
    }
}

#[derive(Debug)]
struct Lock {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        held(&self.state).locked.remove(&self.path);
    }
}

#[derive(Debug)]
struct SimFile {
    id: u64,
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

fn index(at: u64) -> io::Result<usize> {
    usize::try_from(at).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = held(&self.state);
        state.whole(Call::Len, &self.path.display())?;
        Ok(state.platter.file(self.id).len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = held(&self.state);
        let what = format_args!("{} {offset}+{}", self.path.display(), buffer.len());
        state.whole(Call::Read, &what)?;
        let file = state.platter.file(self.id);
        match file.read(index(offset)?, buffer.len()) {
            Some(bytes) => buffer.copy_from_slice(bytes),
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = held(&self.state);
        let at = index(offset)?;
        let what = format_args!("{} {offset}+{}", self.path.display(), bytes.len());
        match state.enter(Call::Write, &what) {
            Go::Do | Go::Lie => {
                state.platter.file(self.id).write(at, bytes);
                Ok(())
            }
            Go::Part(e) => {
                let part = state.random.index(bytes.len() + 1);
                state.platter.file(self.id).write(at, &bytes[..part]);
                Err(e)
            }
            Go::Not(e) | Go::Lost(e) => Err(e),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = held(&self.state);
        let new = index(len)?;
        state.whole(Call::SetLen, &format_args!("{} {len}", self.path.display()))?;
        state.platter.file(self.id).set_len(new);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.path.extension().is_some_and(|extension| extension == "seg") {
            let peek = held(&self.state).peek.clone();
            if let Some(Peek(peek)) = peek {
                peek();
            }
        }
        let mut state = held(&self.state);
        match state.enter(Call::Sync, &self.path.display()) {
            Go::Do => state.platter.file(self.id).sync(),
            Go::Lie => {}
            Go::Part(e) => {
                // The power went: it was all done, and nobody heard of it, or it was not.
                if state.random.once_in(2) {
                    state.platter.file(self.id).sync();
                }
                return Err(e);
            }
            Go::Lost(e) => {
                let mut random = state.random.fork();
                state.platter.file(self.id).lose_sync(&mut random);
                return Err(e);
            }
            Go::Not(e) => return Err(e),
        }
        Ok(())
    }
}
