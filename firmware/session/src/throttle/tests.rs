//! Guessers and owners against the count, with a clock of the tests' own.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A throttle, its clock, and how many tries came through to the password.
struct Rig {
    throttle: Throttle,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        Self { throttle: Throttle::new([7; 32]), now: Instant::now() }
    }

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Tries a password; true if it was looked at.
    fn wrong(&mut self, name: &str, peer: &str, password: &str) -> bool {
        let secret = Some(("phc", password.as_bytes()));
        let attempt = self.throttle.attempt(name, Self::peer(peer), secret);
        let is_tried = self.throttle.judge(&attempt, self.now) == Verdict::Go;
        if is_tried {
            self.throttle.failed(&attempt, self.now);
        }
        is_tried
    }

    /// The owner, with the right password; false if he was held back.
    fn right(&mut self, name: &str, peer: &str) -> bool {
        let attempt = self.throttle.attempt(name, Self::peer(peer), Some(("phc", b"right")));
        let is_let_in = self.throttle.judge(&attempt, self.now) == Verdict::Go;
        if is_let_in {
            self.throttle.succeeded(&attempt, self.now);
        }
        is_let_in
    }
}

#[test]
fn guessing_waits_and_others_do_not() {
    let mut it = Rig::new();
    for n in 0..FREE_TRIES {
        assert!(it.wrong("Anna", "192.0.2.7", &n.to_string()));
    }
    assert!(!it.wrong("anna", "192.0.2.8", "more"), "the same name, the same network");
    assert!(it.right("anna", "198.51.100.7"), "her phone elsewhere still works");
    assert!(it.right("bert", "192.0.2.7"), "her colleague still works");
    it.now += SECOND;
    assert!(it.right("anna", "192.0.2.7"));
    assert!(
        it.wrong("anna", "192.0.2.7", "next"),
        "a right one lets the next try wait for nothing"
    );
}

#[test]
fn the_wait_is_the_true_one() {
    let mut it = Rig::new();
    let (mut waits, mut tries) = (Vec::new(), 0);
    for n in 0..1_000 {
        let secret = n.to_string();
        let attempt =
            it.throttle.attempt("anna", Rig::peer("192.0.2.7"), Some(("phc", secret.as_bytes())));
        match it.throttle.judge(&attempt, it.now) {
            Verdict::Wait(wait) => {
                waits.push(wait.as_secs());
                it.now += wait;
                assert_eq!(it.throttle.judge(&attempt, it.now), Verdict::Go);
            }
            other => assert_eq!(other, Verdict::Go),
        }
        it.throttle.failed(&attempt, it.now);
        tries += 1;
        if tries == 11 {
            break;
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 600 - 31], "then the first must be ten minutes ago");
}

#[test]
fn an_old_password_counts_once() {
    let mut it = Rig::new();
    assert!(it.wrong("anna", "192.0.2.7", "old"));
    let phone = it.throttle.attempt("anna", Rig::peer("192.0.2.7"), Some(("phc", b"old")));
    for _ in 0..10_000 {
        assert_eq!(it.throttle.judge(&phone, it.now), Verdict::SameWrong);
        it.throttle.failed(&phone, it.now);
        it.now += Duration::from_millis(50);
    }
    assert!(it.right("anna", "192.0.2.7"), "her desk beside the phone");
    let again = it.throttle.attempt("anna", Rig::peer("192.0.2.7"), Some(("other", b"old")));
    assert_ne!(it.throttle.judge(&again, it.now), Verdict::SameWrong, "it is the password again");
}

/// The row "brute force" of the threat table: how many tries come through in ten minutes, and whether the
/// owner gets in each minute.
fn attack(addresses: usize) -> (usize, usize) {
    let mut it = Rig::new();
    assert!(it.right("anna", "203.0.113.9"));
    let (mut tries, mut by_network) = (0, BTreeMap::<usize, VecDeque<Instant>>::new());
    let mut most = 0;
    for n in 0..10_000usize {
        let from = n % addresses;
        let peer = format!("10{}.{}.{}.7", from / 65_536, from / 256 % 256, from % 256);
        if it.wrong("anna", &peer, &n.to_string()) {
            tries += 1;
            let recent = by_network.entry(from).or_default();
            recent.push_back(it.now);
            recent.retain(|at| it.now.duration_since(*at) < WINDOW);
            most = most.max(recent.len());
        }
        // 10,000 in ten minutes, and the owner each minute: from home, and from where he never was.
        it.now += Duration::from_millis(60);
        if n % 1_000 == 999 {
            assert!(it.right("anna", "203.0.113.9"), "at home, after {n}");
            assert!(it.right("anna", &format!("198.51.{}.1", n / 1_000)), "on the way, after {n}");
        }
    }
    (tries, most)
}

#[test]
fn ten_thousand_tries_from_one_address() {
    assert_eq!(attack(1), (10, 10));
}

#[test]
fn ten_thousand_tries_from_a_thousand_addresses() {
    let (tries, most) = attack(1_000);
    assert_eq!(most, 1, "tries of one network in ten minutes");
    assert_eq!(tries, 1_000);
}

#[test]
fn a_network_that_tries_many_names_waits_and_an_office_has_room() {
    let mut it = Rig::new();
    assert!(it.right("anna", "192.0.2.7"));
    let tried = (0..1_000).filter(|n| it.wrong(&format!("name{n}"), "192.0.2.9", "Summer2026"));
    assert_eq!(tried.count(), TRIES_MAX + TRIES_PER_KNOWN);
    assert!(it.right("anna", "192.0.2.7"), "who is known there is not held back");
    assert!(!it.right("nina", "192.0.2.7"), "who is not, waits");
    it.now += WINDOW;
    assert!(it.right("nina", "192.0.2.7"));

    // 200 people behind one address, each mistypes twice each morning.
    let mut it = Rig::new();
    for n in 0..200 {
        assert!(it.right(&format!("person{n}"), "192.0.2.7"), "{n}");
    }
    for n in 0..200 {
        for typo in ["one", "two"] {
            assert!(it.wrong(&format!("person{n}"), "192.0.2.7", typo), "{n}");
        }
        assert!(it.right(&format!("person{n}"), "192.0.2.7"), "{n}");
    }
}

#[test]
fn who_guesses_beside_the_owner_has_ten_tries_as_well() {
    let mut it = Rig::new();
    let mut tries = 0;
    for n in 0..600 {
        // Her logins take away the waits, not the count.
        it.right("anna", "192.0.2.7");
        tries += usize::from(it.wrong("anna", "192.0.2.8", &n.to_string()));
        it.now += Duration::from_millis(900);
    }
    assert_eq!(tries, TRIES_MAX);
}

#[test]
fn codes_are_few_over_all_networks() {
    let mut it = Rig::new();
    let home = it.throttle.attempt("totp anna", Rig::peer("203.0.113.9"), None).strict();
    it.throttle.succeeded(&home, it.now);
    let mut tries = 0;
    for n in 0..1_000u32 {
        let peer = format!("100.{}.{}.7", n / 256, n % 256);
        let attempt = it.throttle.attempt("totp anna", Rig::peer(&peer), None).strict();
        if it.throttle.judge(&attempt, it.now) == Verdict::Go {
            it.throttle.failed(&attempt, it.now);
            tries += 1;
        }
    }
    assert_eq!(tries, TRIES_MAX);
    assert_eq!(it.throttle.judge(&home, it.now), Verdict::Go);
}

#[test]
fn memory_is_bounded() {
    let mut it = Rig::new();
    for n in 0..3 * PAIRS_MAX {
        let peer = format!("100.{}.{}.7", n / 256 % 256, n % 256);
        let name = "\u{0}x".repeat(n % 50) + &n.to_string();
        let attempt = it.throttle.attempt(&name, Rig::peer(&peer), None);
        it.throttle.failed(&attempt, it.now);
        it.throttle.succeeded(&attempt, it.now);
        it.now += Duration::from_millis(1);
    }
    assert!(it.throttle.pairs.len() <= PAIRS_MAX && it.throttle.names.len() <= PAIRS_MAX);
    assert!(it.throttle.networks.len() <= PAIRS_MAX && it.throttle.good.len() <= GOOD_MAX);
}
