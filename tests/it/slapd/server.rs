//! slapd as a process of its own: an address of its own, a folder of its own, nothing of the machine's.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use directory::schema;
use testkit::Loopback;
use testkit::daemon::{PORT_OFFSET, fresh_address};

pub(crate) const ADMIN: &str = "cn=admin,dc=office,dc=test";
pub(crate) const ADMIN_PASSWORD: &str = "correct horse";
/// The folders with the unpacked packages, separated by colons; without it slapd is where Debian installs it.
const ROOTS: &str = "POSTROOM_SLAPD";
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Slapd {
    child: Child,
    _dir: tempfile::TempDir,
    pub(crate) at: Loopback,
}

/// Where the packages are.
pub(super) struct Roots(Vec<PathBuf>);

impl Roots {
    pub(super) fn of_environment() -> Self {
        let roots = std::env::var(ROOTS).unwrap_or_else(|_| "/".to_owned());
        Self(roots.split(':').map(PathBuf::from).collect())
    }

    pub(super) fn find(&self, path: &str) -> Result<PathBuf> {
        let mut all = self.0.iter().map(|root| root.join(path));
        all.find(|file| file.exists()).with_context(|| format!("no package brings {path}"))
    }

    /// The program, which finds its libraries.
    pub(super) fn slapd(&self) -> Result<Command> {
        let mut command = Command::new(self.find("usr/sbin/slapd")?);
        let folders = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
        let all = self.0.iter().flat_map(|root| folders.iter().map(|folder| root.join(folder)));
        let all: Vec<String> = all.map(|dir| dir.display().to_string()).collect();
        command.env("LD_LIBRARY_PATH", all.join(":"));
        Ok(command)
    }
}

impl Slapd {
    /// Loads the entries, then starts it.
    pub(crate) fn start(ldif: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let path = dir.path();
        fs::create_dir(path.join("db"))?;
        let roots = Roots::of_environment();
        fs::write(path.join("slapd.conf"), configuration(path, &roots)?)?;
        fs::write(path.join("office.ldif"), ldif)?;
        let loaded = roots
            .slapd()?
            .arg("-Tadd")
            .arg("-q")
            .arg("-f")
            .arg(path.join("slapd.conf"))
            .arg("-l")
            .arg(path.join("office.ldif"))
            .output()
            .context("slapd is not installed")?;
        ensure!(
            loaded.status.success(),
            "slapadd: {}",
            String::from_utf8_lossy(&loaded.stderr).trim()
        );
        let at = Loopback { address: fresh_address().into(), port_offset: PORT_OFFSET };
        let log = path.join("log");
        let child = roots
            .slapd()?
            .args(["-d", "0", "-h", &format!("ldap://{}:{}", at.address, 389 + PORT_OFFSET)])
            .arg("-f")
            .arg(path.join("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        let mut slapd = Self { child, _dir: dir, at };
        slapd.wait(&log)?;
        Ok(slapd)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it takes connections.
    fn wait(&mut self, log: &Path) -> Result<()> {
        let by = Instant::now() + PATIENCE;
        while TcpStream::connect((self.at.address, 389 + PORT_OFFSET)).is_err() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > by {
                bail!("slapd does not answer ({ended:?}): {}", fs::read_to_string(log)?);
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The definitions of Postroom's own subschema that slapd does not bring along.
pub(super) fn definitions() -> String {
    let known = |definition: &str| {
        let oid = definition.split_whitespace().nth(1).unwrap_or_default();
        BUILT_IN.contains(&oid)
            || definition.contains(" USAGE ")
            || definition.contains("'authPasswordObject'")
    };
    let texts = schema::subschema();
    let mut out = String::new();
    for (key, word) in [("attributetypes", "attributetype"), ("objectclasses", "objectclass")] {
        for definition in texts.get(key).into_iter().flatten() {
            // Operational attributes are a server's own; this one a class of ours names too.
            let definition = String::from_utf8_lossy(definition).replace(" $ authPassword", "");
            if !known(&definition) {
                writeln!(out, "{word} {definition}").unwrap();
            }
        }
    }
    out
}

/// What every slapd has of itself: RFC 4512's and what its code needs.
const BUILT_IN: &[&str] = &[
    "2.5.4.0",
    "2.5.4.1",
    "2.5.4.41",
    "2.5.4.3",
    "2.5.4.49",
    "2.5.4.13",
    "2.5.4.34",
    "2.5.4.35",
    "0.9.2342.19200300.100.1.1",
    "1.3.6.1.4.1.250.1.57",
    "1.3.6.1.1.1.1.0",
    "1.3.6.1.1.1.1.1",
    "2.5.6.0",
    "2.5.6.1",
    "1.3.6.1.4.1.1466.101.120.111",
    "2.16.840.1.113730.3.2.6",
    "2.5.17.0",
    "2.5.20.1",
];

fn configuration(dir: &Path, roots: &Roots) -> Result<String> {
    let modules = roots.find("usr/lib/ldap")?;
    let hashed =
        roots.slapd()?.args(["-Tpasswd", "-h", "{SSHA}", "-s", ADMIN_PASSWORD]).output()?;
    let password = String::from_utf8(hashed.stdout)?;
    ensure!(password.starts_with("{SSHA}"), "slappasswd says {password:?}");
    let (dir, modules, password) = (dir.display(), modules.display(), password.trim());
    Ok(format!(
        "modulepath {modules}\nmoduleload back_mdb\nmoduleload sssvlv\n{}\
         pidfile {dir}/pid\nargsfile {dir}/args\nloglevel 0\n\
         sizelimit unlimited\ntimelimit unlimited\n\
         database mdb\nmaxsize 1073741824\nsuffix \"dc=office,dc=test\"\n\
         rootdn \"{ADMIN}\"\nrootpw {password}\ndirectory {dir}/db\n\
         index objectClass,member,entryUUID eq\n\
         index cn,sn,givenName,mail,uid eq,sub\n\
         limits dn.exact=\"{ADMIN}\" size=unlimited time=unlimited\n\
         overlay sssvlv\nsssvlv-max 1000\nsssvlv-maxperconn 100\n",
        definitions()
    ))
}
