//! kill -9 under load of all kinds: what was acknowledged is there, what was not is there wholly or not at
//! all, nothing is there twice, and the store is consistent.
//!
//! Deliverers (SMTP, LMTP), readers and [`hands`] (APPEND, STORE, COPY, MOVE, EXPUNGE, CREATE, RENAME,
//! DELETE) work on one daemon; once a number of acts was acknowledged, the daemon is killed, the stopped
//! store checked, the daemon started again on the same data. In some rounds the index is lost as well and
//! made again from the log. The number comes from a seed that is printed;
//! `POSTROOM_SEED` sets it, `POSTROOM_KILL9_ROUNDS` the rounds (20); `cargo xtask sim --kill 200`.
//! This does not prove fsync (the page cache survives): the store's simulation does.

mod hands;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use testkit::daemon::{Daemon, Options, check, imap_login, office, repair};
use testkit::{Client, Loopback};

use hands::Hand;

const ACCOUNTS: [&str; 4] = ["anna", "bert", "carl", "dora"];
const DELIVERERS: usize = 10;
const READERS: usize = 4;
const HANDS: u64 = 6;

/// xorshift64*: small, and the same on every machine.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below
    }
}

fn env_number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What was promised: Message-ID -> the accounts it went to.
#[derive(Default)]
struct Ledger {
    acknowledged: Mutex<BTreeMap<String, Vec<&'static str>>>,
    /// All acts that were acknowledged, deliveries and others.
    acts: Mutex<usize>,
    grew: Condvar,
    /// Rounds of reading and flagging that went well.
    reads: AtomicU64,
}

impl Ledger {
    fn note(&self, id: String, to: Vec<&'static str>) {
        self.acknowledged.lock().unwrap().insert(id, to);
        self.note_act();
    }

    fn note_act(&self) {
        *self.acts.lock().unwrap() += 1;
        self.grew.notify_all();
    }

    fn acts(&self) -> usize {
        *self.acts.lock().unwrap()
    }

    /// Waits until so many were acknowledged; false when nobody gets anywhere.
    fn wait_for(&self, count: usize) -> bool {
        let held = self.acts.lock().unwrap();
        let patience = Duration::from_secs(240);
        let waiting = self.grew.wait_timeout_while(held, patience, |acts| *acts < count);
        let waited = waiting.unwrap().1;
        !waited.timed_out()
    }
}

/// Delivers until the daemon is gone: every third deliverer by LMTP, the others by SMTP.
fn deliver(at: Loopback, round: u64, deliverer: usize, ledger: &Ledger) -> Result<()> {
    let is_lmtp = deliverer % 3 == 2;
    let mut client = Client::connect(&at, if is_lmtp { 24 } else { 25 })?;
    client.smtp_reply()?;
    client.smtp(if is_lmtp { "LHLO load.test" } else { "EHLO load.test" }, "250")?;
    for n in 0.. {
        let id = format!("r{round}.d{deliverer}.n{n}@load.test");
        let mut to = vec![ACCOUNTS[deliverer % ACCOUNTS.len()]];
        // Every third message has two mailboxes: one transaction or none.
        if n % 3 == 0 {
            to.push(ACCOUNTS[(deliverer + 1) % ACCOUNTS.len()]);
        }
        client.smtp(&format!("MAIL FROM:<d{deliverer}@load.test>"), "250")?;
        for name in &to {
            client.smtp(&format!("RCPT TO:<{name}@office.test>"), "250")?;
        }
        client.smtp("DATA", "354")?;
        // From small to beyond what a message may hold in memory.
        let lines = if n % 10 == 9 { 6000 } else { 1 + n * 7 % 60 };
        let text = "Sixty octets of text that stand for whatever people write.\r\n".repeat(lines);
        let message = format!(
            "From: d{deliverer}@load.test\r\nSubject: {id}\r\nMessage-ID: <{id}>\r\n\r\n{text}.\r\n"
        );
        client.send_raw(message.as_bytes())?;
        // LMTP answers for each recipient (RFC 2033 §4.2).
        for _ in 0..if is_lmtp { to.len() } else { 1 } {
            let reply = client.smtp_reply()?;
            if !reply.starts_with("250") {
                bail!("{id} was answered {reply:?}");
            }
        }
        ledger.note(id, to);
    }
    Ok(())
}

/// Reads and flags until the daemon is gone.
fn read(at: Loopback, account: &str, ledger: &Ledger) -> Result<()> {
    let mut client = imap_login(&at, account)?;
    client.imap("SELECT INBOX")?;
    loop {
        client.imap("UID FETCH 1:* (FLAGS RFC822.SIZE)")?;
        client.imap("UID STORE 1:* +FLAGS.SILENT (\\Seen)")?;
        client.imap("NOOP")?;
        ledger.reads.fetch_add(1, Ordering::Relaxed);
    }
}

/// Message-ID -> how often it stands in the account's INBOX.
fn inbox(at: Loopback, account: &str) -> Result<BTreeMap<String, u32>> {
    let mut client = imap_login(&at, account)?;
    let selected = client.imap("SELECT INBOX")?;
    let mut found = BTreeMap::new();
    if selected.iter().any(|line| line == "* 0 EXISTS") {
        return Ok(found);
    }
    for line in client.imap("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")? {
        if let Some(id) = line.strip_prefix("Message-ID: <").and_then(|id| id.strip_suffix('>')) {
            *found.entry(id.to_owned()).or_insert(0) += 1;
        }
    }
    Ok(found)
}

/// Every acknowledged message is in each of its mailboxes exactly once, and none is anywhere twice.
fn verify(at: Loopback, ledger: &Ledger) -> Result<u64> {
    let mut inboxes = BTreeMap::new();
    for account in ACCOUNTS {
        inboxes.insert(account, inbox(at, account)?);
    }
    let (mut lost, mut twice) = (Vec::new(), Vec::new());
    for (id, to) in ledger.acknowledged.lock().unwrap().iter() {
        for account in to {
            if !inboxes.get(account).is_some_and(|inbox| inbox.contains_key(id)) {
                lost.push(format!("{id} of {account}"));
            }
        }
    }
    let mut stored = 0;
    for (account, inbox) in &inboxes {
        for (id, count) in inbox {
            stored += u64::from(*count);
            if *count > 1 {
                twice.push(format!("{id} in {account}"));
            }
        }
    }
    if !lost.is_empty() || !twice.is_empty() {
        bail!("lost: {lost:?}; more than once: {twice:?}");
    }
    Ok(stored)
}

/// One round: load, kill, check.
fn round(
    daemon: &mut Daemon,
    hands: &mut [Hand],
    round: u64,
    target: usize,
    ledger: &Ledger,
) -> Result<()> {
    let at = daemon.at;
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for deliverer in 0..DELIVERERS {
            workers.push(scope.spawn(move || deliver(at, round, deliverer, ledger)));
        }
        for reader in 0..READERS {
            workers.push(scope.spawn(move || read(at, ACCOUNTS[reader % ACCOUNTS.len()], ledger)));
        }
        for hand in hands {
            workers.push(scope.spawn(move || hand.work(at, &|| ledger.note_act())));
        }
        let reached = ledger.wait_for(target);
        daemon.kill()?;
        // All of them end now, each with the error that the connection is gone.
        let ends: Vec<String> = workers
            .into_iter()
            .filter_map(|worker| worker.join().ok()?.err().map(|err| format!("{err:#}")))
            .collect();
        // Until then nobody may have been refused anything.
        if !reached || ends.iter().any(|end| end.contains("was answered")) {
            bail!("only {} of {target} acknowledged; {ends:#?}", ledger.acts());
        }
        Ok(())
    })
}

fn run(seed: u64, rounds: u64) -> Result<()> {
    let mut dice = Dice(seed | 1);
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let ledger = Ledger::default();
    let hand = |n| Hand::new(n, ACCOUNTS[usize::try_from(n).unwrap_or(0) % ACCOUNTS.len()], seed);
    let mut hands: Vec<Hand> = (0..HANDS).map(hand).collect();
    let start = || {
        Daemon::start(Options {
            data: Some(data.clone()),
            provision: Some(office(&ACCOUNTS)),
            ..Options::default()
        })
    };
    for n in 1..=rounds {
        let mut daemon = start().with_context(|| format!("start of round {n}"))?;
        verify(daemon.at, &ledger).with_context(|| format!("before round {n}"))?;
        for hand in &mut hands {
            hand.verify(daemon.at).with_context(|| format!("before round {n}"))?;
        }
        let more = 40 + usize::try_from(dice.roll(240))?;
        let target = ledger.acts() + more;
        round(&mut daemon, &mut hands, n, target, &ledger).with_context(|| format!("round {n}"))?;
        if n % 4 == 0 {
            std::fs::remove_file(data.join("index.redb"))?;
            repair(&data).with_context(|| format!("without an index after round {n}"))?;
        }
        check(&data).with_context(|| format!("check after round {n}"))?;
        println!("round {n}: {} acknowledged so far", ledger.acts());
    }
    let mut daemon = start()?;
    let stored = verify(daemon.at, &ledger)?;
    for hand in &mut hands {
        hand.verify(daemon.at)?;
    }
    daemon.stop()?;
    check(&data)?;
    // Not in each round: on a busy machine a round may end before a reader is through.
    ensure!(ledger.reads.load(Ordering::Relaxed) > 0, "nobody could read in {rounds} rounds");
    println!(
        "{rounds} rounds: {} acts acknowledged, {} of them deliveries with {stored} copies; 0 lost, 0 twice",
        ledger.acts(),
        ledger.acknowledged.lock().unwrap().len()
    );
    Ok(())
}

#[test]
fn acknowledged_mail_survives_kill_9() {
    let seed =
        env_number("POSTROOM_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let rounds = env_number("POSTROOM_KILL9_ROUNDS").unwrap_or(20);
    println!("seed {seed}");
    if let Err(err) = run(seed, rounds) {
        panic!("seed {seed}: {err:#}");
    }
}
