//! What the commands say while they work: one line per step, and progress on the long ones.
//!
//! On a terminal a long step is a bar. Elsewhere (a log, CI) it is a line every tenth of the
//! way, so that nobody watches a silent screen.

use indicatif::{ProgressBar, ProgressStyle};

/// A new step begins.
pub(crate) fn step(text: &str) {
    eprintln!("==> {text}");
}

/// A fact about the step.
pub(crate) fn note(text: &str) {
    eprintln!("    {text}");
}

/// The progress of one long step.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: String,
    total: u64,
    done: u64,
    tenths_said: u64,
}

impl Progress {
    /// `total` in whatever unit [`Progress::advance`] counts; it may be an estimate.
    pub(crate) fn new(what: &str, total: u64) -> Self {
        let bar = ProgressBar::new(total.max(1));
        let template = "    {msg} [{bar:30}] {percent}% {elapsed}, about {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self { bar, what: what.to_owned(), total: total.max(1), done: 0, tenths_said: 0 }
    }

    /// `count` more units are done.
    pub(crate) fn advance(&mut self, count: u64) {
        self.done += count;
        self.bar.set_position(self.done.min(self.total));
        let tenths = (self.done * 10 / self.total).min(10);
        if self.bar.is_hidden() && tenths > self.tenths_said {
            self.tenths_said = tenths;
            note(&format!("{}: {} %", self.what, tenths * 10));
        }
    }

    /// How many units were counted; the estimate of the next build.
    pub(crate) fn finish(self) -> u64 {
        self.bar.finish_and_clear();
        self.done
    }
}

/// A size for people.
pub(crate) fn size(bytes: u64) -> String {
    const UNIT: u64 = 1024;
    if bytes < 10 * UNIT {
        format!("{bytes} B")
    } else if bytes < UNIT * UNIT {
        format!("{} KiB", bytes / UNIT)
    } else {
        let tenths = bytes * 10 / (UNIT * UNIT);
        format!("{}.{} MiB", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_rounded_down_to_a_tenth() {
        for (bytes, text) in [
            (0, "0 B"),
            (10_239, "10239 B"),
            (10_240, "10 KiB"),
            (1_048_576, "1.0 MiB"),
            (26_109_542, "24.8 MiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
