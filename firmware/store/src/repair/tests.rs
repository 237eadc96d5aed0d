//! Each kind of damage that can be mended is made on purpose, and mended.

use std::path::Path;
use std::sync::Arc;

use base::{AccountId, Address, BlobId, DomainName, FixedClock, MailboxId, Timestamp, Uid};

use crate::acl::{self, AclEntry, Principal, Rights};
use crate::blob::Blob;
use crate::codec::{blob_key, mailbox_key, message_key, pair_key};
use crate::index::{T, View};
use crate::mailbox::row::{self, MailboxRow};
use crate::writer::Tx;
use crate::{DomainChange, Flags, NewAccount, NewMessage, Options, Store, StoreError};

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(Timestamp::from_secs(1_795_338_000)))
}

async fn filled(data: &Path) -> (Store, MailboxId) {
    let store = Store::open(Options::new(data), clock()).unwrap();
    store.create_domain(DomainName::parse("x.test").unwrap()).await.unwrap();
    let further = Some(vec![DomainName::parse("y.test").unwrap()]);
    let change = DomainChange { further, ..DomainChange::default() };
    store.update_domain(DomainName::parse("x.test").unwrap(), change).await.unwrap();
    let anna = NewAccount {
        address: Address::parse("anna@x.test").unwrap(),
        name: String::new(),
        aliases: Vec::new(),
        quota_bytes: None,
        is_admin: false,
        password_hash: None,
    };
    let anna = store.create_account(anna).await.unwrap();
    let inbox = store.mailbox_by_name(anna, "INBOX").unwrap().unwrap().id;
    for n in 0..5 {
        let mut staging = store.stage().unwrap();
        staging.write(format!("Subject: {n}\r\n\r\n").as_bytes()).unwrap();
        let (message, flags) = (staging.finish().unwrap(), Flags::default());
        let internal_date = Timestamp(0);
        let new = NewMessage { message, flags, internal_date, zone_minutes: 0 };
        store.append(inbox, vec![new]).await.unwrap();
    }
    (store, inbox)
}

type Damage = fn(&mut Tx<'_, '_>, MailboxId) -> Result<(), StoreError>;

fn change_mailbox(
    tx: &mut Tx<'_, '_>,
    id: MailboxId,
    change: impl Fn(&mut MailboxRow),
) -> Result<(), StoreError> {
    let mut mailbox = row::existing(&tx.tables, id)?;
    change(&mut mailbox);
    row::put(tx, id, &mailbox)
}

/// (what is wrong, how many messages are there afterwards)
const DAMAGES: [(&str, u64, Damage); 19] = [
    ("counts", 5, |tx, id| {
        change_mailbox(tx, id, |mailbox| (mailbox.exists, mailbox.bytes) = (77, 1))
    }),
    ("UIDNEXT", 5, |tx, id| change_mailbox(tx, id, |mailbox| mailbox.uid_next = Uid(2))),
    ("usage", 5, |tx, _| tx.remove_prefix(T::Usage, &[])),
    ("links", 5, |tx, _| {
        let mut blob = crate::blob::linked(&tx.tables, BlobId(2))?;
        blob.links = 9;
        tx.put(T::Blob, &blob_key(BlobId(2)), &blob.encode())
    }),
    ("live bytes", 5, |tx, _| tx.remove_prefix(T::Segment, &[])),
    ("a flag block", 5, |tx, id| tx.remove(T::Flags, &pair_key(id, 0)).map(drop)),
    ("a message row", 4, |tx, id| tx.remove(T::Message, &message_key(id, Uid(3))).map(drop)),
    ("a name", 5, |tx, id| {
        tx.remove_prefix(T::MailboxName, &[])?;
        let all = super::rows_of(&tx.tables, T::Mailbox, &[])?;
        assert!(all.iter().any(|(key, _)| *key == mailbox_key(id)));
        Ok(())
    }),
    ("a right of nobody", 5, |tx, id| {
        let owner = row::existing(&tx.tables, id)?.account;
        let entry = |id, is_negative| AclEntry {
            principal: Principal::Account(AccountId(id)),
            is_negative,
            rights: Rights::ALL,
        };
        acl::row::put(tx, owner, id, &[entry(77, false), entry(owner.0, true), entry(77, true)])
    }),
    ("the index of rights", 5, |tx, id| {
        let owner = row::existing(&tx.tables, id)?.account;
        let entry =
            AclEntry { principal: Principal::Anyone, is_negative: false, rights: Rights::ALL };
        acl::row::put(tx, owner, id, &[entry])?;
        tx.remove_prefix(T::AclPrincipal, &[])?;
        tx.put(T::AclPrincipal, &[3, 0, 0, 0, 9, 0, 0, 0, 9], &[1])
    }),
    ("annotations of nobody", 5, |tx, id| {
        for (mailbox, holder) in [(id.0, 77u32), (99, 1), (0, 77), (99, 0)] {
            let key = [&mailbox.to_be_bytes()[..], &holder.to_be_bytes()[..], b"/private/a"];
            tx.put(T::Annotation, &key.concat(), &[1, b'x'])?;
        }
        Ok(())
    }),
    ("credentials of nobody", 5, |tx, _| {
        tx.put(T::Credential, &[0, 0, 0, 77, 0, 0, 0, 0], &[1, 0, 1, 9, 0, 0])?;
        tx.put(T::Credential, &[0, 0, 0, 1, 0, 0, 0, 9], b"\x01torn")
    }),
    ("the tree of entries", 5, |tx, _| tx.remove_prefix(T::EntryDn, &[])),
    ("the index of entries", 5, |tx, _| tx.remove_prefix(T::EntryIndex, b"mail")),
    ("an address", 5, |tx, _| tx.remove_prefix(T::Address, &[])),
    ("a value of no entry", 5, |tx, _| tx.put(T::EntryIndex, b"cn\0x\0\0\0\0\x09", &[1])),
    ("a further name of a domain", 5, |tx, _| tx.remove_prefix(T::DomainAlias, &[])),
    ("a further name of no domain", 5, |tx, _| tx.put(T::DomainAlias, b"z.test", b"\x01x.test")),
    ("a hash", 5, |tx, _| tx.remove_prefix(T::Hash, &[])),
];

#[tokio::test]
async fn what_can_be_mended_is_mended() {
    for (what, messages, damage) in DAMAGES {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let (store, inbox) = filled(&data).await;
        store.act_alone(move |tx| damage(tx, inbox)).await.unwrap();
        store.close().await.unwrap();
        assert!(!Store::check(&data).unwrap().problems.is_empty(), "{what} is not told");
        let done = Store::repair(&data, clock()).await.unwrap();
        assert!(!done.is_empty(), "{what}");
        let report = Store::check(&data).unwrap();
        assert_eq!(report.problems, Vec::<String>::new(), "{what}: {done:?}");
        assert_eq!(report.messages, messages, "{what}");
        // Nothing is left to do.
        assert_eq!(Store::repair(&data, clock()).await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_message_without_its_content_is_taken_away_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (store, _) = filled(&data).await;
    store
        .act_alone(|tx| {
            let key = blob_key(BlobId(4));
            let row = tx.get(T::Blob, &key)?.unwrap();
            let hash = Blob::decode(&row)?.hash;
            tx.remove(T::Hash, &hash.0)?;
            tx.remove(T::Text, &key)?;
            tx.remove(T::Blob, &key).map(drop)
        })
        .await
        .unwrap();
    store.close().await.unwrap();
    let done = Store::repair(&data, clock()).await.unwrap();
    assert!(done.iter().any(|what| what == "INBOX, UID 4: its content is gone"), "{done:?}");
    let report = Store::check(&data).unwrap();
    assert_eq!((report.problems, report.messages), (Vec::new(), 4));
}
