//! `cargo xtask check`: what must hold before every commit; minutes, not an hour.

use crate::place::Place;
use crate::suite::{Suite, cargo, count_tests, tests_command};
use crate::{host, tidy, web_ui};
use anyhow::{Result, bail};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this step: fmt, tidy, clippy, unit, transcripts or web-ui
    #[arg(long, value_name = "STEP")]
    only: Option<String>,
}

pub(crate) fn check(place: &Place, options: &Options) -> Result<()> {
    let mut suite = Suite::new(options.only.as_deref());
    steps(place, &mut suite);
    suite.counted("transcripts", || {
        let mut command = tests_command(place);
        command.args(["--", "transcripts::"]);
        count_tests(command)
    });
    suite.finish()
}

/// What is checked without a daemon; also the first part of `cargo xtask test`, which plays
/// the transcripts against the daemon that ships.
pub(crate) fn steps(place: &Place, suite: &mut Suite) {
    suite.step("tools", || host::ensure(&[host::DAEMON_TOOLS]));
    suite.step("fmt", || run(place, &["fmt", "--all", "--check"]));
    suite.counted("tidy", || tidy::tidy(place));
    suite.step("clippy", || {
        run(place, &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
    });
    suite.counted("unit", || {
        let mut command = cargo(place);
        command.args(["test", "--workspace", "--exclude", "postroom-tests"]);
        count_tests(command)
    });
    suite.step("web-ui", || {
        if web_ui::prepare(place)? {
            web_ui::npm(place, "check")?;
        }
        Ok(())
    });
}

fn run(place: &Place, arguments: &[&str]) -> Result<()> {
    let status = cargo(place).args(arguments).status()?;
    if !status.success() {
        bail!("cargo {} found something", arguments.first().unwrap_or(&""));
    }
    Ok(())
}
