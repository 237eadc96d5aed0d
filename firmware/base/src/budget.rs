//! The tier budget: the one place a box's limits come from (DESIGN section 5).
//!
//! The figures stand in `board/tier-*.toml` and are compiled in. Whatever can grow (connections,
//! buffers, queues, caches) takes its maximum from a [`TierBudget`].

use serde::{Deserialize, Serialize};

/// A class of box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// About 1 GB of RAM, or less.
    #[serde(rename = "1g")]
    OneGb,
    /// About 4 GB of RAM, or more.
    #[serde(rename = "4g")]
    FourGb,
}

impl Tier {
    /// The tier of a machine with `ram_mb` MB of RAM.
    #[must_use]
    pub fn of_ram(ram_mb: u64) -> Self {
        if ram_mb >= TierBudget::of(Self::FourGb).ram_min_mb { Self::FourGb } else { Self::OneGb }
    }

    /// `1g` or `4g`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneGb => "1g",
            Self::FourGb => "4g",
        }
    }
}

/// What one box may use. See the comments in `board/tier-1g.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierBudget {
    /// The tier.
    pub name: Tier,
    /// MB of RAM from which on a box belongs to this tier.
    pub ram_min_mb: u64,
    /// Connections that are logged in, all protocols together.
    pub connections_max: u32,
    /// Connections on which nobody is logged in: yet, or by the nature of the service.
    pub connections_anonymous_max: u32,
    /// Connections admitted from one address outside the loopback.
    pub connections_per_address_max: u32,
    /// Connections of one account.
    pub connections_per_account_max: u32,
    /// redb's cache, MB.
    pub redb_cache_mb: u64,
    /// What the store may use in all, MB.
    pub store_memory_mb: u64,
    /// Largest message, bytes.
    pub message_bytes_max: u64,
    /// Memory that one message in transit may hold, KB; beyond it goes to disk.
    pub message_memory_kb: u64,
    /// Outgoing SMTP sessions at once.
    pub delivery_outbound_max: u32,
    /// Outgoing SMTP sessions to one destination at once.
    pub delivery_per_destination_max: u32,
    /// Recipients of one envelope.
    pub rcpt_max: u32,
    /// Queue entries; above it 452.
    pub queue_entries_max: u32,
    /// Password hashes computed at once.
    pub password_hashes_at_once: u32,
    /// Web sessions kept.
    pub web_sessions_max: u32,
    /// People that one external directory may show; about 1 KB each while a sync runs.
    pub source_people_max: usize,
    /// Groups that it may show.
    pub source_groups_max: usize,
    /// Members of all its groups together; about 100 bytes each while a sync runs.
    pub source_members_max: usize,
    /// Records of one file that people are brought in from; some KB each while it is read.
    pub import_records_max: usize,
    /// LDAP searches at once that take long.
    pub ldap_searches_at_once: u32,
    /// Entries of the sorted lists that LDAP keeps, of all lists together.
    pub ldap_sorted_entries_max: u32,
    /// Entries of the lists that LDAP clients read in pages, of all connections together.
    pub ldap_paged_entries_max: u32,
}

const ONE_GB: &str = include_str!("../../../board/tier-1g.toml");
const FOUR_GB: &str = include_str!("../../../board/tier-4g.toml");

impl TierBudget {
    /// The budget of `tier`.
    #[must_use]
    #[expect(clippy::expect_used, reason = "compiled-in text that a test reads")]
    pub fn of(tier: Tier) -> Self {
        let text = match tier {
            Tier::OneGb => ONE_GB,
            Tier::FourGb => FOUR_GB,
        };
        toml::from_str(text).expect("board/tier-*.toml is valid")
    }

    /// The budget of a machine with `ram_mb` MB: its tier's, with the connections cut to what fits
    /// where there is less than the tier plans for (64 MB for the system, 32 KB a connection).
    #[must_use]
    pub fn for_ram(ram_mb: u64) -> Self {
        let mut budget = Self::of(Tier::of_ram(ram_mb));
        let fitting = ram_mb.saturating_sub(64).saturating_mul(1024) / 32;
        let fitting = u32::try_from(fitting.max(256)).unwrap_or(u32::MAX);
        budget.connections_max = budget.connections_max.min(fitting);
        budget.connections_anonymous_max = budget.connections_anonymous_max.min(fitting / 4);
        if ram_mb < 512 {
            budget.redb_cache_mb = budget.redb_cache_mb.min(8);
            budget.password_hashes_at_once = 1;
            budget.ldap_searches_at_once = 1;
        }
        budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tiers_are_readable_and_picked_by_ram() {
        assert_eq!(TierBudget::for_ram(985).name, Tier::OneGb);
        assert_eq!(TierBudget::for_ram(985).connections_max, 10_000);
        assert_eq!(TierBudget::for_ram(3900).connections_max, 40_000);
        assert!(TierBudget::for_ram(110).connections_max >= 256);
    }
}
