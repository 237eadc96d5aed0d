//! GRUB from Debian's unpacked packages: one core image for BIOS, one program for UEFI.

use crate::apt::Apt;
use crate::say;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What `image/grub.cfg` and the slots need, on both kinds of firmware.
const MODULES: &[&str] = &[
    "normal",
    "configfile",
    "loadenv",
    "test",
    "echo",
    "sleep",
    "reboot",
    "probe",
    "regexp",
    "part_gpt",
    "fat",
    "squash4",
    "xzio",
    "linux",
    "serial",
    "terminal",
];
const BIOS_MODULES: &[&str] = &["biosdisk"];
/// The video drivers let the kernel's console find a frame buffer under UEFI.
const UEFI_MODULES: &[&str] = &["all_video", "efi_gop", "efi_uga"];

/// GRUB, ready to be put on a disk.
pub(crate) struct Grub {
    /// Boot code for the first sector of the disk.
    pub(crate) boot: Vec<u8>,
    /// The core image for the `bios` partition.
    pub(crate) core: Vec<u8>,
    /// `EFI/BOOT/BOOTX64.EFI`.
    pub(crate) efi: Vec<u8>,
}

/// Builds both from the packages in `apt`, after a look at the configuration `config`.
pub(crate) fn build(apt: &Apt, config: &Path, work: &Path) -> Result<Grub> {
    say::step("building GRUB for BIOS and UEFI");
    check_script(apt, config)?;
    // The partition is on the disk that GRUB was started from.
    let core = mkimage(apt, work, "i386-pc", "grub-pc-bin", "(,gpt2)/grub", BIOS_MODULES)?;
    let efi = mkimage(apt, work, "x86_64-efi", "grub-efi-amd64-bin", "/grub", UEFI_MODULES)?;
    let boot = fs::read(apt.root_of("grub-pc-bin")?.join("usr/lib/grub/i386-pc/boot.img"))?;
    Ok(Grub { boot, core, efi })
}

/// A misspelled configuration is a box that does not start: GRUB's own parser reads it first.
fn check_script(apt: &Apt, config: &Path) -> Result<()> {
    let output = program(apt, "grub-script-check")?.arg(config).output()?;
    if !output.status.success() {
        bail!("{}: {}", config.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// One of GRUB's programs, run from where it is unpacked.
fn program(apt: &Apt, name: &str) -> Result<Command> {
    let library = apt.root_of("libdevmapper1.02.1")?.join("lib/x86_64-linux-gnu");
    let mut command = Command::new(apt.root_of("grub-common")?.join("usr/bin").join(name));
    command.env("LD_LIBRARY_PATH", library);
    Ok(command)
}

fn mkimage(
    apt: &Apt,
    work: &Path,
    format: &str,
    package: &str,
    prefix: &str,
    modules: &[&str],
) -> Result<Vec<u8>> {
    let output = work.join(format!("grub-{format}"));
    let result = program(apt, "grub-mkimage")?
        .arg("-d")
        .arg(apt.root_of(package)?.join("usr/lib/grub").join(format))
        .args(["-O", format, "-p", prefix, "-o"])
        .arg(&output)
        .args(MODULES)
        .args(modules)
        .output()
        .context("cannot start grub-mkimage")?;
    if !result.status.success() {
        bail!("grub-mkimage failed: {}", String::from_utf8_lossy(&result.stderr).trim());
    }
    Ok(fs::read(output)?)
}
