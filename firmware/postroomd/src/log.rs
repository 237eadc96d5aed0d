//! Logs: one line an event to standard error, and into the ring that the admin page shows.
//!
//! `POSTROOM_LOG` takes tracing's filter syntax; `info` is the default.

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};
use web::LogRing;

/// Starts logging, with the ring for the admin page where there is one.
pub(crate) fn start(ring: Option<LogRing>) {
    let filter = EnvFilter::try_from_env("POSTROOM_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let started = tracing_subscriber::registry()
        .with(filter)
        .with(fmt::layer().with_ansi(false).with_writer(std::io::stderr))
        .with(ring)
        .try_init();
    if started.is_err() {
        tracing::warn!("logging was started before");
    }
}
