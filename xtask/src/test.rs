//! `cargo xtask test`: everything, from a fresh clone. What CI runs.
//!
//! The tests get the files that ship: `POSTROOM_BIN` is the static daemon and
//! `POSTROOM_IMAGE` the image it is in.

use crate::place::Place;
use crate::suite::{Suite, count_tests, tests_command};
use crate::{check, daemon, host, image, interop};
use anyhow::Result;
use clap::ValueEnum;
use std::cell::RefCell;
use std::path::PathBuf;

/// The parts that `--only` can name.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Format, lints, house rules, unit tests, web UI
    Check,
    /// Transcripts and all other tests against `postroomd serve`
    Daemon,
    /// The image is built
    Image,
    /// The image in QEMU
    Boot,
    /// The web UI in a browser
    Browser,
    /// Real mail clients
    Interop,
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this part (and what it needs to be built)
    #[arg(long, value_enum)]
    only: Option<Step>,
}

pub(crate) fn test(place: &Place, options: &Options) -> Result<()> {
    let wanted = |step: Step| options.only.is_none_or(|only| only == step);
    let mut suite = Suite::default();
    if wanted(Step::Check) {
        check::steps(place, &mut suite);
    }
    if options.only == Some(Step::Check) {
        return suite.finish();
    }
    let built = RefCell::new(None);
    let has_daemon = suite.step("daemon", || {
        *built.borrow_mut() = Some(daemon::daemon_binary(place)?);
        Ok(())
    });
    let daemon = built.borrow().clone();
    let needs_image = wanted(Step::Image) || wanted(Step::Boot);
    let has_image = needs_image && has_daemon && suite.step("image", || build_image(place));
    // Everything that is not named otherwise runs against the daemon; the rest is skipped there.
    let others = ["boot::", "browser::", "interop::", "bench::"];
    for (step, name, only) in [
        (Step::Daemon, "served", None),
        (Step::Boot, "boot", Some("boot::")),
        (Step::Browser, "browser", Some("browser::")),
        (Step::Interop, "interop", Some("interop::")),
    ] {
        if !wanted(step) {
            continue;
        }
        let Some(daemon) = &daemon else {
            suite.skip(name, "the daemon");
            continue;
        };
        if step == Step::Boot && !has_image {
            suite.skip(name, "the image");
            continue;
        }
        suite.counted(name, || {
            if step == Step::Boot {
                host::ensure(&[host::QEMU])?;
            }
            let mut command = command(place, daemon, only, &others);
            if step == Step::Interop {
                command.env("POSTROOM_PYTHON", interop::prepare(place)?);
            }
            count_tests(command)
        });
    }
    suite.finish()
}

fn build_image(place: &Place) -> Result<()> {
    image::build(place).map(|_| ())
}

fn command(
    place: &Place,
    daemon: &PathBuf,
    only: Option<&str>,
    others: &[&str],
) -> std::process::Command {
    let mut command = tests_command(place);
    command.env("POSTROOM_BIN", daemon).env("POSTROOM_IMAGE", image::path(place));
    command.arg("--");
    match only {
        // Emulated boxes and browsers side by side would only slow each other down.
        Some(area) => command.args([area, "--test-threads=1"]),
        None => command.args(others.iter().flat_map(|area| ["--skip", area])),
    };
    command
}
