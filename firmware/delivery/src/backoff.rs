//! When a recipient is tried again, and for how long. RFC 5321 §4.5.4.1.

use base::{QueueId, Timestamp};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// Waits after the first, second, … attempt; the last one holds for all that follow.
const WAITS: [i64; 7] =
    [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR];
/// After this the sender is told that it takes long.
pub(crate) const DELAY_NOTICE_SECS: i64 = 4 * HOUR;
/// After this it is given up.
pub(crate) const EXPIRY_SECS: i64 = 5 * 24 * HOUR;
/// But not before so many attempts (a day and more of them): the clock may have jumped, or the box was
/// off.
pub(crate) const EXPIRY_ATTEMPTS_MIN: u32 = 12;

/// The next attempt after `attempts` of them, the last one at `now`.
///
/// Up to a tenth is added so that what fell due together does not stay together; it comes from the
/// entry, not from chance, so that a replay is the same.
pub(crate) fn next_attempt(
    id: QueueId,
    attempts: u32,
    queued_at: Timestamp,
    now: Timestamp,
) -> Timestamp {
    let at = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let wait = WAITS.get(at).copied().unwrap_or(4 * HOUR);
    let mixed = id.0.wrapping_add(u64::from(attempts)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let spread = i64::try_from(mixed % 100).unwrap_or(0) * (wait / 10) / 100;
    // The last attempt is at the end, not up to four hours behind it.
    let next = now.plus_secs(wait + spread);
    let end = queued_at.plus_secs(EXPIRY_SECS);
    if end > now { next.min(end.max(now.plus_secs(MINUTE))) } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_with_the_expiry() {
        let start = Timestamp::from_secs(0);
        let wait = |attempts| next_attempt(QueueId(7), attempts, start, start).secs();
        for (attempts, low) in [(1, 300), (2, 600), (3, 1200), (4, 1800), (5, 3600), (6, 7200)] {
            let wait = wait(attempts);
            assert!((low..low + low / 10 + 1).contains(&wait), "{attempts}: {wait}");
        }
        assert!((4 * HOUR..5 * HOUR).contains(&wait(1000)));
        let late = Timestamp::from_secs(EXPIRY_SECS - HOUR);
        assert_eq!(next_attempt(QueueId(7), 40, start, late).secs(), EXPIRY_SECS);
        let others: Vec<_> = (0..20).map(|id| next_attempt(QueueId(id), 1, start, start)).collect();
        assert!(others.iter().any(|&t| t != others[0]), "entries drift apart");
    }
}
