//! Where long reading runs: off the runtime's threads, a few milliseconds at a time, and never on all
//! cores, so that many who search slow down one another and nobody else.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// How long one slice may take before others get their turn.
const SLICE: Duration = Duration::from_millis(4);

/// One core stays free. Waiters are served in their order, so a slice each in turn.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Semaphore::new(cores.saturating_sub(1).max(1))
});

/// Says when a slice is over.
#[derive(Debug)]
pub(crate) struct Slice {
    until: Instant,
}

impl Slice {
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

/// The work panicked; its own session answers for it.
#[derive(Debug)]
pub(crate) struct Broken;

/// Runs one slice of work. The work looks at its [`Slice`] and returns when that is over.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce(&Slice) -> T + Send + 'static,
) -> Result<T, Broken> {
    let permit = PLACES.acquire().await.map_err(|_| Broken)?;
    let done = tokio::task::spawn_blocking(move || {
        // Held by the work itself: who goes away meanwhile does not give the place to another.
        let _permit = permit;
        work(&Slice { until: Instant::now() + SLICE })
    });
    done.await.map_err(|_| Broken)
}
