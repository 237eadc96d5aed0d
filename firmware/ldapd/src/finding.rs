//! Where the finding runs, and the sorted lists that are looked at slice by slice.
//!
//! Who browses an address book asks for the same list with each turn of the wheel, so a sorted list is kept
//! until the directory changes: the numbers of its entries and what the first key sorts them by. It is shown
//! to whoever asks the same with the same rights, and nobody else.
//!
//! Limits: so many searches at once and so many entries of all lists together as the tier's budget has, the
//! other searches wait in their order; [`LISTS_MAX`] lists.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::TierBudget;
use store::SortedEntries;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::view::Found;

/// Lists that are kept.
const LISTS_MAX: usize = 16;

/// What a search found, sorted if that was asked for.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) found: Found,
    pub(crate) sorted: Option<SortedEntries>,
}

/// What all connections share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    places: Arc<Semaphore>,
    kept: Arc<Mutex<VecDeque<Kept>>>,
    /// Entries of all lists that are kept.
    sorted_max: usize,
    /// The room for entries of lists that clients read in pages.
    paged: Arc<Semaphore>,
}

#[derive(Debug)]
struct Kept {
    /// The state of the directory, by `Store::directory_generation`.
    generation: u64,
    /// All that decides what is found, and in which order.
    question: String,
    list: Arc<List>,
}

impl Finding {
    pub(crate) fn new(budget: &TierBudget) -> Self {
        let wide = |n: u32| usize::try_from(n).unwrap_or(Semaphore::MAX_PERMITS);
        let room = |n: u32| Arc::new(Semaphore::new(wide(n).clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            places: room(budget.ldap_searches_at_once),
            kept: Arc::default(),
            sorted_max: wide(budget.ldap_sorted_entries_max),
            paged: room(budget.ldap_paged_entries_max),
        }
    }

    /// The room for the lists of all connections that are read in pages, a permit an entry.
    pub(crate) fn paged(&self) -> Arc<Semaphore> {
        Arc::clone(&self.paged)
    }

    /// Runs a search off the runtime's threads when its turn has come.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<Option<T>> {
        // Held by the work itself: who goes away meanwhile does not give the place to another.
        let held = |place: OwnedSemaphorePermit| {
            move || {
                let _place = place;
                Some(work())
            }
        };
        let places = Arc::clone(&self.places);
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => tokio::task::spawn_blocking(held(place)),
            Err(_) => tokio::spawn(async move {
                let place = places.acquire_owned().await.ok()?;
                tokio::task::spawn_blocking(held(place)).await.ok().flatten()
            }),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list that answers a question, if the directory is as it was then.
    pub(crate) fn known(&self, generation: u64, question: &str) -> Option<Arc<List>> {
        let mut kept = self.kept();
        let is_it = |kept: &Kept| kept.generation == generation && kept.question == question;
        let at = kept.iter().position(is_it)?;
        // The one used last goes last.
        let found = kept.remove(at)?;
        let list = Arc::clone(&found.list);
        kept.push_back(found);
        Some(list)
    }

    /// Keeps a list; `generation` was looked at before the search began.
    pub(crate) fn keep(&self, generation: u64, question: String, list: &Arc<List>) {
        let mut kept = self.kept();
        kept.retain(|kept| kept.generation == generation && kept.question != question);
        kept.push_back(Kept { generation, question, list: Arc::clone(list) });
        let entries = |kept: &VecDeque<Kept>| -> usize {
            kept.iter().map(|kept| kept.list.found.ids.len()).sum()
        };
        while kept.len() > LISTS_MAX || entries(&kept) > self.sorted_max {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::EntryId;

    fn finding() -> Finding {
        Finding::new(&TierBudget::of(base::Tier::OneGb))
    }

    fn list(len: u32) -> Arc<List> {
        let ids = (1..=len).map(EntryId).collect();
        Arc::new(List { found: Found { ids, code: None }, sorted: None })
    }

    #[test]
    fn a_list_is_known_until_the_directory_changes() {
        let finding = finding();
        finding.keep(1, "a".to_owned(), &list(3));
        finding.keep(1, "b".to_owned(), &list(2));
        assert_eq!(finding.known(1, "a").unwrap().found.ids.len(), 3);
        assert!(finding.known(1, "c").is_none());
        assert!(finding.known(2, "a").is_none());
        finding.keep(2, "b".to_owned(), &list(1));
        assert_eq!(finding.known(2, "b").unwrap().found.ids.len(), 1);
        assert!(finding.known(1, "a").is_none(), "of a state that is gone");
    }

    #[test]
    fn few_lists_are_kept_and_the_one_used_last_stays() {
        let finding = finding();
        for n in 0..LISTS_MAX {
            finding.keep(1, n.to_string(), &list(1));
        }
        assert!(finding.known(1, "0").is_some());
        finding.keep(1, "more".to_owned(), &list(1));
        assert!(finding.known(1, "0").is_some() && finding.known(1, "1").is_none());
        let half = u32::try_from(finding.sorted_max / 2).unwrap();
        finding.keep(1, "half".to_owned(), &list(half));
        finding.keep(1, "more than half".to_owned(), &list(half + 1));
        assert!(finding.known(1, "half").is_none() && finding.known(1, "0").is_none());
        assert!(finding.known(1, "more than half").is_some());
    }

    #[tokio::test]
    async fn searches_wait_for_their_turn() {
        let finding = finding();
        let places = finding.places.available_permits();
        let (start, begun) = std::sync::mpsc::channel::<()>();
        let begun = Arc::new(Mutex::new(begun));
        let wait = |begun: &Arc<Mutex<std::sync::mpsc::Receiver<()>>>| {
            let begun = Arc::clone(begun);
            finding.run(move || begun.lock().unwrap().recv().unwrap())
        };
        let first: Vec<_> = (0..places).map(|_| wait(&begun)).collect();
        while finding.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let mut last = finding.run(|| 7);
        tokio::task::yield_now().await;
        assert!(!last.is_finished());
        for _ in &first {
            start.send(()).unwrap();
        }
        assert_eq!((&mut last).await.unwrap(), Some(7));
        for one in first {
            one.await.unwrap();
        }
    }
}
