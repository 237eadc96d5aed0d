//! The watchdog: it resets a box that hangs. Fed only while the daemon says it is well.
//!
//! Until the daemon first served there is a generous grace: the first boot makes a file system and a
//! long check of a large disk takes minutes. A box without a watchdog runs without.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

/// Fed at most this often, ms.
const EVERY_MS: u64 = 5_000;
/// A daemon silent for so long hangs, ms.
const SILENT_MAX_MS: u64 = 60_000;
/// From the start of supervision to the first word of the daemon, ms.
const GRACE_MS: u64 = 600_000;

/// The rule, apart from the device.
#[derive(Debug)]
pub(crate) struct Rule {
    started_ms: u64,
    alive_ms: Option<u64>,
}

impl Rule {
    pub(crate) fn new(now: u64) -> Self {
        Self { started_ms: now, alive_ms: None }
    }

    /// The daemon is busy with its first start, and says so: the grace begins anew.
    pub(crate) fn starts(&mut self, now: u64) {
        self.started_ms = now;
    }

    pub(crate) fn alive(&mut self, now: u64) {
        self.alive_ms = Some(now);
    }

    fn may_feed(&self, now: u64) -> bool {
        match self.alive_ms {
            Some(at) => now.saturating_sub(at) <= SILENT_MAX_MS,
            None => now.saturating_sub(self.started_ms) <= GRACE_MS,
        }
    }
}

/// The device with the rule.
#[derive(Debug)]
pub(crate) struct Watchdog {
    pub(crate) rule: Rule,
    device: Option<File>,
    fed_ms: u64,
}

impl Watchdog {
    /// Opens it, which starts it.
    pub(crate) fn open(now: u64) -> Self {
        let device = OpenOptions::new().write(true).open("/dev/watchdog").ok();
        Self { rule: Rule::new(now), device, fed_ms: 0 }
    }

    /// True if there is one.
    pub(crate) fn is_there(&self) -> bool {
        self.device.is_some()
    }

    /// Feeds it if it is time and the rule allows.
    pub(crate) fn feed(&mut self, now: u64) {
        if now.saturating_sub(self.fed_ms) < EVERY_MS || !self.rule.may_feed(now) {
            return;
        }
        self.fed_ms = now;
        if let Some(device) = &mut self.device
            && device.write_all(b"\0").is_err()
        {
            // It can not be fed any more; either way the box resets, which is its purpose.
            self.device = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fed_during_the_grace_then_only_while_the_daemon_speaks() {
        let mut rule = Rule::new(1_000);
        assert!(rule.may_feed(600_000));
        assert!(!rule.may_feed(602_000), "it never served");
        rule.alive(50_000);
        assert!(rule.may_feed(110_000));
        assert!(!rule.may_feed(110_001), "a minute of silence");
        rule.alive(120_000);
        assert!(rule.may_feed(121_000));
    }
}
