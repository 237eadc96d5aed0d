//! What the box measures of itself and how it tunes the kernel (DESIGN section 5).
//!
//! One table of sysctls with the reason of each; the figures that depend on the size of the box come
//! from the tier's budget. A sysctl that this kernel does not have is no error: it is counted.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use base::TierBudget;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::log::Log;
use crate::wait::uptime_ms;

/// Writes of the latency probe; odd, so that the median is one of them.
const PROBES: usize = 21;
const PROBE_BYTES: usize = 4096;

/// What the machine is.
#[derive(Clone, Debug)]
pub(crate) struct Measures {
    pub(crate) ram_mb: u64,
    pub(crate) cores: u32,
    pub(crate) has_aes: bool,
}

impl Measures {
    /// Of the running machine.
    pub(crate) fn take() -> Self {
        let info = rustix::system::sysinfo();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            ram_mb: (info.totalram as u64).saturating_mul(u64::from(info.mem_unit)) >> 20,
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            has_aes: fs::read_to_string("/proc/cpuinfo")
                .is_ok_and(|text| text.split_ascii_whitespace().any(|word| word == "aes")),
        }
    }
}

/// The sysctls: name below /proc/sys and value.
fn sysctls(budget: &TierBudget) -> Vec<(&'static str, String)> {
    let files = u64::from(budget.connections_max) * 2 + 4096;
    let fixed = [
        // A burst of phones after a power cut: nobody is refused before the daemon has looked.
        ("net/core/somaxconn", "4096"),
        ("net/ipv4/tcp_max_syn_backlog", "4096"),
        // 10,000 idle sockets: the buffers start small and grow by themselves.
        ("net/ipv4/tcp_rmem", "4096 16384 4194304"),
        ("net/ipv4/tcp_wmem", "4096 16384 4194304"),
        // A phone that went away is noticed after 10 minutes in place of two hours.
        ("net/ipv4/tcp_keepalive_time", "300"),
        ("net/ipv4/tcp_keepalive_intvl", "60"),
        ("net/ipv4/tcp_keepalive_probes", "5"),
        ("net/ipv4/tcp_slow_start_after_idle", "0"),
        ("net/ipv4/tcp_mtu_probing", "1"),
        ("net/ipv4/conf/all/rp_filter", "1"),
        ("net/ipv4/conf/default/rp_filter", "1"),
        ("net/ipv4/conf/all/accept_redirects", "0"),
        ("net/ipv4/conf/default/accept_redirects", "0"),
        ("net/ipv4/conf/all/send_redirects", "0"),
        ("net/ipv4/conf/all/accept_source_route", "0"),
        ("net/ipv6/conf/all/accept_redirects", "0"),
        ("net/ipv6/conf/default/accept_redirects", "0"),
        // IPv6 by router advertisement, and one stable address: this is a server.
        ("net/ipv6/conf/all/accept_ra", "1"),
        ("net/ipv6/conf/default/accept_ra", "1"),
        ("net/ipv6/conf/all/use_tempaddr", "0"),
        ("net/ipv6/conf/default/use_tempaddr", "0"),
        // Little to write at once, so that an fdatasync never waits behind a long flush.
        ("vm/dirty_background_bytes", "8388608"),
        ("vm/dirty_bytes", "33554432"),
        ("vm/dirty_expire_centisecs", "1000"),
        ("vm/overcommit_memory", "0"),
        ("vm/swappiness", "60"),
        ("vm/panic_on_oom", "0"),
        ("kernel/panic", "5"),
        ("kernel/panic_on_oops", "1"),
        ("kernel/printk", "4 4 1 4"),
        ("kernel/dmesg_restrict", "1"),
        ("kernel/kptr_restrict", "2"),
        ("kernel/yama/ptrace_scope", "3"),
        ("kernel/unprivileged_bpf_disabled", "1"),
        ("kernel/perf_event_paranoid", "3"),
        ("kernel/sysrq", "0"),
        ("user/max_user_namespaces", "0"),
        ("user/max_net_namespaces", "0"),
        ("fs/suid_dumpable", "0"),
        ("fs/protected_symlinks", "1"),
        ("fs/protected_hardlinks", "1"),
    ];
    let mut table: Vec<_> =
        fixed.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    table.push(("fs/file-max", (files + 4096).to_string()));
    table.push(("fs/nr_open", (files.max(4096)).to_string()));
    table
}

/// Writes the tuning and says what the box is.
pub(crate) fn apply(measures: &Measures, budget: &TierBudget, log: &Log) -> Result<(), String> {
    let table = sysctls(budget);
    let refused: Vec<&str> = table
        .iter()
        .filter(|(name, value)| fs::write(format!("/proc/sys/{name}"), value).is_err())
        .map(|(name, _)| *name)
        .collect();
    let files = u64::from(budget.connections_max) * 2 + 4096;
    let limit = |n| Rlimit { current: Some(n), maximum: Some(n) };
    // The daemon inherits both.
    setrlimit(Resource::Nofile, limit(files)).map_err(|err| format!("file limit: {err}"))?;
    setrlimit(Resource::Core, limit(0)).map_err(|err| format!("core limit: {err}"))?;
    if !refused.is_empty() {
        log.note(&format!("not in this kernel: {}", refused.join(" ")));
    }
    log.say(&format!(
        "{} tier: up to {} connections ({} MB of RAM, {} cores{}, {files} files)",
        budget.name.name(),
        budget.connections_max,
        measures.ram_mb,
        measures.cores,
        if measures.has_aes { ", AES" } else { "" },
    ));
    Ok(())
}

/// Median latency of a 4 KB write with fdatasync on the data disk, microseconds: measured at first
/// boot, remembered in `/data/box`, measured again after the disk's model changed.
pub(crate) fn fsync_us(model: &str) -> std::io::Result<u64> {
    let kept = format!("{}/fsync", crate::BOX);
    if let Ok(text) = fs::read_to_string(&kept)
        && let Some((us, of)) = text.split_once(' ')
        && of.trim() == model
        && let Ok(us) = us.parse()
    {
        return Ok(us);
    }
    let path = format!("{}/probe", crate::BOX);
    let us = probe(&path);
    fs::remove_file(&path)?;
    let us = us?;
    fs::write(&kept, format!("{us} {model}\n"))?;
    Ok(us)
}

fn probe(path: &str) -> std::io::Result<u64> {
    let file = File::create(path)?;
    let block = [0x5A; PROBE_BYTES];
    let mut took = Vec::with_capacity(PROBES);
    for n in 0..PROBES {
        let from = uptime_us();
        file.write_all_at(&block, (n * PROBE_BYTES) as u64)?;
        file.sync_data()?;
        took.push(uptime_us().saturating_sub(from));
    }
    took.sort_unstable();
    Ok(took.get(PROBES / 2).copied().unwrap_or(0))
}

fn uptime_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let micros = u64::try_from(now.tv_nsec).unwrap_or(0) / 1000;
    (uptime_ms() / 1000).saturating_mul(1_000_000).saturating_add(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sysctl_is_named_once_and_files_follow_the_budget() {
        let table = sysctls(&TierBudget::for_ram(4096));
        let mut names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        let file_max = table.iter().find(|(name, _)| *name == "fs/file-max").unwrap();
        assert!(file_max.1.parse::<u64>().unwrap() > 80_000);
    }

    #[test]
    fn the_probe_measures_and_returns_a_median() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("probe");
        probe(path.to_str().unwrap()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), (PROBES * PROBE_BYTES) as u64);
    }
}
