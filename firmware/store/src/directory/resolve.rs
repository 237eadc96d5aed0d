//! Where mail to an address goes.
//!
//! Limits: chains of 10 aliases, 10,000 targets in all; each address is followed once, so loops end.

use std::collections::BTreeSet;

use base::{AccountId, Address};

use super::address_index::{self, Owner};
use super::{account, alias, domain};
use crate::index::View;
use crate::{Resolution, StoreError};

const DEPTH_MAX: u32 = 10;
const TARGETS_MAX: usize = 10_000;

#[derive(Default)]
struct Found {
    seen: BTreeSet<String>,
    accounts: Vec<AccountId>,
    remote: Vec<Address>,
}

pub(crate) fn resolve(view: &impl View, address: &Address) -> Result<Resolution, StoreError> {
    if !domain::exists(view, address.domain())? {
        return Ok(Resolution::NotLocal);
    }
    let mut found = Found::default();
    found.follow(view, address, 0)?;
    if found.accounts.is_empty() && found.remote.is_empty() {
        return Ok(Resolution::Unknown);
    }
    Ok(Resolution::Known { accounts: found.accounts, remote: found.remote })
}

impl Found {
    fn follow(
        &mut self,
        view: &impl View,
        address: &Address,
        depth: u32,
    ) -> Result<(), StoreError> {
        if depth > DEPTH_MAX || self.seen.len() >= TARGETS_MAX || !self.seen.insert(address.key()) {
            return Ok(());
        }
        if !domain::exists(view, address.domain())? {
            self.remote.push(address.clone());
            return Ok(());
        }
        if let Some(owner) = address_index::find(view, address)? {
            return self.follow_owner(view, address, owner, depth);
        }
        // RFC 5233 §1: `local+detail` is a detail of `local`.
        if let Some((local, _)) = address.local().split_once('+')
            && let Ok(plain) = Address::new(local, address.domain().clone())
            && let Some(owner) = address_index::find(view, &plain)?
        {
            return self.follow_owner(view, &plain, owner, depth);
        }
        // RFC 5321 §4.5.1, RFC 2142 §4: these always reach a person.
        let local = address.local().to_lowercase();
        if (local == "postmaster" || local == "abuse")
            && let Some(id) = account::postmaster(view, address.domain())?
        {
            self.add(id);
        }
        Ok(())
    }

    fn follow_owner(
        &mut self,
        view: &impl View,
        address: &Address,
        owner: Owner,
        depth: u32,
    ) -> Result<(), StoreError> {
        match owner {
            Owner::Primary(id) | Owner::Further(id) => self.add(id),
            Owner::Alias(_) => {
                for target in alias::find(view, address)?.map(|a| a.targets).unwrap_or_default() {
                    self.follow(view, &target, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, id: AccountId) {
        if !self.accounts.contains(&id) {
            self.accounts.push(id);
        }
    }
}
