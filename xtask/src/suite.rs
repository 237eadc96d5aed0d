//! A row of steps: each is run, timed and counted, and the sum decides.
//!
//! A failed step does not stop the ones that do not need it: one run shows all that is wrong.

use crate::place::Place;
use crate::say;
use anyhow::Result;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a step found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

struct Finished {
    name: &'static str,
    count: Count,
    took: Duration,
    note: String,
}

/// The steps that were run.
#[derive(Default)]
pub(crate) struct Suite {
    only: Option<String>,
    finished: Vec<Finished>,
}

impl Suite {
    /// With a name, the other steps are left out.
    pub(crate) fn new(only: Option<&str>) -> Self {
        Self { only: only.map(str::to_owned), finished: Vec::new() }
    }

    /// Whether a step is to be run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    /// Runs a step that either passes or fails.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> bool {
        self.counted(name, || work().map(|()| Count { passed: 1, failed: 0 }))
    }

    /// Runs a step that counts. Answers whether nothing failed.
    pub(crate) fn counted(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<Count>,
    ) -> bool {
        if !self.wants(name) {
            return true;
        }
        self.run(name, work)
    }

    /// Runs a step that others need, wanted by name or not.
    pub(crate) fn needed(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> bool {
        self.run(name, || work().map(|()| Count { passed: 1, failed: 0 }))
    }

    fn run(&mut self, name: &'static str, work: impl FnOnce() -> Result<Count>) -> bool {
        say::step(&format!("[{name}]"));
        let start = Instant::now();
        let (count, note) = match work() {
            Ok(count) => (count, String::new()),
            Err(error) => {
                eprintln!("{error:#}");
                let first = error.to_string().lines().next().unwrap_or_default().to_owned();
                (Count { passed: 0, failed: 1 }, first)
            }
        };
        self.finished.push(Finished { name, count, took: start.elapsed(), note });
        count.failed == 0
    }

    /// Counts a step as failed because one that it needs has failed.
    pub(crate) fn skip(&mut self, name: &'static str, needs: &str) {
        if !self.wants(name) {
            return;
        }
        let count = Count { passed: 0, failed: 1 };
        let note = format!("not run: it needs {needs}");
        self.finished.push(Finished { name, count, took: Duration::ZERO, note });
    }

    /// Prints the summary; fails when anything has.
    pub(crate) fn finish(self) -> Result<()> {
        let names = self.only.as_deref().unwrap_or_default();
        anyhow::ensure!(!self.finished.is_empty(), "there is no step {names:?}");
        println!();
        let mut sum = Count::default();
        for step in &self.finished {
            let word = if step.count.failed == 0 { "ok" } else { "FAILED" };
            println!(
                "{word:>6}  {:<12} {:>6.1} s  {} passed, {} failed  {}",
                step.name,
                step.took.as_secs_f64(),
                step.count.passed,
                step.count.failed,
                step.note
            );
            sum.passed += step.count.passed;
            sum.failed += step.count.failed;
        }
        println!("\n{} passed, {} failed", sum.passed, sum.failed);
        anyhow::ensure!(sum.failed == 0, "not everything passed");
        Ok(())
    }
}

/// `cargo test` of the member `tests`.
pub(crate) fn tests_command(place: &Place) -> Command {
    let mut command = cargo(place);
    command.args(["test", "--package", "postroom-tests"]);
    command
}

/// `cargo`, standing in the repository.
pub(crate) fn cargo(place: &Place) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&place.root);
    command
}

/// Runs a `cargo test`, shows what it prints and counts its tests.
pub(crate) fn count_tests(mut command: Command) -> Result<Count> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut count = Count::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            add_result_line(&mut count, &line);
        }
    }
    // A test binary that does not build, or dies, has no result line.
    if !child.wait()?.success() && count.failed == 0 {
        count.failed = 1;
    }
    // A filter that finds nothing would pass for ever.
    anyhow::ensure!(count.passed + count.failed > 0, "there is no such test");
    Ok(count)
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`
fn add_result_line(count: &mut Count, line: &str) {
    let Some(result) = line.strip_prefix("test result: ") else { return };
    let words: Vec<&str> = result.split_whitespace().collect();
    for pair in words.windows(2) {
        let [number, word] = pair else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match *word {
            "passed;" => count.passed += number,
            "failed;" => count.failed += number,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Suite, add_result_line};

    #[test]
    fn result_lines_add_up() {
        let mut count = Count::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out",
            "test a::b ... ok",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            add_result_line(&mut count, line);
        }
        assert_eq!(count, Count { passed: 13, failed: 2 });
    }

    #[test]
    fn one_failed_step_fails_the_suite_and_not_the_next_step() {
        let mut suite = Suite::default();
        assert!(!suite.step("one", || anyhow::bail!("broken")));
        assert!(suite.step("two", || Ok(())));
        assert!(suite.finish().is_err());
        let mut suite = Suite::default();
        suite.skip("three", "two");
        assert!(suite.finish().is_err());
    }
}
