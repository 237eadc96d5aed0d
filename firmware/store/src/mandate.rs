//! What goes with each act to the writer: in whose name it is done, and the judge that is asked inside it.
//!
//! Who asks for an act has its rights judged before, but may lose them, or its target may get others, until
//! the writer comes to it. So the judge is asked again in the act's own transaction, where it sees what all
//! acts before have done, those of the same group too. Nothing is tried again and nobody is starved.
//!
//! Never here: what anybody may do.

use std::sync::Arc;

use base::{AccountId, Address, DomainName};
use directory::Dn;

use crate::directory::{account, domain, domain_alias, group, resolve, tree};
use crate::index::View;
use crate::recovery::accounts;
use crate::{
    Account, DirectoryView, Entry, EntryId, Group, Origin, Resolution, Settings, Store, StoreError,
    Token, settings, store_tokens,
};

/// Says whether the act may be done: `Forbidden` or `Refused` if not. Runs on the writer's thread, once for
/// each try of an act: it reads few rows, and nothing but what it is given.
pub type Judge = dyn Fn(&DirectoryState<'_>) -> Result<(), StoreError> + Send + Sync;

/// In whose name, and under which condition. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Mandate {
    /// `None`: the box's own.
    pub(crate) origin: Option<Arc<Origin>>,
    pub(crate) judge: Option<Arc<Judge>>,
}

/// The directory as an act finds it, or as it was last committed: what a judge looks at.
pub struct DirectoryState<'v>(pub(crate) &'v dyn View);

impl std::fmt::Debug for DirectoryState<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirectoryState").finish_non_exhaustive()
    }
}

/// # Errors
/// All may fail with `Index` or `Damaged`.
impl DirectoryState<'_> {
    /// An account by its id.
    pub fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        account::find(&self.0, id)
    }

    /// What a deleted account was.
    pub fn deleted_account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        accounts::was(&self.0, id)
    }

    /// The account whose primary address or alias this is.
    pub fn account_by_address(&self, address: &Address) -> Result<Option<Account>, StoreError> {
        account::by_address(&self.0, address)
    }

    /// Where mail to an address goes; `LimitReached` as in [`Store::resolve`].
    pub fn resolve(&self, address: &Address) -> Result<Resolution, StoreError> {
        resolve::resolve(&self.0, address)
    }

    /// The directory entry that an account is.
    pub fn account_entry(&self, id: AccountId) -> Result<Option<Entry>, StoreError> {
        account::live_entry(&self.0, id)
    }

    /// The group of a name in a domain, without regard to case.
    pub fn group(&self, name: &str, domain: &DomainName) -> Result<Option<Group>, StoreError> {
        group::find(&self.0, name, domain)
    }

    /// The names of all domains, in their order.
    pub fn domain_names(&self) -> Result<Vec<DomainName>, StoreError> {
        domain::names(&self.0, usize::MAX)
    }

    /// True if the box has the domain, by any of its names.
    pub fn is_ours(&self, name: &DomainName) -> Result<bool, StoreError> {
        Ok(domain::exists(&self.0, name)? || domain_alias::domain_of(&self.0, name)?.is_some())
    }

    /// The settings.
    pub fn settings(&self) -> Result<Settings, StoreError> {
        settings::load(&self.0)
    }

    /// A token of the API.
    pub fn token(&self, id: u32) -> Result<Option<Token>, StoreError> {
        store_tokens::find(&self.0, id)
    }

    /// The number of an entry.
    pub fn find(&self, dn: &Dn) -> Result<Option<EntryId>, StoreError> {
        tree::id_of(&self.0, &dn.key())
    }

    /// The entry of a DN.
    pub fn entry(&self, dn: &Dn) -> Result<Option<Entry>, StoreError> {
        match self.find(dn)? {
            Some(id) => tree::load(&self.0, id),
            None => Ok(None),
        }
    }

    /// True if something stands below.
    pub fn has_children(&self, dn: &Dn) -> Result<bool, StoreError> {
        tree::has_children(&self.0, &dn.key())
    }
}

impl DirectoryView {
    /// The same, for a judge.
    #[must_use]
    pub fn state(&self) -> DirectoryState<'_> {
        DirectoryState(&self.snapshot)
    }
}

impl Store {
    /// The same store for acts in somebody's name. Without, acts are the box's own.
    #[must_use]
    pub fn by(&self, origin: Origin) -> Self {
        let mandate = Mandate { origin: Some(Arc::new(origin)), ..self.mandate.clone() };
        Self { inner: Arc::clone(&self.inner), mandate }
    }

    /// The same store for acts that are done only if `judge` lets them, asked inside each.
    #[must_use]
    pub fn judged(&self, judge: Arc<Judge>) -> Self {
        let mandate = Mandate { judge: Some(judge), ..self.mandate.clone() };
        Self { inner: Arc::clone(&self.inner), mandate }
    }

    /// The same store for what is told of something that is done already.
    pub(crate) fn unjudged(&self) -> Self {
        let mandate = Mandate { judge: None, ..self.mandate.clone() };
        Self { inner: Arc::clone(&self.inner), mandate }
    }
}
