//! The names under which an account sees mailboxes: its own as they are, those of others under
//! `Shared/WHO/`, the office's under `Public/`. RFC 2342.
//!
//! WHO is the local part of the owner's address for the oldest account that has it, and the whole address
//! for the others: a name that was told stays true when a second `anna` comes. Both forms are understood.
//!
//! Nobody can make a mailbox of his own in these namespaces. One that is there from before they were
//! reserved is found first under its name, so that it can be renamed.

use std::collections::BTreeMap;

use base::{AccountId, Address};

use super::{Access, Found, NewPlace, OFFICE, Rights, judge};
use crate::directory::address_index::{self, Owner};
use crate::directory::{account, domain};
use crate::index::View;
use crate::mailbox::{name, row};
use crate::{Mailbox, StoreError};

/// Other users' namespace.
pub(crate) const SHARED: &str = "Shared";
/// The office's namespace.
pub(crate) const PUBLIC: &str = "Public";
/// Domains that are looked through for a local part.
const DOMAINS_MAX: usize = 1_000;

/// True if the first level of a (normalized) name belongs to another namespace.
pub(crate) fn is_reserved(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    first == SHARED || first == PUBLIC
}

/// The oldest account whose primary address has this local part.
fn oldest(view: &impl View, local: &str) -> Result<Option<AccountId>, StoreError> {
    let mut found: Option<AccountId> = None;
    for name in domain::names(view, DOMAINS_MAX)? {
        let Ok(address) = Address::new(local, name) else { return Ok(None) };
        if let Some(Owner::Primary(id)) = address_index::find(view, &address)? {
            found = Some(found.map_or(id, |other| other.min(id)));
        }
    }
    Ok(found)
}

/// The account that a level or an identifier names.
pub(crate) fn account_of(view: &impl View, who: &str) -> Result<Option<AccountId>, StoreError> {
    if let Some(number) = who.strip_prefix('#') {
        let id = number.parse().ok().map(AccountId).filter(|id| *id != OFFICE);
        return match id {
            Some(id) if account::lives(view, id)? => Ok(Some(id)),
            _ => Ok(None),
        };
    }
    match Address::parse(who) {
        Ok(address) => Ok(account::by_address(view, &address)?.map(|account| account.id)),
        Err(_) => oldest(view, who),
    }
}

/// The levels under which owners stand, each looked up once.
#[derive(Debug, Default)]
pub(crate) struct Owners(BTreeMap<AccountId, Option<String>>);

impl Owners {
    fn level(&mut self, view: &impl View, owner: AccountId) -> Result<Option<String>, StoreError> {
        if let Some(known) = self.0.get(&owner) {
            return Ok(known.clone());
        }
        let level = match account::find(view, owner)? {
            None => None,
            Some(account) => {
                let local = account.address.local();
                let full = account.address.to_string();
                // RFC 5322 lets a local part hold what no level can.
                if full.chars().any(|c| "/*%#".contains(c) || c.is_control()) || full.len() > 255 {
                    Some(format!("#{owner}"))
                } else if oldest(view, local)? == Some(owner) {
                    Some(local.to_owned())
                } else {
                    Some(full)
                }
            }
        };
        self.0.insert(owner, level.clone());
        Ok(level)
    }

    /// How others see a mailbox of `owner`; `None` if the owner is gone.
    pub(crate) fn shown(
        &mut self,
        view: &impl View,
        owner: AccountId,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        if owner == OFFICE {
            return Ok(Some(format!("{PUBLIC}/{name}")));
        }
        let level = self.level(view, owner)?;
        Ok(level.map(|level| format!("{SHARED}/{level}/{name}")))
    }
}

/// Whose name it is, and which; `None` for what can name no mailbox.
fn place(
    view: &impl View,
    account: AccountId,
    shown: &str,
) -> Result<Option<(AccountId, String)>, StoreError> {
    let Ok(name) = name::normalize_shown(shown) else { return Ok(None) };
    if !is_reserved(&name) || row::id_of_name(view, account, &name)?.is_some() {
        return Ok(Some((account, name)));
    }
    let Some((space, rest)) = name.split_once('/') else { return Ok(None) };
    let (owner, rest) = if space == PUBLIC {
        (Some(OFFICE), rest)
    } else {
        let Some((who, rest)) = rest.split_once('/') else { return Ok(None) };
        (account_of(view, who)?, rest)
    };
    let Ok(rest) = name::normalize(rest) else { return Ok(None) };
    // One's own mailboxes have one name.
    Ok(owner.filter(|owner| *owner != account).map(|owner| (owner, rest)))
}

/// The mailbox of that name, if the account may do there what `is_enough` says.
pub(crate) fn open(
    view: &impl View,
    account: AccountId,
    shown: &str,
    is_enough: &dyn Fn(Rights) -> bool,
) -> Result<Access, StoreError> {
    let Some((owner, name)) = place(view, account, shown)? else { return Ok(Access::Absent) };
    let Some(id) = row::id_of_name(view, owner, &name)? else { return Ok(Access::Absent) };
    let mailbox = row::existing(view, id)?;
    let rights = judge::rights(view, account, id, &mailbox)?;
    if !is_enough(rights) {
        let is_known = rights.has(Rights::LOOKUP);
        return Ok(if is_known { Access::Refused } else { Access::Absent });
    }
    let found = if owner == account {
        Found { mailbox: mailbox.show(view, id)?, name, rights }
    } else {
        let shown = Owners::default().shown(view, owner, &name)?.unwrap_or(name);
        judge::found_as(view, id, &mailbox, shown, rights)?
    };
    Ok(Access::Granted(Box::new(found)))
}

/// Where a new mailbox of that name would be, if the account may make it: RFC 4314 §4, `k` on the nearest
/// parent that exists. Above it the owner may, and for the office the admins.
pub(crate) fn new_place(
    view: &impl View,
    account: AccountId,
    shown: &str,
) -> Result<NewPlace, StoreError> {
    let Some((owner, name)) = place(view, account, shown)? else {
        return Ok(match name::normalize_shown(shown) {
            Ok(name) if is_reserved(&name) && name.contains('/') => NewPlace::Refused,
            _ => NewPlace::BadName,
        });
    };
    let mut may = match owner {
        OFFICE => account::is_admin(view, account)?,
        owner => owner == account,
    };
    for parent in name::parents(&name).into_iter().rev() {
        if let Some(id) = row::id_of_name(view, owner, parent)? {
            let mailbox = row::existing(view, id)?;
            may = judge::rights(view, account, id, &mailbox)?.has(Rights::CREATE);
            break;
        }
    }
    if !may {
        return Ok(NewPlace::Refused);
    }
    // An INBOX is made with its account, not by hand.
    let is_foreign_inbox = owner != account && name == "INBOX";
    let is_wrong = is_foreign_inbox || owner == account && is_reserved(&name);
    Ok(if is_wrong { NewPlace::BadName } else { NewPlace::Granted(owner, name) })
}

/// How the account sees a mailbox that it has open.
pub(crate) fn shown_name(
    view: &impl View,
    account: AccountId,
    mailbox: &Mailbox,
) -> Result<Option<String>, StoreError> {
    if mailbox.account == account {
        return Ok(Some(mailbox.name.clone()));
    }
    Owners::default().shown(view, mailbox.account, &mailbox.name)
}
