//! The EFI system partition: GRUB for UEFI, its configuration and state, and the place where a
//! reseller puts `postroom.toml`.

use crate::grub::Grub;
use crate::place::Place;
use anyhow::{Context as _, Result};
use fatfs::{Date, DateTime, FatType, FileSystem, FormatVolumeOptions, FsOptions, Time};
use std::io::{Cursor, Write as _};

/// GRUB writes to the sectors of this file: its size never changes.
const GRUBENV_LENGTH: usize = 1024;

/// The bytes of the partition, `size` long.
pub(crate) fn build(place: &Place, grub: &Grub, size: u64) -> Result<Vec<u8>> {
    let mut disk = Cursor::new(vec![0; usize::try_from(size)?]);
    // 512-byte clusters: FAT32 is only FAT32 above 65,525 of them.
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(512)
        .volume_id(0x504f_5354)
        .volume_label(*b"POSTROOM   ");
    fatfs::format_volume(&mut disk, options)?;
    {
        let options = FsOptions::new().time_provider(&FIXED_TIME).update_accessed_date(false);
        let volume = FileSystem::new(&mut disk, options)?;
        let root = volume.root_dir();
        for folder in ["EFI", "EFI/BOOT", "grub"] {
            root.create_dir(folder)?;
        }
        let read = |name: &str| {
            let path = place.root.join("image").join(name);
            std::fs::read(path).with_context(|| format!("cannot read image/{name}"))
        };
        let readme = String::from_utf8(read("esp-readme.txt")?)?.replace('\n', "\r\n");
        let files: [(&str, &[u8]); 4] = [
            ("EFI/BOOT/BOOTX64.EFI", &grub.efi),
            ("grub/grub.cfg", &read("grub.cfg")?),
            ("grub/grubenv", &grubenv()),
            ("README.txt", readme.as_bytes()),
        ];
        for (path, bytes) in files {
            let mut file = root.create_file(path)?;
            file.write_all(bytes)?;
            file.flush()?;
        }
    }
    Ok(disk.into_inner())
}

/// A new box starts slot A, which is known to be good.
fn grubenv() -> Vec<u8> {
    let mut bytes = b"# GRUB Environment Block\nslot=a\ntries=\n".to_vec();
    bytes.resize(GRUBENV_LENGTH, b'#');
    bytes
}

/// The same source gives the same partition: no clock in it.
#[derive(Debug)]
struct FixedTime;

static FIXED_TIME: FixedTime = FixedTime;

impl fatfs::TimeProvider for FixedTime {
    fn get_current_date(&self) -> Date {
        Date { year: 2026, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> DateTime {
        let time = Time { hour: 0, min: 0, sec: 0, millis: 0 };
        DateTime { date: self.get_current_date(), time }
    }
}

#[cfg(test)]
mod tests {
    use super::grubenv;

    #[test]
    fn grubenv_is_what_grub_accepts() {
        let bytes = grubenv();
        assert_eq!(bytes.len(), 1024);
        assert!(bytes.starts_with(b"# GRUB Environment Block\n"));
        assert_eq!(bytes.last(), Some(&b'#'));
    }
}
