//! Reads a segment for who reads message after message: contents that arrived together are neighbours, and
//! some of them come with one call.
//!
//! For one snapshot: what its places name was written before, and never changes. What else is read along
//! may still change, and is never looked at.

use super::reader::read_at;
use crate::{DiskFile, StoreError};

/// Read at once where contents stand close together.
const AHEAD_BYTES: usize = 16 * 1024;
/// How far apart they may stand for that: the head of a record, and what a small group changed.
const GAP_MAX: u64 = 4 * 1024;

/// Bytes of a segment that were read last.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    segment: u32,
    /// Where `bytes` stand.
    at: u64,
    bytes: Vec<u8>,
    /// Where the last bytes that were asked for end.
    last_end: u64,
}

impl Ahead {
    /// `len` bytes of a segment from `at`.
    pub(super) fn bytes(
        &mut self,
        file: &dyn DiskFile,
        segment: u32,
        at: u64,
        len: usize,
    ) -> Result<&[u8], StoreError> {
        if self.range(segment, at, len).is_none() {
            self.read(file, segment, at, len)?;
        }
        self.last_end = at.saturating_add(len as u64);
        let range = self.range(segment, at, len).unwrap_or_default();
        Ok(self.bytes.get(range).unwrap_or_default())
    }

    /// Where they stand in `bytes`, if all of them do.
    fn range(&self, segment: u32, at: u64, len: usize) -> Option<std::ops::Range<usize>> {
        let from = usize::try_from(at.checked_sub(self.at)?).ok()?;
        let to = from.checked_add(len)?;
        (self.segment == segment && to <= self.bytes.len()).then_some(from..to)
    }

    fn read(
        &mut self,
        file: &dyn DiskFile,
        segment: u32,
        at: u64,
        len: usize,
    ) -> Result<(), StoreError> {
        let gap = at.checked_sub(self.last_end).filter(|_| self.segment == segment);
        let ahead = if gap.is_some_and(|gap| gap <= GAP_MAX) { AHEAD_BYTES.max(len) } else { len };
        (self.segment, self.at) = (segment, at);
        self.bytes.resize(ahead, 0);
        let mut read = read_at(file, &mut self.bytes, at);
        // The segment may end before.
        if read.is_err() && ahead > len {
            self.bytes.truncate(len);
            read = read_at(file, &mut self.bytes, at);
        }
        if read.is_err() {
            self.bytes.clear();
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Disk;
    use crate::disk::RealDisk;

    #[test]
    fn every_way_of_reading_gives_the_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let content: Vec<u8> =
            (0..60_000u32).map(|n| n.to_be_bytes()[3] ^ n.to_be_bytes()[2]).collect();
        let open = |name: &str| RealDisk.open(&dir.path().join(Path::new(name)), true).unwrap();
        let files = [open("one"), open("two")];
        files[0].write_at(&content, 0).unwrap();
        let reversed: Vec<u8> = content.iter().rev().copied().collect();
        files[1].write_at(&reversed, 0).unwrap();
        let mut ahead = Ahead::default();
        let mut state = 7u64;
        let (mut segment, mut at, mut full) = (0usize, 0usize, 0);
        for _ in 0..5_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let [kind, far, a, b, ..] = state.to_be_bytes();
            let len = usize::from(u16::from_be_bytes([a, b])) % 2_000;
            match kind % 16 {
                0 => segment ^= 1,
                1 => at = usize::from(far) * 240,
                _ => at += usize::from(far) % 100,
            }
            let want = if segment == 0 { &content } else { &reversed };
            let number = u32::try_from(segment).unwrap();
            let got = ahead.bytes(&*files[segment], number, at as u64, len);
            match want.get(at..at + len) {
                Some(want) => assert_eq!(got.unwrap(), want),
                None => assert!(got.is_err()),
            }
            full += usize::from(ahead.bytes.len() == AHEAD_BYTES);
            at = if at + len > content.len() { 0 } else { at + len };
        }
        assert!(full > 1_000, "{full}");
    }
}
