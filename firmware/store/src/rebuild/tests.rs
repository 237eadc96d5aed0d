//! An index that is lost in each way there is comes back row by row.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Address, DomainName, FixedClock, MailboxId, Timestamp, Uid, UidRanges};

use crate::disk::RealDisk;
use crate::index::{self, Snapshot, T, View};
use crate::{
    Alias, Disk as _, FlagOp, Flags, NewAccount, NewMessage, Options, Store, StoreError, rows_file,
};

const LOOK: Duration = Duration::from_secs(600);
const MESSAGES: u32 = 40;

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(Timestamp::from_secs(1_795_338_000)))
}

fn open(data: &Path) -> Result<Store, StoreError> {
    let mut options = Options::new(data);
    options.cache_bytes = 4 << 20;
    options.reserve_bytes = Some(0);
    Store::open(options, clock() as _)
}

/// 32 KB that cannot be packed: a few of them fill a segment.
fn text(n: u32) -> Vec<u8> {
    let mut bytes = format!("Subject: {n}\r\n\r\n").into_bytes();
    let mut hash = blake3::hash(&n.to_be_bytes());
    while bytes.len() < 32 * 1024 {
        bytes.extend_from_slice(hash.as_bytes());
        hash = blake3::hash(hash.as_bytes());
    }
    bytes
}

async fn append(store: &Store, inbox: MailboxId, bytes: &[u8]) {
    let mut staging = store.stage().unwrap();
    staging.write(bytes).unwrap();
    let (message, flags) = (staging.finish().unwrap(), Flags::default());
    let new = NewMessage { message, flags, internal_date: Timestamp(0), zone_minutes: 60 };
    store.append(inbox, vec![new]).await.unwrap();
}

async fn filled(data: &Path) -> (Store, AccountId, MailboxId) {
    let store = open(data).unwrap();
    store.create_domain(DomainName::parse("x.test").unwrap()).await.unwrap();
    let anna = NewAccount {
        address: Address::parse("anna@x.test").unwrap(),
        name: "Anna".to_owned(),
        aliases: Vec::new(),
        quota_bytes: Some(1 << 30),
        is_admin: true,
        password_hash: None,
    };
    let anna = store.create_account(anna).await.unwrap();
    store.update_settings(Box::new(|s| s.retention_days = Some(0))).await.unwrap();
    let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap().id;
    for n in 1..=MESSAGES {
        append(&store, inbox, &text(n)).await;
    }
    (store, anna, inbox)
}

async fn mark(store: &Store, inbox: MailboxId, uids: UidRanges, op: FlagOp, system: u8) {
    let flags = Flags { system, keywords: vec!["$Work".to_owned()] };
    store.store_flags(inbox, uids, op, flags, None).await.unwrap();
}

async fn keep_house(store: &Store, looks: u32) {
    for _ in 0..looks {
        let mut passed = LOOK;
        while store.keep_house(passed).await.unwrap() {
            passed = Duration::ZERO;
        }
    }
}

/// All that there is, with and without what a clean-up takes away.
async fn work(store: &Store, anna: AccountId, inbox: MailboxId) {
    let gone: UidRanges = (1..=MESSAGES).filter(|n| n % 5 != 0).map(Uid).collect();
    mark(store, inbox, gone, FlagOp::Add, Flags::DELETED).await;
    store.expunge(inbox, None).await.unwrap();
    keep_house(store, 4).await;
    store.create_mailbox(anna, "Later/More".to_owned(), None).await.unwrap();
    let address = |text| Address::parse(text).unwrap();
    let alias = Alias { address: address("info@x.test"), targets: vec![address("anna@x.test")] };
    store.create_alias(alias).await.unwrap();
    mark(store, inbox, [Uid(10)].into_iter().collect(), FlagOp::Add, Flags::SEEN).await;
    append(store, inbox, &text(1)).await;
    append(store, inbox, b"Subject: ends\n\nwithout CR\n").await;
    store.update_settings(Box::new(|s| s.hostname = "mail.x.test".to_owned())).await.unwrap();
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        std::fs::read_dir(data.join("segments")).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    found
}

/// Every row of every table.
fn rows(data: &Path) -> Vec<(T, Vec<u8>, Vec<u8>)> {
    let options = Options::new(data);
    let file = options.disk.open(&data.join("index.redb"), false).unwrap();
    let database = index::open(file, 4 << 20).unwrap();
    let view = Snapshot::of(&database).unwrap();
    let mut rows = Vec::new();
    for table in T::all() {
        view.scan(table, &[], &[], &mut |key, row| {
            rows.push((table, key.to_vec(), row.to_vec()));
            Ok(true)
        })
        .unwrap();
    }
    rows
}

fn assert_same(found: &[(T, Vec<u8>, Vec<u8>)], expected: &[(T, Vec<u8>, Vec<u8>)]) {
    let lacks: Vec<_> = expected.iter().filter(|row| !found.contains(row)).take(3).collect();
    let has: Vec<_> = found.iter().filter(|row| !expected.contains(row)).take(3).collect();
    assert!(lacks.is_empty() && has.is_empty(), "it lacks {lacks:?} and has {has:?}");
}

type Harm = fn(&Path);

/// Each way in which an index can be lost.
const HARMS: [(&str, Harm); 6] = [
    ("missing", |index| std::fs::remove_file(index).unwrap()),
    ("empty", |index| std::fs::write(index, b"").unwrap()),
    ("garbage", |index| std::fs::write(index, vec![0x5A; 100_000]).unwrap()),
    ("cut", |index| {
        let file = std::fs::OpenOptions::new().write(true).open(index).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    }),
    ("another, new one", |index| {
        std::fs::remove_file(index).unwrap();
        drop(index::open(RealDisk.open(index, true).unwrap(), 1 << 20).unwrap());
    }),
    ("zeros within", |index| {
        let mut bytes = std::fs::read(index).unwrap();
        let len = bytes.len();
        bytes[8192..len - 4096].fill(0);
        std::fs::write(index, bytes).unwrap();
    }),
];

/// Who meets an index that cannot be opened says what helps, and does not panic.
#[tokio::test]
async fn what_helps_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, _, _) = filled(&data).await;
    store.close().await.unwrap();
    let index = std::fs::read(data.join("index.redb")).unwrap();
    for (what, harm) in &HARMS[..5] {
        harm(&data.join("index.redb"));
        for refused in [open(&data).map(drop), Store::check(&data).map(drop)] {
            let said = format!("{}", refused.unwrap_err());
            assert!(said.contains("check --repair"), "{what}: {said}");
        }
        std::fs::write(data.join("index.redb"), &index).unwrap();
    }
}

async fn comes_back(data: &Path, harm: Harm) -> Vec<String> {
    let expected = rows(data);
    harm(&data.join("index.redb"));
    let done = Store::repair_with(Options { cache_bytes: 4 << 20, ..Options::new(data) }, clock())
        .await
        .unwrap();
    assert_same(&rows(data), &expected);
    assert_eq!(Store::check(data).unwrap().problems, Vec::<String>::new());
    done
}

#[tokio::test]
async fn a_lost_index_is_made_again_from_the_log_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, _, _) = filled(&data).await;
    store.close().await.unwrap();
    assert!(!data.join(rows_file::NAME).exists());
    for (what, harm) in HARMS {
        let done = comes_back(&data, harm).await;
        assert_eq!(done.len(), 1, "{what}: {done:?}");
        assert!(done[0].contains("from the whole log"), "{what}: {done:?}");
    }
    // The store goes on.
    let store = open(&data).unwrap();
    let anna = store.accounts(AccountId(0), 1).unwrap()[0].id;
    let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap().id;
    work(&store, anna, inbox).await;
    store.close().await.unwrap();
    assert_eq!(Store::check(&data).unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_lost_index_is_made_again_though_segments_were_cleaned_up() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, anna, inbox) = filled(&data).await;
    work(&store, anna, inbox).await;
    assert!(!data.join("segments/00000001.seg").exists(), "{:?}", segments(&data));
    store.close().await.unwrap();
    for (what, harm) in HARMS {
        let done = comes_back(&data, harm).await;
        assert_eq!(done.len(), 1, "{what}: {done:?}");
        assert!(done[0].contains("and the log behind them"), "{what}: {done:?}");
    }
}

/// A stop between any two steps of the housekeeping leaves a store whose index can be made again.
#[tokio::test]
async fn at_each_step_of_the_clean_up_the_index_can_be_lost() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, _, inbox) = filled(&data).await;
    let gone: UidRanges = (1..=MESSAGES).filter(|n| n % 7 != 0).map(Uid).collect();
    mark(&store, inbox, gone, FlagOp::Add, Flags::DELETED).await;
    store.expunge(inbox, None).await.unwrap();
    let mut step = 0;
    for _ in 0..4 {
        let mut passed = LOOK;
        while store.keep_house(passed).await.unwrap() {
            passed = Duration::ZERO;
            step += 1;
            store.checkpoint().await.unwrap();
            let copy = dir.path().join(format!("copy-{step}"));
            std::fs::create_dir_all(copy.join("segments")).unwrap();
            for name in ["index.redb", rows_file::NAME] {
                std::fs::copy(data.join(name), copy.join(name)).unwrap();
            }
            for path in segments(&data) {
                let to = copy.join("segments").join(path.file_name().unwrap());
                std::fs::copy(&path, to).unwrap();
            }
            comes_back(&copy, HARMS[0].1).await;
            std::fs::remove_dir_all(&copy).unwrap();
        }
    }
    assert!(step > 4 && segments(&data).len() <= 3, "{step} steps, {:?}", segments(&data));
    store.close().await.unwrap();
}

#[tokio::test]
async fn rows_that_are_damaged_are_told_and_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, _, inbox) = filled(&data).await;
    keep_house(&store, 1).await;
    let file = data.join(rows_file::NAME);
    let whole = std::fs::read(&file).unwrap();
    append(&store, inbox, b"Subject: later\r\n\r\n").await;
    store.close().await.unwrap();
    for at in [3, 20, 60, whole.len() / 2, whole.len() - 3] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        assert_eq!(Store::check(&data).unwrap().problems.len(), 1, "{at}");
        // With the index: only they are at fault. Without it, the log has its beginning.
        let done = Store::repair(&data, clock()).await.unwrap();
        assert_eq!(done.len(), 1, "{at}: {done:?}");
        assert!(!file.exists());
        std::fs::write(&file, &bytes[..bytes.len() - at % 5]).unwrap();
        let done = comes_back(&data, HARMS[0].1).await;
        assert!(done[0].contains("from the whole log") && done.len() == 2, "{at}: {done:?}");
    }
    let store = open(&data).unwrap();
    keep_house(&store, 1).await;
    store.close().await.unwrap();
    assert!(rows_file::verify(&RealDisk, &data).is_ok());
    // Nothing to begin from: it is said, and nothing is touched.
    std::fs::write(&file, b"garbage").unwrap();
    std::fs::remove_file(data.join("segments/00000001.seg")).unwrap();
    std::fs::write(data.join("index.redb"), b"garbage").unwrap();
    let refused = Store::repair(&data, clock()).await;
    assert!(matches!(&refused, Err(StoreError::Open(why)) if why.contains("cleaned up")));
    assert_eq!(std::fs::read(data.join("index.redb")).unwrap(), b"garbage");
}

/// The changes of an act that is too large for the log are in the next rows.
#[tokio::test]
async fn rows_are_due_behind_an_act_that_the_log_does_not_have() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, _, inbox) = filled(&data).await;
    keep_house(&store, 1).await;
    store
        .act(move |tx| {
            (0..1_100u32).try_for_each(|n| {
                let key = [b"test/", &n.to_be_bytes()[..]].concat();
                let row = blake3::hash(&key).as_bytes().repeat(256);
                tx.put(T::Setting, &key, &row)
            })
        })
        .await
        .unwrap();
    append(&store, inbox, b"Subject: later\r\n\r\n").await;
    keep_house(&store, 1).await;
    append(&store, inbox, b"Subject: last\r\n\r\n").await;
    store.close().await.unwrap();
    comes_back(&data, HARMS[0].1).await;
}

/// A content that is damaged must not be the end of what came behind it.
#[tokio::test]
async fn a_damaged_content_in_the_log_costs_nothing_but_itself() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, _, inbox) = filled(&data).await;
    store.close().await.unwrap();
    let first = data.join("segments/00000001.seg");
    let mut bytes = std::fs::read(&first).unwrap();
    let second = text(2);
    let at = bytes.windows(32).position(|w| w == &second[20_000..20_032]).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    let before = Store::check(&data).unwrap().problems;
    assert_eq!(before.len(), 1, "{before:?}");
    std::fs::remove_file(data.join("index.redb")).unwrap();
    let done = Store::repair(&data, clock()).await.unwrap();
    assert!(done[1].contains("1 messages are damaged"), "{done:?}");
    assert_eq!(Store::check(&data).unwrap().problems, before);
    let store = open(&data).unwrap();
    let all = store.rows(inbox, Uid(1), Uid(u32::MAX), 1000).unwrap();
    assert_eq!(all.len(), MESSAGES as usize);
    store.close().await.unwrap();
}

/// A store that came back from an earlier copy does not keep the rows of the time after it.
#[tokio::test]
async fn rows_of_another_past_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, _, inbox) = filled(&data).await;
    store.checkpoint().await.unwrap();
    std::fs::copy(data.join("index.redb"), dir.path().join("index.redb")).unwrap();
    let lens: Vec<_> =
        segments(&data).into_iter().map(|p| (p.clone(), p.metadata().unwrap().len())).collect();
    append(&store, inbox, b"Subject: later\r\n\r\n").await;
    keep_house(&store, 1).await;
    store.close().await.unwrap();
    assert!(data.join(rows_file::NAME).exists());
    std::fs::copy(dir.path().join("index.redb"), data.join("index.redb")).unwrap();
    for (path, len) in lens {
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
    }
    let store = open(&data).unwrap();
    assert!(!data.join(rows_file::NAME).exists());
    store.close().await.unwrap();
}

/// A stop right behind the first start can leave a segment that nothing was written to.
#[tokio::test]
async fn a_log_that_never_began_is_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    open(&data).unwrap().close().await.unwrap();
    std::fs::write(data.join("segments/00000001.seg"), b"POSTR").unwrap();
    std::fs::remove_file(data.join("index.redb")).unwrap();
    assert_eq!(Store::repair(&data, clock()).await.unwrap().len(), 1);
    let (store, _, _) = filled(&data).await;
    store.close().await.unwrap();
    assert_eq!(Store::check(&data).unwrap().problems, Vec::<String>::new());
}
