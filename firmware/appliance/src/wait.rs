//! Waiting and the time since the kernel started. PID 1 uses no wall time except to set it.

use std::time::Duration;

use rustix::event::Timespec;
use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since the kernel started its clock.
pub(crate) fn uptime_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let secs = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    secs.saturating_mul(1000).saturating_add(nanos / 1_000_000)
}

/// `ms` milliseconds as poll(2) wants them.
pub(crate) fn timeout(ms: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(ms / 1000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(ms % 1000 * 1_000_000).unwrap_or(0),
    }
}

/// Waits on this thread alone. PID 1's threads are its own; no task of the daemon waits behind them.
pub(crate) fn pause(ms: u64) {
    let end = uptime_ms().saturating_add(ms);
    loop {
        let left = end.saturating_sub(uptime_ms());
        if left == 0 {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(left));
    }
}
