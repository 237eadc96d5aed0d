//! Small segments (see `SEGMENT_BYTES`) are filled, emptied and removed; a copy of the files after each
//! step is what a kill there would leave.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::{Address, DomainName, FixedClock, MailboxId, Timestamp, Uid, UidRanges};

use crate::{FlagOp, Flags, NewAccount, NewMessage, Options, READ_MAX, Store};

const LOOK: Duration = Duration::from_secs(600);
const MESSAGES: u32 = 40;

/// 32 KB that cannot be packed.
fn text(n: u32) -> Vec<u8> {
    let mut bytes = format!("Subject: {n}\r\n\r\n").into_bytes();
    let mut hash = blake3::hash(&n.to_be_bytes());
    while bytes.len() < 32 * 1024 {
        bytes.extend_from_slice(hash.as_bytes());
        hash = blake3::hash(hash.as_bytes());
    }
    bytes
}

fn open(data: &Path) -> Store {
    let mut options = Options::new(data);
    options.cache_bytes = 4 << 20;
    options.reserve_bytes = Some(0);
    let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_795_338_000)));
    Store::open(options, clock as _).unwrap()
}

async fn filled(data: &Path) -> (Store, MailboxId) {
    let store = open(data);
    store.create_domain(DomainName::parse("x.test").unwrap()).await.unwrap();
    let anna = NewAccount {
        address: Address::parse("anna@x.test").unwrap(),
        name: String::new(),
        aliases: Vec::new(),
        quota_bytes: None,
        is_admin: false,
        password_hash: None,
    };
    let anna = store.create_account(anna).await.unwrap();
    // What is expunged is due at once.
    store.update_settings(Box::new(|s| s.retention_days = Some(0))).await.unwrap();
    let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap().id;
    for n in 1..=MESSAGES {
        let mut staging = store.stage().unwrap();
        staging.write(&text(n)).unwrap();
        let (message, flags) = (staging.finish().unwrap(), Flags::default());
        let internal_date = Timestamp(0);
        let new = NewMessage { message, flags, internal_date, zone_minutes: 0 };
        store.append(inbox, vec![new]).await.unwrap();
    }
    (store, inbox)
}

/// Expunges what is not among `stays`.
async fn thin_out(store: &Store, inbox: MailboxId, stays: impl Fn(u32) -> bool) {
    let gone: UidRanges = (1..=MESSAGES).filter(|n| !stays(*n)).map(Uid).collect();
    let deleted = Flags { system: Flags::DELETED, keywords: Vec::new() };
    store.store_flags(inbox, gone, FlagOp::Add, deleted, None).await.unwrap();
    store.expunge(inbox, None).await.unwrap();
}

fn assert_readable(store: &Store, inbox: MailboxId, stays: impl Fn(u32) -> bool) {
    let rows = store.rows(inbox, Uid(1), Uid(u32::MAX), 1000).unwrap();
    let uids: Vec<u32> = rows.iter().map(|row| row.uid.0).collect();
    assert_eq!(uids, (1..=MESSAGES).filter(|n| stays(*n)).collect::<Vec<_>>());
    for row in rows {
        assert!(store.read(&row.blob, 0, READ_MAX).unwrap() == text(row.uid.0), "{}", row.uid);
        store.imap_texts(&row.blob).unwrap();
    }
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        std::fs::read_dir(data.join("segments")).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    found
}

fn copy(data: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("segments")).unwrap();
    std::fs::copy(data.join("index.redb"), to.join("index.redb")).unwrap();
    for path in segments(data) {
        std::fs::copy(&path, to.join("segments").join(path.file_name().unwrap())).unwrap();
    }
}

fn assert_whole(data: &Path) {
    assert_eq!(Store::check(data).unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn space_comes_back_and_a_kill_anywhere_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, inbox) = filled(&data).await;
    let stays = |n: u32| n.is_multiple_of(5);
    thin_out(&store, inbox, stays).await;
    let before = segments(&data).len();
    assert!(before >= 5, "{before}");
    let mut steps = 0;
    for look in 0..4 {
        let mut passed = LOOK;
        loop {
            let more = store.keep_house(passed).await.unwrap();
            passed = Duration::ZERO;
            steps += 1;
            assert_readable(&store, inbox, stays);
            if !more {
                break;
            }
            let copied = dir.path().join(format!("copy-{look}-{steps}"));
            copy(&data, &copied);
            let again = open(&copied);
            assert_readable(&again, inbox, stays);
            again.close().await.unwrap();
            assert_whole(&copied);
            std::fs::remove_dir_all(&copied).unwrap();
        }
    }
    let after = segments(&data);
    // 8 messages of 32 KB are left: two segments or three.
    assert!(after.len() <= 3, "{after:?}");
    let stats = store.stats().unwrap();
    assert_eq!((stats.messages, stats.blobs), (8, 8), "contents that nothing links ended");
    // The same text comes once more.
    let mut staging = store.stage().unwrap();
    staging.write(&text(1)).unwrap();
    let (message, flags) = (staging.finish().unwrap(), Flags::default());
    let new = NewMessage { message, flags, internal_date: Timestamp(0), zone_minutes: 0 };
    store.append(inbox, vec![new]).await.unwrap();
    store.close().await.unwrap();
    assert_whole(&data);
}

#[tokio::test]
async fn what_is_held_can_be_copied_while_the_store_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (data, to) = (dir.path().join("data"), dir.path().join("copy"));
    let (store, inbox) = filled(&data).await;
    let held = store.hold().unwrap();
    thin_out(&store, inbox, |n| n == 7).await;
    for _ in 0..4 {
        let mut passed = LOOK;
        while store.keep_house(passed).await.unwrap() {
            passed = Duration::ZERO;
        }
    }
    assert!(held.segments().iter().all(|(path, _)| path.exists()), "a held segment is gone");
    std::fs::create_dir_all(to.join("segments")).unwrap();
    held.copy_index(&to.join("index.redb")).unwrap();
    for (path, len) in held.segments() {
        let mut bytes = std::fs::read(path).unwrap();
        bytes.truncate(usize::try_from(*len).unwrap());
        std::fs::write(to.join("segments").join(path.file_name().unwrap()), bytes).unwrap();
    }
    assert_whole(&to);
    let copied = open(&to);
    assert_readable(&copied, inbox, |_| true);
    copied.close().await.unwrap();
    // Released, the segments go.
    drop(held);
    for _ in 0..2 {
        let mut passed = LOOK;
        while store.keep_house(passed).await.unwrap() {
            passed = Duration::ZERO;
        }
    }
    assert!(segments(&data).len() <= 2);
    assert_readable(&store, inbox, |n| n == 7);
    store.close().await.unwrap();
    assert_whole(&data);
}

#[tokio::test]
async fn a_damaged_content_keeps_its_segment() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, inbox) = filled(&data).await;
    thin_out(&store, inbox, |n| n == 2).await;
    let first = data.join("segments/00000001.seg");
    let mut bytes = std::fs::read(&first).unwrap();
    let all = text(2);
    let needle = &all[20_000..20_032];
    let at = bytes.windows(32).position(|w| w == needle).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    for _ in 0..4 {
        let mut passed = LOOK;
        while store.keep_house(passed).await.unwrap() {
            passed = Duration::ZERO;
        }
    }
    assert!(first.exists(), "what is damaged is left for whoever mends it");
    assert!(segments(&data).len() <= 3, "the others are cleaned up");
    store.close().await.unwrap();
}
