//! Cyrus as a process of its own, unpacked and not installed: its Debian package would remove Dovecot's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use testkit::Loopback;
use testkit::daemon::{PORT_OFFSET, fresh_address};

use super::server::{Running, Server, account, login, password};

/// The folders with the unpacked packages, separated by colons; none: no Cyrus.
const ROOTS: &str = "POSTROOM_BENCH_CYRUS";

#[derive(Debug)]
pub(super) struct Cyrus {
    running: Running,
    at: Loopback,
}

/// The unpacked packages.
struct Roots(Vec<PathBuf>);

impl Roots {
    fn find(&self, path: &str) -> Result<PathBuf> {
        let mut all = self.0.iter().map(|root| root.join(path));
        all.find(|file| file.exists()).with_context(|| format!("no package brings {path}"))
    }

    /// These folders of all packages that have one, for the linker and for SASL.
    fn folders(&self, folders: &[&str]) -> String {
        let all = self.0.iter().flat_map(|root| folders.iter().map(|folder| root.join(folder)));
        let all: Vec<String> =
            all.filter(|dir| dir.exists()).map(|dir| dir.display().to_string()).collect();
        all.join(":")
    }

    /// A program that finds its libraries.
    fn program(&self, path: &str) -> Result<Command> {
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
        let mut command = Command::new(self.find(path)?);
        command.env("LD_LIBRARY_PATH", self.folders(&libraries));
        command.env("SASL_PATH", self.folders(&["usr/lib/x86_64-linux-gnu/sasl2"]));
        Ok(command)
    }
}

impl Cyrus {
    /// Starts it with one account; nothing where it was not unpacked.
    pub(super) fn start() -> Result<Option<Self>> {
        let Ok(roots) = std::env::var(ROOTS) else { return Ok(None) };
        let roots = Roots(roots.split(':').map(PathBuf::from).collect());
        let address = fresh_address();
        let dir = std::env::temp_dir().join(format!("postroom-bench-cyrus-{address}"));
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        for folder in ["conf/socket", "conf/proc", "spool"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        fs::write(dir.join("imapd.conf"), imapd(&dir))?;
        let imapd = roots.find("usr/lib/cyrus/bin/imapd")?;
        fs::write(dir.join("cyrus.conf"), services(&dir, &imapd, &address.to_string()))?;
        set_password(&roots, &dir)?;
        // It drops root for this user.
        let owned = Command::new("chown").args(["-R", "nobody:nogroup"]).arg(&dir).status()?;
        ensure!(owned.success(), "chown failed");
        let log = dir.join("stderr");
        let child = roots
            .program("usr/lib/cyrus/bin/master")?
            .arg("-C")
            .arg(dir.join("imapd.conf"))
            .arg("-M")
            .arg(dir.join("cyrus.conf"))
            .arg("-p")
            .arg(dir.join("conf/master.pid"))
            .stdin(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .context("cannot start Cyrus")?;
        let mut running = Running::new(child, &dir);
        let at = Loopback { address: address.into(), port_offset: PORT_OFFSET };
        running.wait_for(at, 143, &log)?;
        Ok(Some(Self { running, at }))
    }
}

impl Server for Cyrus {
    fn name(&self) -> String {
        "Cyrus".to_owned()
    }

    fn at(&self) -> Loopback {
        self.at
    }

    fn pid(&self) -> u32 {
        self.running.id()
    }
}

/// In the realm of the login and in that of the server, which takes the default domain away.
fn set_password(roots: &Roots, dir: &Path) -> Result<()> {
    use std::io::Write as _;
    let name = account(0);
    for realm in ["office.test", "mail.office.test"] {
        let mut child = roots
            .program("usr/sbin/saslpasswd2")?
            .args(["-c", "-p", "-u", realm, "-f"])
            .arg(dir.join("sasldb"))
            .arg(&name)
            .stdin(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("no stdin")?.write_all(password(&name).as_bytes())?;
        ensure!(child.wait()?.success(), "saslpasswd2 failed for {}", login(&name));
    }
    Ok(())
}

fn imapd(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "configdirectory: {dir}/conf\ndefaultpartition: default\npartition-default: {dir}/spool\n\
         servername: mail.office.test\nvirtdomains: userid\ndefaultdomain: office.test\nadmins: cyrus\n\
         cyrus_user: nobody\nallowplaintext: yes\nautocreate_quota: 0\nautocreate_post: no\n\
         sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\nsasl_sasldb_path: {dir}/sasldb\n\
         sasl_mech_list: PLAIN\nunixhierarchysep: yes\naltnamespace: yes\nduplicatesuppression: no\n"
    )
}

fn services(dir: &Path, imapd: &Path, address: &str) -> String {
    let (dir, imapd, port) = (dir.display(), imapd.display(), 143 + PORT_OFFSET);
    format!(
        "START {{\n}}\nSERVICES {{\n imap cmd=\"{imapd} -C {dir}/imapd.conf\" \
         listen=\"{address}:{port}\" prefork=0\n}}\nEVENTS {{\n}}\n"
    )
}
