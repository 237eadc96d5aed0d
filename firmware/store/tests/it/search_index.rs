//! The search index follows the store that it was made of, and no other.

use std::path::Path;
use std::sync::Arc;

use base::{AccountId, MailboxId, Uid};
use store::{Flags, SearchSignatures, Store};

use crate::fixture::{Fixture, text};

/// Five messages, and an index of them.
async fn indexed(office: &Fixture, anna: AccountId, first: u64) -> MailboxId {
    let inbox = office.mailbox(anna, "INBOX");
    for n in 0..5 {
        office.append(inbox, &text(first + n), Flags::default()).await;
    }
    let last = Uid(office.store.mailbox(inbox).unwrap().unwrap().uid_next.0 - 1);
    let from = office.store.search_index(inbox).unwrap().begin;
    let mut signatures = SearchSignatures::default();
    for uid in from.0..=last.0 {
        signatures.add(Uid(uid), &[uid, 1000 + uid]);
    }
    office.store.search_index_add(inbox, (from, last), &signatures).unwrap();
    inbox
}

fn up_to(office: &Fixture, mailbox: MailboxId) -> u32 {
    office.store.search_index(mailbox).unwrap().up_to.0
}

fn files(data: &Path) -> usize {
    std::fs::read_dir(data.join("search")).map_or(0, |dir| dir.count())
}

/// Takes a snapshot of the running store away.
fn take(office: &Fixture, to: &Path) {
    std::fs::create_dir_all(to.join("segments")).unwrap();
    let held = office.store.hold().unwrap();
    held.copy_index(&to.join("index.redb")).unwrap();
    for (path, len) in held.segments() {
        let bytes = std::fs::read(path).unwrap();
        let len = usize::try_from(*len).unwrap();
        std::fs::write(to.join("segments").join(path.file_name().unwrap()), &bytes[..len]).unwrap();
    }
}

/// Puts a snapshot in the place of the stopped store; what is no part of it stays.
async fn put_back(office: Fixture, from: &Path) -> Fixture {
    let data = office.path();
    let Fixture { dir, clock, store } = office;
    store.close().await.unwrap();
    std::fs::remove_dir_all(data.join("segments")).unwrap();
    std::fs::create_dir(data.join("segments")).unwrap();
    for file in std::fs::read_dir(from.join("segments")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), data.join("segments").join(file.file_name())).unwrap();
    }
    std::fs::copy(from.join("index.redb"), data.join("index.redb")).unwrap();
    let store = Store::open(store::Options::new(&data), Arc::clone(&clock) as _).unwrap();
    Fixture { dir, clock, store }
}

#[tokio::test]
async fn it_stays_with_its_store_and_is_not_of_another_past() {
    let (office, anna) = Fixture::office().await;
    let inbox = indexed(&office, anna, 1).await;
    let office = office.reopen().await;
    assert_eq!(up_to(&office, inbox), 5);
    let snapshots = tempfile::tempdir().unwrap();
    take(&office, snapshots.path());
    indexed(&office, anna, 10).await;
    let office = office.reopen().await;
    assert_eq!(up_to(&office, inbox), 10);

    // The same UIDs are given again, to other messages.
    let office = put_back(office, snapshots.path()).await;
    let row = |office: &Fixture| office.store.rows(inbox, Uid(6), Uid(6), 1).unwrap().remove(0);
    for n in 20..30 {
        office.append(inbox, &text(n), Flags::default()).await;
    }
    assert_eq!(office.content(&row(&office).blob), text(20));
    assert_eq!(up_to(&office, inbox), 0, "the index of the messages that were is gone");
    let office = office.reopen().await;
    assert_eq!((up_to(&office, inbox), files(&office.path())), (0, 0));

    // An index that is older than the snapshot fits.
    indexed(&office, anna, 40).await;
    let later = tempfile::tempdir().unwrap();
    take(&office, later.path());
    office.append(inbox, &text(50), Flags::default()).await;
    let office = put_back(office, later.path()).await;
    assert_eq!(up_to(&office, inbox), 20);
    // What nobody can say the past of is not trusted.
    let data = office.path();
    std::fs::write(data.join("search/group"), "nonsense").unwrap();
    let office = office.reopen().await;
    assert_eq!((up_to(&office, inbox), files(&data)), (0, 0));
    office.finish().await;
}

#[tokio::test]
async fn a_repair_removes_it() {
    let (office, anna) = Fixture::office().await;
    indexed(&office, anna, 1).await;
    let (data, clock) = (office.path(), Arc::clone(&office.clock));
    office.store.search_index_sweep().unwrap();
    assert_eq!(files(&data), 2);
    let Fixture { dir, store, .. } = office;
    store.close().await.unwrap();
    let done = Store::repair(&data, Arc::clone(&clock) as _).await.unwrap();
    assert_eq!(done, ["the search index is taken away: searches make it again"]);
    assert_eq!(files(&data), 0);
    assert!(Store::repair(&data, clock).await.unwrap().is_empty());
    drop(dir);
}
