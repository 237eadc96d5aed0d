//! What a store may hold after a batch of acts of which some were not acknowledged.
//!
//! An acknowledged act is there. One that was answered with an error of the disk, or not at all, is there
//! wholly or not. Of neighbours that nobody tried any more, the first few: they are in the order of the
//! batch.

use store::StoreError;

use crate::act::Act;
use crate::caller::Answered;
use crate::content::Contents;
use crate::model::Model;
use crate::office::NOT_ASKED;
use crate::shown::{Shown, difference};

/// How one act ended.
#[derive(Debug)]
pub(crate) enum End {
    /// `Ok`, with what was told.
    Acknowledged(String),
    /// Refused for a reason of the act: it left nothing.
    Refused(String),
    /// An error of the disk or of the store.
    Unknown(String),
}

impl End {
    pub(crate) fn of(answer: Answered) -> Self {
        match answer {
            Ok(told) => Self::Acknowledged(told),
            Err(
                e @ (StoreError::Io { .. }
                | StoreError::Index { .. }
                | StoreError::Damaged(_)
                | StoreError::DiskFull
                | StoreError::Closed),
            ) => Self::Unknown(format!("{e:?}")),
            Err(e) => {
                let text = format!("{e:?}");
                let word = text.split(['(', ' ', '{']).next().unwrap_or_default();
                Self::Refused(word.to_owned())
            }
        }
    }
}

/// Whether an act with this error may have had a group of its own: one that failed before it may be gone
/// while it is there.
fn was_tried(error: &str) -> bool {
    error != "Closed"
}

/// A state that was known, and acts since.
#[derive(Debug)]
pub(crate) struct Doubt {
    known: Model,
    acts: Vec<(Act, End)>,
    now: i64,
}

impl Doubt {
    pub(crate) fn none(known: Model) -> Self {
        Self { known, acts: Vec::new(), now: 0 }
    }

    pub(crate) fn new(known: Model, acts: Vec<(Act, End)>, now: i64) -> Self {
        Self { known, acts, now }
    }

    /// Whether an act ended with an error of the disk.
    pub(crate) fn is_open(&self) -> bool {
        self.acts.iter().any(|(_, end)| matches!(end, End::Unknown(_)))
    }

    /// Queue ids that acts of unknown outcome may have taken.
    fn queue_ids(&self) -> u64 {
        let takes_one = |act: &Act| matches!(act, Act::Deliver(new) if !new.remote.is_empty());
        let unknown = self.acts.iter().filter(|(_, end)| matches!(end, End::Unknown(_)));
        unknown.filter(|(act, _)| takes_one(act)).count() as u64
    }

    /// Runs of neighbours whose outcome is unknown; a refusal between two does not part them.
    fn runs(&self) -> Vec<usize> {
        let mut runs = Vec::new();
        let mut current = 0;
        for (_, end) in &self.acts {
            match end {
                End::Unknown(error) => {
                    if current > 0 && was_tried(error) {
                        runs.push(current);
                        current = 0;
                    }
                    current += 1;
                }
                End::Refused(_) => {}
                End::Acknowledged(_) => {
                    if current > 0 {
                        runs.push(current);
                    }
                    current = 0;
                }
            }
        }
        if current > 0 {
            runs.push(current);
        }
        runs
    }

    /// The state when of each run so many acts were done; an error if an answer contradicts that.
    fn state(&self, done: &[usize]) -> Result<Model, String> {
        let mut model = self.known.clone();
        let is_open = self.is_open();
        let (mut run, mut in_run) = (0, 0);
        for (act, end) in &self.acts {
            match end {
                End::Acknowledged(told) => {
                    if in_run > 0 {
                        (run, in_run) = (run + 1, 0);
                    }
                    if told == NOT_ASKED {
                        continue;
                    }
                    if matches!(act, Act::Deliver(_)) {
                        model.learn_queue_id(told);
                    }
                    let expected = model.apply(act, self.now);
                    // A step of the clean-up of segments is work, too; it changes nothing that shows.
                    let is_clean_up = matches!(act, Act::KeepHouse) && told == "true";
                    if expected.as_ref() != Ok(told) && !(is_clean_up && expected.is_ok()) {
                        return Err(format!("{act:?} was answered {told}, expected {expected:?}"));
                    }
                }
                End::Unknown(error) => {
                    if in_run > 0 && was_tried(error) {
                        (run, in_run) = (run + 1, 0);
                    }
                    in_run += 1;
                    if done.get(run).is_some_and(|done| in_run <= *done) {
                        // It may have been refused in the end; then it changes nothing here either.
                        drop(model.apply(act, self.now));
                    }
                }
                // What it was refused for may have been an act that failed later.
                End::Refused(_) if is_open => {}
                End::Refused(word) => {
                    let expected = model.clone().apply(act, self.now);
                    if expected.as_ref() != Err(word) {
                        return Err(format!("{act:?} was refused: {word}, expected {expected:?}"));
                    }
                }
            }
        }
        Ok(model)
    }

    /// The state that is `found`, or what is wrong with it.
    pub(crate) fn settle(&self, found: &Shown, contents: &Contents) -> Result<Model, String> {
        let runs = self.runs();
        let mut done = vec![0; runs.len()];
        let mut wrong = Vec::new();
        loop {
            match self.state(&done) {
                Ok(mut model) => {
                    model.queue_ids_in_doubt += self.queue_ids();
                    let shown = model.shown(contents);
                    if shown == *found {
                        return Ok(model);
                    }
                    wrong.push(format!("{done:?} done: {}", difference(&shown, found)));
                }
                Err(e) => wrong.push(format!("{done:?} done: {e}")),
            }
            // The next combination, like an odometer.
            let Some(at) = (0..runs.len()).find(|&at| done[at] < runs[at]) else { break };
            done[at] += 1;
            done[..at].fill(0);
        }
        let mut text = String::from("the store holds what it cannot hold\nacts:");
        for (act, end) in &self.acts {
            let end = match end {
                End::Acknowledged(told) => format!("Ok {told}"),
                End::Refused(word) => format!("refused: {word}"),
                End::Unknown(error) => format!("unknown: {error}"),
            };
            text.push_str(&format!("\n  {act:?} -> {end}"));
        }
        // Nothing done, all done, and one between say enough.
        let last = wrong.len() - 1;
        for (at, line) in wrong.iter().enumerate() {
            if at < 2 || at == last {
                text.push_str(&format!("\nwith {line}"));
            }
        }
        Err(text)
    }
}
