//! What the store needs of a disk, as a trait, so that tests can own it; the data directory: its folders,
//! its lock and its free space.
//!
//! Never here: `std::fs`. Every byte the store keeps goes through [`Disk`]; [`real`] is the one that
//! stands on the operating system.

mod overlay;
mod real;

pub(crate) use overlay::Overlay;
pub(crate) use real::RealDisk;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::StoreError;

/// A disk with files and folders. FORMAT.md says what the store assumes of it.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file for reading and writing; makes an empty one if `create`. A file that is removed while
    /// it is open can still be read and written by who has it.
    ///
    /// # Errors
    /// `NotFound` if it is not there and not to be made; the disk's word.
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>>;
    /// Removes a file.
    ///
    /// # Errors
    /// The disk's word.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, in place of what has it.
    ///
    /// # Errors
    /// The disk's word.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// The names of the files in a folder, in any order.
    ///
    /// # Errors
    /// `NotFound` if there is no such folder; the disk's word.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes a folder and what folders it lacks above it; good if it is there.
    ///
    /// # Errors
    /// The disk's word.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The disk's word.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// (free, total) bytes of the disk that holds a folder.
    ///
    /// # Errors
    /// The disk's word.
    fn space(&self, dir: &Path) -> io::Result<(u64, u64)>;
    /// Takes an exclusive lock on a file, which is made if absent; it lasts until the box is dropped.
    ///
    /// # Errors
    /// `WouldBlock` if another has it; the disk's word.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
}

/// An open file. Any thread may use it; nothing has a position.
pub trait DiskFile: Debug + Send + Sync {
    /// Bytes in it.
    ///
    /// # Errors
    /// The disk's word.
    fn len(&self) -> io::Result<u64>;
    /// True if nothing is in it.
    ///
    /// # Errors
    /// The disk's word.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills all of `buffer` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before; the disk's word.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes`; the file grows if need be.
    ///
    /// # Errors
    /// The disk's word; then any part of `bytes` may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts the file, or makes it longer with zeros.
    ///
    /// # Errors
    /// The disk's word.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes bytes and length durable.
    ///
    /// # Errors
    /// The disk's word; then nothing is known of the bytes that were not durable before.
    fn sync_data(&self) -> io::Result<()>;
}

/// Free space below which deliveries are refused, whatever the size of the disk.
const RESERVE_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// How long a look at the free space holds: too short for a fast disk to fill the reserve meanwhile.
const SPACE_FOR: Duration = Duration::from_millis(50);

const INDEX_NAME: &str = "index.redb";

pub(crate) fn index_path(dir: &Path) -> PathBuf {
    dir.join(INDEX_NAME)
}
pub(crate) fn segments_path(dir: &Path) -> PathBuf {
    dir.join("segments")
}
pub(crate) fn tmp_path(dir: &Path) -> PathBuf {
    dir.join("tmp")
}

/// True if a data directory has an index.
pub(crate) fn has_index(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
    match disk.list(dir) {
        Ok(names) => Ok(names.iter().any(|name| name == INDEX_NAME)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Makes the folders, clears `tmp` and takes the lock, which lives as long as what is returned.
pub(crate) fn prepare(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn Send + Sync>, StoreError> {
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |e: io::Error| StoreError::Open(format!("{path}: {e}"))
    };
    let is_new = disk.list(dir).is_err();
    disk.make_dir(dir).map_err(at(dir))?;
    let lock = lock(disk, dir)?;
    let (segments, tmp) = (segments_path(dir), tmp_path(dir));
    disk.make_dir(&segments).map_err(at(&segments))?;
    disk.make_dir(&tmp).map_err(at(&tmp))?;
    // What stands there belongs to acts that were never acknowledged.
    for name in disk.list(&tmp).map_err(at(&tmp))? {
        disk.remove(&tmp.join(name)).map_err(at(&tmp))?;
    }
    disk.sync_dir(dir).map_err(at(dir))?;
    // A segment that the last run made may have a name that is not durable; the log goes on in it.
    disk.sync_dir(&segments).map_err(at(&segments))?;
    // Each time, not only when the folder is new: the start that made it may have been killed before this.
    let parent =
        dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    match disk.sync_dir(parent) {
        Ok(()) => Ok(lock),
        // A sandbox may hide the parent; whoever set it up made the folder durable then.
        Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound) => {
            if is_new {
                tracing::warn!(err = %e, "the name of the new data folder may not be durable yet");
            }
            Ok(lock)
        }
        Err(e) => Err(at(parent)(e)),
    }
}

/// How long the lock of a data directory is waited for: a predecessor that was just killed is still being
/// torn down, and a child of its between fork and exec holds the lock too.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

#[expect(clippy::disallowed_methods, reason = "at the start only, before anybody is served")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Takes the lock of a data directory.
pub(crate) fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn Send + Sync>, StoreError> {
    let path = dir.join("lock");
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match disk.lock(&path) {
            Ok(lock) => return Ok(lock),
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => {
                return Err(StoreError::Open(format!("{}: {e}", path.display())));
            }
            Err(_) if Instant::now() >= deadline => {
                let reason = format!("{} is in use by another process", dir.display());
                return Err(StoreError::Open(reason));
            }
            Err(_) => pause(),
        }
    }
}

/// Knows how much space is left.
#[derive(Debug)]
pub(crate) struct Space {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    reserve_bytes: Option<u64>,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Space {
    /// `reserve_bytes` overrides the low-water mark.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path, reserve_bytes: Option<u64>) -> Self {
        Self { disk, dir: dir.to_path_buf(), reserve_bytes, last: Mutex::new(None) }
    }

    /// (free, total) bytes.
    pub(crate) fn bytes(&self) -> Result<(u64, u64), StoreError> {
        self.disk
            .space(&self.dir)
            .map_err(|source| StoreError::Io { doing: "asking for the free space", source })
    }

    /// Under the low-water mark: 64 MB or 2 % of the disk, whichever is more. An answer holds
    /// [`SPACE_FOR`].
    pub(crate) fn is_low(&self) -> bool {
        let mut last = match self.last.lock() {
            Ok(last) => last,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some((_, is_low)) = last.filter(|(at, _)| at.elapsed() < SPACE_FOR) {
            return is_low;
        }
        let is_low = match self.bytes() {
            Ok((free, total)) => {
                free < self.reserve_bytes.unwrap_or_else(|| RESERVE_BYTES_MIN.max(total / 50))
            }
            Err(e) => {
                tracing::warn!(err = %e, "free space is unknown");
                false
            }
        };
        *last = Some((Instant::now(), is_low));
        is_low
    }
}
