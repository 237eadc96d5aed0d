//! A store that format 1 wrote, made by the acts that the checks below name.

use base::Uid;
use store::{Flags, Options, QueueEntry, Store, StoreError};

use crate::fixture::{address, local, stage, text};

/// A copy of the store in `tests/fixtures/store-v1`.
fn old_store() -> tempfile::TempDir {
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-v1");
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("data");
    std::fs::create_dir_all(to.join("segments")).unwrap();
    let packed = std::fs::File::open(from.join("index.redb.zst")).unwrap();
    let index = std::fs::File::create(to.join("index.redb")).unwrap();
    zstd::stream::copy_decode(packed, index).unwrap();
    let segment = "segments/00000001.seg";
    std::fs::copy(from.join(segment), to.join(segment)).unwrap();
    dir
}

fn content(store: &Store, blob: base::BlobId) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let piece = store.read(&blob, all.len() as u64, store::READ_MAX).unwrap();
        if piece.is_empty() {
            return all;
        }
        all.extend_from_slice(&piece);
    }
}

fn check_directory(store: &Store) {
    let addresses: Vec<String> = store
        .accounts(base::AccountId(0), 10)
        .unwrap()
        .iter()
        .map(|account| account.address.to_string())
        .collect();
    assert_eq!(addresses, ["anna@office.test", "bert@office.test"]);
    let bert = store.account_by_address(&address("sales@office.test")).unwrap().unwrap();
    assert_eq!((bert.id.0, bert.quota_bytes), (2, Some(50 << 20)));
    assert_eq!(store.aliases().unwrap()[0].targets.len(), 2);
    let settings = store.settings();
    assert_eq!((settings.hostname.as_str(), settings.setup_complete), ("mail.office.test", true));
    assert_eq!(store.tls_identity().unwrap().unwrap().chain_pem, "chain");
}

fn check_spool(store: &Store) {
    let entries = store.queue_list(base::QueueId(0), 10).unwrap();
    let shown = |e: &QueueEntry| (e.recipients.len(), e.skip, e.hold, e.envelope.envid.clone());
    assert_eq!(shown(&entries[0]), (2, 5, false, Some("e1".to_owned())));
    assert_eq!(shown(&entries[1]), (2, 5, true, Some("e1".to_owned())));
    for (entry, n) in entries.iter().zip([30, 31]) {
        assert!(content(store, entry.blob) == text(n));
        assert_eq!(entry.size, text(n).len() as u64);
    }
}

/// Anna got 1 to 12; 3, 4 and 5 were copied, 6 was moved, 7 and 8 were expunged.
fn check_mail(store: &Store) {
    let anna = base::AccountId(1);
    let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap();
    assert_eq!((inbox.exists, inbox.unseen, inbox.uid_next), (9, 6, Uid(13)));
    let rows = store.rows(inbox.id, Uid(1), Uid(u32::MAX), 100).unwrap();
    assert_eq!(
        rows.iter().map(|row| row.uid.0).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 9, 10, 11, 12]
    );
    for row in &rows {
        assert!(content(store, row.blob) == text(row.uid.0.into()), "UID {}", row.uid);
        let (subject, texts) =
            (format!("message {}", row.uid), store.imap_texts(&row.blob).unwrap());
        assert!(String::from_utf8(texts.envelope).unwrap().contains(&subject));
        assert_eq!(row.saved, None);
    }
    assert_eq!(rows[1].flags.keywords, ["$Forwarded"]);
    let folder = store.mailbox_by_name(anna, "Projects/2026/H\u{e4}user").unwrap().unwrap();
    let rows = store.rows(folder.id, Uid(1), Uid(10), 100).unwrap();
    assert_eq!((rows.len(), folder.subscribed), (5, true));
    let large = content(store, rows[0].blob);
    assert!(large.starts_with(&text(7)) && large.len() >= 600_000);
    assert_eq!(rows[0].flags.keywords, ["$Label1", "Blue"]);
    assert_eq!(rows[0].flags.system, Flags::SEEN | Flags::FLAGGED);
    assert!(content(store, rows[4].blob) == text(6));
}

#[tokio::test]
async fn a_store_of_format_1_is_taken_over() {
    let dir = old_store();
    let data = dir.path().join("data");
    assert!(matches!(Store::check(&data), Err(StoreError::Open(_))), "check must not upgrade");
    // What format 1 did not acknowledge: it stands behind the end that its index knows.
    let segment = data.join("segments/00000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let old_len = bytes.len();
    let record = bytes[16..200].to_vec();
    bytes.extend_from_slice(&record);
    std::fs::write(&segment, bytes).unwrap();

    // Of a time before somebody took the way back.
    std::fs::create_dir(data.join("search")).unwrap();
    std::fs::write(data.join("search/00000001-0000000001.idx"), "x").unwrap();
    let clock =
        std::sync::Arc::new(base::FixedClock::new(base::Timestamp::from_secs(1_800_000_000)));
    let open = || Store::open(Options::new(&data), std::sync::Arc::clone(&clock) as _).unwrap();
    for round in 0..2 {
        let store = open();
        assert_eq!(std::fs::read(&segment).unwrap().len(), old_len);
        assert_eq!(std::fs::read_dir(data.join("search")).unwrap().count(), 0);
        check_directory(&store);
        let deleted = store.deleted_accounts(base::AccountId(0), 10).unwrap();
        assert_eq!((deleted.len(), deleted[0].messages), (1, 1));
        assert_eq!(deleted[0].address.to_string(), "carla@office.test");
        check_spool(&store);
        check_mail(&store);
        if round == 1 {
            // The same content once more, and a new one in a segment of the new format.
            let anna = base::AccountId(1);
            let blobs = store.stats().unwrap().blobs;
            for n in [3, 50] {
                store.deliver(local(stage(&store, &text(n)), &[anna])).await.unwrap();
            }
            assert_eq!(store.stats().unwrap().blobs, blobs + 1);
        }
        store.close().await.unwrap();
        assert_eq!(Store::check(&data).unwrap().problems, Vec::<String>::new());
    }
    assert!(data.join("index.v1").exists() && data.join("segments/00000002.seg").exists());
}
