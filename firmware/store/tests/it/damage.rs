//! Damage is told, and a killed process loses nothing it acknowledged.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use base::{SystemClock, Uid};
use store::{Options, Store, StoreError};

use crate::fixture::{Fixture, local, new_account, stage, text};

fn flip(path: &std::path::Path, at: u64) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x20], at).unwrap();
}

/// A record of a segment.
pub(crate) struct Record {
    pub(crate) kind: u8,
    pub(crate) begin: u64,
    pub(crate) end: u64,
}

/// The records of a segment, as FORMAT.md describes them.
pub(crate) fn records(bytes: &[u8]) -> Vec<Record> {
    let number = |at: usize, len: usize| {
        bytes[at..at + len].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let mut records = Vec::new();
    let mut at = 52;
    while at < bytes.len() {
        assert_eq!(bytes[at..at + 4], *b"PRec");
        let kind = bytes[at + 5];
        let len = match kind {
            1 => 72 + number(at + 8, 4) + 4 * number(at + 12, 4) + number(at + 16, 8),
            _ => 64 + number(at + 8, 4),
        };
        let (begin, end) = (at as u64, at as u64 + len);
        records.push(Record { kind, begin, end });
        at = usize::try_from(end).unwrap();
    }
    records
}

#[tokio::test]
async fn a_first_start_that_was_cut_off_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    // What redb leaves of a new file when the power goes before its first write.
    std::fs::write(data.join("index.new"), vec![0; 1_056_768]).unwrap();
    let store = Store::open(Options::new(&data), Arc::new(SystemClock)).unwrap();
    store.close().await.unwrap();
    assert!(Store::check(&data).unwrap().problems.is_empty());
    assert!(!data.join("index.new").exists());
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_reading_and_by_the_walk() {
    let (office, anna) = Fixture::office().await;
    office.deliver(&[anna], &text(40)).await;
    let segment = office.path().join("segments/00000001.seg");
    let Fixture { dir, clock, store } = office;
    store.close().await.unwrap();
    let data = dir.path().join("data");
    let record = records(&std::fs::read(&segment).unwrap())
        .into_iter()
        .find(|record| record.kind == 1)
        .unwrap();
    // In the content, in the delivery record, in the head.
    let places = [(record.end - 20, true), (record.begin + 74, false), (record.begin + 40, false)];
    for (at, is_content) in places {
        flip(&segment, at);
        let report = Store::check(&data).unwrap();
        assert_eq!(report.problems.len(), 1, "{at}: {:?}", report.problems);
        let store = Store::open(Options::new(&data), Arc::clone(&clock) as _).unwrap();
        let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap().id;
        let blob = store.rows(inbox, Uid(1), Uid(1), 1).unwrap()[0].blob;
        let read = store.read(&blob, 0, 100);
        assert_eq!(matches!(read, Err(StoreError::Damaged(_))), is_content, "{at}");
        store.close().await.unwrap();
        flip(&segment, at);
    }
    assert!(Store::check(&data).unwrap().problems.is_empty());
    // A lost segment is told, and new mail goes on.
    std::fs::remove_file(&segment).unwrap();
    let store = Store::open(Options::new(&data), clock as _).unwrap();
    store.deliver(local(stage(&store, &text(2)), &[anna])).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(Store::check(&data).unwrap().problems.len(), 1);
}

#[tokio::test]
async fn segments_without_an_index_are_not_cut() {
    let (office, anna) = Fixture::office().await;
    office.deliver(&[anna], &text(1)).await;
    let data = office.path();
    office.store.close().await.unwrap();
    std::fs::remove_file(data.join("index.redb")).unwrap();
    let opened = Store::open(Options::new(&data), office.clock as _);
    assert!(matches!(opened, Err(StoreError::Open(_))));
    assert!(data.join("segments/00000001.seg").exists());
}

#[tokio::test]
async fn an_unacknowledged_tail_is_cut_off() {
    let (office, anna) = Fixture::office().await;
    office.deliver(&[anna], &text(1)).await;
    let data = office.path();
    let Fixture { dir: _dir, clock, store } = office;
    store.close().await.unwrap();
    let segment = data.join("segments/00000001.seg");
    let len = std::fs::metadata(&segment).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&segment).unwrap();
    file.write_all_at(b"PRec torn", len).unwrap();
    std::fs::write(data.join("segments/00000002.seg"), b"torn").unwrap();
    std::fs::write(data.join("tmp/left-over"), b"torn").unwrap();
    let store = Store::open(Options::new(&data), clock as _).unwrap();
    assert_eq!(std::fs::metadata(&segment).unwrap().len(), len);
    assert!(!data.join("segments/00000002.seg").exists() && !data.join("tmp/left-over").exists());
    store.deliver(local(stage(&store, &text(2)), &[anna])).await.unwrap();
    store.close().await.unwrap();
    assert!(Store::check(&data).unwrap().problems.is_empty());
}

/// The process that is killed: delivers from 16 tasks and prints each number it was told is safe.
#[test]
#[ignore = "the child of a_killed_process_loses_nothing_it_acknowledged"]
fn child() {
    let data = std::env::var("STORE_CHILD_DIR").unwrap();
    let round: u64 = std::env::var("STORE_CHILD_ROUND").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        let store = Store::open(Options::new(&data), Arc::new(SystemClock)).unwrap();
        let anna = store.accounts(base::AccountId(0), 1).unwrap()[0].id;
        let mut tasks = Vec::new();
        for task in 0..16u64 {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                for n in 0.. {
                    let number = round * 1_000_000 + task * 10_000 + n;
                    let message = stage(&store, &text(number));
                    let told = store.deliver(local(message, &[anna])).await.unwrap();
                    println!("ACK {number} {}", told.local[0].2);
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    let (office, anna) = Fixture::office().await;
    office.store.create_account(new_account("bert@office.test")).await.unwrap();
    let data = office.path();
    let Fixture { dir: _dir, clock, store } = office;
    store.close().await.unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..=5u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "damage::child", "--ignored", "--nocapture"])
            .env("STORE_CHILD_DIR", &data)
            .env("STORE_CHILD_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        // Killed somewhere behind its n-th word; what it managed to say before it died counts too.
        while let Some(Ok(line)) = lines.next() {
            if let Some((_, words)) = line.split_once("ACK ") {
                let (number, uid) = words.split_once(' ').unwrap();
                acknowledged.push((number.parse::<u64>().unwrap(), uid.parse::<u32>().unwrap()));
                seen += 1;
                if seen == 20 * round {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert!(seen >= 20 * round, "the child ended by itself");
        assert_eq!(Store::check(&data).unwrap().problems, Vec::<String>::new(), "round {round}");
    }
    let store = Store::open(Options::new(&data), clock as _).unwrap();
    let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap().id;
    let rows = store.rows(inbox, Uid(1), Uid(u32::MAX), usize::MAX).unwrap();
    for (number, uid) in acknowledged {
        let row = rows.iter().find(|row| row.uid == Uid(uid)).unwrap();
        assert!(store.read(&row.blob, 0, 100_000).unwrap() == text(number), "message {number}");
    }
}

/// The process whose files may not grow: delivers until it is refused, then goes on with what fits.
#[test]
#[ignore = "the child of files_that_cannot_grow_refuse_and_lose_nothing"]
fn limited_child() {
    let data = std::env::var("STORE_CHILD_DIR").unwrap();
    let in_index = std::env::var("STORE_CHILD_FILLS").unwrap() == "index";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(Options::new(&data), Arc::new(SystemClock)).unwrap();
        let anna = store.accounts(base::AccountId(0), 1).unwrap()[0].id;
        let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap().id;
        let mut state = 1u32;
        for n in 1..10_000u64 {
            // Noise fills the segment; links to one content fill the index.
            let mut bytes = text(if in_index { 1 } else { n });
            for _ in 0..if in_index { 0 } else { 100_000 } {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes.push(state.to_be_bytes()[0]);
            }
            let message = stage(&store, &bytes);
            let new = store::NewMessage {
                message,
                flags: store::Flags::default(),
                internal_date: base::Timestamp(0),
                zone_minutes: 60,
            };
            let count = if in_index { 2_000 } else { 1 };
            match store.append(inbox, vec![new; count]).await {
                Ok(told) => println!("ACK {n} {}", told.uids.last().unwrap()),
                Err(e) => {
                    println!("REFUSED {e}");
                    break;
                }
            }
        }
        let small = local(stage(&store, &text(30)), &[anna]);
        let after = store.deliver(small).await;
        if in_index {
            assert!(matches!(after, Err(StoreError::Closed)), "{after:?}");
            store.failed().await;
            println!("FAILED");
        } else {
            println!("ACK 0 {}", after.unwrap().local[0].2);
        }
    });
}

#[tokio::test]
async fn files_that_cannot_grow_refuse_and_lose_nothing() {
    for fills in ["segment", "index"] {
        let (office, anna) = Fixture::office().await;
        let data = office.path();
        let Fixture { dir: _dir, clock, store } = office;
        store.close().await.unwrap();
        // `ulimit -f` counts 512 bytes in POSIX; either way the segment meets the limit.
        let index_len = std::fs::metadata(data.join("index.redb")).unwrap().len();
        let blocks = index_len / 512 + 2_000;
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; \
             exec \"$0\" --exact damage::limited_child --ignored --nocapture"
        );
        let child = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .env("STORE_CHILD_DIR", &data)
            .env("STORE_CHILD_FILLS", fills)
            .output()
            .unwrap();
        let said = String::from_utf8(child.stdout).unwrap();
        let heard = String::from_utf8_lossy(&child.stderr).into_owned();
        assert!(child.status.success() && said.contains("REFUSED"), "{fills}: {said}\n{heard}");
        assert_eq!(said.contains("FAILED"), fills == "index", "{said}");
        assert_eq!(Store::check(&data).unwrap().problems, Vec::<String>::new(), "{fills}");
        let store = Store::open(Options::new(&data), clock as _).unwrap();
        let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap();
        let uids = store.uids(inbox.id).unwrap();
        let acknowledged = said.lines().filter_map(|line| line.split_once("ACK ")).map(|(_, w)| w);
        let mut count = 0;
        for words in acknowledged {
            let uid: u32 = words.split_once(' ').unwrap().1.parse().unwrap();
            assert!(uids.contains(Uid(uid)), "{fills}: UID {uid} was acknowledged and is lost");
            count += 1;
        }
        assert!(count > 1, "{said}");
        store.deliver(local(stage(&store, &text(3)), &[anna])).await.unwrap();
    }
}
