//! The disk: GPT, GRUB in front, the partitions of `image/LAYOUT.md`.

use crate::bios_boot;
use crate::grub::Grub;
use anyhow::{Context as _, Result, ensure};
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition_types::{BIOS, EFI, LINUX_FS, LINUX_ROOT_X64, Type};
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use uuid::Uuid;

const SECTOR: u64 = 512;
const MIB: u64 = 1024 * 1024;
/// The size of the EFI system partition.
pub(crate) const ESP_BYTES: u64 = 64 * MIB;
/// The size of a slot; an update may be as large as this.
pub(crate) const SLOT_BYTES: u64 = 128 * MIB;
/// What the image holds of the data partition; PID 1 grows it to the disk.
const DATA_BYTES: u64 = 8 * MIB;
/// Behind the last partition: room for the backup table.
const TAIL_BYTES: u64 = MIB;

struct Partition {
    name: &'static str,
    kind: Type,
    start: u64,
    size: u64,
}

/// The partitions in their order, each on a boundary of 1 MiB.
fn layout() -> Vec<Partition> {
    let mut start = MIB;
    [
        ("bios", BIOS, MIB),
        ("esp", EFI, ESP_BYTES),
        ("slot-a", LINUX_ROOT_X64, SLOT_BYTES),
        ("slot-b", LINUX_ROOT_X64, SLOT_BYTES),
        ("data", LINUX_FS, DATA_BYTES),
    ]
    .into_iter()
    .map(|(name, kind, size)| {
        let partition = Partition { name, kind, start, size };
        start += size;
        partition
    })
    .collect()
}

/// Writes the image to `path` as a sparse file.
pub(crate) fn write(path: &Path, grub: &Grub, esp: &[u8], slot: &[u8]) -> Result<()> {
    ensure!(
        u64::try_from(slot.len())? <= SLOT_BYTES,
        "the slot is larger than its partition of 128 MiB"
    );
    let layout = layout();
    let end = layout.last().map_or(MIB, |last| last.start + last.size);
    let mut file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    file.set_len(end + TAIL_BYTES)?;
    // The same slot gives the same identifiers, and another slot others.
    let seed = blake3::hash(slot);
    write_tables(&mut file, &layout, end + TAIL_BYTES, seed.as_bytes(), grub)?;
    for partition in &layout {
        let core;
        let bytes: &[u8] = match partition.name {
            "bios" => {
                let (lba, length) = (partition.start / SECTOR, partition.size / SECTOR);
                core = bios_boot::core_image(&grub.core, lba, length)?;
                &core
            }
            "esp" => esp,
            "slot-a" => slot,
            _ => &[],
        };
        write_sparse(&mut file, partition.start, bytes)?;
    }
    file.sync_all()?;
    Ok(())
}

fn write_tables(
    file: &mut File,
    layout: &[Partition],
    size: u64,
    seed: &[u8],
    grub: &Grub,
) -> Result<()> {
    let sectors = u32::try_from(size / SECTOR - 1)?;
    let mut mbr = ProtectiveMBR::with_lb_size(sectors);
    let bios = layout.first().context("no partitions")?;
    mbr.set_bootcode(bios_boot::boot_code(&grub.boot, bios.start / SECTOR)?);
    // Some BIOSes start only a disk with an active partition; UEFI does not look at the flag.
    if let Some(mut record) = mbr.partition(0) {
        record.boot_indicator = 0x80;
        mbr.set_partition(0, record).context("no protective record")?;
    }
    mbr.overwrite_lba0(file)?;
    let mut disk = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512)
        .create_from_device(file, Some(identifier(seed, "disk")))?;
    for (partition, number) in layout.iter().zip(1..) {
        let (start, length) = (partition.start / SECTOR, partition.size / SECTOR);
        disk.add_partition_at(partition.name, number, start, length, partition.kind.clone(), 0)?;
    }
    let mut partitions = disk.take_partitions();
    for partition in partitions.values_mut() {
        partition.part_guid = identifier(seed, &partition.name);
    }
    disk.update_partitions(partitions)?;
    disk.write()?;
    Ok(())
}

/// A GUID made of the content of the slot and a name.
fn identifier(seed: &[u8], name: &str) -> Uuid {
    let hash = blake3::Hasher::new().update(seed).update(name.as_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash.as_bytes().get(..16).unwrap_or(&[0; 16]));
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Writes what is not zero, and leaves holes for the rest.
fn write_sparse(file: &mut File, start: u64, bytes: &[u8]) -> Result<()> {
    const CHUNK: usize = 64 * 1024;
    let mut place = start;
    for chunk in bytes.chunks(CHUNK) {
        if chunk.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(place))?;
            file.write_all(chunk)?;
        }
        place += u64::try_from(chunk.len())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Grub, MIB, layout, write};

    fn grub() -> Grub {
        Grub { boot: vec![0x11; 512], core: vec![0x22; 1300], efi: Vec::new() }
    }

    #[test]
    fn partitions_follow_each_other_on_mebibytes() {
        let mut end = MIB;
        for partition in layout() {
            assert_eq!(partition.start, end, "{}", partition.name);
            assert_eq!(partition.size % MIB, 0);
            end = partition.start + partition.size;
        }
    }

    #[test]
    fn the_written_disk_has_the_named_partitions_and_is_reproducible() {
        let dir = std::env::temp_dir().join(format!("postroom-disk-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (one, two) = (dir.join("one.img"), dir.join("two.img"));
        write(&one, &grub(), &[1; 512], &[2; 4096]).unwrap();
        write(&two, &grub(), &[1; 512], &[2; 4096]).unwrap();
        let disk = gpt::GptConfig::new().open(&one).unwrap();
        let names: Vec<&str> = disk.partitions().values().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["bios", "esp", "slot-a", "slot-b", "data"]);
        let (a, b) = (std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        assert!(a == b, "the same parts give the same image");
        assert_eq!(a[0x5c..0x64], 2048_u64.to_le_bytes());
        assert_eq!(a[510..512], [0x55, 0xaa]);
        assert_eq!(a[446], 0x80, "the protective record is active");
        let slot = usize::try_from(66 * MIB).unwrap();
        assert_eq!(a[slot..slot + 2], [2, 2]);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
