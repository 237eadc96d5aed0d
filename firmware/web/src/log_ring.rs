//! The last lines of the daemon's log for the admin page: a tracing layer that keeps 2,000 lines in memory.
//!
//! Limits: 2,000 lines of at most 1,000 bytes; the oldest goes.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{Clock, Timestamp};
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines kept.
pub const LINES_MAX: usize = 2_000;
/// Longest text kept, bytes.
const TEXT_MAX: usize = 1_000;

/// One line of the log.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LogLine {
    pub(crate) n: u64,
    #[serde(serialize_with = "as_rfc3339")]
    pub(crate) at: Timestamp,
    pub(crate) level: &'static str,
    pub(crate) target: String,
    pub(crate) text: String,
}

fn as_rfc3339<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.rfc3339())
}

#[derive(Debug, Default)]
struct Lines {
    last: u64,
    kept: VecDeque<LogLine>,
}

/// The ring. Cheap to clone; all clones are one ring. Add it to the daemon's subscriber as a layer.
#[derive(Clone, Debug)]
pub struct LogRing {
    lines: Arc<Mutex<Lines>>,
    clock: Arc<dyn Clock>,
}

impl LogRing {
    /// An empty ring.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { lines: Arc::default(), clock }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the newest line, and the newest `limit` lines after number `after`, oldest first.
    pub(crate) fn after(&self, after: u64, limit: usize) -> (u64, Vec<LogLine>) {
        let lines = self.lines();
        let from = lines.kept.partition_point(|line| line.n <= after);
        let from = from.max(lines.kept.len().saturating_sub(limit));
        (lines.last, lines.kept.iter().skip(from).cloned().collect())
    }

    fn push(&self, level: Level, target: &str, text: String) {
        let at = self.clock.now();
        let mut lines = self.lines();
        lines.last += 1;
        if lines.kept.len() >= LINES_MAX {
            lines.kept.pop_front();
        }
        let line =
            LogLine { n: lines.last, at, level: name(level), target: target.to_owned(), text };
        lines.kept.push_back(line);
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// `message key=value key=value`, cut at [`TEXT_MAX`].
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.record_debug(field, &format_args!("{value}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut chain = value.to_string();
        let mut source = value.source();
        while let Some(err) = source {
            chain.push_str(": ");
            chain.push_str(&err.to_string());
            source = err.source();
        }
        self.record_debug(field, &format_args!("{chain}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
        if written.is_err() {
            self.fields.push_str(" …");
        }
    }
}

impl Text {
    fn finish(self) -> String {
        let mut text = self.message + &self.fields;
        if text.len() > TEXT_MAX {
            let mut cut = TEXT_MAX;
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            text.truncate(cut);
            text.push('…');
        }
        text
    }
}

impl<S: Subscriber> Layer<S> for LogRing {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let about = event.metadata();
        self.push(*about.level(), about.target(), text.finish());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::FixedClock;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn the_ring_keeps_the_newest_and_counts_on() {
        let ring = LogRing::new(Arc::new(FixedClock::default()));
        let subscriber = tracing_subscriber::registry().with(ring.clone());
        tracing::subscriber::with_default(subscriber, || {
            for n in 0..LINES_MAX + 10 {
                tracing::info!(n, peer = "192.0.2.1", "line");
            }
            tracing::warn!(text = "ü".repeat(2000), "long");
        });
        let (last, lines) = ring.after(0, usize::MAX);
        assert_eq!((last, lines.len()), (2011, LINES_MAX));
        assert_eq!(lines[0].n, 12);
        assert_eq!(lines[0].text, "line n=11 peer=192.0.2.1");
        let (_, newest) = ring.after(2009, 500);
        assert_eq!(newest.iter().map(|line| line.n).collect::<Vec<_>>(), [2010, 2011]);
        assert_eq!(newest[1].level, "warn");
        assert!(newest[1].text.len() <= TEXT_MAX + 3);
        assert_eq!(ring.after(0, 3).1.len(), 3);
    }
}
