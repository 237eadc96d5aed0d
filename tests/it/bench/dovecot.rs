//! Dovecot as a process of its own: own configuration, own directories, own address; nothing of the
//! machine's own Dovecot is touched.
//!
//! It needs root, as its login processes change their user. Accounts share a user id by the hundred
//! connections: the kernel allows 128 inotify instances a user, and an idle connection holds one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use testkit::Loopback;
use testkit::daemon::{PORT_OFFSET, fresh_address};

use super::server::{Running, Server, account, login, password};

/// User ids that nobody has.
const FIRST_UID: usize = 30_000;
/// Connections that may share a user id.
const CONNECTIONS_PER_UID: usize = 100;

/// How idle connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// A process each, as it comes.
    Processes,
    /// All in the imap-hibernate process.
    Hibernated,
}

#[derive(Debug)]
pub(super) struct Dovecot {
    running: Running,
    at: Loopback,
    idle: Idle,
}

impl Dovecot {
    /// Starts it with mdbox mailboxes for so many accounts, each with so many connections.
    pub(super) fn start(accounts: usize, per_account: usize, idle: Idle) -> Result<Self> {
        ensure!(
            Path::new("/usr/sbin/dovecot").exists(),
            "Dovecot is missing: start this by `cargo xtask bench`"
        );
        let address = fresh_address();
        let dir = std::env::temp_dir().join(format!("postroom-bench-dovecot-{address}"));
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(dir.join("home"))?;
        certificate(&dir)?;
        let mut users = String::new();
        for n in 0..accounts {
            let name = account(n);
            let uid = FIRST_UID + n * per_account.max(1) / CONNECTIONS_PER_UID;
            let home = dir.join("home").join(&name);
            fs::create_dir(&home)?;
            std::os::unix::fs::chown(&home, Some(u32::try_from(uid)?), Some(u32::try_from(uid)?))?;
            users.push_str(&format!(
                "{}:{{PLAIN}}{}:{uid}:{uid}::{}::\n",
                login(&name),
                password(&name),
                home.display()
            ));
        }
        fs::write(dir.join("users"), users)?;
        let file = dir.join("dovecot.conf");
        let connections = accounts * per_account + 100;
        fs::write(&file, configuration(&dir, &address.to_string(), connections, idle))?;
        let child = Command::new("/usr/sbin/dovecot")
            .args(["-F", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(fs::File::create(dir.join("stderr"))?)
            .spawn()
            .context("cannot start Dovecot")?;
        let mut running = Running::new(child, &dir);
        let at = Loopback { address: address.into(), port_offset: PORT_OFFSET };
        running.wait_for(at, 143, &dir.join("log"))?;
        Ok(Self { running, at, idle })
    }
}

impl Server for Dovecot {
    fn name(&self) -> String {
        match self.idle {
            Idle::Processes => "Dovecot".to_owned(),
            Idle::Hibernated => "Dovecot, hibernated".to_owned(),
        }
    }

    fn at(&self) -> Loopback {
        self.at
    }

    fn pid(&self) -> u32 {
        self.running.id()
    }
}

/// A certificate as ours: an elliptic curve key, signed by itself.
fn certificate(dir: &Path) -> Result<()> {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args([
            "-days",
            "30",
            "-subj",
            "/CN=mail.office.test",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(dir)
        .stderr(Stdio::null())
        .status()
        .context("cannot start openssl")?;
    ensure!(made.success(), "openssl makes no certificate");
    Ok(())
}

fn configuration(dir: &Path, address: &str, connections: usize, idle: Idle) -> String {
    let dir = dir.display();
    let [lmtp, imap, imaps] = [24, 143, 993].map(|port| port + PORT_OFFSET);
    let hibernate = match idle {
        Idle::Processes => String::new(),
        Idle::Hibernated => format!(
            "imap_hibernate_timeout = 1s\n\
             service imap-hibernate {{\n client_limit = {connections}\n\
              unix_listener imap-hibernate {{\n mode = 0666\n }}\n}}\n"
        ),
    };
    format!(
        "base_dir = {dir}/run\nstate_dir = {dir}/state\nlog_path = {dir}/log\n\
         protocols = imap lmtp\nlisten = {address}\nmail_location = mdbox:~/mdbox\n\
         first_valid_uid = 1000\nfirst_valid_gid = 1000\nmail_max_userip_connections = 100000\n\
         disable_plaintext_auth = no\nauth_verbose = no\nverbose_proctitle = no\n\
         default_process_limit = {connections}\ndefault_client_limit = {clients}\n\
         ssl = yes\nssl_cert = <{dir}/cert.pem\nssl_key = <{dir}/key.pem\n\
         passdb {{\n driver = passwd-file\n args = scheme=PLAIN {dir}/users\n}}\n\
         userdb {{\n driver = passwd-file\n args = {dir}/users\n}}\n\
         namespace inbox {{\n inbox = yes\n separator = /\n}}\n\
         service imap-login {{\n service_count = 0\n process_min_avail = 2\n process_limit = 2\n\
          client_limit = {connections}\n vsz_limit = 0\n\
          inet_listener imap {{\n address = {address}\n port = {imap}\n }}\n\
          inet_listener imaps {{\n address = {address}\n port = {imaps}\n ssl = yes\n }}\n}}\n\
         service imap {{\n process_limit = {connections}\n vsz_limit = 0\n\
          unix_listener imap-master {{\n user = dovecot\n mode = 0666\n }}\n}}\n\
         service lmtp {{\n process_min_avail = 4\n\
          inet_listener lmtp {{\n address = {address}\n port = {lmtp}\n }}\n}}\n{hibernate}",
        clients = connections * 4,
    )
}
