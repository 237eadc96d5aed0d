//! The spool.

use base::{Clock as _, QueueId, Timestamp};
use store::{
    Delivery, Envelope, NewQueueEntry, Notify, RecipientState, RecipientUpdate, StoreError,
};

use crate::fixture::{Fixture, address, local, text};

fn remote(office: &Fixture, n: u64, to: &[&str]) -> Delivery {
    let recipients = to.iter().map(|t| (address(t), None, Notify::default())).collect();
    Delivery {
        message: office.stage(&text(n)),
        local: Vec::new(),
        remote: Some(NewQueueEntry { envelope: Envelope::default(), recipients, skip: 3 }),
    }
}

#[tokio::test]
async fn an_entry_is_tried_settled_and_gone() {
    let (office, anna) = Fixture::office().await;
    let mut watch = office.store.watch_queue();
    let delivered =
        office.store.deliver(remote(&office, 1, &["a@far.test", "b@far.test"])).await.unwrap();
    watch.changed().await.unwrap();
    let id = delivered.queue.unwrap();
    let now = office.clock.now();
    let due = office.store.queue_due(now, 10).unwrap();
    assert_eq!((due.len(), due[0].id, due[0].recipients.len(), due[0].skip), (1, id, 2, 3));
    assert_eq!(office.content(&due[0].blob), text(1));
    assert_eq!(office.store.queue_next_due().unwrap(), Some(now));

    let mut first = due[0].recipients[0].clone();
    first.state = RecipientState::Delivered;
    let mut second = due[0].recipients[1].clone();
    (second.attempts, second.next_attempt_at) = (1, now.plus_secs(300));
    let updates = vec![
        RecipientUpdate { index: 0, recipient: first },
        RecipientUpdate { index: 1, recipient: second.clone() },
    ];
    office.store.queue_settle(id, updates, Vec::new()).await.unwrap();
    let office = office.reopen().await;
    assert!(office.store.queue_due(now, 10).unwrap().is_empty());
    assert_eq!(office.store.queue_next_due().unwrap(), Some(now.plus_secs(300)));
    assert_eq!(office.store.queue_due(now.plus_secs(300), 10).unwrap().len(), 1);

    second.state = RecipientState::Failed;
    let notice = local(office.stage(&text(40)), &[anna]);
    let updates = vec![RecipientUpdate { index: 1, recipient: second }];
    office.store.queue_settle(id, updates.clone(), vec![notice.clone()]).await.unwrap();
    assert!(office.store.queue_entry(id).unwrap().is_none());
    // The entry is gone: no second bounce.
    office.store.queue_settle(id, updates, vec![notice]).await.unwrap();
    let inbox = office.store.mailbox_by_name(anna, "INBOX").unwrap().unwrap();
    assert_eq!((inbox.exists, office.store.queue_len().unwrap()), (1, 0));
    office.finish().await;
}

#[tokio::test]
async fn hold_retry_and_delete() {
    let (office, _) = Fixture::office().await;
    let store = &office.store;
    let id = store.deliver(remote(&office, 1, &["a@far.test"])).await.unwrap().queue.unwrap();
    let far = Timestamp(i64::MAX);
    assert!(store.queue_hold(id, true).await.unwrap());
    assert!(store.queue_due(far, 10).unwrap().is_empty());
    assert_eq!(store.queue_next_due().unwrap(), None);
    office.clock.advance(60);
    assert!(store.queue_retry(id).await.unwrap());
    assert!(store.queue_hold(id, false).await.unwrap());
    assert_eq!(store.queue_next_due().unwrap(), Some(office.clock.now()));
    assert_eq!(store.queue_list(QueueId(0), 10).unwrap().len(), 1);
    assert!(store.queue_list(id, 10).unwrap().is_empty());
    assert!(store.queue_delete(id).await.unwrap());
    assert!(!store.queue_delete(id).await.unwrap() && !store.queue_retry(id).await.unwrap());
    assert_eq!(office.finish().await.queue_entries, 0);
}

#[tokio::test]
async fn a_full_spool_refuses_the_whole_delivery() {
    let (office, anna) = Fixture::office().await;
    let office = office.reopen_with(|options| options.queue_entries_max = 1).await;
    office.store.deliver(remote(&office, 1, &["a@far.test"])).await.unwrap();
    let mut both = local(office.stage(&text(2)), &[anna]);
    both.remote = remote(&office, 2, &["a@far.test"]).remote;
    assert!(matches!(office.store.deliver(both).await, Err(StoreError::QueueFull)));
    let inbox = office.store.mailbox_by_name(anna, "INBOX").unwrap().unwrap();
    assert_eq!(inbox.exists, 0);
    office.finish().await;
}
