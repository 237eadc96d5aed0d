//! `postroomd serve` as a child process on a loopback address of its own.
//!
//! Each daemon gets its own address in 127.0.0.0/8, so that tests run side by side with the same ports. The
//! child is killed (by its own id) when the [`Daemon`] is dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail};

use crate::client::{Client, Loopback};

/// What is added to the standard ports of every daemon under test.
pub const PORT_OFFSET: u16 = 10_000;

/// The daemon's binary: `POSTROOM_BIN`, else built here once.
///
/// # Errors
/// It cannot be built.
pub fn binary() -> Result<PathBuf> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = BINARY.get_or_init(|| find_binary().map_err(|err| format!("{err:#}")));
    found.clone().map_err(anyhow::Error::msg)
}

fn find_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("POSTROOM_BIN") {
        return Ok(PathBuf::from(path));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Command::new(cargo)
        .current_dir(&root)
        .args(["build", "--quiet", "--package", "postroomd", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        bail!("postroomd does not build");
    }
    let text = String::from_utf8_lossy(&built.stdout);
    let path = text
        .lines()
        .filter(|line| line.contains("\"name\":\"postroomd\""))
        .filter_map(|line| line.split("\"executable\":\"").nth(1)?.split('"').next())
        .next_back()
        .context("cargo names no executable")?;
    Ok(PathBuf::from(path))
}

/// An address in 127.0.0.0/8 that no other test of this machine uses now.
#[must_use]
pub fn fresh_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let pid = std::process::id();
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let low = u8::try_from(n % 250).unwrap_or(0) + 2;
    let octet = |shift: u32| u8::try_from((pid >> shift) & 0xff).unwrap_or(0);
    // 127.0.x.x stays free for people.
    Ipv4Addr::new(127, octet(8).max(1), octet(0), low)
}

/// How to start a daemon.
#[derive(Debug, Default)]
pub struct Options {
    /// The data directory; a fresh one under the system's temporary folder if `None`.
    pub data: Option<PathBuf>,
    /// Text of a provisioning file.
    pub provision: Option<String>,
    /// The address; a fresh one if `None`.
    pub address: Option<Ipv4Addr>,
    /// Further arguments of `serve`.
    pub args: Vec<String>,
    /// Limit of the daemon's data segment (RLIMIT_DATA: its heap, stacks and private mappings), bytes.
    pub data_bytes: Option<u64>,
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// Where it listens.
    pub at: Loopback,
    /// Its data directory.
    pub data: PathBuf,
    /// The URL of its READY line.
    pub url: String,
    /// The setup code of its READY line, if it is not set up.
    pub setup_code: Option<String>,
    /// True if the directory was made here and goes with the daemon.
    own_data: bool,
}

/// A provisioning file for office.test with these accounts, each with the password `secret-NAME`.
#[must_use]
pub fn office(accounts: &[&str]) -> String {
    office_with_admins(accounts, &[])
}

/// As [`office`]; those that are among `admins` too administer the box.
#[must_use]
pub fn office_with_admins(accounts: &[&str], admins: &[&str]) -> String {
    let mut text = String::from(
        "hostname = \"mail.office.test\"\nlanguage = \"en\"\n[admin]\npassword = \"correct horse\"\n\
         [[domain]]\nname = \"office.test\"\n\
         [outbound]\nmode = \"smarthost\"\nsmarthost = \"127.0.0.1:1\"\ntls = \"none\"\n",
    );
    for name in accounts {
        text.push_str(&format!(
            "[[user]]\naddress = \"{name}@office.test\"\nname = \"{name}\"\npassword = \"secret-{name}\"\n"
        ));
        if admins.contains(name) {
            text.push_str("admin = true\n");
        }
    }
    text
}

fn scratch_dir() -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("postroom-test-{}-{n}", std::process::id()));
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

impl Daemon {
    /// Starts a daemon with these accounts of office.test in a fresh directory.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn with_accounts(accounts: &[&str]) -> Result<Self> {
        Self::start(Options { provision: Some(office(accounts)), ..Options::default() })
    }

    /// Starts a daemon and waits for its READY line. Its log goes to `DATA/../NAME.log` beside the data.
    ///
    /// # Errors
    /// It does not become ready; the log's last lines are in the error.
    pub fn start(options: Options) -> Result<Self> {
        let own_data = options.data.is_none();
        let data = match options.data {
            Some(dir) => dir,
            None => scratch_dir()?,
        };
        let address = options.address.unwrap_or_else(fresh_address);
        let log_path = data.with_extension("log");
        let log = fs::File::options().create(true).append(true).open(&log_path)?;
        let mut command = match options.data_bytes {
            // It sets the limit and becomes the daemon: the process id stays.
            Some(bytes) => {
                let mut limited = Command::new("prlimit");
                limited.arg(format!("--data={bytes}")).arg("--").arg(binary()?);
                limited
            }
            None => Command::new(binary()?),
        };
        command.arg("serve").arg("--data").arg(&data);
        command.args(["--listen", &address.to_string()]);
        command.args(["--port-offset", &PORT_OFFSET.to_string()]);
        if let Some(text) = options.provision {
            let file = data.with_extension("toml");
            fs::write(&file, text)?;
            command.arg("--provision").arg(file);
        }
        command.args(&options.args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut ready = String::new();
        BufReader::new(stdout).read_line(&mut ready)?;
        let Some(rest) = ready.trim_end().strip_prefix("READY ") else {
            // A daemon that says nothing has ended, or is of no use.
            child.kill().ok();
            child.wait().ok();
            let log = fs::read_to_string(&log_path).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            bail!("no READY but {ready:?}; the log ends: {tail:#?}");
        };
        let (url, code) = match rest.split_once(' ') {
            Some((url, code)) => (url, code.strip_prefix("setup-code=").map(str::to_owned)),
            None => (rest, None),
        };
        Ok(Self {
            child,
            at: Loopback { address: IpAddr::V4(address), port_offset: PORT_OFFSET },
            url: url.to_owned(),
            setup_code: code,
            data,
            own_data,
        })
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
    }

    /// kill -9, and waits until it is gone. The data stays.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for the end; gives the exit status.
    ///
    /// # Errors
    /// It cannot be told or waited for.
    pub fn stop(&mut self) -> Result<std::process::ExitStatus> {
        let told = Command::new("kill").arg("-TERM").arg(self.id().to_string()).status()?;
        if !told.success() {
            bail!("kill -TERM failed");
        }
        Ok(self.child.wait()?)
    }

    /// Runs `postroomd check` on the stopped data; the error holds what it found.
    ///
    /// # Errors
    /// The store is not consistent.
    pub fn check(&self) -> Result<()> {
        check(&self.data)
    }

    /// A client on a standard port.
    ///
    /// # Errors
    /// Nobody answers there.
    pub fn client(&self, port: u16) -> Result<Client> {
        Client::connect(&self.at, port)
    }

    /// A logged-in IMAP client (993).
    ///
    /// # Errors
    /// The login fails.
    pub fn imap(&self, account: &str) -> Result<Client> {
        imap_login(&self.at, account)
    }
}

/// A logged-in IMAP client (993) for `account` of office.test with the password `secret-NAME`.
///
/// # Errors
/// The login fails.
pub fn imap_login(to: &dyn crate::Connector, account: &str) -> Result<Client> {
    let mut client = Client::connect(to, 993)?;
    let greeting = client.read_line()?.context("no greeting")?;
    if !greeting.starts_with("* OK") {
        bail!("greeting {greeting:?}");
    }
    client.imap(&format!("LOGIN {account}@office.test secret-{account}"))?;
    Ok(client)
}

/// Runs `postroomd check` on a stopped store; the error holds what it found.
///
/// # Errors
/// The store is not consistent.
pub fn check(data: &Path) -> Result<()> {
    let done = Command::new(binary()?).arg("check").arg("--data").arg(data).output()?;
    if !done.status.success() {
        bail!(
            "check of {}: {}{}",
            data.display(),
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
    }
    Ok(())
}

/// `postroomd check --repair` on a stopped store, as a child that can be killed.
///
/// # Errors
/// It cannot be started.
pub fn begin_repair(data: &Path) -> Result<Child> {
    let mut command = Command::new(binary()?);
    command.args(["check", "--repair", "--data"]).arg(data);
    Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

/// Repairs a stopped store, which is consistent then; the lines that it said.
///
/// # Errors
/// It cannot be repaired, or something is left; the error holds what was said.
pub fn repair(data: &Path) -> Result<Vec<String>> {
    let done = begin_repair(data)?.wait_with_output()?;
    let said = String::from_utf8_lossy(&done.stdout);
    if !done.status.success() {
        bail!("repair of {}: {said}{}", data.display(), String::from_utf8_lossy(&done.stderr));
    }
    Ok(said.lines().map(str::to_owned).collect())
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        // A failed test leaves its directory for the one who looks into it.
        if self.own_data && !std::thread::panicking() {
            fs::remove_dir_all(&self.data).ok();
            fs::remove_file(self.data.with_extension("log")).ok();
            fs::remove_file(self.data.with_extension("toml")).ok();
        }
    }
}
