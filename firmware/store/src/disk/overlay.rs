//! A disk that is only read: what is written stays in memory and is forgotten. On it a damaged or
//! unclean store can be opened, repaired and replayed without touching a byte of it.
//!
//! Memory: what is written, in pages of 4 KB; the repair of an index writes little of it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Disk, DiskFile};

const PAGE: u64 = 4096;

/// The disk under it is never written.
#[derive(Debug)]
pub(crate) struct Overlay(pub(crate) Arc<dyn Disk>);

impl Disk for Overlay {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let below = match self.0.open(path, false) {
            Ok(file) => Some(file),
            Err(e) if e.kind() == ErrorKind::NotFound && create => None,
            Err(e) => return Err(e),
        };
        let len = below.as_ref().map_or(Ok(0), |file| file.len())?;
        let state = Mutex::new(State { len, below_len: len, pages: BTreeMap::new() });
        Ok(Arc::new(File { below, state }))
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }
    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn space(&self, dir: &Path) -> io::Result<(u64, u64)> {
        self.0.space(dir)
    }
    /// Refused only if another has it: a disk that cannot be written cannot give a lock, and needs none.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        match self.0.lock(path) {
            Err(e) if e.kind() != ErrorKind::WouldBlock => Ok(Box::new(())),
            locked => locked,
        }
    }
}

#[derive(Debug)]
struct File {
    below: Option<Arc<dyn DiskFile>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    len: u64,
    /// How much of the file below still shows.
    below_len: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl File {
    fn state(&self) -> MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Bytes of the file below, zeros where it does not show.
    fn read_below(&self, state: &State, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        buffer.fill(0);
        let shown = state.below_len.saturating_sub(offset).min(buffer.len() as u64);
        let shown = usize::try_from(shown).unwrap_or(0);
        match (&self.below, buffer.get_mut(..shown)) {
            (Some(below), Some(part)) if shown > 0 => below.read_at(part, offset),
            _ => Ok(()),
        }
    }
}

/// The pages that bytes touch: (page, first byte within it, how many).
fn pieces(offset: u64, len: usize) -> Vec<(u64, usize, usize)> {
    let (mut at, end) = (offset, offset.saturating_add(len as u64));
    let mut pieces = Vec::new();
    while at < end {
        let within = at % PAGE;
        let count = (PAGE - within).min(end - at);
        let small = |n: u64| usize::try_from(n).unwrap_or(0);
        pieces.push((at / PAGE, small(within), small(count)));
        at += count;
    }
    pieces
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.state();
        if offset.saturating_add(buffer.len() as u64) > state.len {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if state.pages.is_empty() {
            return self.read_below(&state, buffer, offset);
        }
        let mut rest = buffer;
        for (page, within, count) in pieces(offset, rest.len()) {
            let (part, behind) = rest.split_at_mut(count);
            rest = behind;
            match state.pages.get(&page).and_then(|page| page.get(within..within + count)) {
                Some(written) => part.copy_from_slice(written),
                None => self.read_below(&state, part, page * PAGE + within as u64)?,
            }
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state();
        let mut rest = bytes;
        for (number, within, count) in pieces(offset, bytes.len()) {
            let (part, behind) = rest.split_at(count);
            rest = behind;
            if !state.pages.contains_key(&number) {
                let mut page = vec![0; usize::try_from(PAGE).unwrap_or(0)];
                self.read_below(&state, &mut page, number * PAGE)?;
                state.pages.insert(number, page);
            }
            let page = state.pages.get_mut(&number);
            if let Some(place) = page.and_then(|page| page.get_mut(within..within + count)) {
                place.copy_from_slice(part);
            }
        }
        state.len = state.len.max(offset.saturating_add(bytes.len() as u64));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        if len < state.len {
            state.below_len = state.below_len.min(len);
            let keep = len.div_ceil(PAGE);
            state.pages.retain(|&page, _| page < keep);
            let within = usize::try_from(len % PAGE).unwrap_or(0);
            if let Some(last) = state.pages.get_mut(&(len / PAGE)) {
                last.iter_mut().skip(within).for_each(|byte| *byte = 0);
            }
        }
        state.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn what_is_written_is_read_and_the_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let original: Vec<u8> = (0..10_000u32).map(|n| n.to_be_bytes()[3]).collect();
        std::fs::write(&path, &original).unwrap();
        let file = Overlay(Arc::new(RealDisk)).open(&path, false).unwrap();
        let mut expected = original.clone();
        let all = |file: &dyn DiskFile| {
            let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
            file.read_at(&mut bytes, 0).unwrap();
            bytes
        };
        file.write_at(&[7; 5000], 3000).unwrap();
        expected[3000..8000].fill(7);
        assert_eq!(all(&*file), expected);
        file.write_at(&[8; 100], 9950).unwrap();
        expected.resize(10_050, 0);
        expected[9950..].fill(8);
        assert_eq!(all(&*file), expected);
        // Cut and made longer again: what was behind the cut is gone.
        file.set_len(5000).unwrap();
        file.set_len(9000).unwrap();
        expected.truncate(5000);
        expected.resize(9000, 0);
        assert_eq!(all(&*file), expected);
        let mut beyond = [0; 2];
        assert!(file.read_at(&mut beyond, 8999).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), original);
    }
}
