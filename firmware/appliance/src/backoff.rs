//! How long to wait before the daemon is started again.

/// Longest wait, ms.
const WAIT_MAX_MS: u64 = 30_000;
/// First wait, ms.
const WAIT_FIRST_MS: u64 = 500;
/// A daemon that lived this long was well; its end starts the count anew.
const WELL_AFTER_MS: u64 = 60_000;

/// Exponential back-off, kept between restarts.
#[derive(Debug)]
pub(crate) struct Backoff {
    next_ms: u64,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next_ms: WAIT_FIRST_MS }
    }

    /// The wait after a daemon that lived `lived_ms`.
    pub(crate) fn after(&mut self, lived_ms: u64) -> u64 {
        if lived_ms >= WELL_AFTER_MS {
            self.next_ms = WAIT_FIRST_MS;
        }
        let wait = self.next_ms;
        self.next_ms = (self.next_ms * 2).min(WAIT_MAX_MS);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_thirty_seconds_and_forgets_after_a_good_minute() {
        let mut backoff = Backoff::new();
        let waits: Vec<u64> = (0..8).map(|_| backoff.after(10)).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.after(60_000), 500);
    }
}
