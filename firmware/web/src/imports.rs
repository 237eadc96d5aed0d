//! The import that runs or ran last: one at a time on a box. Clear passwords are hashed as everybody's are, so
//! five thousand of them take minutes; such an import goes on behind its request, and is asked how far it is.
//!
//! Why not a faster hash for the time being: what is stored once is in snapshots and in the log. Limits: one
//! import; [`LINES_MAX`] lines of its report.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::exchange::Column;

/// Lines that a report shows; errors before others when there are more.
pub(crate) const LINES_MAX: usize = 5_000;

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// A trial: so it would be.
    Checked,
    /// There are errors; nothing was changed.
    Refused,
    Running,
    Done,
    /// It could not be brought to its end; nothing was changed.
    Failed,
}

/// What becomes, or became, of a record.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) line: usize,
    pub(crate) action: &'static str,
    pub(crate) address: Option<String>,
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

/// What is told of an import.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) id: String,
    pub(crate) state: State,
    /// Passwords hashed, of those that are to be.
    pub(crate) done: usize,
    pub(crate) total: usize,
    pub(crate) created: usize,
    pub(crate) updated: usize,
    pub(crate) skipped: usize,
    pub(crate) errors: usize,
    pub(crate) columns: Vec<Column>,
    pub(crate) lines: Vec<Line>,
    pub(crate) lines_left_out: usize,
    /// Why it failed.
    pub(crate) error: Option<&'static str>,
}

impl Report {
    /// A report on these lines.
    pub(crate) fn new(id: String, state: State, columns: Vec<Column>, lines: Vec<Line>) -> Self {
        let count = |action: &str| lines.iter().filter(|line| line.action == action).count();
        let [created, updated, skipped, errors] = ["create", "update", "skip", "error"].map(count);
        let all = lines.len();
        let lines = shown(lines);
        Self {
            id,
            state,
            done: 0,
            total: 0,
            created,
            updated,
            skipped,
            errors,
            columns,
            lines_left_out: all - lines.len(),
            lines,
            error: None,
        }
    }
}

/// The lines that are shown, in their order: all, or as many errors as there is room for and others.
fn shown(lines: Vec<Line>) -> Vec<Line> {
    if lines.len() <= LINES_MAX {
        return lines;
    }
    let errors = lines.iter().filter(|line| line.action == "error").count().min(LINES_MAX);
    let (mut errors, mut others) = (errors, LINES_MAX - errors);
    let mut kept = Vec::with_capacity(LINES_MAX);
    for line in lines {
        let room = if line.action == "error" { &mut errors } else { &mut others };
        if *room > 0 {
            *room -= 1;
            kept.push(line);
        }
    }
    kept
}

/// The one place for imports.
#[derive(Debug)]
pub(crate) struct Imports {
    turn: Arc<Semaphore>,
    last: Mutex<Option<Report>>,
}

impl Default for Imports {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), last: Mutex::new(None) }
    }
}

impl Imports {
    /// The turn, if no import has it.
    pub(crate) fn begin(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turn).try_acquire_owned().ok()
    }

    /// Keeps a report.
    pub(crate) fn put(&self, report: Report) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }

    /// One more password is hashed.
    pub(crate) fn step(&self) {
        if let Some(report) = &mut *self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            report.done += 1;
        }
    }

    /// The report on the import of this name.
    pub(crate) fn find(&self, id: &str) -> Option<Report> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().filter(|report| report.id == id)
    }
}
