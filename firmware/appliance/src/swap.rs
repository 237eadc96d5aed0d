//! Compressed swap in memory (zram) for small boxes: cold pages of ten thousand sessions shrink to
//! a third. Nothing ever goes to the disk.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;

const DEVICE: &str = "/dev/zram0";
const PAGE: u64 = 4096;
/// Boxes with less RAM get it, MB.
const RAM_BELOW_MB: u64 = 2048;

/// The header of a swap area as mkswap writes it: version 1 and the last page, magic at the page's
/// end.
fn header(bytes: u64) -> Option<Vec<u8>> {
    let last_page = u32::try_from(bytes / PAGE).ok()?.checked_sub(1)?;
    let mut page = vec![0; 4096];
    page[1024..1028].copy_from_slice(&1_u32.to_le_bytes());
    page[1028..1032].copy_from_slice(&last_page.to_le_bytes());
    page[4086..4096].copy_from_slice(b"SWAPSPACE2");
    Some(page)
}

/// Switches it on where it helps; the size in MB.
pub(crate) fn start(ram_mb: u64) -> io::Result<Option<u64>> {
    if ram_mb >= RAM_BELOW_MB {
        return Ok(None);
    }
    let size_mb = ram_mb / 2;
    let bytes = size_mb << 20;
    fs::write("/sys/block/zram0/comp_algorithm", "zstd")?;
    fs::write("/sys/block/zram0/disksize", bytes.to_string())?;
    let page = header(bytes).ok_or(io::ErrorKind::InvalidInput)?;
    OpenOptions::new().write(true).open(DEVICE)?.write_all_at(&page, 0)?;
    crate::kernel_calls::swap_on(DEVICE)?;
    Ok(Some(size_mb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_last_page() {
        let page = header(64 << 20).unwrap();
        assert_eq!(page.len(), 4096);
        assert_eq!(page[1028..1032], 16383_u32.to_le_bytes());
        assert!(page.ends_with(b"SWAPSPACE2"));
        assert!(header(0).is_none());
    }
}
