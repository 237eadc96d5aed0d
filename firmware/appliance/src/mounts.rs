//! The kernel's file systems and the two in memory. Read-only root stays as it is.

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, mount};

use crate::log::Log;

struct Mount {
    source: &'static str,
    target: &'static str,
    options: &'static str,
    flags: MountFlags,
    /// Without it the box can not run.
    is_needed: bool,
}

const CLOSED: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

const MOUNTS: [Mount; 8] = [
    Mount { source: "proc", target: "/proc", options: "", flags: CLOSED, is_needed: true },
    Mount { source: "sysfs", target: "/sys", options: "", flags: CLOSED, is_needed: true },
    Mount {
        source: "devtmpfs",
        target: "/dev",
        options: "mode=0755",
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        is_needed: true,
    },
    Mount {
        source: "tmpfs",
        target: "/run",
        options: "mode=0755,size=16m",
        flags: CLOSED,
        is_needed: true,
    },
    Mount {
        source: "tmpfs",
        target: "/tmp",
        options: "mode=1777,size=16m",
        flags: CLOSED,
        is_needed: true,
    },
    Mount {
        source: "cgroup2",
        target: "/sys/fs/cgroup",
        options: "",
        flags: CLOSED,
        is_needed: false,
    },
    Mount {
        source: "pstore",
        target: "/sys/fs/pstore",
        options: "",
        flags: CLOSED,
        is_needed: false,
    },
    Mount {
        source: "efivarfs",
        target: "/sys/firmware/efi/efivars",
        options: "",
        flags: CLOSED.union(MountFlags::RDONLY),
        is_needed: false,
    },
];

/// Mounts the table above. The names of what could not be mounted and is needed come back as error.
pub(crate) fn mount_all() -> Result<(), String> {
    let mut missing = Vec::new();
    for entry in &MOUNTS {
        // What the kernel mounted itself (devtmpfs) is there and stays.
        if is_mounted(entry.target) {
            continue;
        }
        let result = if Path::new(entry.target).is_dir() {
            let options = std::ffi::CString::new(entry.options).unwrap_or_default();
            mount(entry.source, entry.target, entry.source, entry.flags, options.as_c_str())
        } else {
            Err(rustix::io::Errno::NOENT)
        };
        if let Err(err) = result
            && entry.is_needed
        {
            missing.push(format!("{} ({err})", entry.target));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(missing.join(", ")) }
}

fn is_mounted(target: &str) -> bool {
    fs::read_to_string("/proc/mounts")
        .is_ok_and(|mounts| mounts.lines().any(|line| line.split(' ').nth(1) == Some(target)))
}

/// What a crash left in pstore goes into the log's directory and out of the small store, so that
/// there is room for the next.
pub(crate) fn keep_crash_notes(log: &Log) {
    let Ok(entries) = fs::read_dir("/sys/fs/pstore") else { return };
    let mut kept = 0_u32;
    for entry in entries.flatten().take(16) {
        let to = Path::new("/run/log").join(entry.file_name());
        let copied = fs::copy(entry.path(), to).is_ok_and(|n| n > 0);
        if copied && fs::remove_file(entry.path()).is_ok() {
            kept += 1;
        }
    }
    if kept > 0 {
        log.say(&format!("the system before this one crashed; {kept} notes in /run/log"));
    }
}
