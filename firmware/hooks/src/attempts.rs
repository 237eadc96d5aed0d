//! The last attempts of a hook, for the admin to see.

use std::collections::VecDeque;

use base::Timestamp;

use crate::http::Reason;

/// Attempts kept of a hook.
pub(crate) const KEPT: usize = 100;

/// One call of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// What it was told or asked.
    pub event: String,
    /// Number of the row of the audit log; `None`: it was asked, or tested.
    pub seq: Option<u64>,
    /// Which attempt for this event, from 1.
    pub attempt: u32,
    /// It said yes.
    pub is_ok: bool,
    /// Its HTTP status, if it answered.
    pub status: Option<u16>,
    /// What was wrong, where it was not its answer.
    pub error: Option<Reason>,
    /// The same in English, or what it said.
    pub detail: Option<String>,
    /// How long it took, milliseconds.
    pub ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Attempts(VecDeque<Attempt>);

impl Attempts {
    pub(crate) fn push(&mut self, attempt: Attempt) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(attempt);
    }

    pub(crate) fn newest_first(&self) -> Vec<Attempt> {
        self.0.iter().rev().cloned().collect()
    }
}
