//! What a server costs: the memory (PSS) and the CPU time of a process and all that descend from it.
//!
//! RSS counts shared pages once per process, PSS once in all; a server of ten thousand processes is only
//! to be told by PSS. CPU time is the processes' own clocks (nanoseconds) and, for those that ended
//! meanwhile, what their parents were told (ticks).

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// Fields of `/proc/PID/stat` behind the name, counted from 0: state is the first.
const PARENT: usize = 1;
const CHILDREN_USER: usize = 13;
const CHILDREN_SYSTEM: usize = 14;
/// Linux shows times in hundredths of a second, whatever its own clock.
const TICK: Duration = Duration::from_millis(10);

/// The fields of a process, or nothing if it is gone.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
}

/// `root` and its descendants.
pub(super) fn tree(root: u32) -> Result<Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let parent = stat(pid).and_then(|fields| fields.get(PARENT).copied());
        if let Some(parent) = parent.and_then(|parent| u32::try_from(parent).ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        found.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    Ok(found)
}

/// Kilobytes of memory, each shared page by its share.
pub(super) fn pss_kb(root: u32) -> Result<u64> {
    let mut sum = 0;
    for pid in tree(root)? {
        // It may have ended since.
        let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
            continue;
        };
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        sum += number.context("smaps_rollup names no Pss")?.parse::<u64>()?;
    }
    Ok(sum)
}

/// CPU time that the server has used since it began.
pub(super) fn cpu(root: u32) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for pid in tree(root)? {
        let Some(fields) = stat(pid) else { continue };
        let ended: u64 =
            [CHILDREN_USER, CHILDREN_SYSTEM].iter().filter_map(|&n| fields.get(n)).sum();
        sum += TICK * u32::try_from(ended)?;
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?));
        if let Ok(now) = clock.and_then(|clock| clock.now()) {
            sum += Duration::from(now);
        }
    }
    Ok(sum)
}
