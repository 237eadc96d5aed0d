//! CREATE, DELETE, RENAME, SUBSCRIBE.

use base::{AccountId, MailboxId, ModSeq, Uid};

use super::copying::{self, Source};
use super::expunging::{self, Leaving};
use super::row::{self, MailboxRow};
use super::{name, reads, usage};
use crate::acl::{self, OFFICE, namespace};
use crate::codec::{VERSION, mailbox_key, name_key};
use crate::directory::account;
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{Mailbox, Rights, SpecialUse, StoreError, annotation};

/// What every account has from its first day. RFC 6154.
pub(crate) const DEFAULTS: [(&str, Option<SpecialUse>); 6] = [
    ("INBOX", None),
    ("Drafts", Some(SpecialUse::Drafts)),
    ("Sent", Some(SpecialUse::Sent)),
    ("Trash", Some(SpecialUse::Trash)),
    ("Junk", Some(SpecialUse::Junk)),
    ("Archive", Some(SpecialUse::Archive)),
];

/// Makes the default mailboxes of a new account, subscribed.
pub(crate) fn create_defaults(tx: &mut Tx<'_, '_>, account: AccountId) -> Result<(), StoreError> {
    for (name, special_use) in DEFAULTS {
        create_one(tx, None, account, name, special_use)?;
        tx.put(T::Subscription, &name_key(account, name), &[VERSION])?;
    }
    Ok(())
}

/// Makes a mailbox and what parents it lacks. `maker` is who asked for it.
pub(crate) fn create(
    tx: &mut Tx<'_, '_>,
    maker: AccountId,
    account: AccountId,
    text: &str,
    special_use: Option<SpecialUse>,
) -> Result<Mailbox, StoreError> {
    let name = own_name(account, text)?;
    account::must_live(&tx.tables, account)?;
    if row::id_of_name(&tx.tables, account, &name)?.is_some() {
        return Err(StoreError::NameTaken);
    }
    if special_use.is_some() && with_special_use(&tx.tables, account, special_use)?.is_some() {
        return Err(StoreError::Exists);
    }
    create_parents(tx, Some(maker), account, &name)?;
    let id = create_one(tx, Some(maker), account, &name, special_use)?;
    row::existing(&tx.tables, id)?.show(&tx.tables, id)
}

/// A name for a mailbox of one's own: not in the namespaces of others.
fn own_name(account: AccountId, text: &str) -> Result<String, StoreError> {
    let name = name::normalize(text)?;
    let is_taken = account != OFFICE && namespace::is_reserved(&name);
    if is_taken { Err(StoreError::BadName) } else { Ok(name) }
}

fn create_parents(
    tx: &mut Tx<'_, '_>,
    maker: Option<AccountId>,
    account: AccountId,
    name: &str,
) -> Result<(), StoreError> {
    for parent in name::parents(name) {
        if row::id_of_name(&tx.tables, account, parent)?.is_none() {
            create_one(tx, maker, account, parent, None)?;
        }
    }
    Ok(())
}

fn create_one(
    tx: &mut Tx<'_, '_>,
    maker: Option<AccountId>,
    account: AccountId,
    name: &str,
    special_use: Option<SpecialUse>,
) -> Result<MailboxId, StoreError> {
    let mut used = usage::of(&tx.tables, account)?;
    if used.mailboxes >= usage::MAILBOXES_MAX {
        return Err(StoreError::LimitReached("mailboxes of an account"));
    }
    let uid_validity = usage::next_uid_validity(&mut used, tx.now)?;
    used.mailboxes += 1;
    usage::put(tx, account, used)?;
    let id = crate::meta::next_mailbox(tx)?;
    let mailbox = MailboxRow {
        account,
        uid_validity,
        uid_next: Uid(1),
        highest_modseq: ModSeq(1),
        log_floor: ModSeq(1),
        exists: 0,
        unseen: 0,
        deleted: 0,
        bytes: 0,
        special_use,
        name: name.to_owned(),
    };
    row::put(tx, id, &mailbox)?;
    row::put_name(tx, account, name, id)?;
    acl::acts::inherit(tx, account, name, id, maker)?;
    Ok(id)
}

/// The mailbox of an account with a special use.
pub(crate) fn with_special_use(
    view: &impl View,
    account: AccountId,
    special_use: Option<SpecialUse>,
) -> Result<Option<MailboxId>, StoreError> {
    for (id, _) in row::list(view, account)? {
        if row::existing(view, id)?.special_use == special_use {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The mailbox of that name, made and subscribed if absent.
pub(crate) fn find_or_create(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    text: &str,
) -> Result<MailboxId, StoreError> {
    if let Ok(name) = name::normalize(text)
        && let Some(id) = row::id_of_name(&tx.tables, account, &name)?
    {
        return Ok(id);
    }
    let name = own_name(account, text)?;
    create_parents(tx, None, account, &name)?;
    let id = create_one(tx, None, account, &name, None)?;
    tx.put(T::Subscription, &name_key(account, &name), &[VERSION])?;
    Ok(id)
}

fn has_children(view: &impl View, account: AccountId, name: &str) -> Result<bool, StoreError> {
    let mut found = false;
    view.scan_prefix(T::MailboxName, &name_key(account, &format!("{name}/")), &mut |_, _| {
        found = true;
        Ok(false)
    })?;
    Ok(found)
}

/// Removes a mailbox with its messages, which can be restored. The subscription stays (RFC 9051 §6.3.9).
pub(crate) fn delete(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    text: &str,
) -> Result<(), StoreError> {
    let name = name::normalize(text)?;
    if name == "INBOX" {
        return Err(StoreError::Misuse("INBOX cannot be deleted"));
    }
    let id = row::id_of_name(&tx.tables, account, &name)?.ok_or(StoreError::NoSuchMailbox)?;
    if has_children(&tx.tables, account, &name)? {
        return Err(StoreError::HasChildren);
    }
    // All its messages go as if expunged, and can be restored.
    let all = reads::uids(&tx.tables, id)?;
    expunging::remove(tx, id, &all, Leaving::Kept)?;
    remove_empty(tx, id)
}

/// What has rows of a mailbox; all keys begin with its id.
const TABLES: [T; 5] = [T::Message, T::Flags, T::Change, T::Keyword, T::Mailbox];

/// Removes a mailbox that has no messages (any more).
pub(crate) fn remove_empty(tx: &mut Tx<'_, '_>, id: MailboxId) -> Result<(), StoreError> {
    let mailbox = row::existing(&tx.tables, id)?;
    let account = mailbox.account;
    acl::acts::forget(tx, account, id)?;
    annotation::forget(tx, id)?;
    for table in TABLES {
        tx.remove_prefix(table, &mailbox_key(id))?;
    }
    tx.remove(T::MailboxName, &name_key(account, &mailbox.name))?;
    let mut used = usage::of(&tx.tables, account)?;
    used.mailboxes = used.mailboxes.saturating_sub(1);
    usage::put(tx, account, used)?;
    // Whoever watches it wakes and finds it gone.
    tx.effects.touched.insert(id, ModSeq(mailbox.highest_modseq.0 + 1));
    Ok(())
}

/// Gives a mailbox and its children new names. INBOX stays and gives its messages (RFC 9051 §6.3.6).
pub(crate) fn rename(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    from: &str,
    to: &str,
) -> Result<(), StoreError> {
    let (from, to) = (name::normalize(from)?, own_name(account, to)?);
    account::must_live(&tx.tables, account)?;
    let id = row::id_of_name(&tx.tables, account, &from)?.ok_or(StoreError::NoSuchMailbox)?;
    if row::id_of_name(&tx.tables, account, &to)?.is_some() {
        return Err(StoreError::NameTaken);
    }
    if from == "INBOX" {
        create_parents(tx, None, account, &to)?;
        let target = create_one(tx, None, account, &to, None)?;
        annotation::copy(tx, id, target)?;
        let all = reads::uids(&tx.tables, id)?;
        copying::copy(tx, id, &all, target, Source::Expunge, Rights::ALL)?;
        return Ok(());
    }
    if to.strip_prefix(from.as_str()).is_some_and(|rest| rest.starts_with('/')) {
        return Err(StoreError::BadName);
    }
    let prefix = format!("{from}/");
    let moving: Vec<_> = row::list(&tx.tables, account)?
        .into_iter()
        .filter_map(|(id, name)| {
            let rest = name.strip_prefix(prefix.as_str()).map(|rest| format!("{to}/{rest}"));
            let new = if name == from { Some(to.clone()) } else { rest };
            new.map(|new| (id, name, new))
        })
        .collect();
    for (_, _, new) in &moving {
        name::normalize(new)?;
    }
    create_parents(tx, None, account, &to)?;
    tx.effects.accounts.insert(account);
    for (id, old, new) in moving {
        let mut mailbox = row::existing(&tx.tables, id)?;
        tx.remove(T::MailboxName, &name_key(account, &old))?;
        row::put_name(tx, account, &new, id)?;
        mailbox.name = new;
        row::put(tx, id, &mailbox)?;
        acl::acts::wake(tx, id)?;
    }
    Ok(())
}

pub(crate) fn subscribe(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    text: &str,
    subscribed: bool,
) -> Result<(), StoreError> {
    let name = name::normalize_shown(text)?;
    account::must_live(&tx.tables, account)?;
    tx.effects.accounts.insert(account);
    let key = name_key(account, &name);
    if !subscribed {
        tx.remove(T::Subscription, &key)?;
        return Ok(());
    }
    if tx.has(T::Subscription, &key)? {
        return Ok(());
    }
    let names = reads::subscriptions(&tx.tables, account)?.len();
    if names >= 2 * usage::MAILBOXES_MAX as usize {
        return Err(StoreError::LimitReached("subscriptions of an account"));
    }
    tx.put(T::Subscription, &key, &[VERSION])
}
