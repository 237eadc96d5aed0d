//! Counts connections against the budget: logged in or not, per address, per account.
//!
//! Who is logged in has a room of its own: a flood of strangers takes nothing from those who read their mail.
//! And where the strangers' room gets tight, its last quarter is for addresses from which somebody is logged
//! in already: Outlook opens a dozen connections, and an office comes from one address.
//!
//! A refused connection costs nothing but its refusal. Loopback peers are not counted per address: tests and
//! local tools come from there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base::{AccountId, TierBudget};

use crate::live::{Details, Live, LiveSession, Registry};

/// The counters. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admission {
    shared: Arc<Shared>,
}

/// What is told that an account is signed out everywhere.
struct Beside(Box<dyn Fn(AccountId) + Send + Sync>);

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beside")
    }
}

#[derive(Debug)]
struct Shared {
    counts: Mutex<Counts>,
    live: Registry,
    /// Ends what somebody is signed in to beside connections.
    beside: OnceLock<Beside>,
    /// The number of the next connection.
    next: AtomicU64,
    /// Of connections that are logged in.
    connections_max: u32,
    /// Of all others.
    strangers_max: u32,
    per_address_max: u32,
    per_account_max: u32,
    messages_max: u32,
    compressing_max: u32,
}

/// Why there is no place. What a client is told never sounds like a wrong password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The box has no place left.
    Full,
    /// The client's address or network has its maximum.
    Address,
    /// The account has its maximum.
    Account,
    /// The account's logins were ended while this one was on its way.
    Ended,
}

/// The connections from one address or network.
#[derive(Clone, Copy, Debug, Default)]
struct From {
    all: u32,
    strangers: u32,
}

#[derive(Debug, Default)]
struct Counts {
    logged_in: u32,
    strangers: u32,
    by_service: BTreeMap<&'static str, u32>,
    by_address: BTreeMap<IpAddr, From>,
    by_account: BTreeMap<AccountId, u32>,
    compressing: u32,
    messages: u32,
    messages_by_place: BTreeMap<IpAddr, u32>,
}

/// How many connections there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All.
    pub connections: u32,
    /// The budget's maximum of those that are logged in.
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
    /// Unique until the daemon ends.
    number: u64,
    live: Option<Arc<Live>>,
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
    /// Whether one more stranger from there has a place.
    fn check(&self, counts: &Counts, address: IpAddr) -> Result<(), Refusal> {
        let from = counts.from(address);
        let is_known = from.all > from.strangers;
        let reserved = if is_known { 0 } else { self.strangers_max / 4 };
        if counts.strangers >= self.strangers_max - reserved {
            return Err(Refusal::Full);
        }
        let quarter = (self.strangers_max / 4).max(1);
        if !address.is_loopback() && (from.all >= self.per_address_max || from.strangers >= quarter)
        {
            return Err(Refusal::Address);
        }
        if let Some(net) = wider(address) {
            let from = counts.from(net);
            if from.all >= self.connections_max / 4 || from.strangers >= quarter {
                return Err(Refusal::Address);
            }
        }
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // A panic while counting cannot leave a count half done: each is one addition.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// The address, and the network around it if that counts too.
    fn places(address: IpAddr) -> impl Iterator<Item = IpAddr> {
        [Some(address), wider(address)].into_iter().flatten()
    }

    fn add_stranger(&mut self, address: IpAddr) {
        self.strangers += 1;
        for place in Self::places(address) {
            let from = self.by_address.entry(place).or_default();
            from.all += 1;
            from.strangers += 1;
        }
    }

    fn log_in(&mut self, address: IpAddr) {
        self.strangers -= 1;
        self.logged_in += 1;
        for place in Self::places(address) {
            if let Some(from) = self.by_address.get_mut(&place) {
                from.strangers -= 1;
            }
        }
    }

    fn remove(&mut self, address: IpAddr, is_stranger: bool) {
        let count = if is_stranger { &mut self.strangers } else { &mut self.logged_in };
        *count -= 1;
        for place in Self::places(address) {
            let Some(from) = self.by_address.get_mut(&place) else { continue };
            from.all -= 1;
            from.strangers -= u32::from(is_stranger);
            if from.all == 0 {
                self.by_address.remove(&place);
            }
        }
    }

    fn from(&self, place: IpAddr) -> From {
        self.by_address.get(&place).copied().unwrap_or_default()
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
                live: Registry::default(),
                beside: OnceLock::new(),
                next: AtomicU64::new(1),
                connections_max: budget.connections_max,
                strangers_max: budget.connections_anonymous_max,
                per_address_max: budget.connections_per_address_max,
                per_account_max: budget.connections_per_account_max,
                // A message in transit may hold 1.3 MB: a header section and a piece of its body.
                messages_max: (budget.connections_max / 64).max(16),
                // A connection that compresses holds 45 KB for its window.
                compressing_max: (budget.connections_max / 8).max(32),
            }),
        }
    }

    /// Admits a connection of `service` from `address`; nobody is logged in on it yet.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn admit(&self, service: &'static str, address: IpAddr) -> Result<Permit, Refusal> {
        let mut counts = self.shared.counts();
        self.shared.check(&counts, address)?;
        counts.add_stranger(address);
        *counts.by_service.entry(service).or_default() += 1;
        drop(counts);
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let shared = self.shared.clone();
        Ok(Permit { shared, service, address, account: None, number, live: None })
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

    /// Signs `account` out everywhere, of the web pages as well: it was disabled, or has another password.
    pub fn close_account(&self, account: AccountId) {
        self.close_connections(account);
        if let Some(Beside(tell)) = self.shared.beside.get() {
            tell(account);
        }
    }

    /// Ends all its connections and nothing else.
    pub fn close_connections(&self, account: AccountId) {
        self.shared.live.end_of(account, None);
    }

    /// Whoever keeps sessions that are no connections is told by [`Self::close_account`]. The first one stays.
    pub fn also_close(&self, tell: impl Fn(AccountId) + Send + Sync + 'static) {
        if self.shared.beside.set(Beside(Box::new(tell))).is_err() {
            tracing::error!("there is somebody already who is told of closed accounts");
        }
    }

    /// Ends the connections that logged in with that app password: it was revoked.
    pub fn close_app_password(&self, account: AccountId, app_password: u32) {
        self.shared.live.end_of(account, Some(app_password));
    }

    /// A point in time: before a password is looked at. For [`Permit::set_account`] and
    /// [`Admission::were_ended`].
    #[must_use]
    pub fn now(&self) -> u64 {
        self.shared.live.now()
    }

    /// True if the logins of the account were ended after `since`, or that is too long ago to be known: what a
    /// login was checked with then may count no more.
    #[must_use]
    pub fn were_ended(&self, account: AccountId, since: u64) -> bool {
        self.shared.live.is_late(account, None, since)
    }

    /// Who is logged in, of one account or all, the oldest connection first.
    #[must_use]
    pub fn sessions(&self, account: Option<AccountId>) -> Vec<LiveSession> {
        self.shared.live.list(account)
    }

    /// Ends the connection of that name, if it is the account's (or whosever it is); true if there is one.
    #[must_use]
    pub fn end_session(&self, id: &str, account: Option<AccountId>) -> bool {
        let is_meant =
            |it: &LiveSession| it.id == id && account.is_none_or(|account| it.account == account);
        self.shared.live.end(is_meant) > 0
    }

    /// How many connections there are now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let counts = self.shared.counts();
        Usage {
            connections: counts.logged_in + counts.strangers,
            connections_max: self.shared.connections_max,
            by_service: counts.by_service.clone(),
        }
    }
}

impl Permit {
    /// Counts the connection for `account`, whose login came in at `since`.
    ///
    /// # Errors
    /// The account, or the box, has its maximum; nobody is logged in then who was not before. What the login
    /// was checked with may count no more: the connection ends then.
    pub(crate) fn set_account(
        &mut self,
        account: AccountId,
        details: Details,
        since: u64,
    ) -> Result<(), Refusal> {
        let app_password = details.app_password;
        let mut counts = self.shared.counts();
        let count = counts.by_account.get(&account).copied().unwrap_or(0);
        if self.account != Some(account) && count >= self.shared.per_account_max {
            return Err(Refusal::Account);
        }
        match self.account.take() {
            Some(before) => release(&mut counts.by_account, &before),
            None if counts.logged_in >= self.shared.connections_max => return Err(Refusal::Full),
            None => counts.log_in(self.address),
        }
        *counts.by_account.entry(account).or_default() += 1;
        drop(counts);
        self.account = Some(account);
        let live = &self.shared.live;
        let entered = live.enter(self.number, self.service, self.address, account, details);
        self.live = Some(Arc::clone(&entered));
        // Looked at behind the entry: whoever ends logins from now on finds this one.
        if live.is_late(account, app_password, since) {
            entered.end();
            return Err(Refusal::Ended);
        }
        Ok(())
    }
}

impl Permit {
    /// The login, if there is one.
    pub(crate) fn live(&self) -> Option<&Live> {
        self.live.as_deref()
    }

    /// The number of the connection.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.shared.counts();
        counts.remove(self.address, self.account.is_none());
        release(&mut counts.by_service, &self.service);
        if let Some(account) = self.account {
            release(&mut counts.by_account, &account);
            self.shared.live.leave(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;

    use super::*;
    use base::Tier;

    fn admission(anonymous: u32, change: impl FnOnce(&mut TierBudget)) -> Admission {
        let mut budget = TierBudget::of(Tier::OneGb);
        budget.connections_anonymous_max = anonymous;
        change(&mut budget);
        Admission::new(&budget)
    }

    fn address(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn the_budget_is_kept_and_given_back() {
        let admission = admission(100, |budget| {
            (budget.connections_max, budget.connections_per_address_max) = (2, 4);
            budget.connections_per_account_max = 2;
        });
        let far = address(1);
        let mut all: Vec<Permit> = (0..4).map(|_| admission.admit("imap", far).unwrap()).collect();
        assert_eq!(admission.admit("imap", far).unwrap_err(), Refusal::Address);
        let logins: Vec<_> = all
            .iter_mut()
            .map(|permit| permit.set_account(AccountId(7), Details::default(), 0))
            .collect();
        assert_eq!(logins, [Ok(()), Ok(()), Err(Refusal::Account), Err(Refusal::Account)]);
        assert_eq!(
            all[0].set_account(AccountId(7), Details::default(), 0),
            Ok(()),
            "the same account again"
        );
        assert_eq!(
            all[2].set_account(AccountId(8), Details::default(), 0),
            Err(Refusal::Full),
            "two are logged in"
        );
        drop(all.remove(0));
        assert_eq!(all[1].set_account(AccountId(8), Details::default(), 0), Ok(()));
        drop(all);
        assert_eq!(admission.usage().connections, 0);
        let counts = admission.shared.counts();
        assert!(counts.by_address.is_empty() && counts.by_account.is_empty());
        assert!(counts.by_service.is_empty());
        drop(counts);
        assert!(admission.sessions(None).is_empty());
    }

    #[test]
    fn a_flood_of_strangers_takes_no_place_from_those_who_are_logged_in() {
        let admission = admission(100, |_| {});
        let mut first = admission.admit("imap", address(1)).unwrap();
        first.set_account(AccountId(7), Details::default(), 0).unwrap();
        let flood: Vec<Permit> =
            (0..200).filter_map(|n| admission.admit("imap", address(10 + n % 100)).ok()).collect();
        assert_eq!(flood.len(), 75, "the last quarter is not for strangers");
        assert_eq!(admission.admit("imap", address(2)).unwrap_err(), Refusal::Full);
        let mut more: Vec<Permit> =
            (0..20).map(|_| admission.admit("imap", address(1)).unwrap()).collect();
        assert!(
            more.iter_mut()
                .all(|permit| permit.set_account(AccountId(7), Details::default(), 0).is_ok())
        );
    }

    #[test]
    fn one_address_has_room_for_an_office_and_no_more_strangers_than_a_quarter() {
        let admission = Admission::new(&TierBudget::of(Tier::OneGb));
        let office: Vec<Permit> = (0..2500)
            .map(|n| {
                let mut permit = admission.admit("imap", address(1)).unwrap();
                permit.set_account(AccountId(n / 20), Details::default(), 0).unwrap();
                permit
            })
            .collect();
        assert_eq!(admission.admit("imap", address(1)).unwrap_err(), Refusal::Address);
        drop(office);
        let flood: Vec<Permit> =
            std::iter::from_fn(|| admission.admit("imap", address(2)).ok()).collect();
        assert_eq!(flood.len(), 625);
    }

    #[test]
    fn messages_in_transit_and_wide_networks_are_bounded() {
        let admission = admission(4096, |budget| budget.connections_max = 64);
        let far: IpAddr = "192.0.2.1".parse().unwrap();
        let held: Vec<_> = std::iter::from_fn(|| admission.begin_message(far)).collect();
        assert_eq!(held.len(), 4, "a quarter from one place");
        drop(held);
        let hosts = (1..=64u128).map(|n| IpAddr::from((0x2001_0db8u128 << 96 | n).to_be_bytes()));
        let held: Vec<_> = hosts.filter_map(|host| admission.admit("smtp", host).ok()).collect();
        assert_eq!(held.len(), 16, "a quarter from one /64");
        drop(held);
        let counts = admission.shared.counts();
        assert!(counts.by_address.is_empty() && counts.messages_by_place.is_empty());
    }

    #[tokio::test]
    async fn logins_are_listed_and_ended() {
        let admission = Admission::new(&TierBudget::of(Tier::OneGb));
        let mut permits: Vec<Permit> =
            (1..=3).map(|n| admission.admit("imap", address(n)).unwrap()).collect();
        let with = |app_password| Details { app_password, ..Details::default() };
        permits[0].set_account(AccountId(7), with(None), 0).unwrap();
        permits[1].set_account(AccountId(7), with(Some(2)), 0).unwrap();
        permits[2].set_account(AccountId(8), with(Some(2)), 0).unwrap();
        let over = |permit: &Permit| {
            let live = permit.live().unwrap();
            let mut waiting = std::pin::pin!(live.over());
            let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
            waiting.as_mut().poll(&mut nobody).is_ready()
        };
        let ended = |all: &[Permit]| all.iter().map(over).collect::<Vec<_>>();
        admission.close_app_password(AccountId(7), 2);
        assert_eq!(ended(&permits), [false, true, false]);
        let known = admission.sessions(Some(AccountId(7)));
        assert_eq!(known.iter().map(|it| it.app_password).collect::<Vec<_>>(), [None, Some(2)]);
        let id = admission.sessions(Some(AccountId(8)))[0].id.clone();
        assert!(!admission.end_session(&id, Some(AccountId(7))), "another's");
        assert!(admission.end_session(&id, Some(AccountId(8))));
        assert_eq!(ended(&permits), [false, true, true]);
        admission.close_account(AccountId(7));
        assert_eq!(ended(&permits), [true, true, true]);
        permits[0].set_account(AccountId(7), with(None), admission.now()).unwrap();
        assert!(!over(&permits[0]), "a new login is let in");
        drop(permits);
        assert!(admission.sessions(None).is_empty());
    }

    #[test]
    fn a_login_costs_little() {
        // Two counters of the Arc, the heap's own 16 bytes, and a place in the tree at its emptiest.
        let heap = size_of::<Live>() + 16 + 16;
        assert!(heap + 2 * size_of::<(u64, Arc<Live>)>() <= 200, "{heap}");
    }
}
