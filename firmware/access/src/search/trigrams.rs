//! Trigrams of folded text: three bytes each, below 2^24. What the search index knows of a message.

use super::content::{Place, Sink};
use super::fold::fold_into;

/// Trigrams of a question that are looked up; more of them hardly narrow it.
const ASKED_MAX: usize = 24;

fn trigrams(text: &[u8]) -> impl Iterator<Item = u32> + '_ {
    text.windows(3).map(|bytes| match bytes {
        [a, b, c] => u32::from(*a) << 16 | u32::from(*b) << 8 | u32::from(*c),
        _ => 0,
    })
}

/// The trigrams of a folded text to look for, each once; `None` if it is too short to have one.
pub(crate) fn asked(needle: &[u8]) -> Option<Vec<u32>> {
    let mut all: Vec<u32> = trigrams(needle).collect();
    all.sort_unstable();
    all.dedup();
    // Spread over the text: its beginning may be a common one.
    let step = all.len().div_ceil(ASKED_MAX).max(1);
    let some: Vec<u32> = all.into_iter().step_by(step).collect();
    (!some.is_empty()).then_some(some)
}

/// Collects the trigrams of all texts of a message.
#[derive(Debug)]
pub(crate) struct Collector {
    /// One bit for each trigram there can be: 2 MB.
    seen: Vec<u64>,
    found: Vec<u32>,
    /// The last two bytes of a text that goes on.
    text: Vec<u8>,
}

impl Default for Collector {
    fn default() -> Self {
        Self { seen: vec![0; (1 << 24) / 64], found: Vec::new(), text: Vec::new() }
    }
}

impl Collector {
    /// Takes a whole text.
    pub(crate) fn whole(&mut self, text: &str) {
        self.end();
        self.piece(Place::Header, text);
        self.end();
    }

    /// The trigrams so far, each once; the next message begins.
    pub(crate) fn take(&mut self) -> Vec<u32> {
        self.end();
        for trigram in &self.found {
            if let Some(word) = self.seen.get_mut((trigram / 64) as usize) {
                *word = 0;
            }
        }
        std::mem::take(&mut self.found)
    }
}

impl Sink for Collector {
    fn piece(&mut self, _: Place, piece: &str) -> bool {
        fold_into(&mut self.text, piece);
        for trigram in trigrams(&self.text) {
            let bit = 1 << (trigram % 64);
            if let Some(word) = self.seen.get_mut((trigram / 64) as usize)
                && *word & bit == 0
            {
                *word |= bit;
                self.found.push(trigram);
            }
        }
        let keep = self.text.len().min(2);
        self.text.drain(..self.text.len() - keep);
        true
    }

    fn end(&mut self) {
        self.text.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::fold::fold;

    #[test]
    fn short_texts_ask_nothing() {
        assert_eq!(asked(b"ab"), None);
        assert_eq!(asked(b"aaaa"), Some(vec![0x61_6161]));
        assert_eq!(asked(&[b'a'; 10_000]).map(|all| all.len()), Some(1));
        let long: Vec<u8> = (0..=255u8).collect();
        assert!(asked(&long).is_some_and(|all| all.len() <= ASKED_MAX));
    }

    proptest! {
        /// What is in a text, the index never denies, wherever the pieces are cut.
        #[test]
        fn what_is_there_is_collected(text in "[aäÄ€b]{0,40}", cut in 0usize..40, from in 0usize..40) {
            let mut collector = Collector::default();
            let cut = text.char_indices().nth(cut).map_or(text.len(), |(at, _)| at);
            let (one, other) = text.split_at(cut);
            collector.piece(Place::Body, one);
            collector.piece(Place::Body, other);
            let mut have = collector.take();
            have.sort_unstable();
            let needle: String = text.chars().skip(from).take(7).collect();
            for trigram in asked(&fold(&needle)).unwrap_or_default() {
                prop_assert!(have.binary_search(&trigram).is_ok());
            }
            have.dedup();
            let mut again = collector.take();
            prop_assert!(again.is_empty());
            collector.whole(&text);
            again = collector.take();
            prop_assert_eq!(again.len(), have.len());
        }
    }
}
