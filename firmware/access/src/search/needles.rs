//! Texts to look for, and a window that moves over folded text and finds them all in one pass.

use memchr::memmem::Finder;

use super::content::Place;
use super::fold::fold_into;

/// The texts of one search, each once.
#[derive(Debug, Default)]
pub(crate) struct Needles {
    finders: Vec<Finder<'static>>,
    longest: usize,
}

impl Needles {
    /// The number of a folded text; equal texts have one number.
    pub(crate) fn add(&mut self, needle: &[u8]) -> usize {
        if let Some(at) = self.finders.iter().position(|known| known.needle() == needle) {
            return at;
        }
        self.longest = self.longest.max(needle.len());
        self.finders.push(Finder::new(needle).into_owned());
        self.finders.len() - 1
    }

    /// The folded text of a number.
    pub(crate) fn text(&self, needle: usize) -> &[u8] {
        self.finders.get(needle).map(Finder::needle).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.finders.len()
    }
}

/// What was found of one message so far.
#[derive(Debug)]
pub(crate) struct Hits {
    /// By needle: in a header, in the body.
    found: Vec<[bool; 2]>,
    /// The whole message was looked at.
    pub(crate) is_complete: bool,
}

impl Hits {
    pub(crate) fn new(needles: &Needles) -> Self {
        Self { found: vec![[false; 2]; needles.len()], is_complete: false }
    }

    /// Whether a needle is in the body, or (`in_header`) anywhere; `None` while that is open.
    pub(crate) fn has(&self, needle: usize, in_header: bool) -> Option<bool> {
        let [header, body] = self.found.get(needle).copied().unwrap_or_default();
        if body || (in_header && header) { Some(true) } else { self.is_complete.then_some(false) }
    }
}

/// Folded text that may hold the beginning of a match.
#[derive(Debug, Default)]
pub(crate) struct Window {
    text: Vec<u8>,
}

impl Window {
    /// Takes a piece of text; true if something was found that was not found before.
    pub(crate) fn take(
        &mut self,
        needles: &Needles,
        hits: &mut Hits,
        place: Place,
        piece: &str,
    ) -> bool {
        fold_into(&mut self.text, piece);
        let mut is_news = false;
        for (finder, found) in needles.finders.iter().zip(&mut hits.found) {
            let slot = match place {
                Place::Header => 0,
                Place::Body => 1,
            };
            if !found[slot] && finder.find(&self.text).is_some() {
                found[slot] = true;
                is_news = true;
            }
        }
        let keep = needles.longest.saturating_sub(1).min(self.text.len());
        let from = self.text.len() - keep;
        self.text.copy_within(from.., 0);
        self.text.truncate(keep);
        is_news
    }

    /// The text ends here: what comes is another one.
    pub(crate) fn end(&mut self) {
        self.text.clear();
    }
}
