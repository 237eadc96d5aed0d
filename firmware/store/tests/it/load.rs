//! Many at once: group commit, neighbours of a failing act, readers beside the writer.

use std::collections::BTreeSet;

use base::{AccountId, Uid};
use store::{FlagOp, Flags, StoreError};

use crate::fixture::{Fixture, flags, local, new_account, set, stage, text};

const DELIVERERS: u64 = 64;
const EACH: u64 = 8;

/// 64 deliverers; every fourth delivery of theirs fails behind its first copy.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_64_deliverers_were_told_is_true() {
    let (office, anna) = Fixture::office().await;
    let bert = office.store.create_account(new_account("bert@office.test")).await.unwrap();
    let mut tasks = Vec::new();
    for who in 0..DELIVERERS {
        let store = office.store.clone();
        tasks.push(tokio::spawn(async move {
            let mut told = Vec::new();
            for n in 0..EACH {
                let mut delivery = local(stage(&store, &text(who * EACH + n)), &[anna, bert]);
                if n % 4 == 3 {
                    let bad = store::TargetMailbox::Named("bad//name".to_owned());
                    delivery.local[1].mailbox = bad;
                    let refused = store.deliver(delivery).await;
                    assert!(matches!(refused, Err(StoreError::BadName)));
                } else {
                    let uid = store.deliver(delivery).await.unwrap().local[0].2;
                    told.push((uid, text(who * EACH + n)));
                }
                let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap();
                assert_eq!(inbox.exists, inbox.uid_next.0 - 1, "a reader saw half a group");
            }
            told
        }));
    }
    let mut told = Vec::new();
    for task in tasks {
        told.extend(task.await.unwrap());
    }
    let office = office.reopen().await;
    let inbox = office.mailbox(anna, "INBOX");
    let rows = office.store.rows(inbox, Uid(1), Uid(u32::MAX), usize::MAX).unwrap();
    assert_eq!((rows.len(), told.len() as u64), (told.len(), DELIVERERS * EACH / 4 * 3));
    let uids: BTreeSet<Uid> = told.iter().map(|(uid, _)| *uid).collect();
    assert_eq!(uids.len(), told.len(), "a UID was given twice");
    for (uid, bytes) in told {
        let row = rows.iter().find(|row| row.uid == uid).unwrap();
        assert!(office.content(&row.blob) == bytes, "UID {uid} has another content");
    }
    office.finish().await;
}

#[tokio::test]
async fn marking_a_large_mailbox_is_one_change() {
    let (office, anna) = Fixture::office().await;
    let inbox = office.mailbox(anna, "INBOX");
    let message = office.stage(&text(1));
    let new = store::NewMessage {
        message,
        flags: Flags::default(),
        internal_date: base::Timestamp(0),
        zone_minutes: 60,
    };
    for _ in 0..3 {
        office.store.append(inbox, vec![new.clone(); 1000]).await.unwrap();
    }
    let seen = flags(Flags::SEEN, &[]);
    let outcome =
        office.store.store_flags(inbox, set("1:*"), FlagOp::Add, seen, None).await.unwrap();
    assert_eq!(outcome.rows.len(), 3000);
    let now = office.store.mailbox(inbox).unwrap().unwrap();
    assert_eq!((now.highest_modseq.0, now.unseen, now.exists), (5, 0, 3000));
    let some = office.store.rows(inbox, Uid(250), Uid(260), 5).unwrap();
    assert_eq!(some.iter().map(|row| row.uid.0).collect::<Vec<_>>(), [250, 251, 252, 253, 254]);
    let deleted = flags(Flags::DELETED, &[]);
    office.store.store_flags(inbox, set("10:2990"), FlagOp::Add, deleted, None).await.unwrap();
    office.store.expunge(inbox, None).await.unwrap();
    assert_eq!(office.store.uids(inbox).unwrap().to_string(), "1:9,2991:3000");
    let report = office.finish().await;
    assert_eq!((report.messages, report.blobs), (19, 1));
}

#[tokio::test]
async fn after_the_close_acts_are_refused_and_a_second_process_may_open() {
    let (office, anna) = Fixture::office().await;
    let second = store::Store::open(
        store::Options::new(office.path()),
        std::sync::Arc::clone(&office.clock) as _,
    );
    assert!(matches!(second, Err(StoreError::Open(_))), "two processes have the store");
    assert!(matches!(store::Store::check(&office.path()), Err(StoreError::Open(_))));
    let other = office.store.clone();
    office.store.clone().close().await.unwrap();
    let refused = other.deliver(local(office.stage(&text(1)), &[anna])).await;
    assert!(matches!(refused, Err(StoreError::Closed)));
    assert!(other.account(AccountId(1)).unwrap().is_some(), "reads go on");
    drop(other);
    office.finish().await;
}

/// Copies of contents that stand there more than once, far apart and not in their order; and a move and an
/// expunge of every other one. The walk at the end counts the links.
#[tokio::test]
async fn copies_link_each_content_as_often_as_it_stands_there() {
    let (office, anna) = Fixture::office().await;
    let [inbox, archive, trash] =
        ["INBOX", "Archive", "Trash"].map(|name| office.mailbox(anna, name));
    let numbers = (0..150).chain([140, 3, 3, 77, 20, 20, 20, 149, 0]);
    for n in numbers {
        office.append(inbox, &text(n), Flags::default()).await;
    }
    let some = set("2:9,40,60:62,80:159");
    for to in [archive, inbox, archive] {
        let copied = office.store.copy(inbox, some.clone(), to).await.unwrap();
        assert_eq!(copied.target.len(), 92);
    }
    let there = office.store.rows(inbox, Uid(1), Uid(u32::MAX), usize::MAX).unwrap();
    let copies = office.store.rows(archive, Uid(1), Uid(u32::MAX), usize::MAX).unwrap();
    let named = |rows: &[store::Row]| rows.iter().map(|row| row.blob).collect::<Vec<_>>();
    assert_eq!(named(&there[159..]), named(&copies[..92]));

    let odd: base::UidRanges = (1..200).step_by(2).map(Uid).collect();
    office.store.move_messages(archive, odd.clone(), trash).await.unwrap();
    let deleted = flags(Flags::DELETED, &[]);
    office.store.store_flags(inbox, odd, FlagOp::Add, deleted, None).await.unwrap();
    office.store.expunge(inbox, None).await.unwrap();
    let office = office.reopen().await;
    let exists = |mailbox| office.store.mailbox(mailbox).unwrap().unwrap().exists;
    assert_eq!((exists(inbox), exists(archive), exists(trash)), (151, 92, 92));
    office.finish().await;
}
