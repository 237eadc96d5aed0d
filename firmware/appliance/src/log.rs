//! PID 1's log: the consoles, the kernel's ring and a bounded file under /run/log.
//!
//! Lines of the daemon go to the file, its warnings and errors to the serial line as well. The
//! monitor shows lines only until the status screen takes it over ([`Log::show`]). No console can
//! hold PID 1 up: writes do not block, and what a slow line does not take is lost there (never in
//! the file). No secret comes in here: the setup code is part of the screen, not of the log.
//!
//! Limits: the file 1 MB and one predecessor; a line 2 KB.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::wait::uptime_ms;

const FILE: &str = "/run/log/postroom.log";
const FILE_OLD: &str = "/run/log/postroom.log.1";
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const LINE_BYTES_MAX: usize = 2048;

#[derive(Debug)]
struct Tty {
    /// True for a monitor, which shows the screen in place of lines.
    is_monitor: bool,
    out: File,
}

#[derive(Debug, Default)]
struct Outputs {
    ttys: Vec<Tty>,
    kmsg: Option<File>,
    file: Option<File>,
    file_bytes: u64,
    is_screen_up: bool,
    is_verbose: bool,
}

/// A handle on the log; clones write to the same places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Outputs>>);

impl Log {
    /// A log that goes nowhere until [`Log::open_consoles`].
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn outputs(&self) -> MutexGuard<'_, Outputs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic of a thread of PID 1 reaches the consoles before the thread ends.
    pub(crate) fn catch_panics(&self) {
        let log = self.clone();
        std::panic::set_hook(Box::new(move |info| log.say(&format!("PID 1: {info}"))));
    }

    /// Opens the kernel's consoles (`console=` words), its ring and the file, once /dev and /run are
    /// there.
    pub(crate) fn open_consoles(&self, is_verbose: bool) {
        let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
        let mut outputs = self.outputs();
        outputs.is_verbose = is_verbose;
        outputs.ttys = active
            .split_ascii_whitespace()
            .filter_map(|name| {
                let nonblock = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
                let flags = i32::try_from(nonblock.bits()).unwrap_or(0);
                let out = OpenOptions::new()
                    .write(true)
                    .custom_flags(flags)
                    .open(format!("/dev/{name}"))
                    .ok()?;
                let digits = name.strip_prefix("tty").unwrap_or("");
                let is_monitor = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty();
                Some(Tty { is_monitor, out })
            })
            .collect();
        outputs.kmsg = OpenOptions::new().write(true).open("/dev/kmsg").ok();
        if fs::create_dir_all("/run/log").is_ok() {
            outputs.file = OpenOptions::new().create(true).append(true).open(FILE).ok();
        }
    }

    /// A line of PID 1.
    pub(crate) fn say(&self, text: &str) {
        let at = uptime_ms();
        let line = format!("[{:5}.{:03}] postroom: {text}\n", at / 1000, at % 1000);
        let mut outputs = self.outputs();
        outputs.write_ttys(&line);
        outputs.write_kmsg(text);
        outputs.write_file(&line);
    }

    /// A line for who stands before the box; no log keeps it.
    pub(crate) fn console_only(&self, line: &str) {
        self.outputs().write_ttys(&format!("{line}\n"));
    }

    /// A line of PID 1 that no console needs: the kernel's ring and the file have it.
    pub(crate) fn note(&self, text: &str) {
        let mut outputs = self.outputs();
        outputs.write_kmsg(text);
        outputs.write_file(&format!("postroom: {text}\n"));
    }

    /// A line of the daemon's stderr.
    pub(crate) fn daemon(&self, text: &str) {
        let mut end = text.len().min(LINE_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default();
        let line = format!("{text}\n");
        let mut outputs = self.outputs();
        if outputs.is_verbose || text.contains(" WARN ") || text.contains(" ERROR ") {
            outputs.write_ttys(&line);
        }
        outputs.write_file(&line);
    }

    /// The screen's text: on a monitor from its first line on, elsewhere between the lines.
    pub(crate) fn show(&self, screen: &str) {
        let mut outputs = self.outputs();
        outputs.is_screen_up = true;
        for tty in &mut outputs.ttys {
            let home = if tty.is_monitor { "\x1b[H\x1b[2J\x1b[?25l" } else { "\n" };
            write_all(&mut tty.out, format!("{home}{screen}\n").replace('\n', "\r\n").as_bytes());
        }
    }
}

impl Outputs {
    fn write_ttys(&mut self, line: &str) {
        let is_screen_up = self.is_screen_up;
        for tty in &mut self.ttys {
            if !(tty.is_monitor && is_screen_up) {
                write_all(&mut tty.out, line.replace('\n', "\r\n").as_bytes());
            }
        }
    }

    /// Severity 6 of facility daemon; the kernel prints only worse on its consoles.
    fn write_kmsg(&mut self, text: &str) {
        if let Some(kmsg) = &mut self.kmsg {
            write_all(kmsg, format!("<30>postroom: {text}").as_bytes());
        }
    }

    fn write_file(&mut self, line: &str) {
        if self.file_bytes > FILE_BYTES_MAX && fs::rename(FILE, FILE_OLD).is_ok() {
            self.file = OpenOptions::new().create(true).append(true).open(FILE).ok();
            self.file_bytes = 0;
        }
        if let Some(file) = &mut self.file {
            write_all(file, line.as_bytes());
            self.file_bytes += line.len() as u64;
        }
    }
}

/// What a console does not take at once is lost there; there is nobody to tell.
fn write_all(out: &mut File, mut bytes: &[u8]) {
    for _ in 0..100 {
        match out.write(bytes) {
            Ok(n) if n < bytes.len() => bytes = bytes.get(n..).unwrap_or_default(),
            Err(err) if err.kind() == std::io::ErrorKind::WouldBlock => crate::wait::pause(2),
            _ => return,
        }
    }
}
