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

/// Text is gathered up to this before it is looked at: a look has its price, and most texts are short.
const GATHER_BYTES: usize = if cfg!(test) { 24 } else { 16 * 1024 };
/// Stands between texts. No needle has it: it is in no UTF-8.
const BORDER: u8 = 0xff;

/// Folded text that was not looked at yet, behind text that may hold the beginning of a match.
#[derive(Debug, Default)]
pub(crate) struct Window {
    text: Vec<u8>,
    /// Where all of it stands.
    in_body: bool,
}

impl Window {
    /// A message begins.
    pub(crate) fn begin(&mut self) {
        self.text.clear();
    }

    /// Takes a piece of text; true if something was found that was not found before.
    pub(crate) fn take(
        &mut self,
        needles: &Needles,
        hits: &mut Hits,
        place: Place,
        piece: &str,
    ) -> bool {
        let mut is_news = false;
        if self.in_body != (place == Place::Body) {
            is_news = self.look(needles, hits);
            self.text.clear();
            self.in_body = place == Place::Body;
        }
        fold_into(&mut self.text, piece);
        if self.text.len() >= GATHER_BYTES {
            is_news |= self.look(needles, hits);
            let keep = needles.longest.saturating_sub(1).min(self.text.len());
            let from = self.text.len() - keep;
            self.text.copy_within(from.., 0);
            self.text.truncate(keep);
        }
        is_news
    }

    /// The text ends here: what comes is another one.
    pub(crate) fn end(&mut self) {
        self.text.push(BORDER);
    }

    /// Looks at what was gathered; true if something was found that was not found before.
    pub(crate) fn look(&self, needles: &Needles, hits: &mut Hits) -> bool {
        let mut is_news = false;
        for (finder, found) in needles.finders.iter().zip(&mut hits.found) {
            let slot = usize::from(self.in_body);
            if !found[slot] && finder.find(&self.text).is_some() {
                found[slot] = true;
                is_news = true;
            }
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::fold::fold;

    proptest! {
        /// However texts are cut and gathered: a needle is found where one of them holds it.
        #[test]
        fn what_is_there_is_found(
            messages in prop::collection::vec(
                prop::collection::vec((any::<bool>(), prop::collection::vec("[aäÄb ]{0,9}", 0..6)), 0..8),
                1..3,
            ),
            wanted in prop::collection::vec("[aäb ]{1,12}", 1..4),
        ) {
            let mut needles = Needles::default();
            let numbers: Vec<usize> = wanted.iter().map(|text| needles.add(&fold(text))).collect();
            let mut window = Window::default();
            for texts in messages {
                let mut hits = Hits::new(&needles);
                window.begin();
                for (in_body, pieces) in &texts {
                    let place = if *in_body { Place::Body } else { Place::Header };
                    for piece in pieces {
                        window.take(&needles, &mut hits, place, piece);
                    }
                    window.end();
                }
                window.look(&needles, &mut hits);
                for (text, number) in wanted.iter().zip(&numbers) {
                    let holds = [false, true].map(|wanted_body| {
                        texts.iter().filter(|(in_body, _)| *in_body == wanted_body).any(|(_, pieces)| {
                            memchr::memmem::find(&fold(&pieces.concat()), &fold(text)).is_some()
                        })
                    });
                    prop_assert_eq!(hits.found[*number], holds);
                }
            }
        }
    }
}
