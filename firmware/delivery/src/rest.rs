//! Destinations that rest: no host of theirs answered a moment ago, and the next entry for them need not wait
//! for the same silence. Without it a thousand mails to one dead host hold up everybody's.
//!
//! Bounded by what can be tried within one rest.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::Word;
use crate::route::Destination;

/// How long a destination rests.
const REST: Duration = Duration::from_secs(60);

/// What rests, until when, and the word that its mail gets meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Resting {
    known: Mutex<BTreeMap<Destination, (Instant, Word)>>,
}

impl Resting {
    fn known(&self) -> MutexGuard<'_, BTreeMap<Destination, (Instant, Word)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The word for a destination that rests.
    pub(crate) fn word(&self, destination: &Destination) -> Option<Word> {
        let now = Instant::now();
        let mut known = self.known();
        known.retain(|_, (until, _)| *until > now);
        known.get(destination).map(|(_, word)| word.clone())
    }

    /// Lets a destination rest.
    pub(crate) fn begin(&self, destination: Destination, word: Word) {
        self.known().insert(destination, (Instant::now() + REST, word));
    }

    /// Ends all rests: somebody wants it tried now.
    pub(crate) fn clear(&self) {
        self.known().clear();
    }
}
