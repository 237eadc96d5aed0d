//! The real clients that the tests drive: installed, and the Python that drives Thunderbird.

use crate::bench;
use crate::host::{self, Need};
use crate::place::Place;
use crate::say;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The clients, and what they need.
const CLIENTS: &[Need] = &[
    Need { file: "/usr/bin/swaks", package: "swaks" },
    Need { file: "/usr/share/perl5/IO/Socket/SSL.pm", package: "libio-socket-ssl-perl" },
    Need { file: "/usr/bin/mbsync", package: "isync" },
    Need { file: "/usr/bin/curl", package: "curl" },
    Need { file: "/usr/bin/shelldap", package: "shelldap" },
    Need { file: "/usr/bin/fetchmail", package: "fetchmail" },
    Need { file: "/usr/bin/openssl", package: "openssl" },
    Need { file: "/usr/bin/thunderbird", package: "thunderbird" },
    Need { file: "/usr/bin/python3", package: "python3" },
    Need { file: "/usr/share/doc/python3-venv", package: "python3-venv" },
];

/// The tools that look at the directory.
pub(crate) const LDAP: &[Need] = &[
    Need { file: "/usr/bin/ldapsearch", package: "ldap-utils" },
    Need { file: "/usr/share/doc/libsasl2-modules", package: "libsasl2-modules" },
];

/// Installs the clients; answers the Python interpreter that has Marionette's driver.
///
/// # Errors
/// When a package cannot be had.
pub(crate) fn prepare(place: &Place) -> Result<PathBuf> {
    host::ensure(&[CLIENTS])?;
    let venv = place.cache.join("interop-python");
    let python = venv.join("bin/python");
    let requirements = place.root.join("tests/interop/requirements.txt");
    if !has_driver(&python) {
        say::step("installing Thunderbird's driver (Marionette) into a Python of its own");
        run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(&requirements))?;
    }
    Ok(python)
}

/// Installs ldap-utils and unpacks slapd; answers the folders that it was unpacked into.
///
/// # Errors
/// When a package cannot be had.
pub(crate) fn slapd(place: &Place) -> Result<String> {
    host::ensure(&[LDAP])?;
    bench::unpacked(place, bench::SLAPD).context("without slapd there is nothing to compare with")
}

fn has_driver(python: &Path) -> bool {
    python.exists()
        && Command::new(python)
            .args(["-c", "import marionette_driver"])
            .status()
            .is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<()> {
    if !command.status()?.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}
