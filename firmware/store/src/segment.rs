//! Log segments: where the bytes of messages are, and what each group of acts changed. Appended once, read
//! by offset, never changed.
//!
//! A record of a content is a header, the delivery record, a table of frame lengths and the content as zstd frames of
//! [`FRAME_BYTES`] plain bytes each, so that a piece from the middle of a large message costs one or
//! two frames of memory. FORMAT.md has the bytes.

mod ahead;
mod changes;
mod header;
mod log;
mod reader;
mod record;
mod scan;

pub(crate) use ahead::Ahead;
pub(crate) use header::SEGMENT_HEADER_BYTES;
pub(crate) use log::{Log, LogEnd};
pub(crate) use reader::{PLACE_MAX, Place, Segments};
pub(crate) use record::{Header, LoggedCopy, LoggedDelivery, RECORD_HEADER_BYTES, decode_delivery};
pub(crate) use scan::{Group, Scan, Tail};

/// A segment that holds the first group of a log, which has changes only. For `fuzzing`.
pub(crate) fn one_group(changes: &[u8]) -> Result<Vec<u8>, crate::StoreError> {
    let head = header::SegmentHeader::new(1, LogEnd::default())?;
    let begin = LogEnd { segment: 1, offset: SEGMENT_HEADER_BYTES };
    let none = (0, &changes::Tie::default());
    let record = changes::Packer::new()?.encode((1, begin), none, &head.salt, changes)?;
    Ok([head.encode(), record].concat())
}

use std::path::{Path, PathBuf};

use crate::Disk;

/// Plain bytes in one frame; the last of a message may be shorter.
pub(crate) const FRAME_BYTES: usize = 1 << FRAME_LOG2;
/// As the record says it.
pub(crate) const FRAME_LOG2: u8 = 18;
/// A segment that has reached this takes no further record.
pub(crate) const SEGMENT_BYTES: u64 = if cfg!(test) { SMALL_SEGMENT } else { 128 * 1024 * 1024 };
/// What unit tests take, so that a few messages fill some.
const SMALL_SEGMENT: u64 = 256 * 1024;

/// `00000001.seg`
pub(crate) fn path_of(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08}.seg"))
}

/// The segments that stand in `dir`, ascending.
pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> std::io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for name in disk.list(dir)? {
        let number = name.strip_suffix(".seg").map(str::parse::<u32>);
        if let Some(Ok(number)) = number {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}
