//! The provisioning file of the reseller on the boot partition (ESP).
//!
//! It is copied to memory, readable by the daemon alone: it holds passwords. The boot partition is
//! mounted read-only and only for that moment.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, chown};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::disk::{Disk, node};

const AT: &str = "/run/esp";
const FILE: &str = "/run/esp/postroom.toml";
const COPY: &str = "/run/provision.toml";
const BYTES_MAX: u64 = 1024 * 1024;

/// The path of the copy, if the ESP has a provisioning file.
pub(crate) fn provisioning(disk: &Disk) -> Result<Option<&'static str>, String> {
    let esp = disk.partition("esp").map_err(|err| err.to_string())?;
    fs::create_dir_all(AT).map_err(|err| format!("{AT}: {err}"))?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(node(&esp.name), AT, "vfat", flags, c"")
        .map_err(|err| format!("the boot partition {} is not readable: {err}", esp.name))?;
    let copied = copy();
    unmount(AT, UnmountFlags::DETACH).map_err(|err| format!("unmounting {AT}: {err}"))?;
    copied
}

fn copy() -> Result<Option<&'static str>, String> {
    let file = match fs::File::open(FILE) {
        Ok(file) => file,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(format!("postroom.toml: {err}")),
    };
    let mut bytes = Vec::new();
    let n = file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|err| err.to_string())?;
    if n as u64 > BYTES_MAX {
        return Err("postroom.toml is larger than 1 MB; nothing of it was used".to_owned());
    }
    let write = || -> std::io::Result<()> {
        let mut out =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o400).open(COPY)?;
        out.write_all(&bytes)?;
        chown(COPY, Some(crate::DAEMON_ID), Some(crate::DAEMON_ID))
    };
    write().map_err(|err| format!("{COPY}: {err}"))?;
    Ok(Some(COPY))
}
