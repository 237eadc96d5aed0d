//! The data partition: grown at first boot, checked at every boot, mounted so that nothing on it can
//! be run or raise rights.
//!
//! Never formats a partition that held data: a file system is made only where the image's zeros
//! still stand and the table does not carry the mark (see [`crate::disk::gpt`]). What can not be
//! mended is left as it is, for who wants to rescue it.
//!
//! Limits: 512 MB at least; 40 lines of a tool's output are kept.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};

use rustix::mount::{MountFlags, mount};

use crate::disk::gpt::{Extent, Gpt, GptError, HELD_DATA};
use crate::disk::{Disk, DiskError, Partition, node};
use crate::log::Log;

/// Smallest data partition.
const BYTES_MIN: u64 = 512 * 1024 * 1024;
/// So much of the partition the image itself writes, as zeros.
const BLANK_BYTES: usize = 1024 * 1024;
/// Offset of the superblock's magic number on ext2 to ext4, and the number.
const EXT_MAGIC_AT: usize = 1024 + 56;
const EXT_MAGIC: [u8; 2] = [0x53, 0xEF];
const OUTPUT_LINES_MAX: usize = 40;
/// Of our file system (mke2fs -b below).
const BLOCK_BYTES: u64 = 4096;

/// Why there is no data directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("{0}")]
    Disk(#[from] DiskError),
    #[error("{0}")]
    Table(#[from] GptError),
    #[error("opening the disk {0} failed: {1}")]
    Open(String, std::io::Error),
    #[error(
        "the disk is too small: {0} MB are left for mail, and Postroom needs 512 MB or more. Use a \
         disk of at least 1 GB"
    )]
    TooSmall(u64),
    #[error(
        "the data partition {0} holds no file system of Postroom, and it is not empty. Nothing was \
         changed. To start with an empty box write the image to the disk anew; to rescue its mail \
         attach the disk to another computer"
    )]
    Foreign(String),
    #[error(
        "the data partition {0} is damaged and could not be mended. Nothing was erased. Restore a \
         backup on a new disk, or attach this one to another computer to rescue its mail"
    )]
    Corrupt(String),
    #[error("the tool {0} could not be run: {1}")]
    Tool(&'static str, std::io::Error),
    #[error("making the file system on {0} failed")]
    Format(String),
    #[error("mounting the data partition {0} failed: {1}")]
    Mount(String, rustix::io::Errno),
    #[error("preparing {0} failed: {1}")]
    Directory(&'static str, std::io::Error),
}

/// What the head of the partition looks like.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    Blank,
    Ext,
    Other,
}

/// What has to be done with it.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Format,
    Check,
    Refuse,
}

fn plan(head: &Head, has_mark: bool) -> Plan {
    match (head, has_mark) {
        (Head::Blank, false) => Plan::Format,
        // A damaged superblock has copies; e2fsck finds them.
        (Head::Ext, _) | (_, true) => Plan::Check,
        (Head::Other, false) => Plan::Refuse,
    }
}

fn head_of(bytes: &[u8]) -> Head {
    if bytes.get(EXT_MAGIC_AT..EXT_MAGIC_AT + 2) == Some(&EXT_MAGIC) {
        Head::Ext
    } else if bytes.iter().all(|b| *b == 0) {
        Head::Blank
    } else {
        Head::Other
    }
}

/// Grows, makes or checks, and mounts the data partition at [`crate::DATA`].
pub(crate) fn prepare(disk: &Disk, log: &Log) -> Result<(), DataError> {
    let partition = disk.partition("data")?;
    let opened = OpenOptions::new().read(true).write(true).open(node(&disk.name));
    let device = opened.map_err(|err| DataError::Open(disk.name.clone(), err))?;
    let mut gpt = Gpt::read(&device, disk.sector, disk.bytes)?;
    let extent = grow(disk, partition, &device, &mut gpt, log)?;
    let has_mark = extent.attributes & HELD_DATA != 0;
    let head = read_head(&partition.name)?;
    match plan(&head, has_mark) {
        Plan::Refuse => return Err(DataError::Foreign(partition.name.clone())),
        Plan::Format => format(&partition.name, log)?,
        Plan::Check => match check(&partition.name, log) {
            // The power went while the very first file system was being made: nothing to lose.
            Err(DataError::Corrupt(_)) if !has_mark => format(&partition.name, log)?,
            result => result?,
        },
    }
    if head == Head::Ext {
        widen(&partition.name, size_of(&extent, disk), log)?;
    }
    mount_data(&partition.name)?;
    if gpt.mark(partition.number, HELD_DATA) {
        gpt.write(&device)?;
    }
    make_directories()
}

fn grow(
    disk: &Disk,
    partition: &Partition,
    device: &File,
    gpt: &mut Gpt,
    log: &Log,
) -> Result<Extent, DataError> {
    let has_grown = gpt.grow_last(partition.number)?;
    let Some(extent) = gpt.extent(partition.number) else {
        return Err(DiskError::Incomplete(disk.name.clone(), "data").into());
    };
    let bytes = size_of(&extent, disk);
    if bytes < BYTES_MIN {
        return Err(DataError::TooSmall(bytes / (1024 * 1024)));
    }
    if has_grown {
        gpt.write(device)?;
        let start = extent.first.saturating_mul(disk.sector);
        // The root lies on the same disk, so the kernel would refuse to read the table anew.
        crate::kernel_calls::resize_partition(device, partition.number, start, bytes)
            .map_err(|err| DataError::Open(partition.name.clone(), err))?;
        log.say(&format!("the data partition now has {} MB", bytes / (1024 * 1024)));
    }
    Ok(extent)
}

fn size_of(extent: &Extent, disk: &Disk) -> u64 {
    (extent.last + 1).saturating_sub(extent.first).saturating_mul(disk.sector)
}

/// Grows a file system that does not fill its partition: the disk became larger, or the power went before
/// the last try. resize2fs refuses without a full check first.
fn widen(name: &str, bytes: u64, log: &Log) -> Result<(), DataError> {
    let mut superblock = [0; 1024];
    File::open(node(name))
        .and_then(|file| file.read_exact_at(&mut superblock, 1024))
        .map_err(|err| DataError::Open(name.to_owned(), err))?;
    // s_blocks_count_lo. mke2fs leaves out a last group that is too short for its own tables.
    let [_, _, _, _, a, b, c, d, ..] = superblock;
    if u64::from(u32::from_le_bytes([a, b, c, d])) + 2048 >= bytes / BLOCK_BYTES {
        return Ok(());
    }
    let device = device_of(name);
    log.say("the data file system grows with its partition; it is checked first");
    if run("/sbin/e2fsck", &["-f", "-p", &device], log)? >= 4
        || run("/sbin/resize2fs", &[&device], log)? != 0
    {
        log.say("the data file system could not grow; it is used as large as it is");
    }
    Ok(())
}

fn device_of(name: &str) -> String {
    node(name).display().to_string()
}

fn read_head(name: &str) -> Result<Head, DataError> {
    let open = || -> std::io::Result<Vec<u8>> {
        let file = File::open(node(name))?;
        let mut head = vec![0; BLANK_BYTES];
        file.read_exact_at(&mut head, 0)?;
        Ok(head)
    };
    Ok(head_of(&open().map_err(|err| DataError::Open(name.to_owned(), err))?))
}

fn format(name: &str, log: &Log) -> Result<(), DataError> {
    log.say(&format!("making the data file system on {name}"));
    let device = device_of(name);
    let arguments = [
        "-q",
        "-F",
        "-t",
        "ext4",
        "-b",
        "4096",
        "-I",
        "256",
        "-i",
        "16384",
        "-m",
        "1",
        "-L",
        "postroom-data",
        "-E",
        "lazy_itable_init=1,lazy_journal_init=1",
        &device,
    ];
    match run("/sbin/mke2fs", &arguments, log)? {
        0 => Ok(()),
        _ => Err(DataError::Format(name.to_owned())),
    }
}

/// e2fsck's exit status (e2fsck(8)): 0 clean, 1 mended, 2 mended and reboot advised, 4 left, 8 not run.
fn check(name: &str, log: &Log) -> Result<(), DataError> {
    let device = device_of(name);
    let status = run("/sbin/e2fsck", &["-p", &device], log)?;
    if status < 4 {
        if status > 0 {
            log.say("the data file system was mended");
        }
        return Ok(());
    }
    log.say("the data file system is damaged; mending it, this can take long");
    let status = run("/sbin/e2fsck", &["-y", "-f", &device], log)?;
    if status >= 4 {
        return Err(DataError::Corrupt(name.to_owned()));
    }
    log.say("the data file system was mended; some files may be lost or in lost+found");
    Ok(())
}

/// Runs a tool of the image; its output goes to the log. A tool that a signal ended counts as 128.
fn run(tool: &'static str, arguments: &[&str], log: &Log) -> Result<i32, DataError> {
    let failed = |err| DataError::Tool(tool, err);
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let errors = writer.try_clone().map_err(failed)?;
    let mut child = Command::new(tool)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .spawn()
        .map_err(failed)?;
    let name = tool.rsplit('/').next().unwrap_or(tool);
    let mut lines = 0;
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(4096).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) if lines < OUTPUT_LINES_MAX => {
                let text = String::from_utf8_lossy(&line);
                if !text.trim().is_empty() {
                    log.say(&format!("{name}: {}", text.trim()));
                    lines += 1;
                }
            }
            Ok(_) => {}
        }
    }
    Ok(child.wait().map_err(failed)?.code().unwrap_or(128))
}

fn mount_data(name: &str) -> Result<(), DataError> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::NOATIME;
    // A file system that turns out damaged goes read-only: the store then answers "try later".
    mount(node(name), crate::DATA, "ext4", flags, c"errors=remount-ro")
        .map_err(|err| DataError::Mount(name.to_owned(), err))
}

fn make_directories() -> Result<(), DataError> {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let make = |path: &'static str, owner: u32| {
        fs::create_dir_all(path)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)))
            .and_then(|()| chown(path, Some(owner), Some(owner)))
            .map_err(|err| DataError::Directory(path, err))
    };
    make(crate::STORE, crate::DAEMON_ID)?;
    make(crate::BOX, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_images_own_zeros_without_the_mark_are_formatted() {
        let mut bytes = vec![0; 4096];
        assert_eq!(head_of(&bytes), Head::Blank);
        bytes[2000] = 1;
        assert_eq!(head_of(&bytes), Head::Other);
        bytes[EXT_MAGIC_AT..EXT_MAGIC_AT + 2].copy_from_slice(&EXT_MAGIC);
        assert_eq!(head_of(&bytes), Head::Ext);

        assert_eq!(plan(&Head::Blank, false), Plan::Format);
        assert_eq!(plan(&Head::Blank, true), Plan::Check);
        assert_eq!(plan(&Head::Ext, false), Plan::Check);
        assert_eq!(plan(&Head::Other, false), Plan::Refuse);
        assert_eq!(plan(&Head::Other, true), Plan::Check);
    }
}
