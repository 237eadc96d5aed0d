//! Mail acts.

use base::{ModSeq, Timestamp, Uid};
use store::{FlagOp, Flags, LocalTarget, NewMessage, SpecialUse, Store, StoreError, TargetMailbox};

use crate::fixture::{Fixture, flags, local, new_account, set, text};

#[tokio::test]
async fn one_copy_for_all_recipients() {
    let (office, anna) = Fixture::office().await;
    let bert = office.store.create_account(new_account("bert@office.test")).await.unwrap();
    let delivered = office.deliver(&[anna, bert], &text(7)).await;
    assert_eq!(delivered.local.len(), 2);
    let inbox = office.mailbox(bert, "inbox");
    let row = office.store.rows(inbox, Uid(1), Uid(u32::MAX), 10).unwrap().remove(0);
    assert_eq!((row.uid, row.modseq, row.size), (Uid(1), ModSeq(2), text(7).len() as u64));
    assert_eq!(office.content(&row.blob), text(7));
    // The same content again, by APPEND, is the same copy.
    office.append(inbox, &text(7), Flags::default()).await;
    let stats = office.store.stats().unwrap();
    assert_eq!((stats.messages, stats.blobs), (3, 1));
    let texts = office.store.imap_texts(&row.blob).unwrap();
    assert!(String::from_utf8(texts.envelope).unwrap().contains("message 7"));
    assert_eq!(office.store.structure(&row.blob).unwrap().size, row.size);
    office.finish().await;
}

#[tokio::test]
async fn a_large_message_is_read_in_pieces() {
    let (office, anna) = Fixture::office().await;
    let mut bytes = text(1);
    let mut state = 1u32;
    while bytes.len() < 3_000_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend_from_slice(&state.to_be_bytes());
        bytes.extend_from_slice(b"compressible compressible\r\n");
    }
    office.deliver(&[anna], &bytes).await;
    // Nothing stays in the folder of staged messages.
    assert_eq!(std::fs::read_dir(office.path().join("tmp")).unwrap().count(), 0);
    let office = office.reopen().await;
    let inbox = office.mailbox(anna, "INBOX");
    let blob = office.store.rows(inbox, Uid(1), Uid(1), 1).unwrap()[0].blob;
    assert!(office.content(&blob) == bytes, "the content differs");
    for (at, len) in [(0, 10), (262_140, 10), (262_144, 262_144), (2_999_990, 100), (500_000, 0)] {
        let piece = office.store.read(&blob, at as u64, len).unwrap();
        assert!(piece == bytes[at..(at + len).min(bytes.len())], "{at} {len}");
    }
    assert!(office.store.read(&blob, u64::MAX, 10).unwrap().is_empty());
    assert_eq!(office.store.read(&blob, 1, usize::MAX).unwrap().len(), store::READ_MAX);
    office.finish().await;
}

#[tokio::test]
async fn too_large_is_refused_while_it_comes() {
    let office = Fixture::with(|options| options.message_bytes_max = 1000);
    let mut staging = office.store.stage().unwrap();
    staging.write(&[b'a'; 1000]).unwrap();
    assert!(matches!(staging.write(b"a"), Err(StoreError::TooLarge)));
    assert!(matches!(staging.finish(), Err(StoreError::Misuse(_))));
    office.finish().await;
}

#[tokio::test]
async fn uids_flags_and_validity_stay_after_a_reopen() {
    let (office, anna) = Fixture::office().await;
    let inbox = office.mailbox(anna, "INBOX");
    for n in 0..5 {
        office.deliver(&[anna], &text(n)).await;
    }
    let change = flags(Flags::SEEN, &["$Forwarded", "work"]);
    office.store.store_flags(inbox, set("2,4"), FlagOp::Add, change.clone(), None).await.unwrap();
    office
        .store
        .store_flags(inbox, set("5"), FlagOp::Add, flags(Flags::DELETED, &[]), None)
        .await
        .unwrap();
    let (gone, modseq) = office.store.expunge(inbox, None).await.unwrap();
    assert_eq!((gone.to_string().as_str(), modseq), ("5", ModSeq(9)));
    let before = office.store.mailbox(inbox).unwrap().unwrap();
    let rows = office.store.rows(inbox, Uid(1), Uid(u32::MAX), 100).unwrap();
    assert_eq!(rows[1].flags, change);
    assert_eq!((before.exists, before.unseen, before.deleted), (4, 2, 0));

    let office = office.reopen().await;
    let after = office.store.mailbox(inbox).unwrap().unwrap();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    let again = office.store.rows(inbox, Uid(1), Uid(u32::MAX), 100).unwrap();
    assert_eq!(format!("{rows:?}"), format!("{again:?}"));
    let delivered = office.deliver(&[anna], &text(9)).await;
    assert_eq!(delivered.local[0].2, Uid(6), "a UID is never given again");
    office.finish().await;
}

#[tokio::test]
async fn unchanged_since_leaves_newer_rows_alone() {
    let (office, anna) = Fixture::office().await;
    let inbox = office.mailbox(anna, "INBOX");
    for n in 0..3 {
        office.deliver(&[anna], &text(n)).await;
    }
    let seen = flags(Flags::SEEN, &[]);
    office.store.store_flags(inbox, set("2"), FlagOp::Add, seen.clone(), None).await.unwrap();
    let outcome = office
        .store
        .store_flags(inbox, set("1:*"), FlagOp::Add, seen, Some(ModSeq(4)))
        .await
        .unwrap();
    assert_eq!(outcome.modified.to_string(), "2");
    let told: Vec<_> = outcome.rows.iter().map(|(uid, _, modseq)| (uid.0, modseq.0)).collect();
    assert_eq!(told, [(1, 6), (3, 6)]);
    // What changes nothing takes no modseq.
    let same = office
        .store
        .store_flags(inbox, set("1:3"), FlagOp::Add, flags(Flags::SEEN, &[]), None)
        .await
        .unwrap();
    assert_eq!(same.rows.len(), 3);
    let now = office.store.mailbox(inbox).unwrap().unwrap();
    assert_eq!((now.highest_modseq, now.unseen), (ModSeq(6), 0));
    office.finish().await;
}

#[tokio::test]
async fn changes_tell_what_came_changed_and_went() {
    let (office, anna) = Fixture::office().await;
    let inbox = office.mailbox(anna, "INBOX");
    for n in 0..4 {
        office.deliver(&[anna], &text(n)).await;
    }
    let since = office.store.mailbox(inbox).unwrap().unwrap().highest_modseq;
    let mut watch = office.store.watch_mailbox(inbox);
    watch.mark_unchanged();
    office.deliver(&[anna], &text(4)).await;
    office.deliver(&[anna], &text(5)).await;
    let deleted = flags(Flags::DELETED, &[]);
    office.store.store_flags(inbox, set("1,6"), FlagOp::Add, deleted, None).await.unwrap();
    let flagged = flags(Flags::FLAGGED, &["x"]);
    office.store.store_flags(inbox, set("3"), FlagOp::Replace, flagged, None).await.unwrap();
    office.store.expunge(inbox, Some(set("1:3,6"))).await.unwrap();
    watch.changed().await.unwrap();
    let changes = office.store.changes(inbox, since).unwrap();
    assert_eq!(changes.added.to_string(), "5");
    assert_eq!(changes.expunged.to_string(), "1,6");
    assert_eq!(changes.flags, [(Uid(3), flags(Flags::FLAGGED, &["x"]), ModSeq(since.0 + 4))]);
    assert_eq!(*watch.borrow(), changes.highest_modseq);
    // Before the log: not sharp, but nothing is missing.
    let all = office.store.changes(inbox, ModSeq(0)).unwrap();
    assert_eq!((all.added.to_string().as_str(), all.expunged.to_string().as_str()), ("2:5", "1,6"));
    office.finish().await;
}

#[tokio::test]
async fn copy_and_move_keep_flags_and_give_new_uids() {
    let (office, anna) = Fixture::office().await;
    let (inbox, trash) = (office.mailbox(anna, "INBOX"), office.mailbox(anna, "Trash"));
    for n in 0..4 {
        office.append(inbox, &text(n), flags(Flags::SEEN, &["a", "b"])).await;
    }
    office.append(trash, &text(9), flags(0, &["z", "b"])).await;
    let copied = office.store.copy(inbox, set("2:3"), trash).await.unwrap();
    assert_eq!((copied.source, copied.target), (vec![Uid(2), Uid(3)], vec![Uid(2), Uid(3)]));
    let moved = office.store.move_messages(inbox, set("1,4"), trash).await.unwrap();
    assert_eq!((moved.source, moved.target), (vec![Uid(1), Uid(4)], vec![Uid(4), Uid(5)]));
    let rows = office.store.rows(trash, Uid(2), Uid(5), 10).unwrap();
    assert!(rows.iter().all(|row| row.flags == flags(Flags::SEEN, &["a", "b"])));
    assert_eq!(office.store.uids(inbox).unwrap().to_string(), "2:3");
    // Within one mailbox: new UIDs, the old ones go.
    let moved = office.store.move_messages(inbox, set("2"), inbox).await.unwrap();
    assert_eq!(moved.target, [Uid(5)]);
    assert_eq!(office.store.uids(inbox).unwrap().to_string(), "3,5");
    let missing = office.store.copy(inbox, set("1"), base::MailboxId(999)).await;
    assert!(matches!(missing, Err(StoreError::NoSuchMailbox)));
    assert_eq!(office.finish().await.messages, 7);
}

#[tokio::test]
async fn mailboxes_are_made_renamed_and_deleted() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let names = |store: &Store| -> Vec<String> {
        store.mailboxes(anna).unwrap().into_iter().map(|m| m.name).collect()
    };
    assert_eq!(names(store), ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]);
    assert_eq!(store.subscriptions(anna).unwrap(), names(store));
    let made = store.create_mailbox(anna, "a/b/c".to_owned(), None).await.unwrap();
    assert!(!made.subscribed && made.uid_validity.0 > 1_795_338_000);
    assert!(store.mailbox_by_name(anna, "a/b").unwrap().is_some());
    let taken = store.create_mailbox(anna, "iNbOx".to_owned(), None).await;
    assert!(matches!(taken, Err(StoreError::NameTaken)));
    let bad = store.create_mailbox(anna, "a//b".to_owned(), None).await;
    assert!(matches!(bad, Err(StoreError::BadName)));
    let double = store.create_mailbox(anna, "Sent2".to_owned(), Some(SpecialUse::Sent)).await;
    assert!(matches!(double, Err(StoreError::Exists)));

    store.rename_mailbox(anna, "a".to_owned(), "x/y".to_owned()).await.unwrap();
    let moved = store.mailbox_by_name(anna, "x/y/b/c").unwrap().unwrap();
    assert_eq!((moved.id, moved.uid_validity), (made.id, made.uid_validity));
    let inside = store.rename_mailbox(anna, "x".to_owned(), "x/z".to_owned()).await;
    assert!(matches!(inside, Err(StoreError::BadName)));
    let parent = store.delete_mailbox(anna, "x/y".to_owned()).await;
    assert!(matches!(parent, Err(StoreError::HasChildren)));
    office.append(made.id, &text(3), flags(0, &["k"])).await;
    store.delete_mailbox(anna, "x/y/b/c".to_owned()).await.unwrap();
    assert!(matches!(store.uids(made.id), Err(StoreError::NoSuchMailbox)));
    assert_eq!(store.quota(anna).unwrap().used_bytes, 0);
    let again = store.create_mailbox(anna, "x/y/b/c".to_owned(), None).await.unwrap();
    assert!(again.uid_validity > made.uid_validity && again.id != made.id);
    let inbox = store.delete_mailbox(anna, "inbox".to_owned()).await;
    assert!(matches!(inbox, Err(StoreError::Misuse(_))));

    store.subscribe(anna, "not/there".to_owned(), true).await.unwrap();
    store.subscribe(anna, "Junk".to_owned(), false).await.unwrap();
    let office = office.reopen().await;
    let subscribed = office.store.subscriptions(anna).unwrap();
    assert!(subscribed.contains(&"not/there".to_owned()));
    assert!(!subscribed.contains(&"Junk".to_owned()));
    office.finish().await;
}

#[tokio::test]
async fn renaming_inbox_moves_its_messages() {
    let (office, anna) = Fixture::office().await;
    office.deliver(&[anna], &text(1)).await;
    office.deliver(&[anna], &text(2)).await;
    let (from, to) = ("INBOX".to_owned(), "old/mail".to_owned());
    office.store.rename_mailbox(anna, from, to).await.unwrap();
    let inbox = office.store.mailbox_by_name(anna, "INBOX").unwrap().unwrap();
    let old = office.store.mailbox_by_name(anna, "old/mail").unwrap().unwrap();
    assert_eq!((inbox.exists, inbox.uid_next, old.exists), (0, Uid(3), 2));
    office.finish().await;
}

#[tokio::test]
async fn a_delivery_goes_where_it_says_or_nowhere() {
    let (office, anna) = Fixture::office().await;
    let bert = office.store.create_account(new_account("bert@office.test")).await.unwrap();
    let mut delivery = local(office.stage(&text(1)), &[anna, bert]);
    delivery.local[0].mailbox = TargetMailbox::Special(SpecialUse::Junk);
    delivery.local[1].mailbox = TargetMailbox::Named("lists/rust".to_owned());
    delivery.local[1].flags = flags(Flags::FLAGGED, &["list"]);
    let delivered = office.store.deliver(delivery).await.unwrap();
    assert_eq!(delivered.local[0].1, office.mailbox(anna, "Junk"));
    assert_eq!(delivered.local[1].1, office.mailbox(bert, "lists/rust"));

    let before = office.store.stats().unwrap();
    let twice = office.store.deliver(local(office.stage(&text(2)), &[anna, anna])).await;
    assert!(matches!(twice, Err(StoreError::Misuse(_))));
    let nobody = local(office.stage(&text(2)), &[anna, base::AccountId(77)]);
    assert!(matches!(office.store.deliver(nobody).await, Err(StoreError::NoSuchAccount)));
    // Fails behind its first copy: nothing of it may stay.
    let mut late = local(office.stage(&text(2)), &[anna, bert]);
    late.local[1].mailbox = TargetMailbox::Named("bad//name".to_owned());
    assert!(matches!(office.store.deliver(late).await, Err(StoreError::BadName)));
    let after = office.store.stats().unwrap();
    assert_eq!((before.messages, before.segment_bytes), (after.messages, after.segment_bytes));
    assert_eq!(office.store.mailbox_by_name(anna, "INBOX").unwrap().unwrap().exists, 0);
    office.finish().await;
}

#[tokio::test]
async fn keywords_beyond_64_need_room() {
    let (office, anna) = Fixture::office().await;
    let inbox = office.mailbox(anna, "INBOX");
    office.deliver(&[anna], &text(1)).await;
    let names: Vec<String> = (0..64).map(|n| format!("k{n:02}")).collect();
    let all = Flags { system: 0, keywords: names };
    office.store.store_flags(inbox, set("1"), FlagOp::Add, all.clone(), None).await.unwrap();
    let one_more = flags(0, &["straw"]);
    let full = office.store.store_flags(inbox, set("1"), FlagOp::Add, one_more.clone(), None).await;
    assert!(matches!(full, Err(StoreError::LimitReached(_))));
    // Names that no message has any more make room.
    office
        .store
        .store_flags(inbox, set("1"), FlagOp::Remove, flags(0, &["K07"]), None)
        .await
        .unwrap();
    office.store.store_flags(inbox, set("1"), FlagOp::Add, one_more, None).await.unwrap();
    let row = office.store.rows(inbox, Uid(1), Uid(1), 1).unwrap().remove(0);
    assert_eq!(row.flags.keywords.len(), 64);
    assert!(row.flags.keywords.contains(&"straw".to_owned()));
    let target = LocalTarget {
        account: anna,
        mailbox: TargetMailbox::Inbox,
        flags: flags(0, &["no space"]),
    };
    let mut delivery = local(office.stage(&text(2)), &[]);
    delivery.local.push(target);
    assert!(matches!(office.store.deliver(delivery).await, Err(StoreError::Misuse(_))));
    office.finish().await;
}

#[tokio::test]
async fn a_full_disk_takes_no_content_and_lets_all_else_go_on() {
    let (office, anna) = Fixture::office().await;
    office.deliver(&[anna], &text(1)).await;
    let office = office.reopen_with(|options| options.reserve_bytes = Some(u64::MAX)).await;
    assert!(office.store.disk_is_low());
    let refused = office.store.deliver(local(office.stage(&text(2)), &[anna])).await;
    assert!(matches!(refused, Err(StoreError::DiskFull)));
    let inbox = office.mailbox(anna, "INBOX");
    let deleted = flags(Flags::DELETED, &[]);
    office.store.store_flags(inbox, set("1"), FlagOp::Add, deleted, None).await.unwrap();
    assert_eq!(office.store.expunge(inbox, None).await.unwrap().0.to_string(), "1");
    office.finish().await;
}

#[tokio::test]
async fn a_walk_shows_each_row_with_its_own_texts() {
    let (office, anna) = Fixture::office().await;
    let (inbox, other) = (office.mailbox(anna, "INBOX"), office.mailbox(anna, "Archive"));
    for n in 0..60 {
        // Numbers with gaps, short and long ones, and the same content again and again.
        let content = if n % 7 == 0 { 3 } else { n };
        office.deliver(&[anna], &text(content)).await;
        for more in 0..n % 13 {
            let bytes = text(1_000 + 20 * n + more);
            office.append(other, &bytes, Flags::default()).await;
        }
    }
    for (from, to) in [(1, u32::MAX), (10, 20), (60, 60), (61, 70), (9, 3)] {
        let (from, to) = (Uid(from), Uid(to));
        let mut walked = Vec::new();
        let mut visit = |row: store::Row, texts: store::TextsRef<'_>| {
            walked.push((row.uid, texts.envelope().to_vec(), texts.structure().unwrap().size));
            true
        };
        office.store.walk_texts(inbox, from, to, &mut visit).unwrap();
        let rows = office.store.rows(inbox, from, to, usize::MAX).unwrap();
        let expected: Vec<_> = rows
            .iter()
            .map(|row| {
                let texts = office.store.imap_texts(&row.blob).unwrap();
                (row.uid, texts.envelope, row.size)
            })
            .collect();
        assert_eq!(walked, expected);
    }
    office.finish().await;
}

/// Messages of one command share a file, one behind the other; each keeps its own bytes.
#[tokio::test]
async fn messages_that_wait_together_share_a_file() {
    let (office, anna) = Fixture::office().await;
    let inbox = office.mailbox(anna, "INBOX");
    let (mut spill, mut messages, mut texts) = (store::Spill::default(), Vec::new(), Vec::new());
    for n in 0..6 {
        let mut bytes = text(n);
        // Some frames and a part of one, nothing, one and a part.
        let lines = [600_000, 0, 300_000][usize::try_from(n % 3).unwrap()] / 20;
        bytes.extend((0..lines).flat_map(|i| format!("{:018}\r\n", i * (n + 7)).into_bytes()));
        let mut staging = office.store.stage_among(spill, 0).unwrap();
        bytes.chunks(50_000).for_each(|piece| staging.write(piece).unwrap());
        let (message, next) = staging.finish_among().unwrap();
        spill = next;
        assert_eq!(message.memory_bytes(), 0);
        assert!(message.held_bytes() > 0);
        let (flags, internal_date) = (Flags::default(), Timestamp(0));
        messages.push(NewMessage { message, flags, internal_date, zone_minutes: 0 });
        texts.push(bytes);
    }
    drop(spill);
    office.store.append(inbox, messages).await.unwrap();
    let rows = office.store.rows(inbox, Uid(1), Uid(u32::MAX), 10).unwrap();
    assert_eq!(rows.len(), texts.len());
    for (row, text) in rows.iter().zip(&texts) {
        assert!(office.content(&row.blob) == *text, "UID {}", row.uid);
    }
    office.finish().await;
}
