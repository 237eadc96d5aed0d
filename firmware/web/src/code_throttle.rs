//! Slows down guessing of the setup code. There is one code, so the count is one for all: who guesses from
//! many addresses waits as well.
//!
//! Five wrong tries within ten minutes are free; then each costs a wait that doubles from 15 seconds to five
//! minutes. The code has 50 bits: with these waits guessing it takes longer than the box will last. The waits
//! end, so that a neighbor can delay the owner but not shut him out.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const FREE_TRIES: u32 = 5;
const FORGET_AFTER: Duration = Duration::from_secs(600);
const FIRST_WAIT_SECS: u64 = 15;
const WAIT_MAX_SECS: u64 = 300;

#[derive(Debug, Default)]
struct State {
    wrong: u32,
    last: Option<Instant>,
    wait_until: Option<Instant>,
}

/// The count of wrong codes.
#[derive(Debug, Default)]
pub(crate) struct CodeThrottle {
    state: Mutex<State>,
}

impl CodeThrottle {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds to wait before a code may be tried; `None` if now.
    pub(crate) fn wait_secs(&self) -> Option<u64> {
        let now = Instant::now();
        let until = self.state().wait_until.filter(|until| *until > now)?;
        Some(until.duration_since(now).as_secs() + 1)
    }

    /// Counts a wrong code.
    pub(crate) fn failed(&self) {
        let now = Instant::now();
        let mut state = self.state();
        if state.last.is_some_and(|last| now.duration_since(last) > FORGET_AFTER) {
            state.wrong = 0;
        }
        state.wrong += 1;
        state.last = Some(now);
        if let Some(over) = state.wrong.checked_sub(FREE_TRIES) {
            let secs = (FIRST_WAIT_SECS << over.min(8)).min(WAIT_MAX_SECS);
            state.wait_until = Some(now + Duration::from_secs(secs));
        }
    }

    /// The right code wipes the slate.
    pub(crate) fn succeeded(&self) {
        *self.state() = State::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_end() {
        let throttle = CodeThrottle::default();
        for _ in 0..FREE_TRIES - 1 {
            throttle.failed();
            assert_eq!(throttle.wait_secs(), None);
        }
        let mut waits = Vec::new();
        for _ in 0..7 {
            throttle.failed();
            let wait = throttle.wait_secs().unwrap();
            waits.push(wait - 1);
            tokio::time::advance(Duration::from_secs(wait)).await;
            assert_eq!(throttle.wait_secs(), None);
        }
        assert_eq!(waits, [15, 30, 60, 120, 240, 300, 300]);
        tokio::time::advance(FORGET_AFTER).await;
        throttle.failed();
        assert_eq!(throttle.wait_secs(), None, "old failures are forgotten");
    }
}
