//! The log behind the index: what a start takes over from it, and what it does with a torn or damaged one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::{AccountId, DomainName, FixedClock, MailboxId, Timestamp, Uid};
use store::{FlagOp, Flags, Options, Store, StoreError};

use crate::damage::{Record, records};
use crate::fixture::{flags, local, new_account, set, stage, text};
use crate::memory_disk::{Call, MemoryDisk};

const SEGMENT: &str = "/data/segments/00000001.seg";

fn options(disk: &Arc<MemoryDisk>) -> Options {
    Options {
        disk: Arc::clone(disk) as _,
        cache_bytes: 1 << 20,
        // The index falls behind until a test says otherwise.
        checkpoint_after: Duration::from_secs(3600),
        ..Options::new("/data")
    }
}

fn open(disk: &Arc<MemoryDisk>) -> Store {
    let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_795_338_000)));
    Store::open(options(disk), clock as _).unwrap()
}

fn problems(disk: &Arc<MemoryDisk>) -> Vec<String> {
    Store::check_with(&options(disk)).unwrap().problems
}

fn inbox(store: &Store, account: AccountId) -> MailboxId {
    store.mailbox_by_name(account, "INBOX").unwrap().unwrap().id
}

async fn office(disk: &Arc<MemoryDisk>) -> (Store, AccountId, MailboxId) {
    let store = open(disk);
    store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
    let anna = store.create_account(new_account("anna@office.test")).await.unwrap();
    let inbox = inbox(&store, anna);
    (store, anna, inbox)
}

async fn deliver(store: &Store, account: AccountId, n: u64) -> Result<Uid, StoreError> {
    Ok(store.deliver(local(stage(store, &text(n)), &[account])).await?.local[0].2)
}

/// UID, flags, modseq, BODYSTRUCTURE, content.
type Seen = (u32, Flags, u64, Vec<u8>, Vec<u8>);

/// All that can be seen of a mailbox.
fn seen(store: &Store, mailbox: MailboxId) -> Vec<Seen> {
    let rows = store.rows(mailbox, Uid(1), Uid(u32::MAX), usize::MAX).unwrap();
    let of = |row: store::Row| {
        let texts = store.imap_texts(&row.blob).unwrap();
        let bytes = store.read(&row.blob, 0, store::READ_MAX).unwrap();
        (row.uid.0, row.flags, row.modseq.0, texts.bodystructure, bytes)
    };
    rows.into_iter().map(of).collect()
}

#[tokio::test]
async fn all_acts_are_taken_over_from_the_log() {
    let disk = Arc::new(MemoryDisk::default());
    let (store, anna, inbox) = office(&disk).await;
    for n in 1..=20 {
        deliver(&store, anna, n % 15).await.unwrap();
    }
    let keywords = flags(Flags::SEEN, &["$Forwarded", "Blue"]);
    store.store_flags(inbox, set("2:18"), FlagOp::Add, keywords, None).await.unwrap();
    let deleted = flags(Flags::DELETED, &[]);
    store.store_flags(inbox, set("3:5,9"), FlagOp::Add, deleted, None).await.unwrap();
    store.expunge(inbox, None).await.unwrap();
    let folder = store.create_mailbox(anna, "A/B".to_owned(), None).await.unwrap().id;
    store.copy(inbox, set("1:8"), folder).await.unwrap();
    store.create_mailbox(anna, "C".to_owned(), None).await.unwrap();
    store.delete_mailbox(anna, "C".to_owned()).await.unwrap();
    store.rename_mailbox(anna, "A/B".to_owned(), "D".to_owned()).await.unwrap();
    store.update_settings(Box::new(|s| s.hostname = "mail.office.test".to_owned())).await.unwrap();

    // Twice, so that a replay of a replay is seen, too.
    let mut image = disk.copy();
    for _ in 0..2 {
        assert_eq!(problems(&image.copy()), Vec::<String>::new());
        let again = open(&image);
        assert_eq!(seen(&again, inbox), seen(&store, inbox));
        assert_eq!(seen(&again, folder), seen(&store, folder));
        let names = |s: &Store| {
            s.mailboxes(anna).unwrap().into_iter().map(|m| (m.id, m.name)).collect::<Vec<_>>()
        };
        assert_eq!(names(&again), names(&store));
        assert_eq!(again.settings().hostname, "mail.office.test");
        assert_eq!(again.stats().unwrap().blobs, store.stats().unwrap().blobs);
        deliver(&again, anna, 40).await.unwrap();
        deliver(&store, anna, 40).await.unwrap();
        image = image.copy();
    }
}

#[tokio::test]
async fn a_log_cut_anywhere_in_its_last_group_loses_that_group_and_no_other() {
    let disk = Arc::new(MemoryDisk::default());
    let (store, anna, inbox) = office(&disk).await;
    deliver(&store, anna, 1).await.unwrap();
    let before = disk.bytes(SEGMENT).len();
    let shown = seen(&store, inbox);
    deliver(&store, anna, 2).await.unwrap();
    let image = disk.copy();
    let log = disk.bytes(SEGMENT);
    for len in before..log.len() {
        let torn = image.copy();
        torn.set(SEGMENT, &log[..len]);
        let again = open(&torn);
        assert_eq!(seen(&again, inbox), shown, "cut at {len}");
        assert_eq!(torn.bytes(SEGMENT).len(), before, "cut at {len}");
        if len % 16 == 0 {
            assert_eq!(deliver(&again, anna, 3).await.unwrap(), Uid(2));
            drop(again);
            assert_eq!(problems(&torn), Vec::<String>::new(), "cut at {len}");
        }
    }
    // Sectors that never came, in any place: what is behind them may be there.
    for hole in (before..log.len()).step_by(7) {
        let torn = image.copy();
        let mut bytes = log.clone();
        let end = bytes.len().min(hole + 64);
        if bytes[hole..end].iter().all(|byte| *byte == 0) {
            continue;
        }
        bytes[hole..end].fill(0);
        torn.set(SEGMENT, &bytes);
        assert_eq!(seen(&open(&torn), inbox), shown, "hole at {hole}");
        assert_eq!(problems(&torn), Vec::<String>::new(), "hole at {hole}");
    }
    assert_eq!(seen(&open(&image), inbox).len(), 2);
}

#[tokio::test]
async fn damage_in_what_was_acknowledged_is_kept_and_told() {
    let disk = Arc::new(MemoryDisk::default());
    let (store, anna, inbox) = office(&disk).await;
    for n in 1..=3 {
        deliver(&store, anna, n).await.unwrap();
    }
    let log = disk.bytes(SEGMENT);
    let contents: Vec<Record> = records(&log).into_iter().filter(|r| r.kind == 1).collect();
    // In the second message, and in its changes.
    for at in [contents[1].end - 9, contents[1].end + 70] {
        let image = disk.copy();
        let mut bytes = log.clone();
        bytes[usize::try_from(at).unwrap()] ^= 1;
        image.set(SEGMENT, &bytes);
        for round in 0..2u8 {
            let again = open(&image);
            assert_eq!(seen(&again, inbox).len(), 1 + usize::from(round), "{at}");
            assert_eq!(
                deliver(&again, anna, 30 + u64::from(round)).await.unwrap(),
                Uid(2 + u32::from(round))
            );
            // As if killed: no checkpoint is made.
            let killed = image.copy();
            drop(again);
            killed.set("/data/lock", b"");
            assert_eq!(image.bytes(SEGMENT), bytes, "the damaged part must stay");
            let told = problems(&killed);
            assert!(told.len() == 1 && told[0].contains("segment 1 from byte"), "{told:?}");
        }
        assert!(image.has("/data/segments/00000002.seg"));
    }
}

#[tokio::test]
async fn a_failed_write_or_sync_is_told_and_the_next_acts_go_on() {
    for fails_sync in [true, false] {
        let disk = Arc::new(MemoryDisk::default());
        let (store, anna, inbox) = office(&disk).await;
        deliver(&store, anna, 1).await.unwrap();
        let fault = if fails_sync { &disk.fail_sync } else { &disk.fail_write };
        fault.store(true, Ordering::Relaxed);
        assert!(deliver(&store, anna, 2).await.is_err());
        assert_eq!(seen(&store, inbox).len(), 1);
        let seen_flag = flags(Flags::SEEN, &[]);
        store.store_flags(inbox, set("1"), FlagOp::Add, seen_flag, None).await.unwrap();
        assert_eq!(deliver(&store, anna, 3).await.unwrap(), Uid(2));
        // After a failed sync nothing is written behind the bytes of which nothing is known.
        assert_eq!(disk.has("/data/segments/00000002.seg"), fails_sync);
        let image = disk.copy();
        assert_eq!(seen(&open(&image), inbox), seen(&store, inbox));
        assert_eq!(problems(&image), Vec::<String>::new());
    }
}

/// After a kill, or a sync that failed, the kernel shows log that is not on the disk; an index that knew it
/// durably would be wrong after a power cut. Found by the simulation.
#[tokio::test]
async fn what_is_taken_over_is_written_again_before_the_index_is_durable() {
    let disk = Arc::new(MemoryDisk::default());
    let (store, anna, inbox) = office(&disk).await;
    store.checkpoint().await.unwrap();
    deliver(&store, anna, 1).await.unwrap();
    let killed = disk.copy();
    drop(store);
    let again = open(&killed);
    assert_eq!(seen(&again, inbox).len(), 1);
    let journal = killed.journal.lock().unwrap().clone();
    let last = |call| journal.iter().rposition(|c| *c == call);
    let (written, synced) = (last(Call::SegmentWrite), last(Call::SegmentSync));
    assert!(written.is_some() && written < synced && synced < last(Call::OtherSync), "{journal:?}");
}

#[tokio::test]
async fn the_index_becomes_durable_by_itself() {
    let disk = Arc::new(MemoryDisk::default());
    let mut soon = options(&disk);
    soon.checkpoint_after = Duration::from_millis(1);
    let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_795_338_000)));
    let store = Store::open(soon, clock as _).unwrap();
    store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
    // Without the log the index must know the domain at some time, though no act follows.
    loop {
        let image = disk.copy();
        let log = image.bytes(SEGMENT);
        image.set(SEGMENT, &log[..52]);
        let again = open(&image);
        if again.domains().unwrap().len() == 1 {
            break;
        }
        tokio::task::yield_now().await;
    }
    store.checkpoint().await.unwrap();
}
