//! Group commit in figures: deliveries per second and their CPU with one and with 64 deliverers at once.
//!
//! ```text
//! cargo run --release -p store --example deliveries -- FOLDER [MESSAGES]
//! ```
//!
//! FOLDER lies on the disk that is measured; a store is made in it and removed again.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a tool for developers"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base::{AccountId, Address, DomainName, SystemClock};
use store::{Delivery, Flags, LocalTarget, NewAccount, Options, Staged, Store, TargetMailbox};

const ACCOUNTS: u32 = 100;

/// 4 KB of text that compresses as text does.
fn text(n: u64) -> Vec<u8> {
    let mut text = format!(
        "Return-Path: <a{n}@far.test>\r\nReceived: from far.test by office.test; {n}\r\n\
         From: \"Sender {n}\" <a{n}@far.test>\r\nTo: b@office.test\r\nSubject: message {n}\r\n\
         Date: Mon, 2 Nov 2026 10:00:00 +0100\r\nMessage-ID: <{n}.x@far.test>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    .into_bytes();
    let words =
        ["offer", "meeting", "invoice", "please", "thanks", "tomorrow", "the", "of", "order"];
    let mut state = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while text.len() < 4096 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let at = usize::try_from((state >> 33) % words.len() as u64).unwrap();
        text.extend_from_slice(words[at].as_bytes());
        text.extend_from_slice(if state >> 61 == 0 { b"\r\n" } else { b" " });
        if (state >> 40).is_multiple_of(5) {
            text.extend_from_slice(format!("{:x} ", state >> 44).as_bytes());
        }
    }
    text
}

fn stage(store: &Store, bytes: &[u8]) -> Staged {
    let mut staging = store.stage().unwrap();
    staging.write(bytes).unwrap();
    staging.finish().unwrap()
}

fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

async fn accounts(store: &Store) -> Vec<AccountId> {
    store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..ACCOUNTS {
        let account = NewAccount {
            address: Address::parse(&format!("user{n}@office.test")).unwrap(),
            name: format!("User {n}"),
            aliases: Vec::new(),
            quota_bytes: None,
            is_admin: false,
            password_hash: None,
        };
        ids.push(store.create_account(account).await.unwrap());
    }
    ids
}

/// What the receiving side does alone: makes the text, hashes, scans and packs it.
fn staging(store: &Store, first: u64, count: u64) {
    let before = cpu();
    for n in first..first + count {
        stage(store, &text(n));
    }
    let used = cpu().saturating_sub(before);
    println!(
        "no delivery, staging only: {:.0} ms CPU per 1,000",
        used.as_secs_f64() * 1e6 / count as f64
    );
}

async fn run(store: &Store, ids: &Arc<Vec<AccountId>>, deliverers: u64, first: u64, count: u64) {
    let next = Arc::new(AtomicU64::new(first));
    let bytes_before = store.stats().unwrap().segment_bytes;
    let packed = Arc::new(AtomicU64::new(0));
    let (began, cpu_before) = (Instant::now(), cpu());
    let mut tasks = Vec::new();
    for _ in 0..deliverers {
        let (store, ids) = (store.clone(), Arc::clone(ids));
        let (next, packed) = (Arc::clone(&next), Arc::clone(&packed));
        tasks.push(tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= first + count {
                    return;
                }
                let message = stage(&store, &text(n));
                packed.fetch_add(message.memory_bytes(), Ordering::Relaxed);
                let account = ids[usize::try_from(n % u64::from(ACCOUNTS)).unwrap()];
                let target =
                    LocalTarget { account, mailbox: TargetMailbox::Inbox, flags: Flags::default() };
                let delivery = Delivery { message, local: vec![target], remote: None };
                store.deliver(delivery).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let (took, used) = (began.elapsed(), cpu().saturating_sub(cpu_before));
    let bytes = store.stats().unwrap().segment_bytes - bytes_before;
    println!(
        "{deliverers:>2} deliverers: {:>6.0} deliveries/s, {:>5.0} ms CPU per 1,000, \
         {:.0} bytes of log each ({:.0} of content)",
        count as f64 / took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / count as f64,
        bytes as f64 / count as f64,
        packed.load(Ordering::Relaxed) as f64 / count as f64,
    );
}

fn main() {
    let mut args = std::env::args().skip(1);
    let folder = args.next().unwrap_or_else(|| ".".to_owned());
    let count: u64 = args.next().map_or(6_400, |n| n.parse().unwrap());
    let data = std::path::Path::new(&folder).join("deliveries-store");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut options = Options::new(&data);
        options.reserve_bytes = Some(0);
        let store = Store::open(options, Arc::new(SystemClock)).unwrap();
        let ids = Arc::new(accounts(&store).await);
        staging(&store, 3 * count, count);
        run(&store, &ids, 1, 0, count / 10).await;
        run(&store, &ids, 64, count, count).await;
        run(&store, &ids, 64, 2 * count, count).await;
        store.close().await.unwrap();
    });
    std::fs::remove_dir_all(&data).unwrap();
}
