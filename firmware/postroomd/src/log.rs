//! Logs: one line an event to standard error and into the ring that the admin page shows.
//!
//! `POSTROOM_LOG` takes tracing's filter syntax; `info` is the default.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use web::LogRing;

/// Starts logging; gives the ring.
pub(crate) fn start() -> LogRing {
    let ring = LogRing::new();
    let filter = EnvFilter::try_from_env("POSTROOM_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Both { ring: ring.clone() })
        .try_init();
    if started.is_err() {
        tracing::warn!("logging was started before");
    }
    ring
}

/// Writes to standard error and to the ring.
#[derive(Clone)]
struct Both {
    ring: LogRing,
}

impl<'a> MakeWriter<'a> for Both {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

impl Write for Both {
    /// tracing-subscriber writes one whole line a call.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.ring.push(String::from_utf8_lossy(bytes).trim_end());
        // A log that nobody takes must not stop the daemon.
        io::stderr().lock().write_all(bytes).ok();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
