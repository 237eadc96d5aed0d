//! The files of `board/`: what a kind of box is made of.

use crate::place::Place;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// `board/generic-x86-64.toml`: what of Debian goes into the image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Board {
    pub(crate) name: String,
    pub(crate) kernel_source: String,
    pub(crate) kernel_fragment: String,
    pub(crate) boot_packages: Vec<String>,
    pub(crate) microcode: Microcode,
    pub(crate) firmware: Vec<Files>,
    pub(crate) tool: Vec<Files>,
}

/// Which CPU microcode the image carries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Microcode {
    pub(crate) intel: String,
    pub(crate) amd: String,
    pub(crate) intel_leave_out: Vec<String>,
}

/// Files of one Debian package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    pub(crate) package: String,
    pub(crate) files: Vec<String>,
}

/// `board/qemu.toml`: the emulated box.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QemuBoard {
    /// The name of the board.
    pub name: String,
    /// Memory.
    pub ram_mb: u32,
    /// Virtual processors.
    pub cpus: u32,
    /// The size of the run disk.
    pub disk_mb: u64,
    /// `bios` or `uefi`.
    pub firmware: String,
    /// `virtio`, `ahci` or `nvme`.
    pub disk: String,
    /// `virtio` or `e1000e`.
    pub nic: String,
    /// Ports of the host's loopback that reach the box.
    pub forward: Vec<Forward>,
}

/// One port of the host's loopback that reaches the box.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Port on 127.0.0.1; 0 lets [`crate::qemu`] choose a free one.
    pub host: u16,
    /// Port of the box.
    pub guest: u16,
}

impl Board {
    pub(crate) fn load(place: &Place) -> Result<Self> {
        load(place, "generic-x86-64.toml")
    }

    /// Every Debian package of the image, each once.
    pub(crate) fn packages(&self) -> Vec<String> {
        let mut packages = self.boot_packages.clone();
        packages.push(self.microcode.intel.clone());
        packages.push(self.microcode.amd.clone());
        packages.extend(self.firmware.iter().chain(&self.tool).map(|files| files.package.clone()));
        packages.sort();
        packages.dedup();
        packages
    }
}

impl QemuBoard {
    /// Reads `board/qemu.toml`.
    ///
    /// # Errors
    /// When it is missing or misspelled.
    pub fn load(place: &Place) -> Result<Self> {
        load(place, "qemu.toml")
    }
}

fn load<T: DeserializeOwned>(place: &Place, name: &str) -> Result<T> {
    let path = place.root.join("board").join(name);
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("cannot read board/{name}"))?;
    toml::from_str(&text).with_context(|| format!("board/{name}"))
}
