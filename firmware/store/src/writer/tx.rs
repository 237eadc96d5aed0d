//! What an act sees: the tables, the log, the time of its group, and where it notes whom to wake.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use base::{AccountId, MailboxId, ModSeq, Timestamp};

use crate::index::Tables;
use crate::mandate::Mandate;
use crate::segment::Log;
use crate::{AnnotationChange, AuditEvent, DirectoryState, Origin, Settings, StoreError, Webhook};

/// The writer's transaction.
pub(crate) struct Tx<'t, 'w> {
    pub(crate) tables: Tables<'t>,
    pub(crate) log: &'w mut Log,
    pub(crate) effects: Effects,
    /// One time for the whole group.
    pub(crate) now: Timestamp,
    /// In whose name the act that runs is done; `None`: the box's own.
    pub(crate) origin: Option<Arc<Origin>>,
    /// What the act that runs has done, as the audit log tells it; only where somebody wants to know.
    pub(crate) noted: Option<Vec<AuditEvent>>,
}

/// What becomes visible outside the index after the commit.
#[derive(Debug)]
pub(crate) struct Effects {
    /// Changed mailboxes.
    pub(crate) touched: BTreeMap<MailboxId, ModSeq>,
    /// Accounts whose mailboxes, names, subscriptions or annotations changed, or what they see of others.
    pub(crate) accounts: BTreeSet<AccountId>,
    /// Annotations that changed.
    pub(crate) annotated: Vec<Arc<AnnotationChange>>,
    /// The spool changed.
    pub(crate) queue_changed: bool,
    /// The audit log has new rows.
    pub(crate) audit_changed: bool,
    /// An entry came, changed or went.
    pub(crate) directory_changed: bool,
    /// All webhooks, if one came, changed or went.
    pub(crate) webhooks: Option<Arc<[Webhook]>>,
    /// The settings behind the commit.
    pub(crate) settings: Arc<Settings>,
}

impl Effects {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            touched: BTreeMap::new(),
            accounts: BTreeSet::new(),
            annotated: Vec::new(),
            queue_changed: false,
            audit_changed: false,
            webhooks: None,
            directory_changed: false,
            settings,
        }
    }
}

impl Tx<'_, '_> {
    /// An act begins, if its judge lets it: the one place where all acts pass.
    pub(crate) fn begin(&mut self, mandate: &Mandate) -> Result<(), StoreError> {
        self.origin.clone_from(&mandate.origin);
        self.noted = None;
        match &mandate.judge {
            Some(judge) => judge(&DirectoryState(&self.tables)),
            None => Ok(()),
        }
    }
}

impl<'t> Deref for Tx<'t, '_> {
    type Target = Tables<'t>;
    fn deref(&self) -> &Self::Target {
        &self.tables
    }
}

impl DerefMut for Tx<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.tables
    }
}
