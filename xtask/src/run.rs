//! `cargo xtask run`: builds the image and starts it, until you press Ctrl-C.

use crate::board::QemuBoard;
use crate::place::Place;
use crate::qemu::{self, Machine};
use crate::{host, image, say};
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Generous: an emulated box on a busy machine.
const READY_MAX: Duration = Duration::from_secs(300);
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// A box that talks on and on still gets its line after as many seconds.
const QUIET_LOOKS_MAX: u32 = 15;

#[derive(Clone, Copy, ValueEnum)]
enum Disk {
    Virtio,
    Ahci,
    Nvme,
}

#[derive(Clone, Copy, ValueEnum)]
enum Nic {
    Virtio,
    E1000e,
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Memory in MB
    #[arg(long)]
    ram: Option<u32>,
    /// Start by BIOS (the default)
    #[arg(long, conflicts_with = "uefi")]
    bios: bool,
    /// Start by UEFI
    #[arg(long)]
    uefi: bool,
    /// The kind of disk
    #[arg(long, value_enum)]
    disk: Option<Disk>,
    /// The kind of network card
    #[arg(long, value_enum)]
    nic: Option<Nic>,
    /// Use KVM instead of emulation in software
    #[arg(long)]
    kvm: bool,
    /// Keep the disk of the last run, with all its mail
    #[arg(long)]
    keep: bool,
    /// Start this image instead of building one
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
}

pub(crate) fn run(place: &Place, options: &Options) -> Result<()> {
    host::ensure(&[host::QEMU])?;
    let disk = place.target.join("run/disk.img");
    let board = board(place, options)?;
    if options.keep && disk.exists() {
        say::note("the disk of the last run is kept: its image is not the newest");
    } else {
        let image = match &options.image {
            Some(image) => image.clone(),
            None => image::build(place)?,
        };
        qemu::run_disk(&image, &disk, board.disk_mb)?;
    }
    let ports: Vec<String> =
        board.forward.iter().map(|one| format!("{} -> {}", one.host, one.guest)).collect();
    say::step(&format!(
        "starting the box: {} MB, {}, disk {}, network {}",
        board.ram_mb, board.firmware, board.disk, board.nic
    ));
    say::note(&format!("ports of 127.0.0.1: {}", ports.join(", ")));
    say::note("Ctrl-C switches it off; its console follows");
    let mut machine = Machine::start(
        &qemu::Options { kvm: options.kvm, show_console: true, ..qemu::Options::new(board) },
        &disk,
    )?;
    let ready = machine.wait_for("READY https://", READY_MAX)?;
    let port = machine.port(443).context("board/qemu.toml forwards no port to 443")?;
    wait_for_https(&machine, port)?;
    wait_for_quiet(&machine);
    println!("\nWizard: https://127.0.0.1:{port}/  {}\n", setup_code(&ready));
    machine.wait()
}

fn board(place: &Place, options: &Options) -> Result<QemuBoard> {
    let mut board = QemuBoard::load(place)?;
    if let Some(ram) = options.ram {
        board.ram_mb = ram;
    }
    if options.bios {
        board.firmware = "bios".into();
    }
    if options.uefi {
        board.firmware = "uefi".into();
    }
    if let Some(disk) = options.disk.and_then(|disk| disk.to_possible_value()) {
        board.disk = disk.get_name().to_owned();
    }
    if let Some(nic) = options.nic.and_then(|nic| nic.to_possible_value()) {
        board.nic = nic.get_name().to_owned();
    }
    Ok(board)
}

/// `READY https://HOST:PORT/ setup-code=CODE`; there is no code once the box is set up.
fn setup_code(ready: &str) -> String {
    let code = ready.split_once("setup-code=").and_then(|(_, rest)| rest.split_whitespace().next());
    match code {
        Some(code) => format!("setup code {code}"),
        None => "(already set up)".to_owned(),
    }
}

/// QEMU accepts connections before the box listens, so only an answer counts: a TLS server
/// answers plain text with an alert.
fn wait_for_https(machine: &Machine, port: u16) -> Result<()> {
    let deadline = Instant::now() + ANSWER_MAX;
    let (_keep, pause) = mpsc::channel::<()>();
    while Instant::now() < deadline && !machine.has_ended() {
        if answers(port).unwrap_or(false) {
            return Ok(());
        }
        // A pause between two looks at another machine, which cannot tell us.
        let _elapsed = pause.recv_timeout(Duration::from_millis(200));
    }
    bail!("the box says READY, but https://127.0.0.1:{port}/ does not answer")
}

/// The box draws its screen anew while it starts; what is printed between is soon out of sight.
fn wait_for_quiet(machine: &Machine) {
    let (_keep, pause) = mpsc::channel::<()>();
    for _ in 0..QUIET_LOOKS_MAX {
        let shown = machine.console_len();
        let _elapsed = pause.recv_timeout(Duration::from_secs(1));
        if machine.console_len() == shown {
            return;
        }
    }
}

fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut byte = [0];
    Ok(stream.read(&mut byte)? == 1)
}

#[cfg(test)]
mod tests {
    use super::setup_code;

    #[test]
    fn the_setup_code_is_read_from_the_ready_line() {
        for (line, shown) in [
            ("READY https://10.0.2.15:443/ setup-code=ABCD-EFGH", "setup code ABCD-EFGH"),
            ("READY https://10.0.2.15:443/", "(already set up)"),
        ] {
            assert_eq!(setup_code(line), shown);
        }
    }
}
