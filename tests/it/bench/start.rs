//! How long a daemon takes from exec to READY after kill -9 under load, with 5 GB stored.
//!
//! `POSTROOM_BENCH_MB` (5,000) and `POSTROOM_BENCH_MESSAGES` (100,000) set the size. The page cache is warm:
//! what is measured is the work of the start, not the disk.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use testkit::client::PATIENCE;
use testkit::daemon::{Daemon, Options, check, imap_login, office};
use testkit::{Client, Loopback};

use super::number;

const ACCOUNTS: [&str; 4] = ["anna", "bert", "carl", "dora"];
const FILLERS: usize = 4;
/// Small messages of one APPEND.
const AT_ONCE: usize = 50;
const SMALL_BYTES: usize = 4_000;
const KILLS: usize = 5;
/// Deliveries before a kill, and how long they are waited for.
const DELIVERED: usize = 3_000;
const LOAD_FOR: Duration = Duration::from_secs(20);

/// Bytes that do not compress and are no line ends or NUL.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    for byte in &mut bytes {
        if matches!(*byte, 0 | b'\r' | b'\n') {
            *byte = b'x';
        }
    }
    bytes
}

fn message(number: u64, len: usize) -> Vec<u8> {
    let mut message =
        format!("From: a@b.test\r\nSubject: {number}\r\nMessage-ID: <{number}@start.test>\r\n\r\n")
            .into_bytes();
    for (line, noise) in noise(number, len).chunks(900).enumerate() {
        if line > 0 {
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(noise);
    }
    message.extend_from_slice(b"\r\n");
    message
}

/// One APPEND of several messages (RFC 3502).
fn append(client: &mut Client, first: u64, count: usize, len: usize) -> Result<()> {
    client.send_raw(b"t APPEND INBOX")?;
    for number in (first..).take(count) {
        let message = message(number, len);
        client.send_raw(format!(" {{{}+}}\r\n", message.len()).as_bytes())?;
        client.send_raw(&message)?;
    }
    client.send_raw(b"\r\n")?;
    loop {
        let line = client.read_line()?.context("closed while filling")?;
        match line.strip_prefix("t ") {
            Some(rest) if rest.starts_with("OK") => return Ok(()),
            Some(_) => bail!("filling was answered {line:?}"),
            None => {}
        }
    }
}

/// Small messages up to their number, then large ones up to the size.
fn fill(at: Loopback, messages: usize, bytes: usize) -> Result<()> {
    let large_bytes = bytes.saturating_sub(messages * SMALL_BYTES) / FILLERS;
    let work = |filler: usize| -> Result<()> {
        let mut client = imap_login(&at, ACCOUNTS[filler % ACCOUNTS.len()])?;
        let mut next = filler as u64 * 1_000_000_000;
        for _ in 0..messages / FILLERS / AT_ONCE {
            append(&mut client, next, AT_ONCE, SMALL_BYTES)?;
            next += AT_ONCE as u64;
        }
        for _ in 0..large_bytes / 5_000_000 {
            append(&mut client, next, 1, 5_000_000)?;
            next += 1;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let fillers: Vec<_> = (0..FILLERS).map(|n| scope.spawn(move || work(n))).collect();
        for filler in fillers {
            filler.join().map_err(|_| anyhow::anyhow!("a filler panicked"))??;
        }
        Ok(())
    })
}

/// Delivers by SMTP until the daemon is gone.
fn load(at: Loopback, worker: u64, delivered: &SyncSender<()>) -> Result<()> {
    let mut client = Client::connect(&at, 25)?;
    client.smtp_reply()?;
    client.smtp("EHLO load.test", "250")?;
    for number in 0.. {
        client.smtp("MAIL FROM:<a@load.test>", "250")?;
        client.smtp(&format!("RCPT TO:<{}@office.test>", ACCOUNTS[number % 4]), "250")?;
        client.smtp("DATA", "354")?;
        let text = "Sixty octets of text that stand for whatever people write.\r\n".repeat(50);
        client.smtp(&format!("Subject: {worker}.{number}\r\n\r\n{text}."), "250")?;
        delivered.send(())?;
    }
    Ok(())
}

/// Works on the daemon for a while, then kills it; gives how many were delivered.
fn kill_under_load(daemon: &mut Daemon) -> Result<usize> {
    let at = daemon.at;
    let (tell, told) = sync_channel(1024);
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let tell = tell.clone();
            // Each ends with an error when the daemon is gone, or when nobody listens any more.
            scope.spawn(move || drop(load(at, worker, &tell)));
        }
        drop(tell);
        let (begun, mut delivered) = (Instant::now(), 0);
        while delivered < DELIVERED && begun.elapsed() < LOAD_FOR {
            told.recv_timeout(PATIENCE).context("the load ended before the daemon")?;
            delivered += 1;
        }
        daemon.kill()?;
        drop(told);
        Ok(delivered)
    })
}

pub(super) fn run() -> Result<()> {
    let messages = number("MESSAGES", 100_000);
    let bytes = number("MB", 5_000) * 1_000_000;
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let start = || {
        let begun = Instant::now();
        let daemon = Daemon::start(Options {
            data: Some(data.clone()),
            provision: Some(office(&ACCOUNTS)),
            ..Options::default()
        })?;
        anyhow::Ok((daemon, begun.elapsed()))
    };
    let (mut daemon, empty) = start()?;
    let begun = Instant::now();
    fill(daemon.at, messages, bytes)?;
    println!(
        "filled in {:.0} s; first start {:.3} s",
        begun.elapsed().as_secs_f64(),
        empty.as_secs_f64()
    );
    let mut worst = Duration::ZERO;
    for round in 1..=KILLS {
        let delivered = kill_under_load(&mut daemon)?;
        let size = std::fs::read_dir(data.join("segments"))?
            .map(|entry| Ok(entry?.metadata()?.len()))
            .sum::<std::io::Result<u64>>()?;
        let (started, took) = start()?;
        daemon = started;
        worst = worst.max(took);
        println!(
            "kill {round}: {delivered} deliveries before it, {:.2} GB of segments, READY after {:.3} s",
            size as f64 / 1e9,
            took.as_secs_f64()
        );
    }
    daemon.stop()?;
    let (mut daemon, clean) = start()?;
    println!("after a clean stop: READY after {:.3} s", clean.as_secs_f64());
    daemon.stop()?;
    check(&data)?;
    println!(
        "worst start after kill -9: {:.3} s (goal: under 1 s); check clean",
        worst.as_secs_f64()
    );
    Ok(())
}
