//! `cargo xtask fuzz`: libFuzzer over the targets of `tests/fuzz`, guided by the edges that our crates
//! take.
//!
//! Works with the stable compiler (see `tests/fuzz/rustc.sh`). The corpus of a run is under `target/fuzz`;
//! what is kept in `tests/fuzz/corpus` is its minimised form, rewritten by `--keep`.

#[path = "../../tests/fuzz/src/text.rs"]
#[allow(unreachable_pub, reason = "the same file is a module of the targets")]
mod text;

use crate::place::Place;
use crate::suite::{Count, cargo};
use crate::{host, say};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// What a target may use, MB.
const MEMORY_MB: u32 = 1024;
/// How long one input may take, seconds; the machines are shared.
const INPUT_SECS: u32 = 25;
/// Longest input that libFuzzer makes; the targets have their own limits below.
const LEN_MAX: u32 = 4096;
/// What is kept of a corpus in the repository, bytes of text.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// How long each target runs in `cargo xtask test`, seconds.
const SMOKE_SECS: u64 = 10;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A target: the name of a file in tests/fuzz/corpus
    target: Option<String>,
    /// All targets, one after another on each core
    #[arg(long)]
    all: bool,
    /// How long each runs, seconds
    #[arg(long, default_value_t = 60)]
    secs: u64,
    /// Minimise what was found into tests/fuzz/corpus
    #[arg(long)]
    keep: bool,
}

pub(crate) fn fuzz(place: &Place, options: &Options) -> Result<()> {
    let all = targets(place)?;
    let wanted = match (&options.target, options.all) {
        (Some(name), false) if all.contains(name) => vec![name.clone()],
        (None, true) => all,
        _ => bail!("name a target ({}) or --all", all.join(", ")),
    };
    let program = build(place)?;
    let count = run_all(place, &program, &wanted, options.secs)?;
    anyhow::ensure!(count.failed == 0, "{} of {} targets failed", count.failed, wanted.len());
    if options.keep {
        wanted.iter().try_for_each(|name| keep(place, &program, name))?;
    }
    Ok(())
}

/// Every target for a short time.
pub(crate) fn smoke(place: &Place) -> Result<Count> {
    let program = build(place)?;
    run_all(place, &program, &targets(place)?, SMOKE_SECS)
}

fn home(place: &Place) -> PathBuf {
    place.root.join("tests/fuzz")
}

/// The targets: each has a stored corpus.
fn targets(place: &Place) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(home(place).join("corpus"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn build(place: &Place) -> Result<PathBuf> {
    host::ensure(&[host::DAEMON_TOOLS])?;
    say::step("building the fuzz targets");
    let built = cargo(place)
        .args(["build", "--package", "postroom-fuzz", "--bin", "fuzz", "--message-format", "json"])
        .env("RUSTC_WORKSPACE_WRAPPER", home(place).join("rustc.sh"))
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        bail!("the fuzz targets do not build");
    }
    let text = String::from_utf8_lossy(&built.stdout);
    let program = text.lines().filter_map(|line| line.split("\"executable\":\"").nth(1));
    let program = program.filter_map(|rest| rest.split('"').next()).next_back();
    Ok(PathBuf::from(program.context("cargo names no executable")?))
}

/// Runs targets side by side on the cores there are.
fn run_all(place: &Place, program: &Path, names: &[String], secs: u64) -> Result<Count> {
    let waiting = Mutex::new(names.to_vec());
    let count = Mutex::new(Count::default());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(names.len()) {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().map(|mut waiting| waiting.pop()).unwrap_or_default();
                    let Some(name) = next else { return };
                    let outcome = run(place, program, &name, secs);
                    if let Err(error) = &outcome {
                        eprintln!("{name}: {error:#}");
                    }
                    if let Ok(mut count) = count.lock() {
                        count.passed += u64::from(outcome.is_ok());
                        count.failed += u64::from(outcome.is_err());
                    }
                }
            });
        }
    });
    count.into_inner().map_err(|_| anyhow::anyhow!("a run of the fuzzer broke down"))
}

/// Where the runs of a target keep what they find.
fn scratch(place: &Place, name: &str) -> PathBuf {
    place.target.join("fuzz").join(name)
}

fn run(place: &Place, program: &Path, name: &str, secs: u64) -> Result<()> {
    let scratch = scratch(place, name);
    let (corpus, findings) = (scratch.join("corpus"), scratch.join("findings"));
    fs::create_dir_all(&corpus)?;
    fs::remove_dir_all(&findings).ok();
    fs::create_dir_all(&findings)?;
    for (n, seed) in seeds(place, name)?.into_iter().enumerate() {
        fs::write(corpus.join(format!("seed-{n}")), seed)?;
    }
    let mut command = program_for(program, name);
    command.arg(&corpus).arg(format!("-max_total_time={secs}"));
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    let dictionary = home(place).join("dict").join(format!("{name}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    let done = command.output()?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if done.status.success() {
        let last = said.lines().rev().find(|line| line.contains("DONE")).unwrap_or("no word");
        let runs = said.lines().rev().find(|line| line.starts_with("Done ")).unwrap_or_default();
        println!("{name:>16}: {runs}; {}", last.trim());
        return Ok(());
    }
    let tail: Vec<&str> = said.lines().rev().take(40).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    println!("{}", tail.join("\n"));
    for entry in fs::read_dir(&findings)? {
        let path = entry?.path();
        println!("{}\n{}", path.display(), text::escape(&fs::read(&path)?));
    }
    bail!("found something; put the line above into tests/fuzz/regressions/{name}.txt")
}

fn program_for(program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command.env("POSTROOM_FUZZ", name);
    command.arg(format!("-rss_limit_mb={MEMORY_MB}")).arg(format!("-timeout={INPUT_SECS}"));
    command.arg(format!("-max_len={LEN_MAX}"));
    command
}

/// What a run begins with: the stored corpus, what once failed, and what the tests say anyway.
fn seeds(place: &Place, name: &str) -> Result<BTreeSet<Vec<u8>>> {
    let mut seeds = BTreeSet::new();
    for folder in ["corpus", "regressions"] {
        let file = home(place).join(folder).join(format!("{name}.txt"));
        if let Ok(text) = fs::read_to_string(&file) {
            let inputs = text::inputs(&text)
                .map_err(|n| anyhow::anyhow!("{}: line {n} is no input", file.display()))?;
            seeds.extend(inputs);
        }
    }
    let tests = place.root.join("tests");
    let protocol = name.split('_').next().unwrap_or_default();
    for file in files(&tests.join("transcripts").join(protocol)) {
        let said = client_lines(&fs::read_to_string(&file)?);
        if name.ends_with("_session") {
            seeds.insert(said.concat());
        } else {
            seeds.extend(said);
        }
    }
    if matches!(name, "mime" | "lines" | "smtp_data") {
        for folder in ["rfc", "malformed", "outlook"] {
            for file in files(&tests.join("messages").join(folder)) {
                // The first byte chooses the size of the pieces.
                let mut seed = vec![60];
                seed.extend(fs::read(&file)?.into_iter().take(LEN_MAX as usize - 1));
                seeds.insert(seed);
            }
        }
    }
    Ok(seeds)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "txt" || e == "eml"));
    files
}

/// What the clients of a transcript say.
fn client_lines(transcript: &str) -> Vec<Vec<u8>> {
    let mut said = Vec::new();
    for line in transcript.lines() {
        let Some(rest) = line.strip_prefix('C') else { continue };
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if let Some(text) = rest.strip_prefix(": ").filter(|text| *text != "<eof>") {
            said.push(format!("{text}\r\n").into_bytes());
        } else if let Some(bytes) = rest.strip_prefix("> ").and_then(text::unescape) {
            said.push(bytes);
        }
    }
    said
}

/// Minimises the corpus of the runs into the repository.
fn keep(place: &Place, program: &Path, name: &str) -> Result<()> {
    let scratch = scratch(place, name);
    let small = scratch.join("small");
    fs::remove_dir_all(&small).ok();
    fs::create_dir_all(&small)?;
    let mut command = program_for(program, name);
    command.arg("-merge=1").arg(&small).arg(scratch.join("corpus"));
    let done = command.output()?;
    if !done.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&done.stderr));
    }
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&small)? {
        inputs.push(fs::read(entry?.path())?);
    }
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let mut kept = String::new();
    let mut count = 0;
    for input in &inputs {
        let line = text::escape(input);
        if kept.len() + line.len() < KEPT_BYTES_MAX && !line.is_empty() {
            kept.push_str(&line);
            kept.push('\n');
            count += 1;
        }
    }
    fs::write(home(place).join("corpus").join(format!("{name}.txt")), kept)?;
    println!("{name:>16}: {count} of {} inputs kept", inputs.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn clients_are_heard_in_transcripts() {
        let transcript = "# C1: no\naccount anna\nC1: a NOOP\nS1: a OK …\nC2> x\\r\\n\nC1: <eof>\n";
        assert_eq!(super::client_lines(transcript), [b"a NOOP\r\n".to_vec(), b"x\r\n".to_vec()]);
    }
}
