//! Tables for people: aligned columns, times and ratios.

use std::time::Duration;

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Took {
    pub(super) wall: Duration,
    /// Of the server, not of the client.
    pub(super) cpu: Duration,
}

/// The run in the middle, by CPU time.
pub(super) fn median(mut runs: Vec<Took>) -> Took {
    runs.sort_by_key(|took| took.cpu);
    runs.get(runs.len() / 2).copied().unwrap_or_default()
}

/// `ours / theirs` as people read it: `0.12x`.
pub(super) fn ratio(ours: f64, theirs: f64) -> String {
    if theirs <= 0.0 { "-".to_owned() } else { format!("{:.2}x", ours / theirs) }
}

/// Seconds with a sensible number of digits.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.4}", time.as_secs_f64())
}

/// Prints rows with columns of one width; the first row is the head.
pub(super) fn print_table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    println!();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Words to the left, figures to the right.
            let cell = if at == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            line.push_str(&cell);
            line.push_str("  ");
        }
        println!("{}", line.trim_end());
    }
    println!();
}

/// A row of a table.
pub(super) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}
