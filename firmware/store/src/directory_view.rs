//! The directory as it was last committed, for reading: one state for as long as it is held.
//!
//! Keep it short: a state that is held holds back space in the index.

use directory::matching::Rule;
use directory::schema::AttributeType;
use directory::{Attributes, Dn, Filter, Refusal};

use crate::directory::tree::{self, Stored};
use crate::directory::{acts, domain, operational, place, search, sorting};
use crate::index::Snapshot;
use crate::{Entry, EntryId, Store, StoreError};

/// Which entries are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The base alone.
    Base,
    /// What stands directly below it.
    OneLevel,
    /// It and all below it.
    Subtree,
    /// All below it.
    Children,
}

/// A search.
#[derive(Clone, Copy)]
pub struct DirectorySearch<'q> {
    /// Where it begins; the root is allowed.
    pub base: &'q Dn,
    /// How far it goes.
    pub scope: Scope,
    /// What must be true of an entry; within the limits of [`Filter::check`].
    pub filter: &'q Filter,
    /// Most entries.
    pub size_limit: Option<usize>,
    /// Most rows and entries that are looked at.
    pub work_max: Option<usize>,
    /// False: who asks is not shown the entry.
    pub shows: &'q dyn Fn(&Entry) -> bool,
    /// True: who asks must learn nothing of this attribute of the entry.
    pub hides: &'q dyn Fn(&Entry, &AttributeType) -> bool,
    /// Asked again and again: false ends the search, and stays so.
    pub goes_on: &'q dyn Fn() -> bool,
}

impl std::fmt::Debug for DirectorySearch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("DirectorySearch");
        shown.field("base", &self.base).field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchEnd {
    /// All that there is was found.
    Complete,
    /// There is more than was asked for.
    SizeLimit,
    /// It was told to stop.
    Stopped,
    /// It takes more work than it was given; what was found is not all.
    TooMuch,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryFound {
    /// Entries in the order in which they were made.
    pub ids: Vec<EntryId>,
    /// Why it ended.
    pub end: SearchEnd,
}

/// What entries are sorted by: RFC 2891.
#[derive(Clone, Copy, Debug)]
pub struct SortKey {
    /// The attribute.
    pub attribute: &'static AttributeType,
    /// The ordering rule, if it is not the attribute's own.
    pub rule: Option<&'static Rule>,
    /// The other way round.
    pub is_reversed: bool,
}

/// Entries in order.
#[derive(Clone, Debug, Default)]
pub struct SortedEntries {
    /// The entries.
    pub ids: Vec<EntryId>,
    /// What each has for the first key.
    pub(crate) firsts: Vec<Option<Vec<u8>>>,
    pub(crate) first_key: Option<SortKey>,
}

impl SortedEntries {
    /// Where the first entry stands that is not before this value, in the order of the first key; `None` if
    /// the value is none of its attribute.
    #[must_use]
    pub fn position(&self, value: &[u8]) -> Option<usize> {
        let key = self.first_key?;
        let wanted = sorting::normal(&key, value)?;
        let is_before = |first: &Option<Vec<u8>>| {
            sorting::order(first.as_deref(), Some(&wanted), key.is_reversed).is_lt()
        };
        Some(self.firsts.partition_point(is_before))
    }
}

/// A state of the directory.
pub struct DirectoryView {
    pub(crate) snapshot: Snapshot,
}

impl std::fmt::Debug for DirectoryView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirectoryView").finish_non_exhaustive()
    }
}

impl Store {
    /// The directory as last committed.
    ///
    /// # Errors
    /// `Index`.
    pub fn directory(&self) -> Result<DirectoryView, StoreError> {
        Ok(DirectoryView { snapshot: self.snapshot()? })
    }

    /// A number of this run that is another after each act that changed the directory: what was found of a
    /// [`DirectoryView`] that was taken after a look at it holds as long as it stays.
    #[must_use]
    pub fn directory_generation(&self) -> u64 {
        self.inner.watchers.directory()
    }
}

/// # Errors
/// All may fail with `Index` or `Damaged`.
impl DirectoryView {
    /// The number of an entry.
    pub fn find(&self, dn: &Dn) -> Result<Option<EntryId>, StoreError> {
        tree::id_of(&self.snapshot, &dn.key())
    }

    /// An entry by its number.
    pub fn entry(&self, id: EntryId) -> Result<Option<Entry>, StoreError> {
        tree::load(&self.snapshot, id)
    }

    /// The entries of a search. `Refused` with noSuchObject if the base is not there.
    pub fn search(&self, search: &DirectorySearch<'_>) -> Result<DirectoryFound, StoreError> {
        search::run(&self.snapshot, search)
    }

    /// The same entries in another order. Entries without a value come last, or first if turned round; what
    /// is equal keeps the order in which it was made.
    pub fn sorted(&self, ids: &[EntryId], keys: &[SortKey]) -> Result<SortedEntries, StoreError> {
        sorting::sort(&self.snapshot, ids, keys)
    }

    /// noSuchObject for a DN that is not there, with the nearest entry above that is.
    pub fn no_such(&self, dn: &Dn) -> Result<Refusal, StoreError> {
        acts::no_such(&self.snapshot, dn)
    }

    /// True if something stands below.
    pub fn has_children(&self, dn: &Dn) -> Result<bool, StoreError> {
        tree::has_children(&self.snapshot, &dn.key())
    }

    /// The operational attributes of an entry, and `memberOf`.
    pub fn operational(&self, id: EntryId, entry: &Entry) -> Result<Attributes, StoreError> {
        operational::all(&self.snapshot, &Stored { id, entry: entry.clone() })
    }

    /// The domains that stand below no other entry, as DNs: namingContexts.
    pub fn contexts(&self) -> Result<Vec<Dn>, StoreError> {
        let mut contexts = Vec::new();
        for name in domain::names(&self.snapshot, usize::MAX)? {
            let dn = crate::directory::dn::of_domain(&name);
            let Ok(dn) = Dn::parse(&dn) else { continue };
            let key = dn.key();
            let above = place::parent(&key).unwrap_or_default();
            if tree::id_of(&self.snapshot, above)?.is_none() {
                contexts.push(dn);
            }
        }
        Ok(contexts)
    }
}
