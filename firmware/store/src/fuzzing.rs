//! Doors for `tests/fuzz`: what the readers of stored bytes must do with any bytes. Nothing else may use
//! them.
//!
//! # Panics
//! Where a reader does not keep what it promises: that is what the fuzzer looks for.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::index::redo::{Change, Changes, patched};
use crate::segment::{
    Header, LogEnd, LoggedDelivery, Place, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, Scan,
    Segments, one_group,
};
use crate::{Disk, DiskFile, READ_MAX};

/// A segment file of any bytes, read as a record and at any place.
pub fn segment(bytes: &[u8]) {
    record(bytes);
    // The first bytes say where the index claims a content to be.
    let Some((&[offset, table, d0, d1, d2, d3, s0, s1, s2], file)) = bytes.split_first_chunk()
    else {
        return;
    };
    let place = Place {
        segment: 1,
        offset: offset.into(),
        table_at: table.into(),
        data_len: u32::from_be_bytes([d0, d1, d2, d3]).into(),
        size: u32::from_be_bytes([0, s0, s1, s2]).into(),
    };
    let disk = Arc::new(OneFile(file.to_vec()));
    let segments = Segments::new(disk, &PathBuf::from("segments"));
    for at in [0, place.size / 2, place.size.saturating_sub(1), place.size] {
        if let Ok(piece) = segments.read(&place, at, READ_MAX) {
            assert!(piece.len() as u64 <= place.size - at, "no more than there is");
        }
    }
}

/// The head of a record, and the delivery record behind it.
fn record(bytes: &[u8]) {
    let Some((head, tail)) = bytes.split_first_chunk::<RECORD_HEADER_BYTES>() else { return };
    let _is_whole = Header::verify(head, tail);
    if let Ok(header) = Header::decode(head) {
        assert!(header.tail_len() >= 4 * u64::from(header.frames), "a length does not wrap");
        let written = header.encode(&[], &[]);
        let again = written.first_chunk().map(Header::decode);
        assert_eq!(again.and_then(Result::ok), Some(header), "what was read is written so");
    }
    if let Ok(delivery) = postcard::from_bytes::<LoggedDelivery>(tail) {
        let written = postcard::to_allocvec(&delivery).unwrap_or_default();
        assert_eq!(postcard::from_bytes(&written), Ok(delivery), "what was read is written so");
    }
}

/// The log behind the index, in a segment with a good head: the first byte says how many of the others
/// are the changes of a group that was really written; the rest stands behind it as it is.
pub fn log(bytes: &[u8]) {
    changes(bytes);
    let Some((&count, rest)) = bytes.split_first() else { return };
    let (written, behind) = rest.split_at(rest.len().min(usize::from(count) * 8));
    let Ok(mut file) = one_group(written) else { return };
    let whole = LogEnd { segment: 1, offset: file.len() as u64 };
    file.extend_from_slice(behind);
    let segments = Segments::new(Arc::new(OneFile(file)), &PathBuf::from("segments"));
    let begin = LogEnd { segment: 1, offset: SEGMENT_HEADER_BYTES };
    let Ok(mut scan) = Scan::new(&segments, begin, 0) else { return };
    let found = scan.next().ok().flatten();
    assert!(found.is_some(), "what was written is found");
    if let Some(group) = found {
        assert_eq!((group.changes.as_slice(), group.end), (written, whole), "and is the same");
        scan.accept(&group);
    }
    while let Ok(Some(group)) = scan.next() {
        scan.accept(&group);
    }
    let _what_is_behind = scan.tail();
}

/// The row writes of a group.
fn changes(bytes: &[u8]) {
    let mut changes = Changes::new(bytes);
    while let Ok(Some(change)) = changes.next() {
        if let Change::Patch { prefix, suffix, middle, .. } = change
            && let Ok(row) = patched(bytes, prefix, suffix, middle)
        {
            assert_eq!(row.len(), prefix + suffix + middle.len(), "a patch keeps its lengths");
        }
    }
}

/// A disk on which every name is the same file, read-only.
#[derive(Debug)]
struct OneFile(Vec<u8>);

fn no() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

impl DiskFile for OneFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let there = self.0.get(from..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(no())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(no())
    }
    fn sync_data(&self) -> io::Result<()> {
        Err(no())
    }
}

impl Disk for OneFile {
    fn open(&self, _: &Path, _: bool) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(Self(self.0.clone())))
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(no())
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(no())
    }
    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(vec!["00000001.seg".to_owned()])
    }
    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Err(no())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Err(no())
    }
    fn space(&self, _: &Path) -> io::Result<(u64, u64)> {
        Err(no())
    }
    fn lock(&self, _: &Path) -> io::Result<Box<dyn Send + Sync>> {
        Err(no())
    }
}
