//! The directory as it was last committed, for reading: one state for as long as it is held.
//!
//! Keep it short: a state that is held holds back space in the index.

use directory::{Attributes, Dn, Refusal};

use crate::directory::tree::{self, Stored};
use crate::directory::{acts, domain, operational, place};
use crate::index::Snapshot;
use crate::{Entry, EntryId, Store, StoreError};

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
