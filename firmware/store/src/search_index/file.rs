//! One file of the search index. FORMAT.md has its layout.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use base::{MailboxId, Uid};

use super::block::{BITS_MAX, BITS_MIN, Class, SearchSignatures, bit_of};
use crate::StoreError;
use crate::codec::{In, Out};
use crate::disk::{Disk, DiskFile};

const MAGIC: &[u8; 4] = b"PIdx";
/// Of the layout, and of what texts are folded to: another one is read as absent.
const VERSION: u8 = 1;
/// A file is never longer.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A block: where its rows are and whose bits they hold.
#[derive(Debug)]
struct Block {
    bits: u32,
    uids: Vec<u32>,
    rows_at: u64,
}

/// An open file whose checksum was right.
#[derive(Debug)]
pub(super) struct IndexFile {
    file: Arc<dyn DiskFile>,
    pub(super) first: Uid,
    pub(super) last: Uid,
    blocks: Vec<Block>,
    always: Vec<u32>,
}

/// The bytes of a file.
pub(super) fn encode(
    mailbox: MailboxId,
    uid_validity: u32,
    (first, last): (Uid, Uid),
    signatures: &SearchSignatures,
) -> Vec<u8> {
    let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let mut out = Out::of_version(VERSION)
        .bytes(MAGIC)
        .u32(mailbox.0)
        .u32(uid_validity)
        .u32(first.0)
        .u32(last.0)
        .u32(count(signatures.always.len()))
        .u32(count(signatures.classes.len()));
    for class in &signatures.classes {
        out = out.u32(class.bits).u32(count(class.uids.len()));
    }
    for uid in signatures.always.iter().chain(signatures.classes.iter().flat_map(|c| &c.uids)) {
        out = out.u32(*uid);
    }
    for class in &signatures.classes {
        out = out.bytes(&class.rows());
    }
    let checksum = *blake3::hash(&out.0).as_bytes();
    out.bytes(&checksum).0
}

fn decode(
    file: Arc<dyn DiskFile>,
    bytes: &[u8],
    mailbox: MailboxId,
    uid_validity: u32,
) -> Result<Option<IndexFile>, StoreError> {
    let damaged =
        || StoreError::Damaged("the checksum of the search index does not fit".to_owned());
    let (body, checksum) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
    if blake3::hash(body).as_bytes() != checksum {
        return Err(damaged());
    }
    let mut fields = In::of_version(VERSION, body, "search index")?;
    if &fields.take::<4>()? != MAGIC || fields.u32()? != mailbox.0 || fields.u32()? != uid_validity
    {
        return Ok(None);
    }
    let (first, last) = (Uid(fields.u32()?), Uid(fields.u32()?));
    if first > last {
        return Ok(None);
    }
    let (always, blocks) = (fields.u32()? as usize, fields.u32()? as usize);
    let mut heads = Vec::new();
    for _ in 0..blocks {
        let (bits, count) = (fields.u32()?, fields.u32()? as usize);
        if !(BITS_MIN..=BITS_MAX).contains(&bits) {
            return Ok(None);
        }
        heads.push((bits, count));
    }
    let mut uids = |count: usize| -> Result<Vec<u32>, StoreError> {
        let bytes = fields.slice(count.saturating_mul(4))?;
        let mut numbers = In::plain(bytes, "search index");
        (0..count).map(|_| numbers.u32()).collect()
    };
    let always = uids(always)?;
    let mut all = Vec::with_capacity(heads.len());
    for (bits, count) in heads {
        all.push((bits, uids(count)?));
    }
    let mut rows_at = (body.len() - fields.rest().len()) as u64;
    let mut blocks = Vec::with_capacity(all.len());
    for (bits, uids) in all {
        let bytes = (Class::row_bytes(uids.len()) as u64) << bits;
        blocks.push(Block { bits, uids, rows_at });
        rows_at += bytes;
    }
    if rows_at != body.len() as u64 {
        return Ok(None);
    }
    Ok(Some(IndexFile { file, first, last, blocks, always }))
}

impl IndexFile {
    /// Opens a file and checks all of it; `None` if it is not there or another's.
    pub(super) fn open(
        disk: &dyn Disk,
        path: &Path,
        mailbox: MailboxId,
        uid_validity: u32,
    ) -> Result<Option<Self>, StoreError> {
        let doing = "reading the search index";
        let file = match disk.open(path, false) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StoreError::io(doing)(e)),
        };
        let len = file.len().map_err(StoreError::io(doing))?;
        if len > FILE_BYTES_MAX {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        file.read_at(&mut bytes, 0).map_err(StoreError::io(doing))?;
        decode(file, &bytes, mailbox, uid_validity)
    }

    /// Messages in it.
    pub(super) fn messages(&self) -> usize {
        self.always.len() + self.blocks.iter().map(|block| block.uids.len()).sum::<usize>()
    }

    /// Adds the messages that may hold all of the trigrams to `found`.
    pub(super) fn candidates(
        &self,
        trigrams: &[u32],
        found: &mut Vec<u32>,
    ) -> Result<(), StoreError> {
        found.extend_from_slice(&self.always);
        for block in &self.blocks {
            let row = Class::row_bytes(block.uids.len());
            let mut left = vec![0xffu8; row];
            let mut buffer = vec![0u8; row];
            for &trigram in trigrams {
                let at = block.rows_at + (bit_of(trigram, block.bits) * row) as u64;
                self.file
                    .read_at(&mut buffer, at)
                    .map_err(StoreError::io("reading the search index"))?;
                for (left, have) in left.iter_mut().zip(&buffer) {
                    *left &= have;
                }
                if left.iter().all(|byte| *byte == 0) {
                    break;
                }
            }
            for (at, uid) in block.uids.iter().enumerate() {
                if left.get(at / 8).is_some_and(|byte| byte & 1 << (at % 8) != 0) {
                    found.push(*uid);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let mut signatures = SearchSignatures::default();
        let trigrams = |uid: u32| -> Vec<u32> { (0..uid % 700).map(|n| n * 977 + uid).collect() };
        for uid in (10..2_000).filter(|uid| uid % 11 != 0) {
            signatures.add(Uid(uid), &trigrams(uid));
        }
        signatures.add_unknown(Uid(2_000));
        let bytes = encode(MailboxId(3), 4, (Uid(1), Uid(2_000)), &signatures);
        std::fs::write(&path, &bytes).unwrap();
        let disk = crate::disk::RealDisk;
        let open = |uid_validity| IndexFile::open(&disk, &path, MailboxId(3), uid_validity);
        let file = open(4).unwrap().unwrap();
        assert_eq!((file.first, file.last, file.messages()), (Uid(1), Uid(2_000), 1_810));
        let mut wrong = 0;
        for uid in (10..2_000).filter(|uid| uid % 11 != 0) {
            let all = trigrams(uid);
            let asked: Vec<u32> = all.iter().copied().rev().take(6).collect();
            let mut found = Vec::new();
            file.candidates(&asked, &mut found).unwrap();
            assert!(found.contains(&uid) && found.contains(&2_000), "{uid}");
            let holds = |uid: &u32| asked.iter().all(|trigram| trigrams(*uid).contains(trigram));
            if asked.len() == 6 {
                wrong += found.iter().filter(|uid| **uid < 2_000 && !holds(uid)).count();
            }
        }
        assert!(wrong < 2_000, "{wrong} of 3,200,000 are false");
        // Another UIDVALIDITY, a damaged byte, a missing file.
        assert!(open(5).unwrap().is_none());
        let mut torn = bytes;
        torn[100] ^= 1;
        std::fs::write(&path, &torn).unwrap();
        assert!(open(4).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(open(4).unwrap().is_none());
    }
}
