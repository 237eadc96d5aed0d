//! Who may send with which address. It is not who gets the address's mail: forwarding, groups and catch-alls
//! bring mail, not the right to answer with the address.

use std::collections::BTreeSet;

use base::{AccountId, Address};

use super::address_index::Owner;
use super::resolve::{self, DEPTH_MAX, TARGETS_MAX};
use super::{account, alias, domain, domain_alias};
use crate::index::View;
use crate::{SendAs, StoreError};

/// True if the account may send with the address: its own, with `+detail` and by the domain's further names;
/// an alias that leads to it; postmaster, if it takes that mail; and what `postroomSendAs` says.
pub(crate) fn may_send_as(
    view: &impl View,
    account: AccountId,
    address: &Address,
) -> Result<bool, StoreError> {
    let address = domain_alias::canonical(view, address)?;
    if leads_to(view, account, &address, 0, &mut BTreeSet::new())? {
        return Ok(true);
    }
    let Some(entry) = account::live_entry(view, account)? else { return Ok(false) };
    let plain = resolve::without_detail(&address);
    for listed in account::send_as(&entry) {
        let is_listed = match listed {
            SendAs::Domain(name) => {
                domain_alias::canonical_domain(view, &name)? == *address.domain()
            }
            SendAs::Address(listed) => {
                let listed = domain_alias::canonical(view, &listed)?.key();
                listed == address.key() || plain.as_ref().is_some_and(|p| p.key() == listed)
            }
        };
        if is_listed {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True if the address is the account's, or an alias of it.
fn leads_to(
    view: &impl View,
    account: AccountId,
    address: &Address,
    depth: u32,
    seen: &mut BTreeSet<String>,
) -> Result<bool, StoreError> {
    let address = domain_alias::canonical(view, address)?;
    if depth > DEPTH_MAX || seen.len() >= TARGETS_MAX || !seen.insert(address.key()) {
        return Ok(false);
    }
    if !domain::exists(view, address.domain())? {
        return Ok(false);
    }
    match resolve::owner(view, &address)? {
        Some((Owner::Primary(id) | Owner::Further(id), _)) => Ok(id == account),
        Some((Owner::Group(_), _)) => Ok(false),
        Some((Owner::Alias(_), plain)) => {
            for target in alias::find(view, &plain)?.map(|a| a.targets).unwrap_or_default() {
                if leads_to(view, account, &target, depth + 1, seen)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        None if resolve::is_postmasters(&address) => {
            Ok(account::postmaster(view, address.domain())? == Some(account))
        }
        None => Ok(false),
    }
}
