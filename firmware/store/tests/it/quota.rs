//! Quota: bytes and messages, the default and an account's own, and who is asked when.

use base::{AccountId, Timestamp};
use store::{AccountChange, FlagOp, Flags, NewMessage, StoreError};

use crate::fixture::{Fixture, flags, set, text};

async fn allow(office: &Fixture, id: AccountId, bytes: Option<u64>, messages: Option<u64>) {
    let change = AccountChange {
        quota_bytes: Some(bytes),
        quota_messages: Some(messages),
        ..Default::default()
    };
    office.store.update_account(id, change).await.unwrap();
}

async fn try_append(office: &Fixture, id: AccountId, n: u64) -> Result<(), StoreError> {
    let inbox = office.mailbox(id, "INBOX");
    let (flags, internal_date) = (Flags::default(), Timestamp(0));
    let new = NewMessage { message: office.stage(&text(n)), flags, internal_date, zone_minutes: 0 };
    office.store.append(inbox, vec![new]).await.map(drop)
}

fn limits(office: &Fixture, id: AccountId) -> (Option<u64>, Option<u64>) {
    let quota = office.store.quota(id).unwrap();
    (quota.limit_bytes, quota.limit_messages)
}

#[tokio::test]
async fn append_and_copy_keep_it_delivery_and_moves_do_not() {
    let (office, anna) = Fixture::office().await;
    let size = text(20).len() as u64;
    allow(&office, anna, Some(2 * size), None).await;
    let (inbox, trash) = (office.mailbox(anna, "INBOX"), office.mailbox(anna, "Trash"));
    try_append(&office, anna, 20).await.unwrap();
    try_append(&office, anna, 20).await.unwrap();
    let quota = office.store.quota(anna).unwrap();
    assert_eq!((quota.used_bytes, quota.limit_bytes), (2 * size, Some(2 * size)));
    assert!(matches!(try_append(&office, anna, 20).await, Err(StoreError::OverQuota)));
    let copy = office.store.copy(inbox, set("1"), trash).await;
    assert!(matches!(copy, Err(StoreError::OverQuota)));
    office.store.move_messages(inbox, set("1"), trash).await.unwrap();
    // Whether mail is taken is asked at RCPT; what was taken is kept.
    office.deliver(&[anna], &text(3)).await;
    let deleted = flags(Flags::DELETED, &[]);
    office.store.store_flags(trash, set("1"), FlagOp::Add, deleted, None).await.unwrap();
    office.store.expunge(trash, None).await.unwrap();
    assert_eq!(office.store.quota(anna).unwrap().used_bytes, size + text(3).len() as u64);
    // Over the limit a move still goes.
    allow(&office, anna, Some(1), None).await;
    office.store.move_messages(inbox, set("1:*"), trash).await.unwrap();
    office.finish().await;
}

#[tokio::test]
async fn messages_are_counted_too() {
    let (office, anna) = Fixture::office().await;
    allow(&office, anna, None, Some(2)).await;
    try_append(&office, anna, 1).await.unwrap();
    try_append(&office, anna, 2).await.unwrap();
    assert!(matches!(try_append(&office, anna, 3).await, Err(StoreError::OverQuota)));
    let quota = office.store.quota(anna).unwrap();
    assert_eq!((quota.used_messages, quota.limit_messages), (2, Some(2)));
    assert!(!quota.has_room(1, 1) && quota.has_room(0, 1 << 40));
    office.finish().await;
}

#[tokio::test]
async fn the_default_holds_where_an_account_has_none_of_its_own() {
    let (office, anna) = Fixture::office().await;
    assert_eq!(limits(&office, anna), (None, None));
    let change = |settings: &mut store::Settings| {
        settings.default_quota_bytes = Some(1000);
        settings.default_quota_messages = Some(10);
    };
    office.store.update_settings(Box::new(change)).await.unwrap();
    assert_eq!(limits(&office, anna), (Some(1000), Some(10)));
    // The office is no account: what is under `Public/` is nobody's quota.
    assert_eq!(limits(&office, store::OFFICE), (None, None));
    office.store.create_mailbox_for(anna, store::OFFICE, "Plans".to_owned(), None).await.unwrap();
    let plans = office.mailbox(store::OFFICE, "Plans");
    for n in 0..11 {
        office.append(plans, &vec![b'x'; 200 + n], Flags::default()).await;
    }
    assert!(office.store.copy(plans, set("1:*"), plans).await.is_ok());
    allow(&office, anna, Some(5), Some(0)).await;
    assert_eq!(limits(&office, anna), (Some(5), None), "0 is without limit");
    allow(&office, anna, None, None).await;
    let office = office.reopen().await;
    assert_eq!(limits(&office, anna), (Some(1000), Some(10)));
    office.finish().await;
}

/// Two sessions that were both told there is room: the act itself refuses the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_for_the_last_place_has_one_winner() {
    let (office, anna) = Fixture::office().await;
    allow(&office, anna, None, Some(5)).await;
    let inbox = office.mailbox(anna, "INBOX");
    let mut tasks = Vec::new();
    for n in 0..20 {
        let store = office.store.clone();
        let message = office.stage(&text(n));
        tasks.push(tokio::spawn(async move {
            let (flags, internal_date) = (Flags::default(), Timestamp(0));
            store
                .append(inbox, vec![NewMessage { message, flags, internal_date, zone_minutes: 0 }])
                .await
                .is_ok()
        }));
    }
    let mut winners = 0;
    for task in tasks {
        winners += u32::from(task.await.unwrap());
    }
    assert_eq!(winners, 5);
    office.finish().await;
}
