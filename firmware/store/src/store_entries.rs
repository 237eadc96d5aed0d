//! The face for LDAP: entries as they are added, changed, removed and renamed.

use directory::{Attributes, Dn, Filter, Modification, Rdn};

use crate::directory::acts::{self, Rename};
use crate::{Entry, Store, StoreError};

/// `by` is the DN of who does it: creatorsName, modifiersName. Passwords come hashed.
///
/// # Errors
/// `Refused` says why not, with the result code of LDAP; all may fail with `Io`, `Index`, `Damaged` or
/// `Closed`, after which the outcome is unknown.
impl Store {
    /// Adds an entry; the attributes have the keys of [`directory::schema::key`]. A person with an address of
    /// the box below `ou=people` is an account from now on. Returns the entry as it stands there.
    pub async fn add_entry(
        &self,
        dn: Dn,
        attributes: Attributes,
        by: String,
    ) -> Result<Entry, StoreError> {
        self.act_asked(move |tx| Ok(acts::add(tx, &dn, &attributes, &by)?.entry)).await
    }

    /// Makes all changes or none, if the assertion holds. Returns the entry before and after.
    pub async fn modify_entry(
        &self,
        dn: Dn,
        changes: Vec<Modification>,
        assertion: Option<Filter>,
        by: String,
    ) -> Result<(Entry, Entry), StoreError> {
        self.act_asked(move |tx| {
            let (before, after) = acts::modify(tx, &dn, &changes, assertion.as_ref(), &by)?;
            Ok((before.entry, after.entry))
        })
        .await
    }

    /// Removes an entry that nothing stands below, and what names it as a member. An account that it was can
    /// be restored for the retention time. A domain goes with its containers if nothing else is in it.
    /// Returns the entry as it was.
    pub async fn delete_entry(
        &self,
        dn: Dn,
        assertion: Option<Filter>,
    ) -> Result<Entry, StoreError> {
        self.act_asked(move |tx| Ok(acts::delete(tx, &dn, assertion.as_ref())?.entry)).await
    }

    /// Names an entry otherwise or moves it below `superior`, with all that stands below it; members that name
    /// it follow. An account keeps its id and mail as long as it stays below `ou=people`. Returns the entry
    /// before and after.
    pub async fn rename_entry(
        &self,
        dn: Dn,
        rdn: Rdn,
        deletes_old: bool,
        superior: Option<Dn>,
        assertion: Option<Filter>,
        by: String,
    ) -> Result<(Entry, Entry), StoreError> {
        let to = Rename { rdn, deletes_old, superior };
        self.act_asked(move |tx| {
            let (before, after) = acts::rename(tx, &dn, &to, assertion.as_ref(), &by)?;
            Ok((before.entry, after.entry))
        })
        .await
    }
}
