//! `cargo xtask test`: everything, from a fresh clone. What CI runs.
//!
//! The tests get the files that ship: `POSTROOM_BIN` is the static daemon and
//! `POSTROOM_IMAGE` the image it is in.

use crate::place::Place;
use crate::suite::{Suite, count_tests, tests_command};
use crate::{bench, browser, check, daemon, fuzz, host, image, interop};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The areas of the test binary that need more than the daemon; each is a step of its own.
const AREAS: [(&str, &str); 4] =
    [("boot", "boot::"), ("browser", "browser::"), ("interop", "interop::"), ("slapd", "slapd::")];
/// Measurements are no tests: `cargo xtask bench`.
const BENCH: &str = "bench::";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this step (and what it needs): one of `check`'s, or fuzz, daemon, served, image, boot,
    /// browser, interop, slapd
    #[arg(long, value_name = "STEP")]
    only: Option<String>,
}

pub(crate) fn test(place: &Place, options: &Options) -> Result<()> {
    let mut suite = Suite::new(options.only.as_deref());
    check::steps(place, &mut suite);
    suite.counted("fuzz", || fuzz::smoke(place));
    let wants_image = suite.wants("image") || suite.wants("boot");
    let names = ["daemon", "served", "browser", "interop", "slapd"];
    if wants_image || names.iter().any(|name| suite.wants(name)) {
        shipped(place, &mut suite, wants_image);
    }
    suite.finish()
}

/// The steps that need the daemon that ships.
fn shipped(place: &Place, suite: &mut Suite, wants_image: bool) {
    let mut daemon = PathBuf::new();
    let has_daemon = suite.needed("daemon", || {
        daemon = daemon::daemon_binary(place)?;
        Ok(())
    });
    if !has_daemon {
        for name in ["served", "image", "boot", "browser", "interop", "slapd"] {
            suite.skip(name, "the daemon");
        }
        return;
    }
    suite.counted("served", || {
        host::ensure(&[interop::LDAP])?;
        let mut command = command(place, &daemon);
        let skipped = AREAS.iter().map(|(_, area)| *area).chain([BENCH]);
        command.args(skipped.flat_map(|area| ["--skip", area]));
        count_tests(command)
    });
    let has_image = wants_image && suite.needed("image", || image::build(place).map(|_| ()));
    for (name, area) in AREAS {
        if name == "boot" && wants_image && !has_image {
            suite.skip(name, "the image");
            continue;
        }
        suite.counted(name, || {
            if name == "boot" {
                host::ensure(&[host::QEMU])?;
            }
            let mut command = command(place, &daemon);
            // Emulated boxes and browsers side by side would only slow each other down.
            command.args([area, "--test-threads=1"]);
            if name == "browser" {
                command.env("PATH", browser::prepare(place)?);
            }
            if name == "interop" {
                command.env("POSTROOM_PYTHON", interop::prepare(place)?);
            }
            if name == "slapd" {
                let roots = interop::slapd(place)?;
                command.env(bench::SLAPD_AT, roots);
            }
            count_tests(command)
        });
    }
}

fn command(place: &Place, daemon: &Path) -> std::process::Command {
    let mut command = tests_command(place);
    command.env("POSTROOM_BIN", daemon).env("POSTROOM_IMAGE", image::path(place));
    command.arg("--");
    command
}
