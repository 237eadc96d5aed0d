//! The emulated box: starts QEMU on a disk image, reads its serial console, and ends it.
//!
//! Used by `cargo xtask run` and by the boot tests. Emulates in software unless KVM is asked
//! for: `/dev/kvm` may exist and still not work. Reaches no network but the loopback of this
//! machine. A machine that is dropped is switched off, as by a power cut.
//!
//! Limits: 4 MiB of console are kept; every wait has a deadline and ends early when QEMU does.

use crate::board::{Forward, QemuBoard};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A box that prints more than this before a test ends has a fault worth the loss of its past.
const CONSOLE_BYTES_MAX: usize = 4 * 1024 * 1024;
const QMP_ANSWER_MAX: Duration = Duration::from_secs(20);

/// How the box is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory, processors, disk, network card, firmware and forwarded ports.
    pub board: QemuBoard,
    /// Use KVM.
    pub kvm: bool,
    /// The network instead of QEMU's own with forwarded ports: the value of `-netdev` without
    /// its id, for example `stream,addr.type=unix,addr.path=...`.
    pub netdev: Option<String>,
    /// The MAC address, where a test counts on one.
    pub mac: Option<String>,
    /// Further arguments of QEMU.
    pub extra: Vec<String>,
    /// Show the console on standard output while it comes.
    pub show_console: bool,
}

impl Options {
    /// The box of `board/qemu.toml`.
    #[must_use]
    pub fn new(board: QemuBoard) -> Self {
        let extra = Vec::new();
        Self { board, kvm: false, netdev: None, mac: None, extra, show_console: false }
    }

    /// The same box, with free ports of this machine chosen for its forwarded ports, so that
    /// several can run at once.
    #[must_use]
    pub fn with_free_ports(mut self) -> Self {
        for forward in &mut self.board.forward {
            forward.host = 0;
        }
        self
    }
}

#[derive(Default)]
struct Console {
    bytes: Vec<u8>,
    is_closed: bool,
}

/// A running box.
pub struct Machine {
    child: Child,
    console: Arc<(Mutex<Console>, Condvar)>,
    ports: BTreeMap<u16, u16>,
    qmp: PathBuf,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Machine").field("ports", &self.ports).finish_non_exhaustive()
    }
}

impl Machine {
    /// Starts a box on `disk`, a raw image that it may write to. Next to the disk QEMU's control
    /// socket and the UEFI variables are kept.
    ///
    /// # Errors
    /// When QEMU does not start.
    pub fn start(options: &Options, disk: &Path) -> Result<Self> {
        let ports = choose_ports(&options.board.forward)?;
        let qmp = disk.with_extension("qmp");
        if qmp.exists() {
            std::fs::remove_file(&qmp)?;
        }
        let mut command = Command::new("qemu-system-x86_64");
        command.args(arguments(options, disk, &ports, &qmp)?);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().context("cannot start qemu-system-x86_64")?;
        let console = Arc::new((Mutex::new(Console::default()), Condvar::new()));
        if let Some(stdout) = child.stdout.take() {
            let (console, show) = (Arc::clone(&console), options.show_console);
            std::thread::spawn(move || read_console(stdout, &console, show));
        }
        Ok(Self { child, console, ports, qmp })
    }

    /// The port on 127.0.0.1 that reaches `guest` of the box.
    #[must_use]
    pub fn port(&self, guest: u16) -> Option<u16> {
        self.ports.get(&guest).copied()
    }

    /// Everything that the console has shown.
    #[must_use]
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&lock(&self.console.0).bytes).into_owned()
    }

    /// How much the console has shown: a place to wait from.
    #[must_use]
    pub fn console_len(&self) -> usize {
        lock(&self.console.0).bytes.len()
    }

    /// Waits until the console shows `text` and answers with the whole line.
    ///
    /// # Errors
    /// When the deadline passes or QEMU ends first; with the end of the console.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Result<String> {
        self.wait_for_after(0, text, limit)
    }

    /// Like [`Machine::wait_for`], but looks only behind `start` (see [`Machine::console_len`]):
    /// a second boot prints the same lines as the first.
    ///
    /// # Errors
    /// As [`Machine::wait_for`].
    pub fn wait_for_after(&self, start: usize, text: &str, limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        let (mutex, changed) = &*self.console;
        let mut console = lock(mutex);
        loop {
            let shown = console.bytes.get(start..).unwrap_or_default();
            if let Some(line) = find_line(shown, text) {
                return Ok(line);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if console.is_closed || left.is_zero() {
                let why = if console.is_closed { "QEMU ended" } else { "the time is up" };
                let tail = tail(&console.bytes);
                bail!("{why} while waiting for {text:?} on the console. It ends with:\n{tail}");
            }
            console = changed
                .wait_timeout(console, left)
                .map_or_else(|poison| poison.into_inner().0, |(guard, _)| guard);
        }
    }

    /// Whether QEMU has ended, by itself or because the box switched itself off.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        lock(&self.console.0).is_closed
    }

    /// Pulls the plug: nothing that was not on the disk survives.
    ///
    /// # Errors
    /// When the process cannot be ended.
    pub fn power_cut(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Presses the power button and waits until the box has switched itself off.
    ///
    /// # Errors
    /// When it has not within `limit`.
    pub fn power_button(mut self, limit: Duration) -> Result<()> {
        self.qmp("system_powerdown")?;
        let (mutex, changed) = &*self.console;
        let (console, _) = changed
            .wait_timeout_while(lock(mutex), limit, |console| !console.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        if !console.is_closed {
            bail!("the box did not switch off. The console ends with:\n{}", tail(&console.bytes));
        }
        drop(console);
        self.child.wait()?;
        Ok(())
    }

    /// Presses the reset button.
    ///
    /// # Errors
    /// When QEMU does not take the command.
    pub fn reset(&self) -> Result<()> {
        self.qmp("system_reset")
    }

    /// Waits until QEMU has ended by itself.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn wait(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }

    /// One command without arguments over QEMU's control socket.
    fn qmp(&self, command: &str) -> Result<()> {
        let mut stream = UnixStream::connect(&self.qmp).context("QEMU's control socket")?;
        stream.set_read_timeout(Some(QMP_ANSWER_MAX))?;
        let mut answers = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        for word in ["qmp_capabilities", command] {
            writeln!(stream, "{{\"execute\": \"{word}\"}}")?;
            loop {
                line.clear();
                if answers.read_line(&mut line)? == 0 {
                    bail!("QEMU closed its control socket");
                }
                if line.contains("\"error\"") {
                    bail!("QEMU refused {word}: {}", line.trim());
                }
                if line.contains("\"return\"") {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Already ended is as good as ended now.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes a run disk: a sparse copy of the image, as large as a real disk.
///
/// # Errors
/// When the disk of this machine refuses.
pub fn run_disk(image: &Path, disk: &Path, size_mb: u64) -> Result<()> {
    if let Some(dir) = disk.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let status = Command::new("cp")
        .args(["--sparse=always", "--reflink=auto", "--"])
        .args([image, disk])
        .status()?;
    if !status.success() {
        bail!("cannot copy the image to {}", disk.display());
    }
    let file = File::options().write(true).open(disk)?;
    let size = size_mb * 1024 * 1024;
    if file.metadata()?.len() > size {
        bail!("the image does not fit a disk of {size_mb} MB");
    }
    file.set_len(size)?;
    Ok(())
}

fn choose_ports(forwards: &[Forward]) -> Result<BTreeMap<u16, u16>> {
    // All are held until all are chosen, so that none is given twice.
    let mut held = Vec::new();
    let mut ports = BTreeMap::new();
    for forward in forwards {
        let mut host = forward.host;
        if host == 0 {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            host = listener.local_addr()?.port();
            held.push(listener);
        }
        ports.insert(forward.guest, host);
    }
    Ok(ports)
}

fn arguments(
    options: &Options,
    disk: &Path,
    ports: &BTreeMap<u16, u16>,
    qmp: &Path,
) -> Result<Vec<String>> {
    let board = &options.board;
    let mut words: Vec<String> = Vec::new();
    let mut add = |name: &str, value: String| words.extend([format!("-{name}"), value]);
    add("name", format!("postroom-{}", board.name));
    add("machine", "q35".into());
    match options.kvm {
        true => add("accel", "kvm".into()),
        false => add("accel", "tcg,thread=multi".into()),
    }
    add("cpu", if options.kvm { "host".into() } else { "max".into() });
    add("smp", board.cpus.to_string());
    add("m", format!("{}M", board.ram_mb));
    add("display", "none".into());
    add("serial", "stdio".into());
    add("monitor", "none".into());
    add("qmp", format!("unix:{},server=on,wait=off", qmp.display()));
    add("rtc", "base=utc".into());
    add("device", "virtio-rng-pci".into());
    add("device", "i6300esb".into());
    add("action", "watchdog=reset".into());
    let drive = format!("if=none,id=disk,format=raw,file={}", disk.display());
    add("drive", format!("{drive},discard=unmap,detect-zeroes=unmap"));
    match board.disk.as_str() {
        "virtio" => add("device", "virtio-blk-pci,drive=disk,bootindex=1".into()),
        "ahci" => add("device", "ide-hd,drive=disk,bus=ide.0,bootindex=1".into()),
        "nvme" => add("device", "nvme,drive=disk,serial=postroom,bootindex=1".into()),
        other => bail!("no disk {other:?}: virtio, ahci or nvme"),
    }
    add("netdev", format!("{},id=net", network(options, ports)));
    let mac = options.mac.as_ref().map_or(String::new(), |mac| format!(",mac={mac}"));
    match board.nic.as_str() {
        "virtio" => add("device", format!("virtio-net-pci,netdev=net{mac}")),
        "e1000e" => add("device", format!("e1000e,netdev=net{mac}")),
        other => bail!("no network card {other:?}: virtio or e1000e"),
    }
    match board.firmware.as_str() {
        "bios" => {}
        "uefi" => {
            let (code, variables) = uefi(disk)?;
            let flash = "if=pflash,format=raw";
            add("drive", format!("{flash},readonly=on,file={}", code.display()));
            add("drive", format!("{flash},file={}", variables.display()));
        }
        other => bail!("no firmware {other:?}: bios or uefi"),
    }
    words.extend(options.extra.iter().cloned());
    Ok(words)
}

fn network(options: &Options, ports: &BTreeMap<u16, u16>) -> String {
    match &options.netdev {
        Some(netdev) => netdev.clone(),
        None => ports.iter().fold("user".to_owned(), |text, (guest, host)| {
            format!("{text},hostfwd=tcp:127.0.0.1:{host}-:{guest}")
        }),
    }
}

/// The UEFI firmware, and a copy of its variables for this disk.
fn uefi(disk: &Path) -> Result<(PathBuf, PathBuf)> {
    let dir = Path::new("/usr/share/OVMF");
    for suffix in ["_4M", ""] {
        let code = dir.join(format!("OVMF_CODE{suffix}.fd"));
        let template = dir.join(format!("OVMF_VARS{suffix}.fd"));
        if code.exists() && template.exists() {
            let variables = disk.with_extension("vars");
            std::fs::copy(template, &variables)?;
            return Ok((code, variables));
        }
    }
    bail!("there is no UEFI firmware in {}", dir.display())
}

fn read_console(mut from: impl Read, console: &(Mutex<Console>, Condvar), show: bool) {
    let (mutex, changed) = console;
    let mut chunk = [0; 4096];
    loop {
        let count = from.read(&mut chunk).unwrap_or(0);
        let bytes = chunk.get(..count).unwrap_or_default();
        if show {
            // A closed terminal must not stop the box.
            drop(std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()));
        }
        let mut console = lock(mutex);
        if console.bytes.len() + count > CONSOLE_BYTES_MAX {
            console.bytes.clear();
        }
        console.bytes.extend_from_slice(bytes);
        console.is_closed = count == 0;
        drop(console);
        changed.notify_all();
        if count == 0 {
            return;
        }
    }
}

fn lock(console: &Mutex<Console>) -> MutexGuard<'_, Console> {
    console.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first whole line with `text` in it.
fn find_line(bytes: &[u8], text: &str) -> Option<String> {
    let shown = String::from_utf8_lossy(bytes);
    let whole = shown.rsplit_once('\n')?.0;
    let line = whole.lines().find(|line| line.contains(text))?;
    Some(line.trim_end_matches('\r').to_owned())
}

fn tail(bytes: &[u8]) -> String {
    let shown = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = shown.lines().collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Forward, choose_ports, find_line};

    #[test]
    fn only_whole_lines_are_found() {
        let console = b"boot\r\nREADY https://10.0.2.15/ setup-code=ABC\r\nREA";
        let line = find_line(console, "READY ").unwrap();
        assert_eq!(line, "READY https://10.0.2.15/ setup-code=ABC");
        assert_eq!(find_line(b"READY https://10.0", "READY "), None);
        assert_eq!(find_line(b"", ""), None);
    }

    #[test]
    fn free_ports_differ() {
        let wanted = [25, 143, 443].map(|guest| Forward { host: 0, guest });
        let ports = choose_ports(&wanted).unwrap();
        let mut chosen: Vec<u16> = ports.values().copied().collect();
        chosen.dedup();
        assert_eq!(chosen.len(), 3);
        assert!(chosen.iter().all(|port| *port != 0));
    }
}
