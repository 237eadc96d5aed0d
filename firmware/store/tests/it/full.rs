//! The low-water mark: what takes room is refused, what reads or makes room goes on, and when there is
//! room again all goes on without a restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::{DomainName, FixedClock, Timestamp};
use store::{FlagOp, Flags, Options, Store, StoreError};

use crate::fixture::{flags, local, new_account, set, stage, text};
use crate::memory_disk::MemoryDisk;

const RESERVE: u64 = 1 << 20;
/// The look at the disk may be a moment old: so many tries of so long.
const TRIES: u32 = 1_000;
const MOMENT: Duration = Duration::from_millis(10);

/// Bytes that do not pack.
fn noise(n: u64) -> Vec<u8> {
    let mut message = text(n);
    let mut hash = blake3::hash(&message);
    while message.len() < 100_000 {
        message.extend_from_slice(hash.to_hex().as_bytes());
        message.extend_from_slice(b"\r\n");
        hash = blake3::hash(hash.as_bytes());
    }
    message
}

#[tokio::test]
async fn a_full_disk_refuses_mail_and_lets_it_be_read_and_expunged() {
    let disk = Arc::new(MemoryDisk::default());
    disk.capacity.store(6 << 20, Ordering::Relaxed);
    let mut options = Options::new("/box");
    (options.disk, options.reserve_bytes) = (Arc::clone(&disk) as _, Some(RESERVE));
    let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_795_338_000)));
    let store = Store::open(options.clone(), Arc::clone(&clock) as _).unwrap();
    store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
    let anna = store.create_account(new_account("anna@office.test")).await.unwrap();
    let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap().id;

    let mut delivered = 0;
    let refused = loop {
        match store.deliver(local(stage(&store, &noise(delivered)), &[anna])).await {
            Ok(_) => delivered += 1,
            Err(refused) => break refused,
        }
        tokio::time::sleep(MOMENT).await;
        assert!(delivered < 200, "the disk is never full");
    };
    assert!(matches!(refused, StoreError::DiskFull), "{refused}");
    assert!(store.disk_is_low());
    assert!(store.disk_space().unwrap().0 > 0, "the reserve is there");

    // Reading, flags, folders and expunging go on.
    let row = store.rows(inbox, base::Uid(1), base::Uid(1), 1).unwrap().remove(0);
    assert_eq!(store.read(&row.blob, 0, 10).unwrap(), noise(0)[..10]);
    let seen = flags(Flags::SEEN | Flags::DELETED, &[]);
    store.store_flags(inbox, set("1:*"), FlagOp::Add, seen, None).await.unwrap();
    store.create_mailbox(anna, "Kept".to_owned(), None).await.unwrap();
    let (gone, _) = store.expunge(inbox, None).await.unwrap();
    assert_eq!(gone.len(), delivered);

    // Room again, by whatever way.
    disk.capacity.store(60 << 20, Ordering::Relaxed);
    let mut tries = 0;
    while store.disk_is_low() {
        tokio::time::sleep(MOMENT).await;
        tries += 1;
        assert!(tries < TRIES, "the disk is full for ever");
    }
    store.deliver(local(stage(&store, &noise(1_000)), &[anna])).await.unwrap();
    assert_eq!(store.mailbox(inbox).unwrap().unwrap().exists, 1);
    store.close().await.unwrap();
    assert_eq!(Store::check_with(&options).unwrap().problems, Vec::<String>::new());
}
