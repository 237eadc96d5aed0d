//! The early initrd with the CPU microcode: an uncompressed cpio archive ("newc"), because the
//! kernel looks for `kernel/x86/microcode/*.bin` in it before it can decompress anything.
//! It has no `/init`, so the kernel goes on to mount the slot as root.

use crate::apt::Apt;
use crate::board::Microcode;
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The archive for all CPUs that the board does not leave out.
pub(crate) fn microcode(apt: &Apt, wanted: &Microcode) -> Result<Vec<u8>> {
    let intel = intel(apt.root_of(&wanted.intel)?, &wanted.intel_leave_out)?;
    let amd = concatenate(&files_of(apt.root_of(&wanted.amd)?, "amd-ucode")?)?;
    let mut archive = Archive::default();
    for dir in ["kernel", "kernel/x86", "kernel/x86/microcode"] {
        archive.push(dir, 0o040_755, &[])?;
    }
    archive.push("kernel/x86/microcode/AuthenticAMD.bin", 0o100_644, &amd)?;
    archive.push("kernel/x86/microcode/GenuineIntel.bin", 0o100_644, &intel)?;
    archive.finish()
}

/// The files of a folder below the firmware folder, which older packages keep in `/lib`.
fn files_of(root: &Path, folder: &str) -> Result<Vec<PathBuf>> {
    let dir = ["usr/lib/firmware", "lib/firmware"]
        .iter()
        .map(|base| root.join(base).join(folder))
        .find(|dir| dir.is_dir())
        .with_context(|| format!("{} has no {folder}", root.display()))?;
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    Ok(files)
}

/// Intel's files are named family-model-stepping; several names may hold the same update.
fn intel(root: &Path, leave_out: &[String]) -> Result<Vec<u8>> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for file in files_of(root, "intel-ucode")? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_left_out = leave_out.iter().any(|prefix| name.starts_with(prefix.as_str()));
        if !is_left_out && seen.insert(*blake3::hash(&fs::read(&file)?).as_bytes()) {
            kept.push(file);
        }
    }
    concatenate(&kept)
}

fn concatenate(files: &[PathBuf]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        bytes.extend(fs::read(file)?);
    }
    Ok(bytes)
}

/// A "newc" archive: 110 bytes of hexadecimal header, name, data, each padded to 4 bytes.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

impl Archive {
    fn push(&mut self, name: &str, mode: u32, data: &[u8]) -> Result<()> {
        self.inode += 1;
        let size = u32::try_from(data.len()).context("a file of 4 GiB in a cpio archive")?;
        let name_size = u32::try_from(name.len() + 1)?;
        let links = if mode & 0o040_000 == 0 { 1 } else { 2 };
        // inode, mode, uid, gid, links, mtime, size, device (2), rdevice (2), name size, check
        let fields = [self.inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08X}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad(4);
        self.bytes.extend(data);
        self.pad(4);
        Ok(())
    }

    fn pad(&mut self, unit: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(unit), 0);
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        self.push("TRAILER!!!", 0, &[])?;
        self.pad(512);
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn headers_names_and_data_are_where_the_kernel_looks() {
        let mut archive = Archive::default();
        archive.push("kernel/x", 0o100_644, b"abcde").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 512, 0);
        assert!(bytes.starts_with(b"070701"));
        assert_eq!(&bytes[54..62], b"00000005", "file size");
        assert_eq!(&bytes[94..102], b"00000009", "name size with its end");
        assert_eq!(&bytes[110..119], b"kernel/x\0");
        assert_eq!(&bytes[120..125], b"abcde");
        assert_eq!(&bytes[128..134], b"070701", "the trailer is aligned");
    }
}
