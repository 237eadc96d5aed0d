//! `cargo xtask bench NAME`: one measurement, side by side with a named peer, as a ratio.
//!
//! A bench is a test of the `tests` member below `bench::`; it prints its own figures. It gets
//! the daemon that ships in `POSTROOM_BIN`, because a figure of another build says nothing; who
//! sets `POSTROOM_BIN` measures that one, and is told so.

use crate::apt::Apt;
use crate::host::{self, Need};
use crate::place::Place;
use crate::suite::tests_command;
use crate::{daemon, interop, say};
use anyhow::{Result, bail};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which one; without a name they are listed
    name: Option<String>,
    /// Connections (idle)
    #[arg(long)]
    connections: Option<u32>,
    /// Connections to the peer, which may need more memory for one (idle)
    #[arg(long)]
    peer_connections: Option<u32>,
    /// Messages in the mailbox (imap, limit)
    #[arg(long)]
    messages: Option<u32>,
    /// Deliveries (imap, delivery)
    #[arg(long)]
    deliveries: Option<u32>,
    /// Runs of which the median counts (imap, delivery)
    #[arg(long)]
    runs: Option<u32>,
}

/// What Dovecot takes.
const DOVECOT: &[Need] = &[
    Need { file: "/usr/lib/dovecot/imap", package: "dovecot-imapd" },
    Need { file: "/usr/lib/dovecot/lmtp", package: "dovecot-lmtpd" },
    Need { file: "/usr/bin/openssl", package: "openssl" },
    Need { file: "/usr/bin/prlimit", package: "util-linux" },
];

/// Cyrus and the libraries that it brings along; unpacked, never installed: it would remove Dovecot.
const CYRUS: &[&str] = &[
    "cyrus-common",
    "cyrus-imapd",
    "libical3",
    "libpcre3",
    "libsasl2-2",
    "libsasl2-modules",
    "libsasl2-modules-db",
    "libxapian30",
    "sasl2-bin",
];

/// Postfix, unpacked as well: its package would start one on port 25.
const POSTFIX: &[&str] = &["postfix", "libnsl2", "libdb5.3"];

/// slapd, unpacked too: its package would start one on port 389.
pub(crate) const SLAPD: &[&str] =
    &["slapd", "libldap-2.5-0", "libltdl7", "libsasl2-2", "libwrap0", "libnsl2", "libtirpc3"];
/// Where the tests look for it.
pub(crate) const SLAPD_AT: &str = "POSTROOM_SLAPD";

pub(crate) fn bench(place: &Place, options: &Options) -> Result<()> {
    let names = names(place)?;
    let Some(name) = &options.name else {
        say::step("benches (`cargo xtask bench NAME`)");
        if names.is_empty() {
            say::note("none yet");
        }
        names.iter().for_each(|name| println!("{name}"));
        return Ok(());
    };
    if !names.iter().any(|known| known == name) {
        bail!("there is no bench {name:?}; `cargo xtask bench` lists them");
    }
    let tools = if name == "ldap" { interop::LDAP } else { DOVECOT };
    host::ensure(&[tools])?;
    let daemon = match std::env::var_os("POSTROOM_BIN") {
        Some(given) => PathBuf::from(given),
        None => daemon::daemon_binary(place)?,
    };
    say::note(&format!("the daemon: {}", daemon.display()));
    let peer = match name.as_str() {
        "imap" => Some(("POSTROOM_BENCH_CYRUS", CYRUS)),
        "delivery" => Some(("POSTROOM_BENCH_POSTFIX", POSTFIX)),
        "ldap" => Some((SLAPD_AT, SLAPD)),
        _ => None,
    };
    let peer = peer.and_then(|(variable, names)| Some((variable, unpacked(place, names)?)));
    say::step(&format!("measuring {name}"));
    let status = tests_command(place)
        .env("POSTROOM_BIN", daemon)
        .envs(options.numbers())
        .envs(peer)
        .args(["--release", "--", "--ignored", "--exact", "--nocapture", "--test-threads=1"])
        .arg(format!("bench::{name}"))
        .status()?;
    if !status.success() {
        bail!("{name} failed");
    }
    Ok(())
}

impl Options {
    /// The given numbers, as the benches read them.
    fn numbers(&self) -> Vec<(&'static str, String)> {
        [
            ("POSTROOM_BENCH_CONNECTIONS", self.connections),
            ("POSTROOM_BENCH_PEER_CONNECTIONS", self.peer_connections),
            ("POSTROOM_BENCH_MESSAGES", self.messages),
            ("POSTROOM_BENCH_DELIVERIES", self.deliveries),
            ("POSTROOM_BENCH_RUNS", self.runs),
        ]
        .into_iter()
        .filter_map(|(name, number)| Some((name, number?.to_string())))
        .collect()
    }
}

/// Where a peer's packages are unpacked; without it the bench goes on, and says so.
pub(crate) fn unpacked(place: &Place, names: &[&str]) -> Option<String> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let fetched = place.lock_cache().and_then(|_lock| Apt::open(place)?.fetch(&names));
    match fetched {
        Ok(packages) => {
            let roots: Vec<String> =
                packages.iter().map(|package| package.root.display().to_string()).collect();
            Some(roots.join(":"))
        }
        Err(error) => {
            say::note(&format!("without {}: {error:#}", names.join(" ")));
            None
        }
    }
}

fn names(place: &Place) -> Result<Vec<String>> {
    let output = tests_command(place)
        .args(["--release", "--", "--ignored", "--list", "--format=terse"])
        .output()?;
    if !output.status.success() {
        bail!("the tests do not build:\n{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text
        .lines()
        .filter_map(|line| line.strip_suffix(": test")?.strip_prefix("bench::"))
        .map(str::to_owned)
        .collect())
}
