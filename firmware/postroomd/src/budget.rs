//! Which limits hold on this machine.

use anyhow::{Context as _, Result};
use base::{Tier, TierBudget};

use crate::TierChoice;

/// The budget of the chosen tier, or of the machine's RAM.
pub(crate) fn choose(choice: TierChoice) -> Result<TierBudget> {
    Ok(match choice {
        TierChoice::Auto => TierBudget::for_ram(ram_mb()?),
        TierChoice::OneGb => TierBudget::of(Tier::OneGb),
        TierChoice::FourGb => TierBudget::of(Tier::FourGb),
    })
}

/// RAM of the machine, MB.
fn ram_mb() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("/proc/meminfo")?;
    let kb = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok())
        .context("/proc/meminfo names no MemTotal")?;
    Ok(kb / 1024)
}
