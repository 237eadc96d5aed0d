//! Lists that are read in parts: pages (RFC 2696) and slices of a sorted list
//! (draft-ietf-ldapext-ldapv3-vlv-09).
//!
//! A connection keeps the numbers of what is still to be read, four bytes an entry, of the last
//! [`KEPT_MAX`] lists, and of fewer where the room that all connections share is full.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use directory::{Code, Filter};
use ldap3_proto::control::LdapControl;
use store::{EntryId, SortedEntries};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::controls::{self, SortKey, Target, Vlv};
use crate::message::Search;
use crate::reply::{self, Fail, refused};
use crate::view::Found;

/// Lists that one connection reads at a time.
const KEPT_MAX: usize = 4;
/// Bytes of a cookie.
const COOKIE_LEN: usize = 16;

/// What was found, and how much of it the client has.
#[derive(Debug)]
pub(crate) struct Page {
    ids: Vec<EntryId>,
    shown: usize,
    /// Why there is not all.
    pub(crate) code: Option<Code>,
    /// The controls that each answer carries.
    pub(crate) answers: Vec<LdapControl>,
}

impl Page {
    pub(crate) fn first(found: Found, answers: Vec<LdapControl>) -> Self {
        Self { ids: found.ids, shown: 0, code: found.code, answers }
    }

    /// The next entries, at most `size`.
    pub(crate) fn next(&mut self, size: usize) -> Vec<EntryId> {
        let rest = self.ids.get(self.shown..).unwrap_or_default();
        let next: Vec<EntryId> = rest.iter().take(size).copied().collect();
        self.shown += next.len();
        next
    }

    pub(crate) fn is_over(&self) -> bool {
        self.shown >= self.ids.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
}

/// The lists that a client reads in pages.
#[derive(Debug)]
pub(crate) struct Lists {
    kept: VecDeque<Kept>,
    /// A permit an entry.
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Kept {
    cookie: [u8; COOKIE_LEN],
    /// What was searched for.
    what: u64,
    page: Page,
    _room: OwnedSemaphorePermit,
}

impl Lists {
    pub(crate) fn new(room: Arc<Semaphore>) -> Self {
        Self { kept: VecDeque::new(), room }
    }

    /// Somebody else is bound now.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }

    /// Room for a list: free, or that of this connection's own oldest ones.
    fn room(&mut self, page: &Page) -> Result<OwnedSemaphorePermit, Fail> {
        let entries = u32::try_from(page.len()).unwrap_or(u32::MAX);
        loop {
            if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(entries) {
                return Ok(room);
            }
            if self.kept.pop_front().is_none() {
                return Err(refused(
                    Code::Busy,
                    "too many lists are read in pages, try again later",
                ));
            }
        }
    }

    /// Keeps what is left; the cookie that leads to it.
    pub(crate) fn keep(&mut self, page: Page, what: u64) -> Result<Vec<u8>, Fail> {
        let mut cookie = [0; COOKIE_LEN];
        if getrandom::fill(&mut cookie).is_err() {
            return Err(refused(Code::Other, "no random numbers"));
        }
        if self.kept.len() >= KEPT_MAX {
            self.kept.pop_front();
        }
        let room = self.room(&page)?;
        self.kept.push_back(Kept { cookie, what, page, _room: room });
        Ok(cookie.to_vec())
    }

    /// The list of a cookie, which is good for one page of the same search.
    pub(crate) fn take(&mut self, cookie: &[u8], what: u64) -> Result<Page, Fail> {
        let at = self.kept.iter().position(|kept| kept.cookie == cookie && kept.what == what);
        let found = at.and_then(|at| self.kept.remove(at));
        let text = "the cookie is of no list of this connection and search";
        found.map(|kept| kept.page).ok_or_else(|| refused(Code::UnwillingToPerform, text))
    }
}

/// What makes two searches the same.
pub(crate) fn fingerprint(search: &Search, filter: &Filter, keys: &[SortKey]) -> u64 {
    let mut hasher = DefaultHasher::new();
    search.base.hash(&mut hasher);
    format!("{:?} {filter:?} {keys:?}", search.scope).hash(&mut hasher);
    hasher.finish()
}

/// Where a slice begins and ends in a list of `len`, for the place (from 1) that the client wants to see.
fn bounds(place: usize, len: usize, slice: &Vlv) -> std::ops::Range<usize> {
    let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let first = place.saturating_sub(1).saturating_sub(wide(slice.before));
    let behind = place.saturating_add(wide(slice.after)).min(len);
    first.min(behind)..behind
}

/// The place that an offset means: RFC draft §4.1, scaled where the client has another idea of the length.
fn place_of(offset: u32, of: u32, len: usize) -> usize {
    let (offset, of) = (u64::from(offset), u64::from(of));
    let real = u64::try_from(len).unwrap_or(u64::MAX);
    let place = match (offset, of) {
        (0 | 1, _) => 1,
        (offset, 0) => offset,
        (offset, of) if offset >= of => real,
        (offset, of) => offset.saturating_mul(real) / of,
    };
    usize::try_from(place).unwrap_or(usize::MAX).clamp(1, len.max(1))
}

/// Cuts the slice out of a sorted list; what is told of it.
pub(crate) fn cut(
    ids: &[EntryId],
    sorted: Option<&SortedEntries>,
    slice: &Vlv,
) -> (Vec<EntryId>, LdapControl) {
    let len = ids.len();
    let place = match &slice.target {
        Target::Offset { offset, of } => place_of(*offset, *of, len),
        // A value that is none is before all others.
        Target::AtLeast(value) => sorted.and_then(|list| list.position(value)).unwrap_or(0) + 1,
    };
    let shown = ids.get(bounds(place, len, slice)).unwrap_or_default().to_vec();
    let value = controls::vlv_value(if len == 0 { 0 } else { place }, len, Code::Success);
    (shown, reply::control(controls::VLV_ANSWER, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(before: u32, after: u32) -> Vlv {
        Vlv { before, after, target: Target::Offset { offset: 1, of: 0 } }
    }

    #[test]
    fn slices_stay_within_the_list() {
        for (place, len, before, after, wanted) in [
            (1, 100, 0, 9, 0..10),
            (50, 100, 2, 2, 47..52),
            (100, 100, 5, 5, 94..100),
            (101, 100, 1, 1, 99..100),
            (1, 0, 3, 3, 0..0),
            (2, 3, u32::MAX, u32::MAX, 0..3),
        ] {
            assert_eq!(bounds(place, len, &slice(before, after)), wanted, "{place} of {len}");
        }
    }

    #[test]
    fn offsets_are_scaled_to_the_real_length() {
        for (offset, of, len, wanted) in [
            (1, 0, 100, 1),
            (0, 0, 100, 1),
            (7, 0, 100, 7),
            (500, 0, 100, 100),
            (50, 100, 200, 100),
            (100, 100, 200, 200),
            (1, 100, 200, 1),
            (5, 10, 0, 1),
            (u32::MAX - 1, u32::MAX, 5, 4),
        ] {
            assert_eq!(place_of(offset, of, len), wanted, "{offset} of {of} in {len}");
        }
    }

    #[test]
    fn pages_are_of_one_search_and_few() {
        let page = || {
            let ids = (1..=5).map(EntryId).collect();
            Page::first(Found { ids, code: None }, Vec::new())
        };
        let mut lists = Lists::new(Arc::new(Semaphore::new(100)));
        let mut first = page();
        assert_eq!(first.next(2), [EntryId(1), EntryId(2)]);
        let cookie = lists.keep(first, 7).unwrap();
        assert!(lists.take(&cookie, 8).is_err(), "another search");
        let mut second = lists.take(&cookie, 7).unwrap();
        assert!(lists.take(&cookie, 7).is_err(), "a cookie is good once");
        assert_eq!(second.next(9), [EntryId(3), EntryId(4), EntryId(5)]);
        assert!(second.is_over() && second.len() == 5);
        let cookies: Vec<_> = (0..=KEPT_MAX).map(|_| lists.keep(page(), 1).unwrap()).collect();
        assert!(lists.take(&cookies[0], 1).is_err(), "the oldest is dropped");
        assert!(lists.take(&cookies[1], 1).is_ok());
    }

    #[test]
    fn the_room_is_shared_and_the_own_lists_make_place() {
        let page = |len| {
            Page::first(Found { ids: (1..=len).map(EntryId).collect(), code: None }, Vec::new())
        };
        let room = Arc::new(Semaphore::new(10));
        let (mut one, mut other) = (Lists::new(room.clone()), Lists::new(room.clone()));
        let first = one.keep(page(4), 1).unwrap();
        let second = one.keep(page(4), 1).unwrap();
        assert!(other.keep(page(4), 1).is_err(), "another's lists stay");
        one.keep(page(5), 1).unwrap();
        assert!(one.take(&first, 1).is_err(), "the own oldest made place");
        assert!(one.take(&second, 1).is_ok());
        assert!(other.keep(page(4), 1).is_ok());
        one.clear();
        other.clear();
        assert_eq!(room.available_permits(), 10);
        assert!(one.keep(page(11), 1).is_err(), "more than there is");
    }
}
