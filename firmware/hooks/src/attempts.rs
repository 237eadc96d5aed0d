//! The last attempts of a hook, for the admin to see.

use std::collections::VecDeque;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::http::Reason;

/// Attempts kept of a hook.
pub(crate) const KEPT: usize = 100;
/// The last of them are kept over a restart: each is half a KB, and written again with each new one.
pub(crate) const STORED: usize = 20;

/// One call of a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Those of one hook, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    last: VecDeque<Attempt>,
    /// How many came since the start, and how many of them the store has.
    came: u64,
    stored: u64,
}

impl Attempts {
    /// What the store kept; of what cannot be read nothing is known.
    pub(crate) fn kept(text: &str) -> Self {
        Self { last: serde_json::from_str(text).unwrap_or_default(), ..Self::default() }
    }

    pub(crate) fn push(&mut self, attempt: Attempt) {
        if self.last.len() >= KEPT {
            self.last.pop_front();
        }
        self.last.push_back(attempt);
        self.came += 1;
    }

    /// What the store is to keep, if it has not got it, and what to say once it has.
    pub(crate) fn unstored(&self) -> Option<(String, u64)> {
        if self.stored == self.came {
            return None;
        }
        let first = self.last.len().saturating_sub(STORED);
        let text = serde_json::to_string(&self.last.range(first..).collect::<Vec<_>>()).ok()?;
        Some((text, self.came))
    }

    /// The store has what came until then.
    pub(crate) fn are_stored(&mut self, came: u64) {
        self.stored = came;
    }

    pub(crate) fn newest_first(&self) -> Vec<Attempt> {
        self.last.iter().rev().cloned().collect()
    }
}
