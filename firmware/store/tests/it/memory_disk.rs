//! A disk in memory: its state can be copied at any moment, and its calls can be made to fail.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use store::{Disk, DiskFile};

type Bytes = Arc<Mutex<Vec<u8>>>;

#[derive(Debug, Default)]
pub(crate) struct MemoryDisk {
    files: Mutex<BTreeMap<PathBuf, Bytes>>,
    /// Syncs of segments fail, once.
    pub(crate) fail_sync: Arc<AtomicBool>,
    /// Writes of segments fail half-way, once.
    pub(crate) fail_write: Arc<AtomicBool>,
    /// Bytes that segments may have in all; 0: any.
    pub(crate) capacity: AtomicU64,
    /// Writes to segments and syncs, in their order.
    pub(crate) journal: Arc<Mutex<Vec<Call>>>,
}

/// What was done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    SegmentWrite,
    SegmentSync,
    OtherSync,
}

/// What a disk without a capacity has.
const WIDE: u64 = 1 << 40;

#[derive(Debug)]
struct MemoryFile {
    bytes: Bytes,
    fail_sync: Option<Arc<AtomicBool>>,
    fail_write: Option<Arc<AtomicBool>>,
    is_segment: bool,
    journal: Arc<Mutex<Vec<Call>>>,
}

impl MemoryDisk {
    /// What stands on the disk now, as another disk.
    pub(crate) fn copy(&self) -> Arc<Self> {
        let files = self.files.lock().unwrap();
        let copied = files.iter().map(|(path, bytes)| {
            (path.clone(), Arc::new(Mutex::new(bytes.lock().unwrap().clone())))
        });
        Arc::new(Self { files: Mutex::new(copied.collect()), ..Self::default() })
    }

    pub(crate) fn bytes(&self, path: impl AsRef<Path>) -> Vec<u8> {
        self.files.lock().unwrap()[path.as_ref()].lock().unwrap().clone()
    }

    pub(crate) fn set(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let bytes = Arc::new(Mutex::new(bytes.to_vec()));
        self.files.lock().unwrap().insert(path.as_ref().to_path_buf(), bytes);
    }

    pub(crate) fn has(&self, path: impl AsRef<Path>) -> bool {
        self.files.lock().unwrap().contains_key(path.as_ref())
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files.lock().unwrap();
        if !create && !files.contains_key(path) {
            return Err(not_found());
        }
        let is_segment = path.extension().is_some_and(|e| e == "seg");
        let bytes = Arc::clone(files.entry(path.to_path_buf()).or_default());
        let fault = |fault: &Arc<AtomicBool>| is_segment.then(|| Arc::clone(fault));
        let (fail_sync, fail_write) = (fault(&self.fail_sync), fault(&self.fail_write));
        let journal = Arc::clone(&self.journal);
        Ok(Arc::new(MemoryFile { bytes, fail_sync, fail_write, is_segment, journal }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.lock().unwrap().remove(path).map(drop).ok_or_else(not_found)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        let bytes = files.remove(from).ok_or_else(not_found)?;
        files.insert(to.to_path_buf(), bytes);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let files = self.files.lock().unwrap();
        let inside = files.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn space(&self, _: &Path) -> io::Result<(u64, u64)> {
        let total = match self.capacity.load(Ordering::Relaxed) {
            0 => return Ok((WIDE, WIDE)),
            capacity => capacity,
        };
        let files = self.files.lock().unwrap();
        let segments =
            files.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "seg"));
        let used: u64 = segments.map(|(_, bytes)| bytes.lock().unwrap().len() as u64).sum();
        Ok((total.saturating_sub(used), total))
    }

    fn lock(&self, _: &Path) -> io::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(()))
    }
}

fn place(offset: u64, len: usize) -> std::ops::Range<usize> {
    let begin = usize::try_from(offset).unwrap();
    begin..begin + len
}

fn strikes(fault: Option<&Arc<AtomicBool>>) -> bool {
    fault.is_some_and(|fault| fault.swap(false, Ordering::Relaxed))
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.bytes.lock().unwrap();
        let found = bytes.get(place(offset, buffer.len()));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.is_segment {
            self.journal.lock().unwrap().push(Call::SegmentWrite);
        }
        let fails = strikes(self.fail_write.as_ref());
        let bytes = if fails { &bytes[..bytes.len() / 2] } else { bytes };
        let mut file = self.bytes.lock().unwrap();
        let place = place(offset, bytes.len());
        if file.len() < place.end {
            file.resize(place.end, 0);
        }
        file[place].copy_from_slice(bytes);
        if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let call = if self.is_segment { Call::SegmentSync } else { Call::OtherSync };
        self.journal.lock().unwrap().push(call);
        if strikes(self.fail_sync.as_ref()) { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
    }
}
