//! Annotations of mailboxes and of the server: METADATA (RFC 5464).
//!
//! `/shared/…` is one value for all, `/private/…` one for each account. `/private/specialuse` is not kept
//! here: it is the special use of the mailbox (RFC 6154 §4).
//!
//! Limits: 100 entries of one scope and account, 64 KB a value, 512 bytes a name.

use std::sync::Arc;

use base::{AccountId, MailboxId};

use crate::acl::OFFICE;
use crate::codec::{In, Out, mailbox_key};
use crate::directory::account;
use crate::index::{T, View};
use crate::mailbox::{acts, row};
use crate::writer::Tx;
use crate::{SpecialUse, StoreError};

/// Entries of one mailbox (or of the server) for one account, and shared ones.
const ENTRIES_MAX: usize = 100;
/// Bytes of a value.
pub(crate) const VALUE_BYTES_MAX: usize = 64 * 1024;
const NAME_BYTES_MAX: usize = 512;
/// Stands for the server where the key has a mailbox: ids begin at 1.
const SERVER: MailboxId = MailboxId(0);

/// What an annotation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnotationScope {
    /// The server.
    Server,
    /// One mailbox.
    Mailbox(MailboxId),
}

impl AnnotationScope {
    fn id(self) -> MailboxId {
        match self {
            Self::Server => SERVER,
            Self::Mailbox(id) => id,
        }
    }
}

/// A change of entries, as it is told to those who listen.
#[derive(Clone, Debug)]
pub struct AnnotationChange {
    /// Of what.
    pub scope: AnnotationScope,
    /// Who did it.
    pub by: AccountId,
    /// The listener that did it, if it is one.
    pub origin: Option<u64>,
    /// The names; private ones are for `by` only.
    pub entries: Vec<String>,
}

/// Entries to set (or, without a value, to remove), all or none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting {
    pub(crate) values: Vec<(String, Option<Vec<u8>>)>,
    /// The new special use of the mailbox.
    pub(crate) special_use: Option<Option<SpecialUse>>,
}

/// Shared values stand under the office.
fn holder(account: AccountId, entry: &str) -> AccountId {
    if entry.starts_with("/private/") { account } else { OFFICE }
}

fn prefix(id: MailboxId, holder: AccountId) -> Vec<u8> {
    Out::default().u32(id.0).u32(holder.0).0
}

fn key(id: MailboxId, account: AccountId, entry: &str) -> Vec<u8> {
    Out(prefix(id, holder(account, entry))).bytes(entry.as_bytes()).0
}

/// The value of a row.
pub(crate) fn decode(row: &[u8]) -> Result<Vec<u8>, StoreError> {
    Ok(In::versioned(row, "annotation")?.rest().to_vec())
}

/// All entries that an account sees, by name.
pub(crate) fn list(
    view: &impl View,
    scope: AnnotationScope,
    account: AccountId,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    for holder in [account, OFFICE] {
        view.scan_prefix(T::Annotation, &prefix(scope.id(), holder), &mut |key, row| {
            let mut key = In::plain(key, "key of an annotation");
            key.take::<8>()?;
            found.push((key.text()?, decode(row)?));
            Ok(true)
        })?;
    }
    Ok(found)
}

/// Refuses what would be too many, too long, or no name; before anything is written.
fn check(
    view: &impl View,
    scope: AnnotationScope,
    account: AccountId,
    setting: &Setting,
) -> Result<(), StoreError> {
    let mut names: Vec<String> =
        list(view, scope, account)?.into_iter().map(|(name, _)| name).collect();
    for (name, value) in &setting.values {
        let is_good = name.starts_with("/private/") || name.starts_with("/shared/");
        if !is_good || name.len() > NAME_BYTES_MAX {
            return Err(StoreError::BadName);
        }
        if value.as_ref().is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
            return Err(StoreError::TooLarge);
        }
        names.retain(|known| known != name);
        if value.is_some() {
            names.push(name.clone());
        }
    }
    for start in ["/private/", "/shared/"] {
        let adds =
            setting.values.iter().any(|(name, value)| name.starts_with(start) && value.is_some());
        if adds && names.iter().filter(|name| name.starts_with(start)).count() > ENTRIES_MAX {
            return Err(StoreError::LimitReached("annotations"));
        }
    }
    Ok(())
}

/// Sets entries. `LimitReached` if they are too many, `TooLarge`, `BadName`; `Exists` if another mailbox
/// has the special use; `NoSuchAccount`.
pub(crate) fn set(
    tx: &mut Tx<'_, '_>,
    scope: AnnotationScope,
    by: AccountId,
    setting: &Setting,
    origin: Option<u64>,
) -> Result<(), StoreError> {
    // A session may outlive its account: what it wrote would be nobody's.
    account::must_live(&tx.tables, by)?;
    check(&tx.tables, scope, by, setting)?;
    if let AnnotationScope::Mailbox(id) = scope {
        let mut mailbox = row::existing(&tx.tables, id)?;
        if let Some(special_use) = setting.special_use
            && mailbox.special_use != special_use
        {
            let is_taken = special_use.is_some()
                && acts::with_special_use(&tx.tables, mailbox.account, special_use)?.is_some();
            if is_taken {
                return Err(StoreError::Exists);
            }
            mailbox.special_use = special_use;
            row::put(tx, id, &mailbox)?;
        }
        tx.effects.accounts.insert(mailbox.account);
    }
    for (name, value) in &setting.values {
        let key = key(scope.id(), by, name);
        match value {
            Some(value) => tx.put(T::Annotation, &key, &Out::versioned().bytes(value).0)?,
            None => {
                tx.remove(T::Annotation, &key)?;
            }
        }
    }
    let mut entries: Vec<String> = setting.values.iter().map(|(name, _)| name.clone()).collect();
    if setting.special_use.is_some() {
        entries.push("/private/specialuse".to_owned());
    }
    tx.effects.annotated.push(Arc::new(AnnotationChange { scope, by, origin, entries }));
    Ok(())
}

/// Annotations go with their mailbox.
pub(crate) fn forget(tx: &mut Tx<'_, '_>, id: MailboxId) -> Result<(), StoreError> {
    let mut is_there = false;
    tx.tables.scan_prefix(T::Annotation, &mailbox_key(id), &mut |_, _| {
        is_there = true;
        Ok(false)
    })?;
    if is_there {
        tx.remove_prefix(T::Annotation, &mailbox_key(id))?;
    }
    Ok(())
}

/// Private annotations go with their account: those of at most `most` mailboxes (or the server); returns of how
/// many they were.
pub(crate) fn forget_account(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    most: usize,
) -> Result<usize, StoreError> {
    let annotated = annotated_by(&tx.tables, account, most)?;
    for id in &annotated {
        tx.remove_prefix(T::Annotation, &prefix(*id, account))?;
    }
    Ok(annotated.len())
}

/// Where an account has private annotations: from mailbox to mailbox, past the values.
fn annotated_by(
    view: &impl View,
    account: AccountId,
    most: usize,
) -> Result<Vec<MailboxId>, StoreError> {
    let (mut found, mut from) = (Vec::new(), Vec::new());
    while found.len() < most {
        let mut next = None;
        view.scan(T::Annotation, &from, &[], &mut |key, _| {
            next = Some(MailboxId(In::plain(key, "key of an annotation").u32()?));
            Ok(false)
        })?;
        let Some(id) = next else { break };
        view.scan_prefix(T::Annotation, &prefix(id, account), &mut |_, _| {
            found.push(id);
            Ok(false)
        })?;
        let Some(above) = id.0.checked_add(1) else { break };
        from = mailbox_key(MailboxId(above)).to_vec();
    }
    Ok(found)
}

/// RFC 5464 §4.1: INBOX keeps its annotations when it is renamed, and so has the new mailbox.
pub(crate) fn copy(tx: &mut Tx<'_, '_>, from: MailboxId, to: MailboxId) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    tx.tables.scan_prefix(T::Annotation, &mailbox_key(from), &mut |key, row| {
        let rest = key.get(mailbox_key(from).len()..).unwrap_or_default();
        rows.push((Out::default().u32(to.0).bytes(rest).0, row.to_vec()));
        Ok(true)
    })?;
    rows.iter().try_for_each(|(key, row)| tx.put(T::Annotation, key, row))
}
