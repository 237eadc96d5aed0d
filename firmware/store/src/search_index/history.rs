//! Of which past the index is. A store that came back from a snapshot, or from the version before, goes on from
//! an earlier state: it gives UIDs once more that the index knows as other messages. So the index names the last
//! group of the log from which it was made, and an index that is ahead of its store is removed before the store
//! does anything.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::Mutex;

use crate::codec::{In, Out};
use crate::disk::Disk;

/// Its name in the folder.
pub(super) const NAME: &str = "group";
/// Version, group, and what the checksum has of both.
const LEN: usize = 1 + 8 + 8;

fn encode(group: u64) -> Vec<u8> {
    let text = Out::versioned().u64(group).0;
    let sum = blake3::hash(&text);
    let sum = sum.as_bytes().get(..8).unwrap_or_default().to_vec();
    Out(text).bytes(&sum).0
}

/// The group in the file; `None` if it is not one.
fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<u64>> {
    let file = disk.open(&dir.join(NAME), false)?;
    if file.len()? != LEN as u64 {
        return Ok(None);
    }
    let mut bytes = [0; LEN];
    file.read_at(&mut bytes, 0)?;
    let group = In::versioned(&bytes, "group of the search index").and_then(|mut row| row.u64());
    Ok(group.ok().filter(|group| encode(*group) == bytes))
}

/// Removes the index of another past than that of a store whose last group is `group`.
pub(crate) fn open(disk: &dyn Disk, dir: &Path, group: u64) -> Result<()> {
    match read(disk, &super::folder(dir)) {
        Ok(Some(known)) if known <= group => Ok(()),
        // What cannot be told is not trusted; it is only a cache.
        _ => clear(disk, dir).map(drop),
    }
}

/// Removes the whole index, durably; true if there was something.
pub(crate) fn clear(disk: &dyn Disk, dir: &Path) -> Result<bool> {
    let dir = super::folder(dir);
    let names = match disk.list(&dir) {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(false),
        names => names?,
    };
    if names.is_empty() {
        return Ok(false);
    }
    for name in &names {
        disk.remove(&dir.join(name))?;
    }
    disk.sync_dir(&dir)?;
    Ok(true)
}

/// The group that the folder names.
#[derive(Debug, Default)]
pub(super) struct Stamp(Mutex<u64>);

impl Stamp {
    /// Notes durably that a file is made from a store whose last group is `group`: before the file has its name.
    pub(super) fn raise(&self, disk: &dyn Disk, folder: &Path, group: u64) -> Result<()> {
        let mut known = self.0.lock().map_err(|_| Error::from(ErrorKind::Other))?;
        // Nothing is known at first: what stands there may be higher, never than `group`.
        if *known >= group {
            return Ok(());
        }
        let file = disk.open(&folder.join(NAME), true)?;
        file.set_len(LEN as u64)?;
        file.write_at(&encode(group), 0)?;
        // Its name need not be durable: files without it are removed.
        file.sync_data()?;
        *known = group;
        Ok(())
    }
}
