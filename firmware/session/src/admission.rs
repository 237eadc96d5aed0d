//! Counts connections against the budget: all together, per address, per account.
//!
//! A refused connection costs nothing but its refusal. Loopback peers are not counted per address: tests and
//! local tools come from there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{AccountId, TierBudget};

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
}

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    by_service: BTreeMap<&'static str, u32>,
    by_address: BTreeMap<IpAddr, u32>,
    by_account: BTreeMap<AccountId, u32>,
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
        counts.all += 1;
        *counts.by_service.entry(service).or_default() += 1;
        *counts.by_address.entry(address).or_default() += 1;
        drop(counts);
        Some(Permit { shared: self.shared.clone(), service, address, account: None })
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
        self.account = Some(account);
        true
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.shared.counts();
        counts.all -= 1;
        release(&mut counts.by_service, &self.service);
        release(&mut counts.by_address, &self.address);
        if let Some(account) = self.account {
            release(&mut counts.by_account, &account);
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
    }
}
