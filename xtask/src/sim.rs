//! `cargo xtask sim`: the store on a simulated disk, many seeds at full speed; or the real daemon, killed
//! again and again under load.
//!
//! The same tests run with 1,000 seeds and 20 rounds in `cargo xtask test`.

use crate::place::Place;
use crate::suite::{cargo, tests_command};
use crate::{daemon, say};
use anyhow::{Result, bail};
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Only this one, as a failure names it
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// With `--seed`: print each call of the disk
    #[arg(long, requires = "seed")]
    trace: bool,
    /// How many at once; without it, one a core
    #[arg(long)]
    jobs: Option<u64>,
    /// Instead: so many rounds of kill -9 on the daemon that ships, under load of all kinds
    #[arg(long, value_name = "ROUNDS", conflicts_with_all = ["seeds", "seed", "first"])]
    kill: Option<u64>,
}

pub(crate) fn sim(place: &Place, options: &Options) -> Result<()> {
    let mut command = match options.kill {
        Some(rounds) => kill(place, rounds)?,
        None => simulation(place, options),
    };
    if !command.status()?.success() {
        bail!("something was lost or wrong; the seed above runs it again");
    }
    Ok(())
}

/// Optimised, with overflow checks and debug assertions: the profile `sim`.
fn simulation(place: &Place, options: &Options) -> Command {
    let mut command = cargo(place);
    command.args(["test", "--profile", "sim", "--package", "store", "--test", "sim"]);
    command.args(["--", "nothing_acknowledged_is_lost", "--nocapture"]);
    if let Some(seed) = options.seed {
        say::step(&format!("seed {seed}"));
        command.env("POSTROOM_SIM_SEED", seed.to_string());
    } else {
        say::step(&format!("{} seeds from {}", options.seeds, options.first));
        command.env("POSTROOM_SIM_SEEDS", options.seeds.to_string());
        command.env("POSTROOM_SIM_FIRST", options.first.to_string());
    }
    if let Some(jobs) = options.jobs {
        command.env("POSTROOM_SIM_JOBS", jobs.to_string());
    }
    if options.trace {
        command.env("POSTROOM_SIM_TRACE", "1");
    }
    command
}

fn kill(place: &Place, rounds: u64) -> Result<Command> {
    let daemon = daemon::daemon_binary(place)?;
    say::step(&format!("{rounds} rounds of kill -9"));
    let mut command = tests_command(place);
    command.env("POSTROOM_BIN", daemon).env("POSTROOM_KILL9_ROUNDS", rounds.to_string());
    command.args(["--", "kill9::", "--nocapture"]);
    Ok(command)
}
