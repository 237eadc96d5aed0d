//! What the store does beside its acts, in small steps: it ends what is past its retention time.
//!
//! Never here: what is due; the store knows.

use std::time::Duration;

use session::Shutdown;
use store::Store;
use tokio::time::{Instant, sleep};

/// Between two looks; so much of the store's age is lost when the power goes.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// Between two steps of one look: others' acts come first.
const PAUSE: Duration = Duration::from_millis(200);

/// Keeps house until the daemon stops.
pub(crate) async fn run(store: Store, shutdown: Shutdown) {
    let mut last = Instant::now();
    let mut wait = PAUSE;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = sleep(wait) => {}
        }
        // Monotonic: a clock that is set does not age anything.
        let now = Instant::now();
        let passed = now.saturating_duration_since(last);
        let is_due = passed >= EVERY;
        let step = if is_due { passed } else { Duration::ZERO };
        if is_due {
            last = now;
        }
        wait = match store.keep_house(step).await {
            Ok(true) => PAUSE,
            Ok(false) => EVERY,
            Err(err) => {
                tracing::warn!(%err, "housekeeping");
                EVERY
            }
        };
    }
}
