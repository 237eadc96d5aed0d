//! The face for rights, the names of others' mailboxes, groups and annotations.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{AccountId, DomainName, MailboxId, UidRanges};
use tokio::sync::{Notify, broadcast};

use crate::acl::{acts, judge, namespace};
use crate::annotation::{self, Setting};
use crate::directory::group;
use crate::mailbox::copying::{self, Source};
use crate::mailbox::row;
use crate::{
    Access, AclOp, AnnotationChange, AnnotationScope, Copied, Found, Group, GroupChange,
    GroupSummary, Mailbox, NewPlace, Rights, SpecialUse, Store, StoreError,
};

/// # Errors
/// Each method says which refusals are its own; all may fail with `Io`, `Index`, `Damaged` or (acts)
/// `Closed`, after which the outcome of the act is unknown.
impl Store {
    /// The mailbox that an account calls `name`, if it may do there what `is_enough` says. Every protocol
    /// server comes to mailboxes through here.
    pub fn open_mailbox(
        &self,
        account: AccountId,
        name: &str,
        is_enough: impl Fn(Rights) -> bool,
    ) -> Result<Access, StoreError> {
        namespace::open(&self.snapshot()?, account, name, &is_enough)
    }

    /// What an account may do with a mailbox now. `NoSuchMailbox`.
    pub fn rights(&self, account: AccountId, mailbox: MailboxId) -> Result<Rights, StoreError> {
        let view = self.snapshot()?;
        let row = row::existing(&view, mailbox)?;
        judge::rights(&view, account, mailbox, &row)
    }

    /// Where an account may make a mailbox of that name.
    pub fn new_place(&self, account: AccountId, name: &str) -> Result<NewPlace, StoreError> {
        namespace::new_place(&self.snapshot()?, account, name)
    }

    /// The mailboxes of others and of the office that an account sees, by name.
    pub fn shown_mailboxes(&self, account: AccountId) -> Result<Vec<Found>, StoreError> {
        judge::shown(&self.snapshot()?, account)
    }

    /// The name under which an account sees a mailbox; `None` if its owner is gone.
    pub fn shown_name(
        &self,
        account: AccountId,
        mailbox: &Mailbox,
    ) -> Result<Option<String>, StoreError> {
        namespace::shown_name(&self.snapshot()?, account, mailbox)
    }

    /// Makes a mailbox where [`Store::new_place`] says: `maker` gets all rights at the top of the office.
    pub async fn create_mailbox_for(
        &self,
        maker: AccountId,
        owner: AccountId,
        name: String,
        special_use: Option<SpecialUse>,
    ) -> Result<Mailbox, StoreError> {
        self.act(move |tx| crate::mailbox::acts::create(tx, maker, owner, &name, special_use)).await
    }

    /// The list of a mailbox as identifiers and rights, the owner first.
    pub fn acl(&self, mailbox: MailboxId) -> Result<Vec<(String, Rights)>, StoreError> {
        acts::show(&self.snapshot()?, mailbox)
    }

    /// Changes the rights of an identifier. `NoSuchAccount` if it names nobody, `LimitReached`.
    pub async fn set_acl(
        &self,
        mailbox: MailboxId,
        identifier: String,
        op: AclOp,
        rights: Rights,
    ) -> Result<(), StoreError> {
        self.act(move |tx| acts::set(tx, mailbox, &identifier, op, rights)).await
    }

    /// Whether an identifier is the owner's; `None` if it names nobody.
    pub fn is_owner(
        &self,
        mailbox: MailboxId,
        identifier: &str,
    ) -> Result<Option<bool>, StoreError> {
        acts::is_owner(&self.snapshot()?, mailbox, identifier)
    }

    /// As [`Store::copy`] and [`Store::move_messages`], with only the flags that `rights` in the target
    /// allow (RFC 4314 §4).
    pub async fn copy_within_rights(
        &self,
        from: MailboxId,
        uids: UidRanges,
        to: MailboxId,
        is_move: bool,
        rights: Rights,
    ) -> Result<Copied, StoreError> {
        let source = if is_move { Source::Expunge } else { Source::Keep };
        self.act(move |tx| copying::copy(tx, from, &uids, to, source, rights)).await
    }

    /// Makes a group, or makes it what is said. `NoSuchDomain`, `NoSuchAccount`, `NoSuchGroup`, `BadName`,
    /// `AddressTaken`, `LimitReached`.
    pub async fn put_group(&self, group: Group) -> Result<(), StoreError> {
        self.act_asked(move |tx| group::put(tx, &group)).await
    }

    /// Makes a group. `Exists`, and as [`Store::put_group`].
    pub async fn create_group(&self, group: Group) -> Result<(), StoreError> {
        self.act_asked(move |tx| group::create(tx, &group)).await
    }

    /// Changes a group; returns it. As [`Store::put_group`].
    pub async fn update_group(
        &self,
        name: String,
        domain: DomainName,
        change: GroupChange,
    ) -> Result<Group, StoreError> {
        self.act_asked(move |tx| group::update(tx, &name, &domain, &change)).await
    }

    /// `NoSuchGroup`.
    pub async fn delete_group(&self, name: String, domain: DomainName) -> Result<(), StoreError> {
        self.act_asked(move |tx| group::delete(tx, &name, &domain)).await
    }

    /// All groups without their members, by name.
    pub fn group_summaries(&self) -> Result<Vec<GroupSummary>, StoreError> {
        group::summaries(&self.snapshot()?)
    }

    /// The group of a name in a domain, without regard to case.
    pub fn group(&self, name: &str, domain: &DomainName) -> Result<Option<Group>, StoreError> {
        group::find(&self.snapshot()?, name, domain)
    }

    /// All groups, by name.
    pub fn groups(&self) -> Result<Vec<Group>, StoreError> {
        group::list(&self.snapshot()?)
    }

    /// The annotations that an account sees, with their values.
    pub fn annotations(
        &self,
        scope: AnnotationScope,
        account: AccountId,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        annotation::list(&self.snapshot()?, scope, account)
    }

    /// Sets or removes annotations, and the special use if one is given, all or none. `LimitReached` if
    /// they are too many, `TooLarge`, `BadName`; `Exists` if another mailbox has the special use;
    /// `NoSuchAccount`.
    pub async fn set_annotations(
        &self,
        scope: AnnotationScope,
        by: AccountId,
        values: Vec<(String, Option<Vec<u8>>)>,
        special_use: Option<Option<SpecialUse>>,
        origin: Option<u64>,
    ) -> Result<(), StoreError> {
        let setting = Setting { values, special_use };
        self.act(move |tx| annotation::set(tx, scope, by, &setting, origin)).await
    }

    /// Bytes that expunging would free. `NoSuchMailbox`.
    pub fn deleted_bytes(&self, mailbox: MailboxId) -> Result<u64, StoreError> {
        crate::mailbox::reads::deleted_bytes(&self.snapshot()?, mailbox)
    }

    /// Most bytes of an annotation's value.
    #[must_use]
    pub fn annotation_bytes_max() -> usize {
        annotation::VALUE_BYTES_MAX
    }

    /// Changes of annotations from now on, and the number by which a listener tells its own.
    #[must_use]
    pub fn watch_annotations(&self) -> (u64, broadcast::Receiver<Arc<AnnotationChange>>) {
        self.inner.watchers.annotations()
    }

    /// Wakes when anything happens to one of the accounts; under [`crate::OFFICE`] also when a group or
    /// `anyone` gains or loses a right.
    #[must_use]
    pub fn watch_accounts(&self, ids: &BTreeSet<AccountId>) -> Arc<Notify> {
        self.inner.watchers.accounts(ids)
    }
}
