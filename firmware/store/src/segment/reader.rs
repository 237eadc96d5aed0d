//! Reads pieces of messages from the segments. Any thread, no lock held while reading.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use base::BlobHash;
use zstd::bulk::Decompressor;

use super::ahead::Ahead;
use super::record::{LoggedDelivery, decode_delivery};
use super::{FRAME_BYTES, Header, LogEnd, RECORD_HEADER_BYTES, path_of};
use crate::codec::In;
use crate::{Disk, DiskFile, StoreError};

/// No offset, length or size is this large: 1 TB.
pub(crate) const PLACE_MAX: u64 = 1 << 40;
/// Segment files held open for reading.
const OPEN_MAX: usize = 256;

/// Where a content is and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    /// Where the record begins.
    pub(crate) offset: u64,
    /// Bytes from there to the frame table.
    pub(crate) table_at: u32,
    /// Bytes of all frames.
    pub(crate) data_len: u64,
    /// Plain bytes.
    pub(crate) size: u64,
}

impl Place {
    fn frames(&self) -> u64 {
        self.size.div_ceil(FRAME_BYTES as u64)
    }
    /// Plain bytes of a frame.
    fn frame_len(&self, number: u64) -> usize {
        let begin = number.saturating_mul(FRAME_BYTES as u64);
        usize::try_from(self.size.saturating_sub(begin)).unwrap_or(usize::MAX).min(FRAME_BYTES)
    }
    /// Bytes of the whole record.
    pub(crate) fn record_len(&self) -> u64 {
        self.end() - self.offset
    }
    /// As it stands in a row of the index. A damaged row must not ask for memory or overflow a sum.
    pub(crate) fn decode(row: &mut In<'_>) -> Result<Self, StoreError> {
        let place = Self {
            segment: row.u32()?,
            offset: row.u64()?,
            table_at: row.u32()?,
            data_len: row.u64()?,
            size: row.u64()?,
        };
        if place.offset.max(place.data_len).max(place.size) >= PLACE_MAX {
            return Err(StoreError::Damaged("content row with an impossible place".to_owned()));
        }
        Ok(place)
    }
    /// Where the record ends.
    pub(crate) fn end(&self) -> u64 {
        self.offset + u64::from(self.table_at) + 4 * self.frames() + self.data_len
    }
}

/// The segment files, open for reading.
#[derive(Debug)]
pub(crate) struct Segments {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    open: Mutex<BTreeMap<u32, Arc<dyn DiskFile>>>,
}

impl Segments {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: dir.to_path_buf(), open: Mutex::default() }
    }

    fn opened(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<dyn DiskFile>>> {
        match self.open.lock() {
            Ok(open) => open,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Bytes of a segment.
    pub(crate) fn len(&self, segment: u32) -> Result<u64, StoreError> {
        self.file(segment)?.len().map_err(StoreError::io("reading a segment"))
    }

    /// Forgets an open file (the segment is removed).
    pub(crate) fn forget(&self, segment: u32) {
        self.opened().remove(&segment);
    }

    /// The segments there are, ascending.
    pub(crate) fn numbers(&self) -> Result<Vec<u32>, StoreError> {
        super::list(&*self.disk, &self.dir).map_err(StoreError::io("listing the segments"))
    }

    pub(crate) fn file(&self, segment: u32) -> Result<Arc<dyn DiskFile>, StoreError> {
        if let Some(file) = self.opened().get(&segment) {
            return Ok(Arc::clone(file));
        }
        let file =
            self.disk.open(&path_of(&self.dir, segment), false).map_err(|e| match e.kind() {
                ErrorKind::NotFound => StoreError::Damaged(format!("segment {segment} is missing")),
                _ => StoreError::io("opening a segment")(e),
            })?;
        let mut open = self.opened();
        if open.len() >= OPEN_MAX {
            open.pop_first();
        }
        open.insert(segment, Arc::clone(&file));
        Ok(file)
    }

    /// At most `len` bytes from `offset` of the content; short only at its end.
    pub(crate) fn read(
        &self,
        place: &Place,
        offset: u64,
        len: usize,
    ) -> Result<Vec<u8>, StoreError> {
        let end = offset.saturating_add(len as u64).min(place.size);
        if offset >= end {
            return Ok(Vec::new());
        }
        let file = self.file(place.segment)?;
        let (first, last) = (offset / FRAME_BYTES as u64, (end - 1) / FRAME_BYTES as u64);
        let lengths = frame_lengths(&*file, place)?;
        let data_at = place.offset + u64::from(place.table_at) + 4 * place.frames();
        let mut at = data_at;
        let mut out = Vec::with_capacity(usize::try_from(end - offset).unwrap_or(0));
        for (n, length) in (0u64..).zip(lengths) {
            if n > last {
                break;
            }
            if n >= first {
                let plain = frame(&*file, at, length, place, n)?;
                let begin = n * FRAME_BYTES as u64;
                let from = usize::try_from(offset.saturating_sub(begin)).unwrap_or(usize::MAX);
                let to = usize::try_from(end - begin).unwrap_or(usize::MAX).min(plain.len());
                out.extend_from_slice(plain.get(from..to).unwrap_or_default());
            }
            at += u64::from(length);
        }
        Ok(out)
    }

    /// One frame into buffers that the caller keeps.
    pub(crate) fn read_frame(
        &self,
        place: &Place,
        number: u64,
        decompressor: &mut Decompressor<'_>,
        packed: &mut Ahead,
        plain: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        plain.clear();
        if number >= place.frames() {
            return Ok(());
        }
        let file = self.file(place.segment)?;
        let mut at = place.offset + u64::from(place.table_at) + 4 * place.frames();
        let mut length = u32::try_from(place.data_len).unwrap_or(u32::MAX);
        if place.frames() > 1 {
            for (n, own) in (0u64..).zip(frame_lengths(&*file, place)?) {
                if n == number {
                    length = own;
                    break;
                }
                at += u64::from(own);
            }
        }
        check_length(length)?;
        let packed = packed.bytes(&*file, place.segment, at, length as usize)?;
        let expected = place.frame_len(number);
        plain.reserve(expected);
        let made = decompressor.decompress_to_buffer(packed, plain);
        if made.is_ok_and(|made| made == expected) { Ok(()) } else { Err(damaged(place, number)) }
    }

    /// The delivery record and the frame lengths of a content. A delivery of another version counts as
    /// none: it is news about the past.
    pub(super) fn head_of(&self, place: &Place) -> Result<(LoggedDelivery, Vec<u32>), StoreError> {
        let file = self.file(place.segment)?;
        let len = (place.table_at as usize).saturating_sub(RECORD_HEADER_BYTES);
        let mut meta = vec![0; len];
        read_at(&*file, &mut meta, place.offset + RECORD_HEADER_BYTES as u64)?;
        let delivery = decode_delivery(&meta).map(|(_, delivery)| delivery).unwrap_or_default();
        Ok((delivery, frame_lengths(&*file, place)?))
    }

    /// Hands out the frames of a content as they stand there.
    pub(super) fn each_packed_piece(
        &self,
        place: &Place,
        take: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let file = self.file(place.segment)?;
        let mut at = place.end() - place.data_len;
        let mut piece = vec![0; FRAME_BYTES];
        while at < place.end() {
            let count = usize::try_from(place.end() - at).unwrap_or(FRAME_BYTES).min(FRAME_BYTES);
            read_at(&*file, &mut piece[..count], at)?;
            take(&piece[..count])?;
            at += count as u64;
        }
        Ok(())
    }

    /// Makes what stands in the log behind `from` durable, by writing it again. After a kill, or a sync that
    /// failed, the kernel still shows bytes that are not on the disk, and may hold them for written: a sync
    /// alone would then not write them.
    pub(crate) fn harden(&self, from: LogEnd) -> Result<(), StoreError> {
        let doing = "making the log durable";
        for number in self.numbers()?.into_iter().filter(|&number| number >= from.segment) {
            let file = self.file(number)?;
            let len = file.len().map_err(StoreError::io(doing))?;
            let mut at = if number == from.segment { from.offset } else { 0 };
            if at >= len {
                continue;
            }
            let mut piece = vec![0; FRAME_BYTES];
            while at < len {
                let count = usize::try_from(len - at).unwrap_or(FRAME_BYTES).min(FRAME_BYTES);
                read_at(&*file, &mut piece[..count], at)?;
                file.write_at(&piece[..count], at).map_err(StoreError::io(doing))?;
                at += count as u64;
            }
            file.sync_data().map_err(StoreError::io(doing))?;
        }
        Ok(())
    }

    /// Removes a segment in which nothing is any more. Who has it open reads on.
    pub(crate) fn remove(&self, segment: u32) -> Result<(), StoreError> {
        self.forget(segment);
        self.disk
            .remove(&path_of(&self.dir, segment))
            .and_then(|()| self.disk.sync_dir(&self.dir))
            .map_err(StoreError::io("removing a segment"))
    }

    /// Reads all of a content and its record's head; says whether they are what was written.
    pub(crate) fn verify(&self, place: &Place, hash: &BlobHash) -> Result<(), StoreError> {
        self.verify_with(place, hash, &mut |_| {})
    }

    /// As [`Segments::verify`]; `take` gets the plain bytes.
    pub(crate) fn verify_with(
        &self,
        place: &Place,
        hash: &BlobHash,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        let file = self.file(place.segment)?;
        let damaged = |why: &str| Err(StoreError::Damaged(format!("message {hash}: {why}")));
        let mut head = [0; RECORD_HEADER_BYTES];
        read_at(&*file, &mut head, place.offset)?;
        let header = Header::decode(&head)?;
        if header.hash != *hash || header.size != place.size || header.data_len != place.data_len {
            return damaged("the log record is another's");
        }
        // The bound keeps a damaged length from asking for gigabytes.
        let tail_len = usize::try_from(header.tail_len()).unwrap_or(usize::MAX);
        if tail_len > 64 * 1024 * 1024 {
            return damaged("impossible length");
        }
        let mut tail = vec![0; tail_len];
        read_at(&*file, &mut tail, place.offset + RECORD_HEADER_BYTES as u64)?;
        if !Header::verify(&head, &tail) {
            return damaged("the checksum of the log record does not fit");
        }
        let mut hasher = blake3::Hasher::new();
        let mut offset = 0;
        while offset < place.size {
            let piece = self.read(place, offset, FRAME_BYTES)?;
            if piece.is_empty() {
                return damaged("it is short");
            }
            hasher.update(&piece);
            take(&piece);
            offset += piece.len() as u64;
        }
        if hasher.finalize().as_bytes() != &hash.0 {
            damaged("the hash does not fit")
        } else {
            Ok(())
        }
    }
}

pub(super) fn read_at(file: &dyn DiskFile, buffer: &mut [u8], at: u64) -> Result<(), StoreError> {
    file.read_at(buffer, at).map_err(|e| match e.kind() {
        ErrorKind::UnexpectedEof => StoreError::Damaged("a segment is too short".to_owned()),
        _ => StoreError::io("reading a segment")(e),
    })
}

fn frame_lengths(file: &dyn DiskFile, place: &Place) -> Result<Vec<u32>, StoreError> {
    if place.frames() == 1 {
        let only = u32::try_from(place.data_len)
            .map_err(|_| StoreError::Damaged("impossible frame length".to_owned()))?;
        return Ok(vec![only]);
    }
    let count = usize::try_from(place.frames()).unwrap_or(usize::MAX);
    let mut table = vec![0; count.saturating_mul(4)];
    read_at(file, &mut table, place.offset + u64::from(place.table_at))?;
    let mut fields = In::plain(&table, "frame table");
    let lengths: Vec<u32> = (0..count).map(|_| fields.u32()).collect::<Result<_, _>>()?;
    if lengths.iter().map(|&l| u64::from(l)).sum::<u64>() != place.data_len {
        return Err(StoreError::Damaged("a frame table does not fit its record".to_owned()));
    }
    Ok(lengths)
}

fn frame(
    file: &dyn DiskFile,
    at: u64,
    length: u32,
    place: &Place,
    n: u64,
) -> Result<Vec<u8>, StoreError> {
    check_length(length)?;
    let mut packed = vec![0; length as usize];
    read_at(file, &mut packed, at)?;
    let expected = place.frame_len(n);
    // The frame's own checksum is verified here.
    let plain = zstd::bulk::decompress(&packed, expected).map_err(|_| damaged(place, n))?;
    if plain.len() == expected { Ok(plain) } else { Err(damaged(place, n)) }
}

/// zstd never makes more than this of a frame's plain bytes.
fn check_length(length: u32) -> Result<(), StoreError> {
    if length as usize > zstd::zstd_safe::compress_bound(FRAME_BYTES) {
        return Err(StoreError::Damaged("impossible frame length".to_owned()));
    }
    Ok(())
}

fn damaged(place: &Place, n: u64) -> StoreError {
    StoreError::Damaged(format!("frame {n} of the record at {}:{}", place.segment, place.offset))
}
