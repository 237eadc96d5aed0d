//! A box in QEMU, its disk, and the office it is plugged into.

use std::fs::File;
use std::io::{Cursor, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use testkit::office::{Office, Record, Zone};
use xtask::board::QemuBoard;
use xtask::place::Place;
use xtask::qemu::{self, Machine};

use super::BOOT_MAX;
use super::people::FAR_HOST;

const SECTOR: u64 = 512;
/// PID 1 gives the daemon 20 seconds; the rest is emulation.
const POWER_OFF_MAX: Duration = Duration::from_secs(120);

/// The image, where there is one to test.
pub(super) fn image() -> Option<PathBuf> {
    let image = std::env::var_os("POSTROOM_IMAGE").map(PathBuf::from);
    if image.is_none() {
        println!("POSTROOM_IMAGE is not set: nothing is booted");
    }
    image
}

/// What a boot told.
#[derive(Debug)]
pub(super) struct Boot {
    pub(super) setup_code: Option<String>,
}

/// The rig.
pub(super) struct Rig {
    pub(super) office: Office,
    machine: Option<Machine>,
    options: qemu::Options,
    disk: PathBuf,
    _dir: TempDir,
}

impl Rig {
    /// A fresh disk with `image` on it, and a box as `board/qemu.toml` has it but for `change`.
    pub(super) fn new(image: &Path, change: impl FnOnce(&mut QemuBoard)) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut board = QemuBoard::load(&Place::find()?)?;
        board.forward.clear();
        change(&mut board);
        let disk = dir.path().join("disk.img");
        qemu::run_disk(image, &disk, board.disk_mb)?;
        let socket = dir.path().join("switch");
        let far = Ipv4Addr::new(192, 168, 77, 60);
        let zone = Zone::from([
            (FAR_HOST.to_owned(), vec![Record::A(far)]),
            ("far.test".to_owned(), vec![Record::Mx(10, FAR_HOST.to_owned())]),
        ]);
        let office = Office::open(&socket, zone)?;
        let mut options = qemu::Options::new(board);
        options.netdev = Some(Office::netdev(&socket));
        options.show_console = std::env::var_os("POSTROOM_SHOW_CONSOLE").is_some();
        Ok(Self { office, machine: None, options, disk, _dir: dir })
    }

    fn machine(&self) -> Result<&Machine> {
        self.machine.as_ref().context("the box is off")
    }

    /// Switches on and waits until `text` stands on the console; its line.
    pub(super) fn boot_until(&mut self, text: &str, limit: Duration) -> Result<String> {
        let machine = Machine::start(&self.options, &self.disk)?;
        let line = machine.wait_for(text, limit);
        self.machine = Some(machine);
        line
    }

    /// Switches on and waits until the daemon serves.
    pub(super) fn boot(&mut self, what: &str) -> Result<Boot> {
        self.machine = Some(Machine::start(&self.options, &self.disk)?);
        self.served_since(0, what)
    }

    /// Does `work`, after which the box starts again by itself, and waits until it serves.
    pub(super) fn reboot_by(&mut self, work: impl FnOnce() -> Result<()>) -> Result<Boot> {
        let start = self.machine()?.console_len();
        work()?;
        self.served_since(start, "after a reboot")
    }

    fn served_since(&self, start: usize, what: &str) -> Result<Boot> {
        let machine = self.machine()?;
        let ready = machine.wait_for_after(start, "READY https://", BOOT_MAX)?;
        let took = machine.wait_for_after(start, "READY after", BOOT_MAX)?;
        let took = took.split("READY after ").nth(1).unwrap_or_default();
        println!("{what}: READY after {took}");
        let setup_code = ready.split("setup-code=").nth(1).map(|code| code.trim().to_owned());
        Ok(Boot { setup_code })
    }

    /// Waits until `text` stands on the console.
    pub(super) fn wait_for(&self, text: &str) -> Result<String> {
        self.machine()?.wait_for(text, BOOT_MAX)
    }

    /// Pulls the plug.
    pub(super) fn power_cut(&mut self) -> Result<()> {
        self.machine.take().context("the box is off")?.power_cut()
    }

    /// Presses the power button and waits until the box is off.
    pub(super) fn power_off(&mut self) -> Result<()> {
        self.machine.take().context("the box is off")?.power_button(POWER_OFF_MAX)
    }

    fn data(&self) -> Result<(File, u64, u64)> {
        self.partition(5)
    }

    /// Puts a provisioning file on the boot partition, as a reseller does.
    pub(super) fn provision(&self, text: &str) -> Result<()> {
        let (disk, first, bytes) = self.partition(2)?;
        let mut esp = vec![0; usize::try_from(bytes)?];
        disk.read_exact_at(&mut esp, first)?;
        let files = fatfs::FileSystem::new(Cursor::new(&mut esp), fatfs::FsOptions::new())?;
        files.root_dir().create_file("postroom.toml")?.write_all(text.as_bytes())?;
        files.unmount()?;
        disk.write_all_at(&esp, first)?;
        Ok(())
    }

    /// First byte and length of a partition, from the table (UEFI §5.3.3).
    fn partition(&self, number: u64) -> Result<(File, u64, u64)> {
        ensure!(self.machine.is_none(), "the disk is in use");
        let disk = File::options().read(true).write(true).open(&self.disk)?;
        let mut entry = [0; 128];
        disk.read_exact_at(&mut entry, 2 * SECTOR + (number - 1) * 128)?;
        let sector =
            |at: usize| -> Result<u64> { Ok(u64::from_le_bytes(entry[at..at + 8].try_into()?)) };
        let (first, last) = (sector(32)?, sector(40)?);
        Ok((disk, first * SECTOR, (last + 1 - first) * SECTOR))
    }

    pub(super) fn fill_data_with(&self, text: &[u8]) -> Result<()> {
        let (disk, first, _) = self.data()?;
        disk.write_all_at(text, first)?;
        Ok(())
    }

    pub(super) fn data_begins_with(&self, text: &[u8]) -> Result<bool> {
        let (disk, first, _) = self.data()?;
        let mut head = vec![0; text.len()];
        disk.read_exact_at(&mut head, first)?;
        Ok(head == text)
    }

    /// Zeros in the whole data partition; the partition table stays.
    pub(super) fn wipe_data(&self) -> Result<()> {
        let (disk, first, bytes) = self.data()?;
        let length = disk.metadata()?.len();
        let mut behind = vec![0; usize::try_from(length - first - bytes)?];
        disk.read_exact_at(&mut behind, first + bytes)?;
        disk.set_len(first)?;
        disk.set_len(length)?;
        disk.write_all_at(&behind, first + bytes)?;
        Ok(())
    }

    pub(super) fn data_is_blank(&self) -> Result<bool> {
        let (disk, first, _) = self.data()?;
        let mut head = vec![0; 1 << 20];
        disk.read_exact_at(&mut head, first)?;
        Ok(head.iter().all(|byte| *byte == 0))
    }
}
