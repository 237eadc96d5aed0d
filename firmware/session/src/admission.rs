//! Counts connections against the budget: all together, per address, per account.
//!
//! A refused connection costs nothing but its refusal. Loopback peers are not counted per address: tests and
//! local tools come from there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{AccountId, TierBudget};
use tokio_util::sync::CancellationToken;

/// The counters. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admission {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    counts: Mutex<Counts>,
    connections_max: u32,
    per_address_max: u32,
    per_account_max: u32,
    messages_max: u32,
    compressing_max: u32,
}

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    by_service: BTreeMap<&'static str, u32>,
    by_address: BTreeMap<IpAddr, u32>,
    by_account: BTreeMap<AccountId, u32>,
    /// What ends an account's connections.
    revoked: BTreeMap<AccountId, CancellationToken>,
    compressing: u32,
    messages: u32,
    messages_by_place: BTreeMap<IpAddr, u32>,
}

/// How many connections there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All.
    pub connections: u32,
    /// The budget's maximum.
    pub connections_max: u32,
    /// By service name.
    pub by_service: BTreeMap<&'static str, u32>,
}

/// One admitted connection; gives its places back when dropped.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    service: &'static str,
    address: IpAddr,
    account: Option<AccountId>,
    revoked: Option<CancellationToken>,
}

/// A message on its way in; gives its place back when dropped.
#[derive(Debug)]
pub struct Transit {
    shared: Arc<Shared>,
    place: IpAddr,
}

impl Drop for Transit {
    fn drop(&mut self) {
        let mut counts = self.shared.counts();
        counts.messages -= 1;
        release(&mut counts.messages_by_place, &self.place);
    }
}

/// A connection that compresses; gives its place back when dropped.
#[derive(Debug)]
pub struct Compressing {
    shared: Arc<Shared>,
}

impl Drop for Compressing {
    fn drop(&mut self) {
        self.shared.counts().compressing -= 1;
    }
}

/// One host can have all of an IPv6 /64, and so can an office: it is counted beside the address.
fn wider(address: IpAddr) -> Option<IpAddr> {
    let is_v6 = matches!(address.to_canonical(), IpAddr::V6(v6) if !v6.is_loopback());
    is_v6.then(|| crate::network_of(address))
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        // A panic while counting cannot leave a count half done: each is one addition.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn release<K: Ord>(map: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = map.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            map.remove(key);
        }
    }
}

impl Admission {
    /// Counters with the budget's limits.
    #[must_use]
    pub fn new(budget: &TierBudget) -> Self {
        Self {
            shared: Arc::new(Shared {
                counts: Mutex::default(),
                connections_max: budget.connections_max,
                per_address_max: budget.connections_per_address_max,
                per_account_max: budget.connections_per_account_max,
                // A message in transit may hold 1.3 MB: a header section and a piece of its body.
                messages_max: (budget.connections_max / 64).max(16),
                // A connection that compresses holds 45 KB for its window.
                compressing_max: (budget.connections_max / 8).max(32),
            }),
        }
    }

    /// Admits a connection of `service` from `address`, or `None` when the budget is used up.
    #[must_use]
    pub fn admit(&self, service: &'static str, address: IpAddr) -> Option<Permit> {
        let mut counts = self.shared.counts();
        if counts.all >= self.shared.connections_max {
            return None;
        }
        let from_there = counts.by_address.get(&address).copied().unwrap_or(0);
        if !address.is_loopback() && from_there >= self.shared.per_address_max {
            return None;
        }
        let wider = wider(address);
        let from_net = wider.and_then(|net| counts.by_address.get(&net)).copied().unwrap_or(0);
        if wider.is_some() && from_net >= self.shared.connections_max / 4 {
            return None;
        }
        counts.all += 1;
        *counts.by_service.entry(service).or_default() += 1;
        *counts.by_address.entry(address).or_default() += 1;
        if let Some(net) = wider {
            *counts.by_address.entry(net).or_default() += 1;
        }
        drop(counts);
        Some(Permit { shared: self.shared.clone(), service, address, account: None, revoked: None })
    }

    /// A place for a message on its way in; `None` when too many are, in all or from there.
    #[must_use]
    pub fn begin_message(&self, address: IpAddr) -> Option<Transit> {
        let place = wider(address).unwrap_or(address);
        let max = self.shared.messages_max;
        let mut counts = self.shared.counts();
        let from_there = counts.messages_by_place.get(&place).copied().unwrap_or(0);
        if counts.messages >= max || (!address.is_loopback() && from_there >= max / 4) {
            return None;
        }
        counts.messages += 1;
        *counts.messages_by_place.entry(place).or_default() += 1;
        drop(counts);
        Some(Transit { shared: self.shared.clone(), place })
    }

    /// A place for a connection that compresses; `None` when there are enough.
    #[must_use]
    pub fn begin_compression(&self) -> Option<Compressing> {
        let mut counts = self.shared.counts();
        if counts.compressing >= self.shared.compressing_max {
            return None;
        }
        counts.compressing += 1;
        drop(counts);
        Some(Compressing { shared: self.shared.clone() })
    }

    /// Ends all connections of `account`: it was disabled, or has another password.
    pub fn close_account(&self, account: AccountId) {
        if let Some(token) = self.shared.counts().revoked.remove(&account) {
            token.cancel();
        }
    }

    /// How many connections there are now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let counts = self.shared.counts();
        Usage {
            connections: counts.all,
            connections_max: self.shared.connections_max,
            by_service: counts.by_service.clone(),
        }
    }
}

impl Permit {
    /// Counts the connection for `account`; false if the account has its maximum already.
    pub fn set_account(&mut self, account: AccountId) -> bool {
        let mut counts = self.shared.counts();
        if let Some(before) = self.account.take() {
            release(&mut counts.by_account, &before);
        }
        let count = counts.by_account.entry(account).or_default();
        if *count >= self.shared.per_account_max {
            return false;
        }
        *count += 1;
        self.revoked = Some(counts.revoked.entry(account).or_default().clone());
        self.account = Some(account);
        true
    }
}

impl Permit {
    /// Cancelled when the account's connections are to end.
    pub(crate) fn revoked(&self) -> Option<&CancellationToken> {
        self.revoked.as_ref()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.shared.counts();
        counts.all -= 1;
        release(&mut counts.by_service, &self.service);
        release(&mut counts.by_address, &self.address);
        if let Some(net) = wider(self.address) {
            release(&mut counts.by_address, &net);
        }
        if let Some(account) = self.account {
            release(&mut counts.by_account, &account);
            if !counts.by_account.contains_key(&account) {
                counts.revoked.remove(&account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Tier;

    #[test]
    fn the_budget_is_kept_and_given_back() {
        let mut budget = TierBudget::of(Tier::OneGb);
        (budget.connections_max, budget.connections_per_address_max) = (3, 2);
        budget.connections_per_account_max = 1;
        let admission = Admission::new(&budget);
        let far: IpAddr = "192.0.2.1".parse().unwrap();
        let mut first = admission.admit("imap", far).unwrap();
        let second = admission.admit("imap", far).unwrap();
        assert!(admission.admit("imap", far).is_none(), "two from one address");
        let third = admission.admit("smtp", "127.0.0.1".parse().unwrap()).unwrap();
        assert!(admission.admit("smtp", "127.0.0.1".parse().unwrap()).is_none(), "three in all");
        assert!(first.set_account(AccountId(7)) && first.set_account(AccountId(7)));
        drop((first, second, third));
        assert_eq!(admission.usage().connections, 0);
        assert!(admission.shared.counts().by_address.is_empty());
        assert!(admission.shared.counts().by_account.is_empty());
        assert!(admission.shared.counts().revoked.is_empty());
    }

    #[test]
    fn messages_in_transit_and_wide_networks_are_bounded() {
        let mut budget = TierBudget::of(Tier::OneGb);
        budget.connections_max = 64;
        let admission = Admission::new(&budget);
        let far: IpAddr = "192.0.2.1".parse().unwrap();
        let held: Vec<_> = std::iter::from_fn(|| admission.begin_message(far)).collect();
        assert_eq!(held.len(), 4, "a quarter from one place");
        drop(held);
        let hosts = (1..=64u128).map(|n| IpAddr::from((0x2001_0db8u128 << 96 | n).to_be_bytes()));
        let held: Vec<_> = hosts.filter_map(|host| admission.admit("smtp", host)).collect();
        assert_eq!(held.len(), 16, "a quarter from one /64");
        drop(held);
        let counts = admission.shared.counts();
        assert!(counts.by_address.is_empty() && counts.messages_by_place.is_empty());
    }

    #[test]
    fn a_revoked_account_ends_its_connections() {
        let admission = Admission::new(&TierBudget::of(Tier::OneGb));
        let mut permit = admission.admit("imap", "192.0.2.1".parse().unwrap()).unwrap();
        assert!(permit.set_account(AccountId(7)));
        admission.close_account(AccountId(8));
        assert!(!permit.revoked().unwrap().is_cancelled());
        admission.close_account(AccountId(7));
        assert!(permit.revoked().unwrap().is_cancelled());
        assert!(permit.set_account(AccountId(7)), "a new login is let in");
        assert!(!permit.revoked().unwrap().is_cancelled());
    }
}
