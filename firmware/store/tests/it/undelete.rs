//! What is expunged or deleted stays for the retention time, outside the quota, and comes back whole.

use std::time::Duration;

use base::{AccountId, Timestamp, Uid};
use store::{
    AccountChange, DeletedFilter, DeletedMessage, FlagOp, Flags, NewMessage, Settings, StoreError,
};

use crate::fixture::{Fixture, address, flags, new_account, set, text};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn deleted(office: &Fixture, id: AccountId) -> Vec<DeletedMessage> {
    let page = office.store.deleted_messages(id, &DeletedFilter::default(), 0, 1000).unwrap();
    assert_eq!(page.next, None);
    page.messages
}

async fn expunge(office: &Fixture, id: AccountId, mailbox: &str, uids: &str) {
    let mailbox = office.mailbox(id, mailbox);
    let gone = flags(Flags::DELETED, &[]);
    office.store.store_flags(mailbox, set(uids), FlagOp::Add, gone, None).await.unwrap();
    office.store.expunge(mailbox, Some(set(uids))).await.unwrap();
}

/// All steps of housekeeping that are due after `passed`.
async fn keep_house(office: &Fixture, passed: Duration) -> u32 {
    let mut steps = 0;
    let mut passed = passed;
    while office.store.keep_house(passed).await.unwrap() {
        passed = Duration::ZERO;
        steps += 1;
    }
    steps
}

#[tokio::test]
async fn what_was_expunged_comes_back_with_its_flags() {
    let (office, anna) = Fixture::office().await;
    let inbox = office.mailbox(anna, "INBOX");
    for n in 0..4 {
        office.append(inbox, &text(n), flags(Flags::SEEN, &["$Work", "b"])).await;
    }
    expunge(&office, anna, "INBOX", "2:3").await;
    assert_eq!(office.store.quota(anna).unwrap().used_messages, 2);
    let gone = deleted(&office, anna);
    assert_eq!(gone.iter().map(|m| m.uid.0).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(gone[0].mailbox_name, "INBOX");
    assert_eq!(gone[0].flags, flags(Flags::SEEN | Flags::DELETED, &["$Work", "b"]));
    assert_eq!(gone[0].internal_date, Timestamp::from_secs(1_000_000));
    let sum = office.store.deleted_sum(anna).unwrap();
    let bytes = (text(1).len() + text(2).len()) as u64;
    assert_eq!((sum.messages, sum.bytes), (2, bytes));

    let office = office.reopen().await;
    let ids = vec![gone[1].id, gone[1].id, gone[1].id + 9];
    let restored = office.store.restore_messages(anna, ids, None).await.unwrap();
    assert_eq!(restored.messages, [(gone[1].id, inbox, Uid(5))]);
    assert_eq!(restored.missing, [gone[1].id + 9]);
    let row = office.store.rows(inbox, Uid(5), Uid(5), 1).unwrap().remove(0);
    assert_eq!(row.flags, flags(Flags::SEEN, &["$Work", "b"]), "without \\Deleted");
    assert_eq!(office.content(&row.blob), text(2));
    assert_eq!(deleted(&office, anna), gone[..1]);
    // A second time it is not there any more.
    let again = office.store.restore_messages(anna, vec![gone[1].id], None).await.unwrap();
    assert_eq!((again.messages.len(), again.missing.len()), (0, 1));
    let into = Some("Saved/2026".to_owned());
    let restored = office.store.restore_messages(anna, vec![gone[0].id], into).await.unwrap();
    let saved = office.mailbox(anna, "Saved/2026");
    assert_eq!(restored.messages, [(gone[0].id, saved, Uid(1))]);
    assert_eq!(office.store.deleted_sum(anna).unwrap().messages, 0);
    office.finish().await;
}

#[tokio::test]
async fn a_deleted_mailbox_comes_back_under_its_name_and_a_move_leaves_nothing() {
    let (office, anna) = Fixture::office().await;
    let bert = office.store.create_account(new_account("bert@office.test")).await.unwrap();
    let made = office.store.create_mailbox(anna, "a/b".to_owned(), None).await.unwrap();
    let message = office.stage(&text(7));
    let new = NewMessage {
        message,
        flags: flags(0, &["k"]),
        internal_date: Timestamp(0),
        zone_minutes: 0,
    };
    office.store.append(made.id, vec![new; 600]).await.unwrap();
    let archive = office.mailbox(anna, "Archive");
    office.store.move_messages(made.id, set("1:10"), archive).await.unwrap();
    assert_eq!(deleted(&office, anna), []);
    office.store.delete_mailbox(anna, "a/b".to_owned()).await.unwrap();
    assert_eq!(office.store.deleted_sum(anna).unwrap().messages, 590);
    assert_eq!(office.store.quota(anna).unwrap().used_messages, 10);

    // In pages, and by name and time.
    let filter = DeletedFilter { mailbox: Some("a/b".to_owned()), ..Default::default() };
    let (mut from, mut ids) = (0, Vec::new());
    loop {
        let page = office.store.deleted_messages(anna, &filter, from, 100).unwrap();
        assert!(page.messages.len() <= 100);
        ids.extend(page.messages.iter().map(|m| m.id));
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(ids.len(), 590);
    assert!(ids.is_sorted_by(|a, b| a < b));
    let now = Timestamp::from_secs(1_795_338_000);
    for filter in [
        DeletedFilter { mailbox: Some("INBOX".to_owned()), ..Default::default() },
        DeletedFilter { from: Some(now.plus_secs(1)), ..Default::default() },
        DeletedFilter { to: Some(now), ..Default::default() },
    ] {
        assert_eq!(office.store.deleted_messages(anna, &filter, 0, 10).unwrap().messages, []);
    }
    // Nobody restores another's mail.
    let foreign = office.store.restore_messages(bert, ids.clone(), None).await.unwrap();
    assert_eq!((foreign.messages.len(), foreign.missing.len()), (0, 590));

    let restored = office.store.restore_messages(anna, ids, None).await.unwrap();
    assert_eq!(restored.messages.len(), 590);
    let again = office.store.mailbox_by_name(anna, "a/b").unwrap().unwrap();
    assert_eq!((again.exists, again.unseen), (590, 590));
    assert!(again.uid_validity > made.uid_validity && again.subscribed);
    assert_eq!(office.finish().await.messages, 600);
}

#[tokio::test]
async fn restoring_keeps_the_quota() {
    let (office, anna) = Fixture::office().await;
    office.deliver(&[anna], &text(20)).await;
    office.deliver(&[anna], &text(21)).await;
    expunge(&office, anna, "INBOX", "1").await;
    let change = AccountChange { quota_messages: Some(Some(1)), ..Default::default() };
    office.store.update_account(anna, change).await.unwrap();
    let ids = vec![deleted(&office, anna)[0].id];
    let refused = office.store.restore_messages(anna, ids.clone(), None).await;
    assert!(matches!(refused, Err(StoreError::OverQuota)));
    expunge(&office, anna, "INBOX", "2").await;
    office.store.restore_messages(anna, ids, None).await.unwrap();
    office.finish().await;
}

#[tokio::test]
async fn after_the_retention_time_it_is_gone() {
    let (office, anna) = Fixture::office().await;
    office.deliver(&[anna], &text(1)).await;
    office.deliver(&[anna], &text(2)).await;
    expunge(&office, anna, "INBOX", "1").await;
    assert_eq!(keep_house(&office, DAY).await, 0);
    expunge(&office, anna, "INBOX", "2").await;
    assert_eq!(keep_house(&office, DAY * 12).await, 0);
    assert_eq!(deleted(&office, anna).len(), 2);
    assert_eq!(keep_house(&office, DAY).await, 1);
    assert_eq!(deleted(&office, anna).iter().map(|m| m.uid.0).collect::<Vec<_>>(), [2]);
    let office = office.reopen().await;
    // The setting takes effect on what is there.
    let change = |settings: &mut Settings| settings.retention_days = Some(30);
    office.store.update_settings(Box::new(change)).await.unwrap();
    assert_eq!(keep_house(&office, DAY).await, 0);
    let change = |settings: &mut Settings| settings.retention_days = Some(0);
    office.store.update_settings(Box::new(change)).await.unwrap();
    assert_eq!(keep_house(&office, Duration::from_millis(1)).await, 1);
    assert_eq!(deleted(&office, anna), []);
    office.finish().await;
}

#[tokio::test]
async fn no_jump_of_the_clock_ends_anything() {
    let (office, anna) = Fixture::office().await;
    office.deliver(&[anna], &text(1)).await;
    expunge(&office, anna, "INBOX", "1").await;
    let bert = office.store.create_account(new_account("bert@office.test")).await.unwrap();
    office.store.delete_account(bert).await.unwrap();
    let year = 365 * 24 * 3600;
    let mut office = office;
    for jump in [10 * year, -11 * year, 40 * year, 3600, -39 * year] {
        office.clock.advance(jump);
        assert_eq!(keep_house(&office, Duration::from_secs(600)).await, 0);
        office.clock.advance(jump / 2);
        office = office.reopen().await;
        // A start counts a day at most of the time between.
        assert_eq!(keep_house(&office, Duration::from_secs(600)).await, 0);
    }
    assert_eq!(deleted(&office, anna).len(), 1);
    assert_eq!(keep_house(&office, DAY * 14).await, 2);
    assert_eq!(deleted(&office, anna), []);
    office.finish().await;
}

#[tokio::test]
async fn a_large_mailbox_ends_in_small_steps() {
    let (office, anna) = Fixture::office().await;
    let inbox = office.mailbox(anna, "INBOX");
    let message = office.stage(&text(1));
    let new = NewMessage {
        message,
        flags: Flags::default(),
        internal_date: Timestamp(0),
        zone_minutes: 0,
    };
    for _ in 0..5 {
        office.store.append(inbox, vec![new.clone(); 1000]).await.unwrap();
    }
    expunge(&office, anna, "INBOX", "1:*").await;
    let mut left = 5000;
    assert!(office.store.keep_house(DAY * 14).await.unwrap());
    loop {
        let now = office.store.deleted_sum(anna).unwrap().messages;
        assert!(left - now <= 1024 + 256, "{left} {now}");
        left = now;
        if !office.store.keep_house(Duration::ZERO).await.unwrap() {
            break;
        }
    }
    assert_eq!(left, 0);
    office.finish().await;
}

/// Without this whoever may append could fill the disk by appending and expunging.
#[tokio::test]
async fn more_than_the_quota_of_deleted_mail_is_not_kept() {
    let (office, anna) = Fixture::office().await;
    let change = AccountChange { quota_bytes: Some(Some(1 << 20)), ..Default::default() };
    office.store.update_account(anna, change).await.unwrap();
    // 256 MB are kept whatever the quota is: these bytes are in rows, the content is there once.
    let large = vec![b'x'; 1 << 20];
    let inbox = office.mailbox(anna, "INBOX");
    for _ in 0..270 {
        office.append(inbox, &large, Flags::default()).await;
        expunge(&office, anna, "INBOX", "1:*").await;
    }
    assert_eq!(office.store.deleted_sum(anna).unwrap().messages, 270);
    keep_house(&office, Duration::from_secs(1)).await;
    let kept = deleted(&office, anna);
    assert_eq!((kept.len(), kept[0].uid), (256, Uid(15)), "the oldest go first");
    office.finish().await;
}

#[tokio::test]
async fn a_deleted_account_comes_back_whole() {
    let (office, anna) = Fixture::office().await;
    let mut new = new_account("bert@office.test");
    new.aliases = vec![address("sales@office.test"), address("shop@office.test")];
    let bert = office.store.create_account(new).await.unwrap();
    office.deliver(&[bert], &text(1)).await;
    office.deliver(&[bert], &text(2)).await;
    expunge(&office, bert, "INBOX", "1").await;
    let before = office.store.account(bert).unwrap().unwrap();
    office.store.delete_account(bert).await.unwrap();
    assert!(office.store.account(bert).unwrap().is_none());
    let listed = office.store.deleted_accounts(AccountId(0), 10).unwrap();
    assert_eq!((listed.len(), listed[0].id, listed[0].messages), (1, bert, 1));
    assert_eq!(listed[0].address, address("bert@office.test"));
    // Somebody takes one of its addresses, then its own.
    let change =
        AccountChange { aliases: Some(vec![address("shop@office.test")]), ..Default::default() };
    office.store.update_account(anna, change).await.unwrap();
    let second = office.store.create_account(new_account("bert@office.test")).await.unwrap();
    let taken = office.store.restore_account(bert).await;
    assert!(matches!(taken, Err(StoreError::AddressTaken(_))));
    office.store.delete_account(second).await.unwrap();

    let office = office.reopen().await;
    let lost = office.store.restore_account(bert).await.unwrap();
    assert_eq!(lost, [address("shop@office.test")]);
    let after = office.store.account(bert).unwrap().unwrap();
    assert_eq!(after.aliases, [address("sales@office.test")]);
    assert_eq!(after.password_hash, before.password_hash);
    assert_eq!(office.store.mailboxes(bert).unwrap().len(), 6);
    assert_eq!(deleted(&office, bert).len(), 1);
    office.deliver(&[bert], &text(3)).await;
    assert!(matches!(office.store.restore_account(bert).await, Err(StoreError::NoSuchAccount)));
    // The second one's time comes, the first one is not touched by it.
    keep_house(&office, DAY * 14).await;
    assert_eq!(office.store.deleted_accounts(AccountId(0), 10).unwrap(), []);
    assert_eq!(office.store.quota(bert).unwrap().used_messages, 2);
    office.finish().await;
}

#[tokio::test]
async fn a_deleted_account_ends_with_all_its_rows() {
    let (office, anna) = Fixture::office().await;
    let bert = office.store.create_account(new_account("bert@office.test")).await.unwrap();
    let message = office.stage(&text(1));
    let new = NewMessage {
        message,
        flags: Flags::default(),
        internal_date: Timestamp(0),
        zone_minutes: 0,
    };
    for name in ["INBOX", "Archive", "x/y"] {
        let _made = office.store.create_mailbox(bert, name.to_owned(), None).await;
        let mailbox = office.mailbox(bert, name);
        office.store.append(mailbox, vec![new.clone(); 900]).await.unwrap();
    }
    office.deliver(&[anna], &text(1)).await;
    expunge(&office, bert, "INBOX", "1:300").await;
    office.store.delete_account(bert).await.unwrap();
    office.store.keep_house(DAY * 14).await.unwrap();
    // Stopped half-way all counts are right, and it goes on from there.
    let mut office = office.reopen().await;
    let mut steps = 0;
    while office.store.keep_house(Duration::ZERO).await.unwrap() {
        office = office.reopen().await;
        steps += 1;
    }
    assert!(steps >= 2, "{steps}");
    assert_eq!(office.store.stats().unwrap().messages, 1);
    let report = office.finish().await;
    assert_eq!((report.mailboxes, report.deleted_messages), (6, 0));
}
