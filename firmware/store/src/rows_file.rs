//! All rows of the index in one file, as they were at the end of a group: from there on the log can make a lost
//! index again. A segment goes only when this file is of a later one: its changes are then in these rows.
//!
//! Written beside the one there is, synced, then renamed: there is always a whole one. The rows of texts are not
//! in it, for they follow from the contents.
//!
//! Never here: when it is due (`cleanup`), and what is made of it (`rebuild`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::Database;

use crate::codec::{In, Out};
use crate::index::redo::Redo;
use crate::index::{self, Snapshot, T, Tables, View};
use crate::segment::LogEnd;
use crate::{Disk, DiskFile, StoreError, meta};

/// Its name in the data directory.
pub(crate) const NAME: &str = "index.rows";
const MAKING: &str = "index.rows.new";
const MAGIC: &[u8; 8] = b"POSTROWS";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 48;
/// The hash of all before it, at the end.
const HASH_BYTES: u64 = 32;
/// Plain bytes of rows in a block, about.
const BLOCK_BYTES: usize = 512 * 1024;
/// Plain bytes that a block may claim: one row may be larger than a block.
const BLOCK_MAX: u32 = 64 * 1024 * 1024;
/// Plain bytes of rows that one transaction of a rebuild takes.
const TRANSACTION_BYTES: usize = 16 * 1024 * 1024;
const ZSTD_LEVEL: i32 = 1;
/// Bytes read at once for the hash.
const PIECE: usize = 256 * 1024;
const WRITING: &str = "writing the rows of the index";
const READING: &str = "reading the rows of the index";

/// A file of rows, by its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowsFile {
    /// The end of the log that the rows are of.
    pub(crate) end: LogEnd,
    /// The last group before it.
    pub(crate) group: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
}

fn damaged(why: &str) -> StoreError {
    StoreError::Damaged(format!("{NAME}: {why}"))
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

impl RowsFile {
    fn encode(&self) -> Vec<u8> {
        let out = Out::default()
            .bytes(MAGIC)
            .u8(VERSION)
            .bytes(&[0; 3])
            .u32(self.end.segment)
            .u64(self.end.offset)
            .u64(self.group)
            .u64(meta::FORMAT);
        let sum = blake3::hash(&out.0);
        let sum = sum.as_bytes().get(..8).unwrap_or_default().to_vec();
        out.bytes(&sum).0
    }

    /// What the head of a file says; `None` if it is none that this version can use.
    fn read(file: &dyn DiskFile) -> Result<Option<Self>, StoreError> {
        let bytes = file.len().map_err(StoreError::io(READING))?;
        let mut head = [0; HEAD_BYTES];
        match file.read_at(&mut head, 0) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(e) => return Err(StoreError::io(READING)(e)),
        }
        let mut fields = In::plain(&head, NAME);
        fields.take::<12>()?;
        let end = LogEnd { segment: fields.u32()?, offset: fields.u64()? };
        let found = Self { end, group: fields.u64()?, bytes };
        Ok((found.encode() == head).then_some(found))
    }
}

/// The file of a store whose log is at `group`. One of another past is removed: a store that came back from a
/// copy has other groups of the same numbers before long.
pub(crate) fn open(
    disk: &dyn Disk,
    dir: &Path,
    group: u64,
) -> Result<Option<RowsFile>, StoreError> {
    match find(disk, dir)? {
        Some(found) if found.group > group => remove(disk, dir).map(|_| None),
        found => Ok(found),
    }
}

/// The file that is there and has a head that can be read.
pub(crate) fn find(disk: &dyn Disk, dir: &Path) -> Result<Option<RowsFile>, StoreError> {
    match disk.open(&path(dir), false) {
        Ok(file) => RowsFile::read(&*file),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io(READING)(e)),
    }
}

/// True if there is such a file, whatever is in it.
pub(crate) fn is_there(disk: &dyn Disk, dir: &Path) -> bool {
    disk.list(dir).is_ok_and(|names| names.iter().any(|name| name == NAME))
}

/// Removes the file; true if there was one.
pub(crate) fn remove(disk: &dyn Disk, dir: &Path) -> Result<bool, StoreError> {
    let doing = "removing rows of another past";
    match disk.remove(&path(dir)) {
        Ok(()) => disk.sync_dir(dir).map(|()| true).map_err(StoreError::io(doing)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(StoreError::io(doing)(e)),
    }
}

/// Writes the rows of a state, durably, in place of what was there.
pub(crate) fn write(disk: &dyn Disk, dir: &Path, view: &Snapshot) -> Result<RowsFile, StoreError> {
    let making = dir.join(MAKING);
    let written = write_to(disk, &making, view).and_then(|rows| {
        disk.rename(&making, &path(dir))
            .and_then(|()| disk.sync_dir(dir))
            .map(|()| rows)
            .map_err(StoreError::io(WRITING))
    });
    if written.is_err() {
        // A disk that is full is to have its space back; the next try begins anew in any case.
        drop(disk.remove(&making));
    }
    written
}

fn write_to(disk: &dyn Disk, path: &Path, view: &Snapshot) -> Result<RowsFile, StoreError> {
    let file = disk.open(path, true).map_err(StoreError::io(WRITING))?;
    file.set_len(0).map_err(StoreError::io(WRITING))?;
    let (end, group) = meta::log_end(view)?;
    let head = RowsFile { end, group, bytes: 0 };
    let mut out = Writing { file, at: 0, hasher: blake3::Hasher::new() };
    out.write(&head.encode())?;
    let mut block = Redo::default();
    for table in T::all().filter(|table| *table != T::Text) {
        view.scan(table, &[], &[], &mut |key, row| {
            block.put(table, key, None, row);
            if block.len() >= BLOCK_BYTES {
                out.block(&std::mem::take(&mut block))?;
            }
            Ok(true)
        })?;
    }
    out.block(&block)?;
    out.write(&[0; 8])?;
    let hash = *out.hasher.finalize().as_bytes();
    out.write(&hash)?;
    out.file.sync_data().map_err(StoreError::io(WRITING))?;
    Ok(RowsFile { bytes: out.at, ..head })
}

struct Writing {
    file: Arc<dyn DiskFile>,
    at: u64,
    hasher: blake3::Hasher,
}

impl Writing {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_at(bytes, self.at).map_err(StoreError::io(WRITING))?;
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn block(&mut self, rows: &Redo) -> Result<(), StoreError> {
        let plain = rows.bytes().ok_or(StoreError::TooLarge)?;
        if plain.is_empty() {
            return Ok(());
        }
        let packed = zstd::bulk::compress(plain, ZSTD_LEVEL).map_err(StoreError::io(WRITING))?;
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| StoreError::TooLarge);
        let head = Out::default().u32(len(&packed)?).u32(len(plain)?);
        self.write(&head.bytes(&packed).0)
    }
}

/// Whether every byte of a file is what was written.
pub(crate) fn verify(disk: &dyn Disk, dir: &Path) -> Result<RowsFile, StoreError> {
    let file = disk.open(&path(dir), false).map_err(StoreError::io(READING))?;
    let rows = RowsFile::read(&*file)?.ok_or_else(|| damaged("its head cannot be read"))?;
    let whole = rows.bytes.checked_sub(HASH_BYTES).ok_or_else(|| damaged("it is too short"))?;
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    let mut piece = vec![0; PIECE];
    while at < whole {
        let count = usize::try_from(whole - at).unwrap_or(PIECE).min(PIECE);
        file.read_at(&mut piece[..count], at).map_err(StoreError::io(READING))?;
        hasher.update(&piece[..count]);
        at += count as u64;
    }
    let mut hash = [0; 32];
    file.read_at(&mut hash, whole).map_err(StoreError::io(READING))?;
    if hasher.finalize() == hash { Ok(rows) } else { Err(damaged("its hash does not fit")) }
}

/// Puts all rows of a whole file into an empty index, which nobody uses yet.
pub(crate) fn load(
    disk: &dyn Disk,
    dir: &Path,
    database: &Database,
) -> Result<RowsFile, StoreError> {
    let rows = verify(disk, dir)?;
    let file = disk.open(&path(dir), false).map_err(StoreError::io(READING))?;
    let mut at = HEAD_BYTES as u64;
    let mut is_end = false;
    while !is_end {
        let transaction = index::begin(database)?;
        let mut tables = Tables::open(&transaction);
        let mut taken = 0;
        while taken < TRANSACTION_BYTES {
            let mut head = [0; 8];
            file.read_at(&mut head, at).map_err(StoreError::io(READING))?;
            let mut fields = In::plain(&head, NAME);
            let (stored, plain) = (fields.u32()?, fields.u32()?);
            if stored == 0 {
                is_end = true;
                break;
            }
            if plain > BLOCK_MAX || u64::from(stored) > rows.bytes {
                return Err(damaged("a block of an impossible size"));
            }
            let mut packed = vec![0; stored as usize];
            file.read_at(&mut packed, at + 8).map_err(StoreError::io(READING))?;
            let block = zstd::bulk::decompress(&packed, plain as usize)
                .map_err(|_| damaged("a block cannot be unpacked"))?;
            tables.apply(&block)?;
            taken += block.len();
            at += 8 + u64::from(stored);
        }
        tables.flush()?;
        drop(tables);
        transaction.commit().map_err(StoreError::index("committing"))?;
    }
    Ok(rows)
}
