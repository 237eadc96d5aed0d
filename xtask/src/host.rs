//! The machine that the commands run on: Debian packages it lacks are installed, aloud.
//!
//! Only tools are installed here; what goes into the image is fetched by [`crate::apt`] and
//! never touches the machine.

use crate::say;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// A file that must exist and the Debian package that brings it.
pub(crate) struct Need {
    pub(crate) file: &'static str,
    pub(crate) package: &'static str,
}

/// What building a kernel takes.
pub(crate) const KERNEL_TOOLS: &[Need] = &[
    Need { file: "/usr/bin/gcc", package: "build-essential" },
    Need { file: "/usr/bin/make", package: "build-essential" },
    Need { file: "/usr/bin/flex", package: "flex" },
    Need { file: "/usr/bin/bison", package: "bison" },
    Need { file: "/usr/bin/bc", package: "bc" },
    Need { file: "/usr/bin/perl", package: "perl" },
    Need { file: "/usr/bin/xz", package: "xz-utils" },
    Need { file: "/usr/bin/zstd", package: "zstd" },
    Need { file: "/usr/include/libelf.h", package: "libelf-dev" },
];

/// What building the daemon takes beside rustup's toolchain.
pub(crate) const DAEMON_TOOLS: &[Need] =
    &[Need { file: "/usr/bin/gcc", package: "build-essential" }];

/// What starting the emulated box takes.
pub(crate) const QEMU: &[Need] = &[
    Need { file: "/usr/bin/qemu-system-x86_64", package: "qemu-system-x86" },
    Need { file: "/usr/share/OVMF/OVMF_CODE_4M.fd", package: "ovmf" },
];

/// Installs the packages whose files are missing, after saying which.
pub(crate) fn ensure(needs: &[&[Need]]) -> Result<()> {
    let mut missing: Vec<&str> = needs
        .iter()
        .flat_map(|group| group.iter())
        .filter(|need| !Path::new(need.file).exists() && !on_path(need.file))
        .map(|need| need.package)
        .collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this machine lacks {}, and is no Debian: install them yourself", missing.join(", "));
    }
    say::step(&format!("installing Debian packages on this machine: {}", missing.join(" ")));
    let are_known = packages_are_known(&missing);
    if !are_known {
        as_root(&["apt-get", "update"])?;
    }
    let mut command = vec!["apt-get", "-o", "DPkg::Lock::Timeout=600", "install", "-y"];
    command.push("--no-install-recommends");
    command.extend(&missing);
    match as_root(&command) {
        // Lists of last month name versions that the archive no longer has.
        Err(_) if are_known => {
            say::note("once more, with fresh package lists");
            as_root(&["apt-get", "update"])?;
            as_root(&command)
        }
        done => done,
    }
}

/// Whether a program of that name is on the PATH (node from elsewhere than Debian, say).
fn on_path(file: &str) -> bool {
    let Some(name) = Path::new(file).file_name() else { return false };
    let path = std::env::var_os("PATH").unwrap_or_default();
    file.contains("/bin/") && std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
}

fn packages_are_known(packages: &[&str]) -> bool {
    packages.iter().all(|package| {
        Command::new("apt-cache")
            .args(["--quiet", "show", package])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

fn as_root(words: &[&str]) -> Result<()> {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let words: Vec<&str> = if is_root { words.to_vec() } else { [&["sudo"], words].concat() };
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let status = Command::new(program)
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("`{}` failed: install the packages yourself and start again", words.join(" "));
    }
    Ok(())
}
