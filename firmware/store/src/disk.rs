//! The data directory: its folders, its lock and its free space.
//!
//! Files are 0600 and folders 0700: the mail of an office is nobody else's to read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock, statvfs};

use crate::StoreError;

/// Free space below which deliveries are refused, whatever the size of the disk.
const RESERVE_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// How long a look at the free space holds.
const SPACE_FOR: Duration = Duration::from_secs(1);

pub(crate) fn index_path(dir: &Path) -> PathBuf {
    dir.join("index.redb")
}
pub(crate) fn segments_path(dir: &Path) -> PathBuf {
    dir.join("segments")
}
pub(crate) fn tmp_path(dir: &Path) -> PathBuf {
    dir.join("tmp")
}

/// Opens a file of the store for reading and writing; makes it if `create`.
pub(crate) fn open_file(path: &Path, create: bool) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(create).truncate(false).mode(0o600).open(path)
}

/// Makes the directory entries of `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

fn make_dir(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|e| StoreError::Open(format!("{}: {e}", dir.display())))
}

/// Makes the folders, clears `tmp` and takes the lock, which lives as long as the file.
pub(crate) fn prepare(dir: &Path) -> Result<File, StoreError> {
    let is_new = !dir.exists();
    make_dir(dir)?;
    let lock = lock(dir)?;
    make_dir(&segments_path(dir))?;
    let tmp = tmp_path(dir);
    // What stands there belongs to acts that were never acknowledged.
    if tmp.exists() {
        std::fs::remove_dir_all(&tmp).map_err(|e| StoreError::Open(format!("tmp: {e}")))?;
    }
    make_dir(&tmp)?;
    sync_dir(dir).map_err(|e| StoreError::Open(format!("{}: {e}", dir.display())))?;
    if is_new {
        let parent =
            dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        // A sandbox may hide the parent; whoever set it up made the folder durable then.
        if let Err(e) = sync_dir(parent) {
            tracing::warn!(err = %e, "the name of the new data folder may not be durable yet");
        }
    }
    Ok(lock)
}

/// How long the lock of a data directory is waited for: a predecessor that was just killed is still being
/// torn down, and a child of its between fork and exec holds the lock too.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

#[expect(clippy::disallowed_methods, reason = "at the start only, before anybody is served")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Takes the lock of a data directory.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let file =
        open_file(&path, true).map_err(|e| StoreError::Open(format!("{}: {e}", path.display())))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() >= deadline {
            let reason = format!("{} is in use by another process", dir.display());
            return Err(StoreError::Open(reason));
        }
        pause();
    }
    Ok(file)
}

/// Knows how much space is left.
#[derive(Debug)]
pub(crate) struct Space {
    dir: PathBuf,
    reserve_bytes: Option<u64>,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Space {
    /// `reserve_bytes` overrides the low-water mark.
    pub(crate) fn new(dir: &Path, reserve_bytes: Option<u64>) -> Self {
        Self { dir: dir.to_path_buf(), reserve_bytes, last: Mutex::new(None) }
    }

    /// (free, total) bytes.
    pub(crate) fn bytes(&self) -> Result<(u64, u64), StoreError> {
        let stat = statvfs(&self.dir)
            .map_err(|e| StoreError::Io { doing: "asking for the free space", source: e.into() })?;
        Ok((
            stat.f_bavail.saturating_mul(stat.f_frsize),
            stat.f_blocks.saturating_mul(stat.f_frsize),
        ))
    }

    /// Under the low-water mark: 64 MB or 2 % of the disk, whichever is more. An answer holds a second.
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
