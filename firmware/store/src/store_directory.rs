//! The face for the directory and the settings.

use std::sync::Arc;

use base::{AccountId, Address, DomainName};
use tokio::sync::watch;

use crate::directory::{
    account, address_index, alias, domain, domain_alias, listing, resolve, sending, tree,
};
use crate::{
    Account, AccountChange, AccountPage, AccountQuery, Alias, Domain, DomainChange, Entry,
    NewAccount, Resolution, Settings, Store, StoreError, TlsIdentity, audit, settings,
};

/// # Errors
/// Each method says which refusals are its own; all may fail with `Io`, `Index`, `Damaged` or (acts)
/// `Closed`, after which the outcome is unknown.
impl Store {
    /// `Exists`, `DomainTaken`, `LimitReached`; `Misuse` for an address literal.
    pub async fn create_domain(&self, domain: DomainName) -> Result<(), StoreError> {
        self.act(move |tx| domain::create(tx, &domain)).await
    }

    /// `NoSuchDomain`; `DomainTaken` if a further name is another's.
    pub async fn update_domain(
        &self,
        domain: DomainName,
        change: DomainChange,
    ) -> Result<(), StoreError> {
        self.act(move |tx| domain::update(tx, &domain, &change)).await
    }

    /// `InUse` while accounts or aliases are in it; `NoSuchDomain`.
    pub async fn delete_domain(&self, domain: DomainName) -> Result<(), StoreError> {
        self.act(move |tx| domain::delete(tx, &domain)).await
    }

    /// A domain by its name; its further names are not its name.
    pub fn domain(&self, name: &DomainName) -> Result<Option<Domain>, StoreError> {
        domain::find(&self.snapshot()?, name)
    }

    /// All domains, by name.
    pub fn domains(&self) -> Result<Vec<Domain>, StoreError> {
        domain::list(&self.snapshot()?)
    }

    /// The names of all domains, in their order.
    pub fn domain_names(&self) -> Result<Vec<DomainName>, StoreError> {
        domain::names(&self.snapshot()?, usize::MAX)
    }

    /// True if the box has the domain, by any of its names.
    pub fn is_ours(&self, name: &DomainName) -> Result<bool, StoreError> {
        self.directory()?.state().is_ours(name)
    }

    /// With INBOX, Drafts, Sent, Trash, Junk, Archive, all subscribed. `AddressTaken`, `NoSuchDomain`.
    pub async fn create_account(&self, account: NewAccount) -> Result<AccountId, StoreError> {
        self.act_asked(move |tx| account::create(tx, &account)).await
    }

    /// `NoSuchAccount`, and for further addresses `AddressTaken`, `NoSuchDomain`.
    pub async fn update_account(
        &self,
        id: AccountId,
        change: AccountChange,
    ) -> Result<(), StoreError> {
        self.act_asked(move |tx| account::update(tx, id, &change)).await
    }

    /// Adds the SCRAM verifier of the password whose PHC string is `hash`; nothing happens if the account
    /// has another one by now. `NoSuchAccount`.
    pub async fn add_scram_verifier(
        &self,
        id: AccountId,
        hash: String,
        verifier: String,
    ) -> Result<(), StoreError> {
        self.act(move |tx| account::add_verifier(tx, id, &hash, &verifier)).await
    }

    /// Puts another hash of the same password in the place of `old`; nothing happens if the account has
    /// another one by now. `NoSuchAccount`.
    pub async fn replace_password(
        &self,
        id: AccountId,
        old: String,
        new: String,
    ) -> Result<(), StoreError> {
        self.act(move |tx| account::replace_password(tx, id, &old, &new)).await
    }

    /// The entry is gone at once; its mail stays on disk for the retention time.
    pub async fn delete_account(&self, id: AccountId) -> Result<(), StoreError> {
        self.act_asked(move |tx| account::delete(tx, id)).await
    }

    /// An account by its id.
    pub fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        account::find(&self.snapshot()?, id)
    }

    /// The directory entry that an account is.
    pub fn account_entry(&self, id: AccountId) -> Result<Option<Entry>, StoreError> {
        account::live_entry(&self.snapshot()?, id)
    }

    /// Accounts behind `after`, by id, at most `limit`.
    pub fn accounts(&self, after: AccountId, limit: usize) -> Result<Vec<Account>, StoreError> {
        account::list(&self.snapshot()?, after, limit)
    }

    /// A page of accounts as somebody looks for them. Reads as many index rows as there are accounts: not on
    /// the runtime's threads.
    pub fn find_accounts(&self, query: &AccountQuery) -> Result<AccountPage, StoreError> {
        listing::run(&self.snapshot()?, &self.settings(), query)
    }

    /// How many accounts there are.
    pub fn accounts_len(&self) -> Result<u64, StoreError> {
        account::len(&self.snapshot()?)
    }

    /// The account whose primary address or alias this is (login names).
    pub fn account_by_address(&self, address: &Address) -> Result<Option<Account>, StoreError> {
        account::by_address(&self.snapshot()?, address)
    }

    /// `AddressTaken`, `NoSuchDomain`; `Misuse` without a target.
    pub async fn create_alias(&self, alias: Alias) -> Result<(), StoreError> {
        self.act_asked(move |tx| alias::create(tx, &alias)).await
    }

    /// Replaces the targets. `NoSuchAlias`.
    pub async fn update_alias(&self, alias: Alias) -> Result<(), StoreError> {
        self.act_asked(move |tx| alias::update(tx, &alias)).await
    }

    /// `NoSuchAlias`.
    pub async fn delete_alias(&self, address: Address) -> Result<(), StoreError> {
        self.act_asked(move |tx| alias::delete(tx, &address)).await
    }

    /// All aliases that are not further addresses of an account, by domain.
    pub fn aliases(&self) -> Result<Vec<Alias>, StoreError> {
        alias::list(&self.snapshot()?)
    }

    /// Where mail to an address goes: by every name of its domain, `+detail`, postmaster's fall-back, the
    /// domain's catch-all; through aliases, groups and forwarding (depth 10). `LimitReached` where it is more
    /// than 10,000 recipients.
    pub fn resolve(&self, address: &Address) -> Result<Resolution, StoreError> {
        resolve::resolve(&self.snapshot()?, address)
    }

    /// True if the address is somebody's: an account's, an alias, a group.
    pub fn is_taken(&self, address: &Address) -> Result<bool, StoreError> {
        let view = self.snapshot()?;
        let address = domain_alias::canonical(&view, address)?;
        Ok(address_index::find(&view, &address)?.is_some())
    }

    /// True if the account may send with the address: its own and its aliases, by every name of their domain
    /// and with `+detail`; the postmaster's, if it takes that mail; and what `send_as` says.
    pub fn may_send_as(&self, id: AccountId, address: &Address) -> Result<bool, StoreError> {
        sending::may_send_as(&self.snapshot()?, id, address)
    }

    /// The stored LDAP entry of a DN.
    pub fn entry(&self, dn: &str) -> Result<Option<Entry>, StoreError> {
        Ok(tree::find(&self.snapshot()?, dn)?.map(|stored| stored.entry))
    }

    /// The settings as last committed.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.inner.watchers.current_settings()
    }

    /// Runs `change` on the current settings inside the writer.
    pub async fn update_settings(
        &self,
        change: Box<dyn FnOnce(&mut Settings) + Send>,
    ) -> Result<Arc<Settings>, StoreError> {
        self.act_alone(move |tx| settings::change(tx, change)).await
    }

    /// Wakes when the settings change.
    #[must_use]
    pub fn watch_settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.inner.watchers.settings()
    }

    /// The certificate and key, if there are any yet.
    pub fn tls_identity(&self) -> Result<Option<TlsIdentity>, StoreError> {
        settings::tls_identity(&self.snapshot()?)
    }

    /// Replaces the certificate and key.
    pub async fn set_tls_identity(&self, identity: TlsIdentity) -> Result<(), StoreError> {
        self.act(move |tx| {
            let before = settings::tls_identity(&tx.tables)?;
            settings::put_tls_identity(tx, &identity)?;
            audit::settings::note_identity(tx, before.as_ref(), &identity)
        })
        .await
    }
}
