//! `cargo xtask bench NAME`: one measurement, side by side with a named peer, as a ratio.
//!
//! A bench is a test of the `tests` member below `bench::`; it prints its own figures. It gets
//! the daemon that ships in `POSTROOM_BIN`, because a figure of another build says nothing.

use crate::place::Place;
use crate::suite::tests_command;
use crate::{daemon, say};
use anyhow::{Result, bail};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which one; without a name they are listed
    name: Option<String>,
}

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
    let daemon = daemon::daemon_binary(place)?;
    say::step(&format!("measuring {name}"));
    let status = tests_command(place)
        .env("POSTROOM_BIN", daemon)
        .args(["--release", "--", "--ignored", "--exact", "--nocapture", "--test-threads=1"])
        .arg(format!("bench::{name}"))
        .status()?;
    if !status.success() {
        bail!("{name} failed");
    }
    Ok(())
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
