//! `cargo xtask`: builds, runs, checks and measures the appliance. One file per command.
//!
//! Owns: how the image is put together, how the emulated box is started ([`qemu`]) and what
//! "checked" means. Must never need root for a build, install anything without saying so, or
//! know the name of a registry: Debian's packages come from the sources of the machine it runs
//! on, crates and npm packages from where cargo and npm are set up to fetch them.
//!
//! The tests depend on this library for [`qemu`] and [`daemon::daemon_binary`], so that they
//! drive the very files that are shipped.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to the person who started it"
)]

mod apt;
mod bench;
mod bios_boot;
pub mod board;
mod bom;
mod browser;
mod buildroot;
mod check;
mod clean;
pub mod daemon;
mod disk;
mod early_cpio;
mod esp;
mod fuzz;
mod grub;
mod host;
pub mod image;
mod interop;
mod kernel;
mod kernel_fragment;
mod node;
pub mod place;
pub mod qemu;
mod root;
mod run;
mod say;
mod sim;
mod sizes;
mod suite;
mod test;
mod tidy;
mod web_ui;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, runs, checks and measures Postroom")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the image and start it in QEMU
    Run(run::Options),
    /// Check everything, build the image, and test it: what CI runs
    Test(test::Options),
    /// Format, lints, house rules, unit tests and transcripts: before every commit
    Check(check::Options),
    /// Feed the parsers with what nobody would send: libFuzzer
    Fuzz(fuzz::Options),
    /// Build the disk image
    Image(image::Options),
    /// Measure against a named peer
    Bench(bench::Options),
    /// Prove on a simulated disk, or by kill -9, that the store loses nothing
    Sim(sim::Options),
    /// Show the size of the image and of its parts
    Sizes,
    /// Remove what the commands made; `--cache` also what they keep between builds
    Clean(clean::Options),
}

/// Reads the command line and runs the command.
///
/// # Errors
/// What went wrong, worded for the person at the keyboard.
pub fn main() -> anyhow::Result<()> {
    let place = place::Place::find()?;
    match Arguments::parse().command {
        Command::Run(options) => run::run(&place, &options),
        Command::Test(options) => test::test(&place, &options),
        Command::Check(options) => check::check(&place, &options),
        Command::Fuzz(options) => fuzz::fuzz(&place, &options),
        Command::Image(options) => image::command(&place, &options),
        Command::Bench(options) => bench::bench(&place, &options),
        Command::Sim(options) => sim::sim(&place, &options),
        Command::Sizes => sizes::sizes(&place),
        Command::Clean(options) => clean::clean(&place, &options),
    }
}
