//! Slows down guessing. Within ten minutes wrong tries are counted
//!
//! - of one name from one network: five cost nothing, then each costs a wait, and the tenth is the last;
//! - from one network over all names (spraying): ten, and five more for each account that logged in from there
//!   lately, for an office may be behind one address;
//! - of one name over all networks (many guessers): the more there are, the fewer tries a network gets.
//!
//! A network from which the account logged in lately is known good: what strangers do elsewhere, and what is
//! tried for other names from there, does not hold it back. A wrong password that is tried again (a phone with
//! the old one) counts once. So nobody locks out the owner, nor a colleague behind the same address.
//!
//! Names and passwords are kept as keyed hashes. Limits: [`PAIRS_MAX`] and its neighbours, then the oldest go.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// What is counted is forgotten after this time.
const WINDOW: Duration = Duration::from_secs(600);
/// Wrong tries of one name from one network that cost nothing.
const FREE_TRIES: usize = 5;
/// Wrong tries of one name from one network, and of all names from a network that nobody is known in.
const TRIES_MAX: usize = 10;
/// More of them for each account that is known in the network.
const TRIES_PER_KNOWN: usize = 5;
/// And never more than these.
const NETWORK_TRIES_MAX: usize = 200;
/// With so many wrong tries of one name from strangers, a network has so many of its own.
const UNDER_ATTACK: [(usize, usize); 2] = [(100, 1), (30, 2)];
/// How long a network stays known good for an account.
const GOOD_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Pairs of name and network, and names, and networks, that are kept; beyond, the oldest tenth goes.
const PAIRS_MAX: usize = 10_000;
/// Pairs of account and network that are known good.
const GOOD_MAX: usize = 20_000;

/// The network an address belongs to for counting: IPv4 /24, IPv6 /64. In the office's own network (RFC 1918)
/// each address counts for itself: a phone with an old password must not hold up the desk beside it.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_private() => IpAddr::V4(v4),
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

/// A keyed hash.
type Key = [u8; 16];

/// One try to log in, before it is known how it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    name: Key,
    network: Key,
    /// What was tried; `None` where the mechanism does not show it.
    secret: Option<Key>,
    /// Few tries over all unknown networks together: what is guessed is short.
    is_strict: bool,
}

impl Attempt {
    /// As a try at something as short as a code: strangers have ten together.
    pub(crate) fn strict(self) -> Self {
        Self { is_strict: true, ..self }
    }

    fn pair(&self) -> (Key, Key) {
        (self.network, self.name)
    }
}

/// Whether a try may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may.
    Go,
    /// It was wrong a while ago and is so now.
    SameWrong,
    /// Not before this time has passed.
    Wait(Duration),
}

/// Wrong tries within the window, the oldest first.
#[derive(Debug, Default)]
struct Tries(VecDeque<(Instant, Option<Key>)>);

impl Tries {
    /// Those that still count.
    fn recent(&self, now: Instant) -> impl Iterator<Item = &(Instant, Option<Key>)> {
        self.0.iter().filter(move |(at, _)| now.duration_since(*at) < WINDOW)
    }

    fn len(&self, now: Instant) -> usize {
        self.recent(now).count()
    }

    /// How long until there are fewer than `max`.
    fn wait(&self, max: usize, now: Instant) -> Duration {
        let over = (self.len(now) + 1).saturating_sub(max.max(1));
        let leaves = over.checked_sub(1).and_then(|nth| self.recent(now).nth(nth));
        leaves.map_or(Duration::ZERO, |(at, _)| (*at + WINDOW).duration_since(now))
    }

    fn push(&mut self, attempt: &Attempt, now: Instant, max: usize) {
        while self.0.len() >= max
            || self.0.front().is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW)
        {
            self.0.pop_front();
        }
        self.0.push_back((now, attempt.secret));
    }

    fn last(&self) -> Option<Instant> {
        self.0.back().map(|(at, _)| *at)
    }
}

/// The wrong tries of one name from one network.
#[derive(Debug, Default)]
struct Pair {
    tries: Tries,
    /// Wrong ones since the last right one.
    in_a_row: usize,
    wait_until: Option<Instant>,
}

/// The count of wrong tries.
#[derive(Debug)]
pub(crate) struct Throttle {
    key: [u8; 32],
    pairs: BTreeMap<(Key, Key), Pair>,
    networks: BTreeMap<Key, Tries>,
    names: BTreeMap<Key, Tries>,
    /// (network, name) and when it logged in last.
    good: BTreeMap<(Key, Key), Instant>,
}

/// Makes room for one more: the oldest tenth goes at once, so that a flood does not pay for a walk each time.
fn make_room<K: Ord + Copy, V>(
    map: &mut BTreeMap<K, V>,
    max: usize,
    last: impl Fn(&V) -> Option<Instant>,
) {
    if map.len() < max {
        return;
    }
    let mut ages: Vec<(Option<Instant>, K)> =
        map.iter().map(|(key, value)| (last(value), *key)).collect();
    ages.sort_unstable();
    for (_, key) in ages.into_iter().take((max / 10).max(1)) {
        map.remove(&key);
    }
}

impl Throttle {
    /// `key` is random and of this start only.
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            pairs: BTreeMap::new(),
            networks: BTreeMap::new(),
            names: BTreeMap::new(),
            good: BTreeMap::new(),
        }
    }

    fn hash(&self, kind: u8, parts: &[&[u8]]) -> Key {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&[kind]);
        for part in parts {
            hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
        }
        let mut key = [0; 16];
        key.iter_mut().zip(hasher.finalize().as_bytes()).for_each(|(to, from)| *to = *from);
        key
    }

    /// A try of `secret` for `name`; `against` is what it is checked with, so that a secret which was wrong
    /// may be right once that has changed.
    pub(crate) fn attempt(
        &self,
        name: &str,
        peer: IpAddr,
        secret: Option<(&str, &[u8])>,
    ) -> Attempt {
        let network = match network_of(peer) {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        Attempt {
            name: self.hash(0, &[name.to_lowercase().as_bytes()]),
            network: self.hash(1, &[&network]),
            secret: secret.map(|(against, secret)| self.hash(2, &[against.as_bytes(), secret])),
            is_strict: false,
        }
    }

    fn is_good(&self, attempt: &Attempt, now: Instant) -> bool {
        self.good.get(&attempt.pair()).is_some_and(|at| now.duration_since(*at) < GOOD_FOR)
    }

    /// Wrong tries that a network has, by the accounts that are known in it.
    fn room(&self, network: Key, now: Instant) -> usize {
        let known = self.good.range((network, [0; 16])..=(network, [0xFF; 16]));
        let known = known.filter(|(_, at)| now.duration_since(**at) < GOOD_FOR).count();
        (TRIES_MAX + TRIES_PER_KNOWN * known).min(NETWORK_TRIES_MAX)
    }

    /// Whether the try may go on.
    pub(crate) fn judge(&self, attempt: &Attempt, now: Instant) -> Verdict {
        let pair = self.pairs.get(&attempt.pair());
        let is_same = |tries: &Tries| {
            attempt.secret.is_some() && tries.recent(now).any(|(_, was)| *was == attempt.secret)
        };
        if pair.is_some_and(|pair| is_same(&pair.tries)) {
            return Verdict::SameWrong;
        }
        let mut wait = Duration::ZERO;
        if let Some(pair) = pair {
            let until = pair.wait_until.map_or(Duration::ZERO, |at| at.duration_since(now));
            wait = until.max(pair.tries.wait(TRIES_MAX, now));
        }
        if !self.is_good(attempt, now) {
            wait = wait.max(self.strangers_wait(attempt, pair, now));
        }
        if wait.is_zero() { Verdict::Go } else { Verdict::Wait(wait) }
    }

    /// How long somebody waits from where the account is not known.
    fn strangers_wait(&self, attempt: &Attempt, pair: Option<&Pair>, now: Instant) -> Duration {
        let network = self.networks.get(&attempt.network);
        let room = self.room(attempt.network, now);
        let mut wait = network.map_or(Duration::ZERO, |tries| tries.wait(room, now));
        let Some(of_name) = self.names.get(&attempt.name) else { return wait };
        if attempt.is_strict {
            return wait.max(of_name.wait(TRIES_MAX, now));
        }
        let all = of_name.len(now);
        let few = UNDER_ATTACK.iter().find(|(many, _)| all >= *many).map(|(_, few)| *few);
        if let (Some(few), Some(pair)) = (few, pair) {
            wait = wait.max(pair.tries.wait(few, now));
        }
        wait
    }

    /// Counts a wrong try.
    pub(crate) fn failed(&mut self, attempt: &Attempt, now: Instant) {
        if self.judge(attempt, now) == Verdict::SameWrong {
            return;
        }
        if !self.is_good(attempt, now) {
            make_room(&mut self.names, PAIRS_MAX, Tries::last);
            let most = UNDER_ATTACK.map(|(many, _)| many).into_iter().max().unwrap_or(TRIES_MAX);
            self.names.entry(attempt.name).or_default().push(attempt, now, most);
        }
        make_room(&mut self.networks, PAIRS_MAX, Tries::last);
        self.networks.entry(attempt.network).or_default().push(attempt, now, NETWORK_TRIES_MAX);
        make_room(&mut self.pairs, PAIRS_MAX, |pair| pair.tries.last());
        let pair = self.pairs.entry(attempt.pair()).or_default();
        pair.tries.push(attempt, now, TRIES_MAX);
        pair.in_a_row = (pair.in_a_row + 1).min(pair.tries.len(now));
        let over = pair.in_a_row.checked_sub(FREE_TRIES);
        pair.wait_until = over.map(|over| now + Duration::from_secs(1 << over.min(TRIES_MAX)));
    }

    /// A right one: the network is known good from now on, and the next tries wait for nothing. What was wrong
    /// still counts for the ten: somebody else may have tried it from there.
    pub(crate) fn succeeded(&mut self, attempt: &Attempt, now: Instant) {
        if let Some(pair) = self.pairs.get_mut(&attempt.pair()) {
            pair.wait_until = None;
            pair.in_a_row = 0;
        }
        if !self.good.contains_key(&attempt.pair()) {
            make_room(&mut self.good, GOOD_MAX, |at| Some(*at));
        }
        self.good.insert(attempt.pair(), now);
    }
}

#[cfg(test)]
mod tests;
