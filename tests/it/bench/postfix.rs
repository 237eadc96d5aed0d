//! Postfix as a process of its own, unpacked and not installed (its package would start one on port 25). It
//! takes mail by SMTP and hands it to a Dovecot by LMTP: what an office server of Debian's packages is.
//!
//! It needs root, as its master starts processes of other users.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testkit::Loopback;
use testkit::daemon::{PORT_OFFSET, fresh_address};

use super::dovecot::{Dovecot, Idle};
use super::processes;
use super::server::{Running, Server};

/// The folders with the unpacked packages, separated by colons; none: no Postfix.
const ROOTS: &str = "POSTROOM_BENCH_POSTFIX";
/// A user and a group that every Debian has and nothing here uses: Postfix wants its own.
const OWNER: &str = "uucp";
const GROUP: &str = "games";
const FOLDERS: [&str; 14] = [
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop",
    "pid", "private", "public", "saved", "trace",
];
/// Where a message is that is not delivered yet.
const WAITING: [&str; 4] = ["maildrop", "incoming", "active", "deferred"];

/// Postfix and the Dovecot behind it.
#[derive(Debug)]
pub(super) struct Postfix {
    running: Running,
    at: Loopback,
    dovecot: Dovecot,
}

impl Postfix {
    /// Starts both for so many accounts; nothing where Postfix was not unpacked.
    pub(super) fn start(accounts: usize) -> Result<Option<Self>> {
        let Ok(roots) = std::env::var(ROOTS) else { return Ok(None) };
        let mut roots = roots.split(':').map(PathBuf::from);
        let is_it = |root: &PathBuf| root.join("usr/lib/postfix/sbin/master").exists();
        let root = roots.find(is_it).context("no package brings Postfix's master")?;
        let dovecot = Dovecot::start(accounts, 0, Idle::Processes)?;
        let address = fresh_address();
        let dir = std::env::temp_dir().join(format!("postroom-bench-postfix-{address}"));
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        for folder in ["conf", "data"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        for folder in FOLDERS {
            fs::create_dir_all(dir.join("queue").join(folder))?;
        }
        fs::write(dir.join("conf/main.cf"), main_cf(&root, &dir, dovecot.at()))?;
        fs::write(dir.join("conf/master.cf"), master_cf(address))?;
        let queues = FOLDERS.into_iter().filter(|folder| *folder != "pid");
        let owned = Command::new("chown")
            .arg(OWNER)
            .arg(dir.join("data"))
            .args(queues.map(|folder| dir.join("queue").join(folder)))
            .status()?;
        ensure!(owned.success(), "chown failed");
        let log = dir.join("queue/log");
        let child = Command::new(root.join("usr/lib/postfix/sbin/master"))
            .arg("-s")
            .env("MAIL_CONFIG", dir.join("conf"))
            .env("LD_LIBRARY_PATH", root.join("usr/lib/postfix"))
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start Postfix")?;
        let mut running = Running::new(child, &dir);
        let at = Loopback { address: address.into(), port_offset: PORT_OFFSET };
        running.wait_for(at, 25, &log)?;
        Ok(Some(Self { running, at, dovecot }))
    }

    /// The server of the mailboxes.
    pub(super) fn mailboxes(&self) -> &dyn Server {
        &self.dovecot
    }

    /// Waits until all that was taken is delivered.
    pub(super) fn wait_until_delivered(&self) -> Result<()> {
        for _ in 0..60_000 {
            if self.waiting()? == 0 {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        anyhow::bail!("Postfix does not empty its queue: {} wait", self.waiting()?)
    }

    fn waiting(&self) -> Result<usize> {
        let queues = WAITING.iter().map(|folder| self.running.dir.join("queue").join(folder));
        queues.map(|folder| files(&folder)).sum()
    }
}

/// Files below a folder; deferred mail lies in folders of its own.
fn files(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => count += files(&entry.path())?,
            Ok(_) => count += 1,
            // It has just been delivered.
            Err(_) => {}
        }
    }
    Ok(count)
}

impl Server for Postfix {
    fn name(&self) -> String {
        "Postfix + Dovecot LMTP".to_owned()
    }

    fn at(&self) -> Loopback {
        self.at
    }

    fn pid(&self) -> u32 {
        self.running.id()
    }

    fn cpu(&self) -> Result<Duration> {
        Ok(processes::cpu(self.running.id())? + self.dovecot.cpu()?)
    }
}

fn main_cf(root: &Path, dir: &Path, dovecot: Loopback) -> String {
    let lmtp = 24 + dovecot.port_offset;
    let (root, dir) = (root.display(), dir.display());
    format!(
        "compatibility_level = 3.6\nqueue_directory = {dir}/queue\ndata_directory = {dir}/data\n\
         meta_directory = {dir}/conf\ndaemon_directory = {root}/usr/lib/postfix/sbin\n\
         command_directory = {root}/usr/sbin\nshlib_directory = {root}/usr/lib/postfix\n\
         mail_owner = {OWNER}\nsetgid_group = {GROUP}\ninet_protocols = ipv4\n\
         myhostname = mail.office.test\nmydestination =\nalias_maps =\nalias_database =\n\
         local_recipient_maps =\nvirtual_mailbox_domains = office.test\n\
         virtual_mailbox_maps = static:all\nvirtual_transport = lmtp:inet:{}:{lmtp}\n\
         smtpd_relay_restrictions = reject_unauth_destination\n\
         smtpd_client_connection_count_limit = 0\nsmtpd_peername_lookup = no\n\
         maillog_file = {dir}/queue/log\nmaillog_file_prefixes = {dir}\n\
         import_environment = MAIL_CONFIG LANG=C LD_LIBRARY_PATH={root}/usr/lib/postfix\n\
         export_environment = LD_LIBRARY_PATH={root}/usr/lib/postfix\n",
        dovecot.address,
    )
}

fn master_cf(address: Ipv4Addr) -> String {
    let port = 25 + PORT_OFFSET;
    format!(
        "{address}:{port} inet n - n - 50 smtpd\ncleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\nrewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
         verify unix - - n - 1 verify\nflush unix n - n 1000? 0 flush\n\
         proxymap unix - - n - - proxymap\nerror unix - - n - - error\nretry unix - - n - - error\n\
         lmtp unix - - n - - lmtp\nanvil unix - - n - 1 anvil\n\
         postlog unix-dgram n - n - 1 postlogd\n"
    )
}
