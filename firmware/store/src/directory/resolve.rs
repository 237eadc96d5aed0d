//! Where mail to an address goes: exact addresses, `+detail`, postmaster, the domain's catch-all; through
//! aliases, groups and forwarding. Who may send with an address is `sending`'s.
//!
//! Each address, account and group is followed once, so loops end; forwarding that leads nowhere or into a
//! loop leaves the mail where it came through, so no mail is lost by it.
//!
//! Limits: chains of 10, 10,000 addresses and accounts behind one address.

use std::collections::BTreeMap;

use base::{AccountId, Address};

use super::address_index::{self, Owner};
use super::tree::{self, Stored};
use super::{account, alias, domain, domain_alias, entry, group};
use crate::index::View;
use crate::{Entry, EntryId, Resolution, StoreError};

pub(super) const DEPTH_MAX: u32 = 10;
pub(super) const TARGETS_MAX: usize = 10_000;

/// What is followed once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Address(String),
    Account(AccountId),
    Group(EntryId),
}

#[derive(Default)]
struct Found {
    /// Whether mail that comes there gets somewhere; of what is still being followed: not this way.
    seen: BTreeMap<Step, bool>,
    accounts: Vec<AccountId>,
    remote: Vec<Address>,
}

/// Accounts and addresses elsewhere, each once. `LimitReached` if there are too many: none of them may be
/// left out in silence.
pub(crate) fn resolve(view: &impl View, address: &Address) -> Result<Resolution, StoreError> {
    let address = domain_alias::canonical(view, address)?;
    if !domain::exists(view, address.domain())? {
        return Ok(Resolution::NotLocal);
    }
    let mut found = Found::default();
    found.address(view, &address, 0)?;
    if found.accounts.is_empty() && found.remote.is_empty() {
        return Ok(Resolution::Unknown);
    }
    Ok(Resolution::Known { accounts: found.accounts, remote: found.remote })
}

/// Whose an address of our domains is, `local+detail` being a detail of `local` (RFC 5233 §1), and the
/// address without it.
pub(crate) fn owner(
    view: &impl View,
    address: &Address,
) -> Result<Option<(Owner, Address)>, StoreError> {
    if let Some(owner) = address_index::find(view, address)? {
        return Ok(Some((owner, address.clone())));
    }
    let Some(plain) = without_detail(address) else { return Ok(None) };
    Ok(address_index::find(view, &plain)?.map(|owner| (owner, plain)))
}

/// The address without `+detail`; `None` if it has none.
pub(crate) fn without_detail(address: &Address) -> Option<Address> {
    let (local, _) = address.local().split_once('+')?;
    Address::new(local, address.domain().clone()).ok()
}

/// RFC 5321 §4.5.1, RFC 2142 §4: these always reach a person.
pub(crate) fn is_postmasters(address: &Address) -> bool {
    matches!(address.local().to_lowercase().as_str(), "postmaster" | "abuse")
}

/// Where a domain's mail for nobody goes.
fn catch_all(view: &impl View, address: &Address) -> Result<Option<Address>, StoreError> {
    let domain = domain::stored(view, address.domain())?;
    Ok(domain.and_then(|d| d.entry.addresses(entry::CATCH_ALL).into_iter().next()))
}

impl Found {
    /// Begins a step; what is known of it if it was begun before.
    fn begin(&mut self, step: &Step) -> Result<Option<bool>, StoreError> {
        if let Some(known) = self.seen.get(step) {
            return Ok(Some(*known));
        }
        if self.seen.len() >= TARGETS_MAX {
            return Err(StoreError::LimitReached("recipients behind an address"));
        }
        self.seen.insert(step.clone(), false);
        Ok(None)
    }

    /// True if mail to the address gets somewhere.
    fn address(
        &mut self,
        view: &impl View,
        address: &Address,
        depth: u32,
    ) -> Result<bool, StoreError> {
        let address = domain_alias::canonical(view, address)?;
        if depth > DEPTH_MAX {
            return Ok(false);
        }
        let step = Step::Address(address.key());
        if let Some(known) = self.begin(&step)? {
            return Ok(known);
        }
        let arrives = self.new_address(view, &address, depth)?;
        self.seen.insert(step, arrives);
        Ok(arrives)
    }

    fn new_address(
        &mut self,
        view: &impl View,
        address: &Address,
        depth: u32,
    ) -> Result<bool, StoreError> {
        if !domain::exists(view, address.domain())? {
            self.remote.push(address.clone());
            return Ok(true);
        }
        match owner(view, address)? {
            Some((Owner::Primary(id) | Owner::Further(id), _)) => {
                return self.account(view, id, depth);
            }
            Some((Owner::Group(id), _)) => {
                return self.group(view, &tree::existing(view, id)?, depth);
            }
            Some((Owner::Alias(_), plain)) => {
                let targets = alias::find(view, &plain)?.map(|a| a.targets).unwrap_or_default();
                return self.any(view, &targets, depth + 1);
            }
            None => {}
        }
        if is_postmasters(address)
            && let Some(id) = account::postmaster(view, address.domain())?
        {
            return self.account(view, id, depth);
        }
        match catch_all(view, address)? {
            Some(target) => self.address(view, &target, depth + 1),
            None => Ok(false),
        }
    }

    /// Follows all of them; true if one gets somewhere.
    fn any(
        &mut self,
        view: &impl View,
        targets: &[Address],
        depth: u32,
    ) -> Result<bool, StoreError> {
        let mut arrives = false;
        for target in targets {
            arrives |= self.address(view, target, depth)?;
        }
        Ok(arrives)
    }

    fn account(&mut self, view: &impl View, id: AccountId, depth: u32) -> Result<bool, StoreError> {
        match account::live_entry(view, id)? {
            Some(entry) => self.account_of(view, id, &entry, depth),
            None => Ok(false),
        }
    }

    /// A copy for the account, or mail that goes on.
    fn account_of(
        &mut self,
        view: &impl View,
        id: AccountId,
        entry: &Entry,
        depth: u32,
    ) -> Result<bool, StoreError> {
        if let Some(known) = self.begin(&Step::Account(id))? {
            return Ok(known);
        }
        let gone_on = match account::forwarding(entry) {
            Some(forwarding) => {
                let arrives = self.any(view, &forwarding.to, depth + 1)?;
                arrives && !forwarding.keeps
            }
            None => false,
        };
        if !gone_on {
            self.accounts.push(id);
        }
        self.seen.insert(Step::Account(id), true);
        Ok(true)
    }

    /// A copy for each member: accounts, groups, people elsewhere that have an entry, and addresses.
    fn group(&mut self, view: &impl View, stored: &Stored, depth: u32) -> Result<bool, StoreError> {
        let step = Step::Group(stored.id);
        if depth > DEPTH_MAX {
            return Ok(false);
        }
        if let Some(known) = self.begin(&step)? {
            return Ok(known);
        }
        let mut arrives = false;
        for dn in stored.entry.texts(entry::MEMBER) {
            let Some(member) = tree::find(view, dn)? else { continue };
            arrives |= if let Some(id) = member.entry.account {
                self.account_of(view, id, &member.entry, depth + 1)?
            } else if member.entry.has_class(group::CLASS) {
                self.group(view, &member, depth + 1)?
            } else {
                let mail = member.entry.addresses(entry::ADDRESS).into_iter().next();
                self.any(view, mail.as_slice(), depth + 1)?
            };
        }
        arrives |= self.any(view, &stored.entry.addresses(entry::TARGET), depth + 1)?;
        self.seen.insert(step, arrives);
        Ok(arrives)
    }
}
