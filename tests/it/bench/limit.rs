//! How long another client waits while one works over a mailbox of 100,000 messages, on 256 MB.

use std::time::Duration;

use anyhow::Result;

use super::figures::{print_table, row};
use super::number;
use crate::large_mailbox;

fn milliseconds(time: Option<&Duration>) -> String {
    time.map_or_else(String::new, |time| format!("{:.1}", time.as_secs_f64() * 1000.0))
}

/// The bench.
pub(super) fn run() -> Result<()> {
    let messages = number("MESSAGES", 100_000);
    let steps = large_mailbox::run(messages)?;
    let mut rows =
        vec![row(["work", "took, ms", "NOOPs beside", "median, ms", "99 %, ms", "longest, ms"])];
    for step in steps {
        let waits = &step.noops;
        rows.push(vec![
            step.what.to_owned(),
            step.took.as_millis().to_string(),
            waits.len().to_string(),
            milliseconds(waits.get(waits.len() / 2)),
            milliseconds(waits.get(waits.len() * 99 / 100)),
            milliseconds(waits.last()),
        ]);
    }
    println!("{messages} messages, a daemon limited to 256 MB");
    print_table(&rows);
    Ok(())
}
