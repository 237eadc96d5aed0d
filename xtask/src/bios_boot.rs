//! Makes a disk start by BIOS: GRUB's boot code in sector 0, its core image in the `bios`
//! partition, and the sector numbers that tie the two together.
//!
//! This is what grub-bios-setup does on a live machine with root rights; on an image file it is
//! three numbers. Offsets are from GRUB's `include/grub/i386/pc/boot.h`.

use anyhow::{Result, ensure};

const SECTOR: usize = 512;
/// Boot code may fill this much of sector 0; the disk signature and partition table follow.
const BOOT_CODE_LENGTH: usize = 440;
/// Where boot.img holds the first sector of the core image (8 bytes).
const KERNEL_SECTOR: usize = 0x5c;
/// Where boot.img jumps over the line that mends a wrong drive number given by the BIOS.
const DRIVE_CHECK: usize = 0x66;
/// Where the first sector of the core image holds the place of the rest (start 8, length 2,
/// segment 2).
const BLOCK_LIST: usize = SECTOR - 12;

/// The boot code for sector 0, for a core image at sector `core_lba`.
pub(crate) fn boot_code(boot_img: &[u8], core_lba: u64) -> Result<[u8; BOOT_CODE_LENGTH]> {
    ensure!(boot_img.len() == SECTOR, "GRUB's boot.img is not one sector");
    let mut code = [0; BOOT_CODE_LENGTH];
    code.copy_from_slice(boot_img.get(..BOOT_CODE_LENGTH).unwrap_or_default());
    put(&mut code, KERNEL_SECTOR, &core_lba.to_le_bytes())?;
    // Two no-ops: with the check in place a BIOS that passes drive 0 would not boot.
    put(&mut code, DRIVE_CHECK, &[0x90, 0x90])?;
    Ok(code)
}

/// The core image as it must stand at sector `core_lba` of a partition of `sectors` sectors.
pub(crate) fn core_image(core_img: &[u8], core_lba: u64, sectors: u64) -> Result<Vec<u8>> {
    let mut core = core_img.to_vec();
    core.resize(core.len().next_multiple_of(SECTOR), 0);
    let length = core.len() / SECTOR;
    ensure!(u64::try_from(length)? <= sectors, "GRUB's core image does not fit its partition");
    put(&mut core, BLOCK_LIST, &(core_lba + 1).to_le_bytes())?;
    put(&mut core, BLOCK_LIST + 8, &u16::try_from(length - 1)?.to_le_bytes())?;
    Ok(core)
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) -> Result<()> {
    let place = bytes.get_mut(offset..offset + value.len());
    match place {
        Some(place) => place.copy_from_slice(value),
        None => anyhow::bail!("a GRUB image ends before offset {offset:#x}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{boot_code, core_image};

    #[test]
    fn the_sector_numbers_are_patched_and_nothing_else() {
        let code = boot_code(&[0x11; 512], 2048).unwrap();
        assert_eq!(code[0x5c..0x64], 2048_u64.to_le_bytes());
        assert_eq!(code[0x66..0x68], [0x90, 0x90]);
        assert_eq!(code.iter().filter(|byte| **byte != 0x11).count(), 10);

        let core = core_image(&[0x22; 1300], 2048, 2048).unwrap();
        assert_eq!(core.len(), 1536);
        assert_eq!(core[500..508], 2049_u64.to_le_bytes());
        assert_eq!(core[508..510], 2_u16.to_le_bytes());
        assert_eq!(core[510..512], [0x22, 0x22], "the segment is GRUB's own");
    }

    #[test]
    fn wrong_images_are_refused() {
        assert!(boot_code(&[0; 100], 2048).is_err());
        assert!(core_image(&[0; 3 * 512], 2048, 2).is_err());
        assert!(core_image(&[], 2048, 2).is_err());
    }
}
