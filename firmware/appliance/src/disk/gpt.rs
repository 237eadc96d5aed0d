//! The GUID partition table (UEFI 2.10 §5.3): read, grow the last partition to the disk's end, mark.
//!
//! Only what the box needs: nothing is created, moved, shrunk or deleted. The backup table is written
//! and synced before the primary, so that a power cut leaves one whole table; a broken primary is
//! mended from the backup.
//!
//! The data partition carries a mark of our own ([`HELD_DATA`]) once a file system was made and
//! mounted there: a partition with the mark is never formatted again, whatever it looks like.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

const SIGNATURE: &[u8; 8] = b"EFI PART";
const HEADER_BYTES: usize = 92;
/// What UEFI reserves at least for the entries: 16 KB.
const ENTRIES_BYTES_MAX: usize = 64 * 1024;
/// The last partition ends at a multiple of this many bytes.
const ALIGN: u64 = 1024 * 1024;
/// Bit of the attributes (the upper sixteen belong to the partition type's owner): data was here.
pub(crate) const HELD_DATA: u64 = 1 << 56;

/// What is wrong with a table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GptError {
    #[error("reading the partition table failed")]
    Read(#[source] io::Error),
    #[error("writing the partition table failed")]
    Write(#[source] io::Error),
    #[error("neither the primary nor the backup partition table is whole")]
    Broken,
    #[error("the data partition is not the last on the disk")]
    NotLast,
}

/// A partition as the table has it; sectors, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// First sector.
    pub(crate) first: u64,
    /// Last sector.
    pub(crate) last: u64,
    /// Attribute bits.
    pub(crate) attributes: u64,
}

/// A table in memory.
#[derive(Debug)]
pub(crate) struct Gpt {
    sector: u64,
    /// Sectors of the disk.
    sectors: u64,
    header: Vec<u8>,
    entries: Vec<u8>,
    entry_bytes: usize,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// CRC-32 as UEFI §5.3.2 asks for (reflected 04C11DB7); a few KB at boot need no table.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

impl Gpt {
    /// Reads the table of a disk with `bytes` bytes: the primary, or else the backup at the end.
    pub(crate) fn read(disk: &File, sector: u64, bytes: u64) -> Result<Self, GptError> {
        let sectors = bytes / sector;
        match Self::read_at(disk, sector, sectors, 1) {
            Ok(Some(gpt)) => return Ok(gpt),
            Ok(None) => {}
            Err(err) => return Err(GptError::Read(err)),
        }
        Self::read_at(disk, sector, sectors, sectors.saturating_sub(1))
            .map_err(GptError::Read)?
            .ok_or(GptError::Broken)
    }

    /// The table whose header is in sector `at`; `None` if it is not whole.
    fn read_at(disk: &File, sector: u64, sectors: u64, at: u64) -> io::Result<Option<Self>> {
        let mut header = vec![0; HEADER_BYTES];
        disk.read_exact_at(&mut header, at.saturating_mul(sector))?;
        if !header.starts_with(SIGNATURE) || u32_at(&header, 12) as usize != HEADER_BYTES {
            return Ok(None);
        }
        let mut unsigned = header.clone();
        put(&mut unsigned, 16, &[0; 4]);
        if crc32(&unsigned) != u32_at(&header, 16) || u64_at(&header, 24) != at {
            return Ok(None);
        }
        let (count, entry_bytes) = (u32_at(&header, 80) as usize, u32_at(&header, 84) as usize);
        let Some(all) = count.checked_mul(entry_bytes).filter(|all| *all <= ENTRIES_BYTES_MAX)
        else {
            return Ok(None);
        };
        if entry_bytes < 128 {
            return Ok(None);
        }
        let mut entries = vec![0; all];
        disk.read_exact_at(&mut entries, u64_at(&header, 72).saturating_mul(sector))?;
        if crc32(&entries) != u32_at(&header, 88) {
            return Ok(None);
        }
        Ok(Some(Self { sector, sectors, header, entries, entry_bytes }))
    }

    /// Sectors that the entries take.
    fn entries_sectors(&self) -> u64 {
        (self.entries.len() as u64).div_ceil(self.sector)
    }

    /// The last sector a partition may use when the table fills the disk.
    fn last_usable(&self) -> u64 {
        self.sectors.saturating_sub(2 + self.entries_sectors())
    }

    fn entry(&self, number: i32) -> Option<usize> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?.checked_mul(self.entry_bytes)?;
        let type_guid = self.entries.get(at..at + 16)?;
        type_guid.iter().any(|b| *b != 0).then_some(at)
    }

    /// Partition `number` (from 1).
    pub(crate) fn extent(&self, number: i32) -> Option<Extent> {
        let at = self.entry(number)?;
        Some(Extent {
            first: u64_at(&self.entries, at + 32),
            last: u64_at(&self.entries, at + 40),
            attributes: u64_at(&self.entries, at + 48),
        })
    }

    /// Moves the end of the last partition to the end of the disk, and the backup table behind it.
    /// True if that changed the table. A partition is never made smaller.
    pub(crate) fn grow_last(&mut self, number: i32) -> Result<bool, GptError> {
        let (Some(at), Some(extent)) = (self.entry(number), self.extent(number)) else {
            return Err(GptError::NotLast);
        };
        let count = i32::try_from(self.entries.len() / self.entry_bytes).unwrap_or(0);
        let is_last = (1..=count)
            .filter_map(|other| self.extent(other))
            .all(|other| other.first <= extent.first);
        if !is_last {
            return Err(GptError::NotLast);
        }
        let step = (ALIGN / self.sector).max(1);
        let end = ((self.last_usable() + 1) / step * step).saturating_sub(1).max(extent.last);
        let has_backup_at_end = u64_at(&self.header, 32).max(u64_at(&self.header, 24))
            == self.sectors.saturating_sub(1);
        if end == extent.last && has_backup_at_end {
            return Ok(false);
        }
        put(&mut self.entries, at + 40, &end.to_le_bytes());
        Ok(true)
    }

    /// Sets attribute bits of a partition. True if they were not set before.
    pub(crate) fn mark(&mut self, number: i32, bits: u64) -> bool {
        let (Some(at), Some(extent)) = (self.entry(number), self.extent(number)) else {
            return false;
        };
        put(&mut self.entries, at + 48, &(extent.attributes | bits).to_le_bytes());
        extent.attributes & bits != bits
    }

    /// Writes the table to both ends of the disk.
    pub(crate) fn write(&self, disk: &File) -> Result<(), GptError> {
        let backup = self.sectors.saturating_sub(1);
        let backup_entries = backup.saturating_sub(self.entries_sectors());
        // UEFI 2.10 §5.3.2: the primary's entries begin at sector 2 on our disks, as they did.
        let primary_entries = 2;
        self.write_one(disk, backup, 1, backup_entries).map_err(GptError::Write)?;
        self.write_one(disk, 1, backup, primary_entries).map_err(GptError::Write)?;
        self.write_protective(disk).map_err(GptError::Write)
    }

    fn write_one(&self, disk: &File, at: u64, other: u64, entries_at: u64) -> io::Result<()> {
        let mut header = vec![0; usize::try_from(self.sector).unwrap_or(512)];
        put(&mut header, 0, &self.header);
        put(&mut header, 24, &at.to_le_bytes());
        put(&mut header, 32, &other.to_le_bytes());
        put(&mut header, 48, &self.last_usable().to_le_bytes());
        put(&mut header, 72, &entries_at.to_le_bytes());
        put(&mut header, 88, &crc32(&self.entries).to_le_bytes());
        put(&mut header, 16, &[0; 4]);
        let crc = crc32(&header[..HEADER_BYTES]);
        put(&mut header, 16, &crc.to_le_bytes());
        disk.write_all_at(&self.entries, entries_at * self.sector)?;
        disk.write_all_at(&header, at * self.sector)?;
        disk.sync_all()
    }

    /// UEFI §5.2.3: the protective MBR's one partition spans the disk.
    fn write_protective(&self, disk: &File) -> io::Result<()> {
        let mut mbr = [0; 512];
        disk.read_exact_at(&mut mbr, 0)?;
        let size = u32::try_from(self.sectors.saturating_sub(1)).unwrap_or(u32::MAX);
        if mbr[450] != 0xEE || u32_at(&mbr, 458) == size {
            return Ok(());
        }
        put(&mut mbr, 458, &size.to_le_bytes());
        disk.write_all_at(&mbr, 0)?;
        disk.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1024 * 1024;

    /// A disk image of `bytes` with five partitions, the last from `first` to `last`.
    fn image(bytes: u64, first: u64, last: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(bytes).unwrap();
        let mut entries = vec![0; 128 * 128];
        for n in 0..5_u64 {
            let at = usize::try_from(n).unwrap() * 128;
            entries[at] = 7;
            let (from, to) =
                if n == 4 { (first, last) } else { (2048 + n * 10, 2048 + n * 10 + 9) };
            put(&mut entries, at + 32, &from.to_le_bytes());
            put(&mut entries, at + 40, &to.to_le_bytes());
        }
        let mut header = vec![0; HEADER_BYTES];
        put(&mut header, 0, SIGNATURE);
        put(&mut header, 8, &[0, 0, 1, 0]);
        put(&mut header, 12, &92_u32.to_le_bytes());
        put(&mut header, 40, &34_u64.to_le_bytes());
        put(&mut header, 80, &128_u32.to_le_bytes());
        put(&mut header, 84, &128_u32.to_le_bytes());
        let gpt = Gpt { sector: 512, sectors: bytes / 512, header, entries, entry_bytes: 128 };
        let mut mbr = [0; 512];
        mbr[450] = 0xEE;
        file.write_all_at(&mbr, 0).unwrap();
        gpt.write(&file).unwrap();
        file
    }

    #[test]
    fn crc_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn the_last_partition_grows_to_the_end_of_a_larger_disk_once() {
        let file = image(8 * MB, 4096, 8191);
        file.set_len(64 * MB).unwrap();
        let mut gpt = Gpt::read(&file, 512, 64 * MB).unwrap();
        assert!(gpt.grow_last(5).unwrap());
        gpt.write(&file).unwrap();
        let mut again = Gpt::read(&file, 512, 64 * MB).unwrap();
        assert_eq!(again.extent(5).unwrap().first, 4096);
        assert_eq!(again.extent(5).unwrap().last, 63 * MB / 512 - 1);
        assert!(!again.grow_last(5).unwrap(), "a second boot changes nothing");
        let backup = Gpt::read_at(&file, 512, 64 * MB / 512, 64 * MB / 512 - 1).unwrap();
        assert_eq!(backup.unwrap().extent(5), again.extent(5));
        let mut mbr = [0; 512];
        file.read_exact_at(&mut mbr, 0).unwrap();
        assert_eq!(u64::from(u32_at(&mbr, 458)), 64 * MB / 512 - 1);
    }

    #[test]
    fn a_torn_primary_is_read_from_the_backup_and_mended() {
        let file = image(16 * MB, 4096, 8191);
        file.write_all_at(&[0xFF; 40], 512 + 20).unwrap();
        let mut gpt = Gpt::read(&file, 512, 16 * MB).unwrap();
        assert!(gpt.mark(5, HELD_DATA));
        gpt.write(&file).unwrap();
        let primary = Gpt::read_at(&file, 512, 16 * MB / 512, 1).unwrap().unwrap();
        assert_eq!(primary.extent(5).unwrap().attributes, HELD_DATA);
    }

    #[test]
    fn nothing_but_the_last_partition_is_grown_and_garbage_is_refused() {
        let file = image(16 * MB, 4096, 8191);
        let mut gpt = Gpt::read(&file, 512, 16 * MB).unwrap();
        assert!(matches!(gpt.grow_last(2), Err(GptError::NotLast)));
        assert!(matches!(gpt.grow_last(6), Err(GptError::NotLast)));
        let blank = tempfile::tempfile().unwrap();
        blank.set_len(MB).unwrap();
        assert!(matches!(Gpt::read(&blank, 512, MB), Err(GptError::Broken)));
    }
}
