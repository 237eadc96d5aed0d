//! Many seeds, the seeds that failed once, and the proof that the simulation can fail.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::content::Contents;
use crate::disk::Lie;
use crate::life::{self, Tally};

/// Seeds of a normal test run.
const SEEDS: u64 = 1_000;
/// A store that answers nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Failing seeds after which a run ends.
const FAILURES_MAX: usize = 5;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one seed; an error says what was lost or wrong.
fn one(seed: u64, contents: &Contents, lie: Option<Lie>) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let lives = Box::pin(life::run(seed, contents, lie));
    let work = || runtime.block_on(async { tokio::time::timeout(PATIENCE, lives).await });
    let outcome = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err("it hangs".to_owned()),
        Err(_) => Err("it panicked".to_owned()),
    };
    runtime.shutdown_background();
    outcome
}

/// Runs seeds on several threads; returns the failures by seed.
fn many(first: u64, count: u64, lie: Option<Lie>) -> (Tally, BTreeMap<u64, String>) {
    let contents = Contents::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let jobs = number("POSTROOM_SIM_JOBS").unwrap_or(cores).max(1);
    let next = AtomicU64::new(first);
    let sum = Mutex::new((Tally::default(), BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || sum.lock().unwrap().1.len() >= FAILURES_MAX {
                        return;
                    }
                    let outcome = one(seed, &contents, lie);
                    let mut sum = sum.lock().unwrap();
                    match outcome {
                        Ok(tally) => sum.0.add(&tally),
                        Err(e) => {
                            if lie.is_none() {
                                println!("seed {seed}: {e}\nagain: cargo xtask sim --seed {seed}");
                            }
                            sum.1.insert(seed, e);
                        }
                    }
                    let done = seed - first;
                    if done > 0 && done.is_multiple_of(1_000) {
                        println!("{done} of {count} seeds, {} failed", sum.1.len());
                    }
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

/// `POSTROOM_SIM_SEED` runs one seed, `POSTROOM_SIM_SEEDS` that many from `POSTROOM_SIM_FIRST` (1),
/// `POSTROOM_SIM_JOBS` at once; `POSTROOM_SIM_TRACE` prints each call of the disk.
#[test]
fn nothing_acknowledged_is_lost() {
    let one_seed = number("POSTROOM_SIM_SEED");
    let first = one_seed.or_else(|| number("POSTROOM_SIM_FIRST")).unwrap_or(1);
    let count = match one_seed {
        Some(_) => 1,
        None => number("POSTROOM_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let (tally, failures) = many(first, count, None);
    let seeds: Vec<_> = failures.keys().collect();
    println!("{count} seeds from {first}: {} failed; {tally:?}", failures.len());
    assert!(failures.is_empty(), "seeds {seeds:?}");
}

/// Seeds that found something once, one a line: number, and what it was.
#[test]
fn seeds_that_failed_once_do_not_fail_again() {
    let contents = Contents::new();
    for line in include_str!("seeds.txt").lines().filter(|line| !line.starts_with('#')) {
        let seed = line.split_whitespace().next().unwrap().parse().unwrap();
        if let Err(e) = one(seed, &contents, None) {
            panic!("seed {seed}: {e}");
        }
    }
}

/// The negative control: a disk that lies loses mail, and the simulation must find it. If it does not, its
/// silence about the store is worth nothing.
#[test]
fn a_disk_that_lies_is_found_out() {
    for lie in [Lie::FileSync(1), Lie::FileSync(7), Lie::FolderSync] {
        let (_, failures) = many(1, 150, Some(lie));
        assert!(!failures.is_empty(), "{lie:?} was not noticed in 150 seeds");
        println!("{lie:?}: found by seed {}", failures.keys().next().unwrap());
    }
}
