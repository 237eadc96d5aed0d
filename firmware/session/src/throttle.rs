//! Slows down guessing: wrong passwords are counted per login name and network.
//!
//! The owner's other clients come from other networks or know the password, so nobody is locked out of his
//! own account by a stranger, and one bad client does not lock out an office behind one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Wrong tries that cost nothing.
const FREE_TRIES: u32 = 5;
/// Failures are forgotten after this time without another.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// Pairs of name and network kept; above it the oldest goes.
const PAIRS_MAX: usize = 10_000;

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

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
    wait_until: Instant,
}

/// The count of wrong tries.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: BTreeMap<(String, IpAddr), Failures>,
}

impl Throttle {
    /// True if `login` must not be tried from `peer` now.
    pub(crate) fn is_blocked(&mut self, login: &str, peer: IpAddr, now: Instant) -> bool {
        let key = (login.to_lowercase(), network_of(peer));
        match self.failures.get(&key) {
            Some(known) if now.duration_since(known.last) > FORGET_AFTER => {
                self.failures.remove(&key);
                false
            }
            Some(known) => now < known.wait_until,
            None => false,
        }
    }

    /// Counts a wrong try: after the free ones the wait doubles from one second.
    pub(crate) fn failed(&mut self, login: &str, peer: IpAddr, now: Instant) {
        self.make_room();
        let key = (login.to_lowercase(), network_of(peer));
        let entry =
            self.failures.entry(key).or_insert(Failures { count: 0, last: now, wait_until: now });
        entry.count += 1;
        entry.last = now;
        if let Some(over) = entry.count.checked_sub(FREE_TRIES) {
            let wait = Duration::from_secs(1 << over.min(10)).min(WAIT_MAX);
            entry.wait_until = now + wait;
        }
    }

    /// A right password wipes the slate.
    pub(crate) fn succeeded(&mut self, login: &str, peer: IpAddr) {
        self.failures.remove(&(login.to_lowercase(), network_of(peer)));
    }

    fn make_room(&mut self) {
        if self.failures.len() < PAIRS_MAX {
            return;
        }
        let oldest = self.failures.iter().min_by_key(|(_, f)| f.last).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.failures.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_waits_and_others_do_not() {
        let mut throttle = Throttle::default();
        let (here, there) = ("192.0.2.7".parse().unwrap(), "198.51.100.7".parse().unwrap());
        let mut now = Instant::now();
        for _ in 0..FREE_TRIES {
            assert!(!throttle.is_blocked("anna", here, now));
            throttle.failed("Anna", here, now);
        }
        assert!(throttle.is_blocked("anna", here, now));
        assert!(!throttle.is_blocked("anna", there, now), "her phone elsewhere still works");
        assert!(!throttle.is_blocked("bert", here, now), "her colleague still works");
        now += Duration::from_secs(2);
        assert!(!throttle.is_blocked("anna", here, now));
        throttle.succeeded("anna", here);
        assert!(throttle.failures.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..PAIRS_MAX + 10 {
            throttle.failed(&n.to_string(), "192.0.2.7".parse().unwrap(), now);
        }
        assert_eq!(throttle.failures.len(), PAIRS_MAX);
    }
}
