//! Messages in the making: hashed, scanned and compressed while they arrive, on the caller's thread, so
//! that the writer only copies.
//!
//! A staging holds at most one frame of plain bytes and the memory limit of packed ones; the rest is in
//! a file without a name, which nothing can leave behind.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use base::BlobHash;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use crate::segment::FRAME_BYTES;
use crate::{Disk, DiskFile, StoreError, text};

const ZSTD_LEVEL: i32 = 1;
/// The texts of a message hold its structure, packed: unpacked it is about so many times as large.
const DESCRIBED_FACTOR: u64 = 3;
/// Numbers the files for the moment between making and unlinking them.
static NEXT_FILE: AtomicU64 = AtomicU64::new(0);

/// A file without a name for messages that wait together, one behind the other: however many they are, one
/// file is open.
#[derive(Debug, Default)]
pub struct Spill {
    file: Option<Arc<dyn DiskFile>>,
    end: u64,
}

impl Spill {
    /// Writes behind what is there; says where.
    fn add(
        &mut self,
        disk: &dyn Disk,
        tmp: &Path,
        bytes: &[u8],
    ) -> std::io::Result<(Arc<dyn DiskFile>, u64)> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(nameless_file(disk, tmp)?)),
        };
        let at = self.end;
        file.write_at(bytes, at)?;
        self.end += bytes.len() as u64;
        Ok((file, at))
    }
}

/// A message in the making: bytes go in, beyond the memory limit into a file of the store.
#[derive(Debug)]
pub struct Staging {
    // Boxed: a session's future holds a staging, and the hasher alone is 2 KB.
    work: Box<Work>,
}

#[derive(Debug)]
struct Work {
    hasher: blake3::Hasher,
    scanner: message::Scanner,
    octets: message::LineOctets,
    plain: Vec<u8>,
    frames: Vec<u32>,
    packed: Packed,
    size: u64,
    bytes_max: u64,
    memory_bytes: usize,
    disk: Arc<dyn Disk>,
    tmp: PathBuf,
    spill: Spill,
    broken: bool,
}

impl Staging {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        tmp: &Path,
        bytes_max: u64,
        memory_bytes: usize,
        spill: Spill,
    ) -> Self {
        Self {
            work: Box::new(Work {
                hasher: blake3::Hasher::new(),
                scanner: message::Scanner::new(),
                octets: message::LineOctets::default(),
                plain: Vec::new(),
                frames: Vec::new(),
                packed: Packed::Memory(Vec::new()),
                size: 0,
                bytes_max,
                memory_bytes,
                disk,
                tmp: tmp.to_path_buf(),
                spill,
                broken: false,
            }),
        }
    }

    /// Takes the next bytes of the message.
    ///
    /// # Errors
    /// `TooLarge` beyond the budget; the staging is then useless.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let work = &mut *self.work;
        let size = work.size.saturating_add(bytes.len() as u64);
        if size > work.bytes_max {
            work.broken = true;
            return Err(StoreError::TooLarge);
        }
        work.size = size;
        work.hasher.update(bytes);
        work.scanner.feed(bytes);
        work.octets.feed(bytes);
        let filled = work.fill(bytes);
        work.broken |= filled.is_err();
        filled
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.work.size
    }

    /// Hash and structure are known now. The bytes are not yet durable: an act makes them so.
    ///
    /// # Errors
    /// `Misuse` after a failed write; `DiskFull` or `Io` when the rest could not be kept.
    pub fn finish(self) -> Result<Staged, StoreError> {
        self.finish_among().map(|(staged, _)| staged)
    }

    /// As [`Staging::finish`], with the file for the next of many messages.
    ///
    /// # Errors
    /// As [`Staging::finish`].
    pub fn finish_among(self) -> Result<(Staged, Spill), StoreError> {
        let mut work = *self.work;
        if work.broken {
            return Err(StoreError::Misuse("a broken staging cannot be finished"));
        }
        if !work.plain.is_empty() {
            work.pack()?;
        }
        let structure = work.scanner.finish();
        let inner = StagedInner {
            hash: BlobHash(*work.hasher.finalize().as_bytes()),
            size: work.size,
            line_octets: work.octets.finish(),
            texts: text::encode(&structure)?,
            structure,
            frames: work.frames,
            packed: work.packed,
        };
        Ok((Staged { inner: Arc::new(inner) }, work.spill))
    }
}

impl Work {
    /// Takes plain bytes, a frame at a time.
    fn fill(&mut self, mut rest: &[u8]) -> Result<(), StoreError> {
        while !rest.is_empty() {
            let room = FRAME_BYTES - self.plain.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.plain.extend_from_slice(now);
            rest = later;
            if self.plain.len() == FRAME_BYTES {
                self.pack()?;
            }
        }
        Ok(())
    }

    /// Turns the plain bytes into a frame.
    fn pack(&mut self) -> Result<(), StoreError> {
        let doing = "compressing a message";
        let mut compressor = compressor().map_err(StoreError::io(doing))?;
        let frame = compressor.compress(&self.plain).map_err(StoreError::io(doing))?;
        keep(compressor);
        self.plain.clear();
        self.frames.push(u32::try_from(frame.len()).map_err(|_| StoreError::TooLarge)?);
        let doing = "writing a staged message";
        match &mut self.packed {
            Packed::Memory(memory) => {
                memory.extend_from_slice(&frame);
                let is_large = memory.len() + FRAME_BYTES > self.memory_bytes
                    && self.size >= FRAME_BYTES as u64;
                if is_large || self.memory_bytes == 0 {
                    let (file, at) = self
                        .spill
                        .add(&*self.disk, &self.tmp, memory)
                        .map_err(StoreError::io(doing))?;
                    self.packed = Packed::File { file, at, len: memory.len() as u64 };
                }
            }
            Packed::File { len, .. } => {
                self.spill.add(&*self.disk, &self.tmp, &frame).map_err(StoreError::io(doing))?;
                *len += frame.len() as u64;
            }
        }
        Ok(())
    }
}

/// Compressors that nobody uses now: to make one costs more than to pack a short message with it.
static IDLE: Mutex<Vec<Compressor<'static>>> = Mutex::new(Vec::new());
/// More are dropped: each holds most of a MB.
const IDLE_MAX: usize = 2;

fn idle() -> MutexGuard<'static, Vec<Compressor<'static>>> {
    match IDLE.lock() {
        Ok(idle) => idle,
        Err(poisoned) => poisoned.into_inner(),
    }
}

fn compressor() -> std::io::Result<Compressor<'static>> {
    if let Some(ready) = idle().pop() {
        return Ok(ready);
    }
    let mut new = Compressor::new(ZSTD_LEVEL)?;
    new.set_parameter(CParameter::ChecksumFlag(true))?;
    Ok(new)
}

fn keep(compressor: Compressor<'static>) {
    let mut idle = idle();
    if idle.len() < IDLE_MAX {
        idle.push(compressor);
    }
}

fn nameless_file(disk: &dyn Disk, tmp: &Path) -> std::io::Result<Arc<dyn DiskFile>> {
    let path = tmp.join(format!("{}", NEXT_FILE.fetch_add(1, Ordering::Relaxed)));
    let file = disk.open(&path, true)?;
    disk.remove(&path)?;
    Ok(file)
}

/// The frames of a staged message.
#[derive(Debug)]
pub(crate) enum Packed {
    Memory(Vec<u8>),
    /// So many bytes from `at`.
    File {
        file: Arc<dyn DiskFile>,
        at: u64,
        len: u64,
    },
}

impl Packed {
    /// Bytes of all frames.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Memory(memory) => memory.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// Hands out the frames in pieces of at most `piece` bytes.
    pub(crate) fn for_each_piece(
        &self,
        piece: usize,
        mut take: impl FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => memory.chunks(piece).try_for_each(take),
            Self::File { file, at, len } => {
                let mut buffer = vec![0; piece];
                let mut done = 0;
                while done < *len {
                    let now = usize::try_from(*len - done).unwrap_or(piece).min(piece);
                    file.read_at(&mut buffer[..now], at + done)
                        .map_err(StoreError::io("reading a staged message"))?;
                    take(&buffer[..now])?;
                    done += now as u64;
                }
                Ok(())
            }
        }
    }
}

/// A whole message that no act has taken yet; dropped, it leaves nothing behind.
#[derive(Clone, Debug)]
pub struct Staged {
    pub(crate) inner: Arc<StagedInner>,
}

#[derive(Debug)]
pub(crate) struct StagedInner {
    pub(crate) hash: BlobHash,
    pub(crate) size: u64,
    /// Octets of its lines with CRLF.
    pub(crate) line_octets: u64,
    pub(crate) structure: message::Structure,
    /// The row for the table of texts.
    pub(crate) texts: Vec<u8>,
    /// Lengths of the frames.
    pub(crate) frames: Vec<u32>,
    pub(crate) packed: Packed,
}

impl Staged {
    /// BLAKE3 of the bytes.
    #[must_use]
    pub fn hash(&self) -> BlobHash {
        self.inner.hash
    }
    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.inner.size
    }
    /// Packed bytes that are held in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        match &self.inner.packed {
            Packed::Memory(memory) => memory.len() as u64,
            Packed::File { .. } => 0,
        }
    }
    /// All that it holds in memory, about: packed bytes, texts and structure.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        let described = self.inner.texts.len() as u64;
        self.memory_bytes() + described * DESCRIBED_FACTOR
    }
    /// What the scanner found.
    #[must_use]
    pub fn structure(&self) -> &message::Structure {
        &self.inner.structure
    }
}
