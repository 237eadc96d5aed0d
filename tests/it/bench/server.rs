//! The servers under measurement, all reached the same way: standard ports plus an offset on a loopback
//! address of their own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use testkit::daemon::{Daemon, Options, office};
use testkit::{Client, Loopback};

use super::processes;

/// A server that runs.
pub(super) trait Server {
    /// For the table.
    fn name(&self) -> String;
    /// Where it listens.
    fn at(&self) -> Loopback;
    /// Its first process.
    fn pid(&self) -> u32;

    /// Kilobytes of memory of all its processes.
    fn pss_kb(&self) -> Result<u64> {
        processes::pss_kb(self.pid())
    }

    /// CPU time of all its processes so far.
    fn cpu(&self) -> Result<Duration> {
        processes::cpu(self.pid())
    }

    /// An IMAP client of `account` over plain text.
    fn imap(&self, account: &str) -> Result<Client> {
        let mut client = Client::connect(&self.at(), 143)?;
        let greeting = client.read_line()?.context("no greeting")?;
        if !greeting.starts_with("* OK") {
            bail!("greeting {greeting:?}");
        }
        client.imap(&format!("LOGIN {} {}", login(account), password(account)))?;
        Ok(client)
    }
}

/// The n-th account's name.
pub(super) fn account(n: usize) -> String {
    format!("u{n}")
}

/// What an account logs in with.
pub(super) fn login(account: &str) -> String {
    format!("{account}@office.test")
}

/// Its password.
pub(super) fn password(account: &str) -> String {
    format!("secret-{account}")
}

/// Postroom as it ships.
#[derive(Debug)]
pub(super) struct Postroom {
    daemon: Daemon,
}

impl Postroom {
    /// Starts it with so many accounts on the 1 GB tier.
    pub(super) fn start(accounts: usize) -> Result<Self> {
        let names: Vec<String> = (0..accounts).map(account).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let daemon = Daemon::start(Options {
            provision: Some(office(&names)),
            args: ["--tier", "1g"].map(str::to_owned).to_vec(),
            ..Options::default()
        })?;
        Ok(Self { daemon })
    }
}

impl Server for Postroom {
    fn name(&self) -> String {
        "Postroom".to_owned()
    }

    fn at(&self) -> Loopback {
        self.daemon.at
    }

    fn pid(&self) -> u32 {
        self.daemon.id()
    }
}

/// A child process that is told to stop, and then made to, by its own id.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// Goes with it.
    pub(super) dir: PathBuf,
}

impl Running {
    pub(super) fn new(child: Child, dir: &Path) -> Self {
        Self { child, dir: dir.to_path_buf() }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `at` greets on a port.
    pub(super) fn wait_for(&mut self, at: Loopback, port: u16, log: &Path) -> Result<()> {
        let by = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(mut client) = Client::connect(&at, port)
                && matches!(client.read_line(), Ok(Some(_)))
            {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > by {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                bail!("the peer does not answer ({ended:?}); its log:\n{log}");
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        let by = Instant::now() + Duration::from_secs(20);
        while told.is_ok() && Instant::now() < by && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            println!("the peer's files stay in {}", self.dir.display());
        } else {
            std::fs::remove_dir_all(&self.dir).ok();
        }
    }
}
