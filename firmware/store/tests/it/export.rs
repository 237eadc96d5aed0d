//! EXPORT gives all mail of a whole store, and of a damaged one the rest.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use base::AccountId;
use store::{ExportAccount, ExportFormat, ExportReport, FlagOp, Flags, Store, StoreError};

use crate::fixture::{Fixture, address, flags, set, text};

/// A stopped store: 40 messages in INBOX, two in other mailboxes; and which account.
async fn stopped() -> (tempfile::TempDir, PathBuf, AccountId) {
    let (office, anna) = Fixture::office().await;
    for n in 0..40 {
        office.deliver(&[anna], &text(n)).await;
    }
    let inbox = office.mailbox(anna, "INBOX");
    let marks = flags(Flags::SEEN | Flags::FLAGGED, &["$Work"]);
    office.store.store_flags(inbox, set("1"), FlagOp::Add, marks, None).await.unwrap();
    let odd = office.store.create_mailbox(anna, "../a.b/c".to_owned(), None).await.unwrap();
    office
        .append(odd.id, b"From: x\r\n\r\nFrom here\r\n>From there\r\nlast", Flags::default())
        .await;
    office.append(office.mailbox(anna, "Sent"), &text(50), Flags::default()).await;
    let Fixture { dir, store, .. } = office;
    store.close().await.unwrap();
    let data = dir.path().join("data");
    (dir, data, anna)
}

fn export(data: &Path, account: &ExportAccount, to: &Path) -> Result<ExportReport, StoreError> {
    Store::export(data, account, to, ExportFormat::Maildir)
}

/// The bytes of all files in a folder `cur` below `to`.
fn letters(to: &Path) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![to.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.parent().unwrap().ends_with("cur") {
                found.insert(std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// All bytes of the store's files.
fn bytes_of(data: &Path) -> Vec<Vec<u8>> {
    let files = ["index.redb", "segments/00000001.seg"];
    files.map(|name| std::fs::read(data.join(name)).unwrap()).to_vec()
}

fn all_texts() -> BTreeSet<Vec<u8>> {
    (0..40).chain([50]).map(text).collect()
}

#[tokio::test]
async fn a_whole_store_gives_everything_and_is_not_touched() {
    let (dir, data, anna) = stopped().await;
    let before = bytes_of(&data);
    let to = dir.path().join("out");
    let by_address = ExportAccount::Address(address("ANNA@office.test"));
    let report = export(&data, &by_address, &to).unwrap();
    assert_eq!((report.messages, report.salvaged, report.skipped_count), (42, 0, 0));
    assert!(letters(&to).is_superset(&all_texts()));
    let names = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(to.join(folder)).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names("cur").iter().filter(|name| name.ends_with(":2,FSa")).count(), 1);
    assert_eq!(std::fs::read_to_string(to.join("dovecot-keywords")).unwrap(), "0 $Work\n");
    assert_eq!(names(".__.a_b.c/cur").len(), 1, "no way out of the folder");
    assert!(matches!(export(&data, &by_address, &to), Err(StoreError::Exists)));
    let nobody = ExportAccount::Address(address("nobody@office.test"));
    let refused = export(&data, &nobody, &dir.path().join("none"));
    assert!(matches!(refused, Err(StoreError::NoSuchAccount)));

    let boxes = dir.path().join("mbox");
    let mbox = Store::export(&data, &ExportAccount::Id(anna), &boxes, ExportFormat::Mbox).unwrap();
    assert_eq!(mbox.messages, 42);
    let odd = std::fs::read_to_string(boxes.join("__.a_b.c.mbox")).unwrap();
    let expected = "From MAILER-DAEMON Mon Jan 12 13:46:40 1970\nStatus: O\nX-Status: \n\
        From: x\n\n>From here\n>>From there\nlast\n\n";
    assert_eq!(odd, expected);
    let inbox = std::fs::read_to_string(boxes.join("INBOX.mbox")).unwrap();
    assert!(inbox.contains("Status: RO\nX-Status: F\nX-Keywords: $Work\n"));
    assert!(before == bytes_of(&data), "the store was written");
}

#[tokio::test]
async fn damaged_contents_are_skipped_and_told() {
    let (dir, data, anna) = stopped().await;
    let segment = data.join("segments/00000001.seg");
    let len = std::fs::metadata(&segment).unwrap().len();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&segment).unwrap();
    // A scratch through some records, and the end is cut off.
    file.write_all_at(&[0x55; 1200], len / 3).unwrap();
    file.set_len(len * 4 / 5).unwrap();
    let to = dir.path().join("out");
    let report = export(&data, &ExportAccount::Id(anna), &to).unwrap();
    assert!(report.skipped_count >= 2 && report.skipped_count < 30, "{report:?}");
    assert_eq!(report.messages + report.skipped_count, 42);
    let found = letters(&to);
    assert_eq!(found.len() as u64, report.messages, "what is half is not there");
    let expected = all_texts();
    assert!(found.iter().filter(|letter| expected.contains(*letter)).count() >= 10);
}

#[tokio::test]
async fn without_the_index_the_log_gives_what_was_delivered() {
    let (dir, data, anna) = stopped().await;
    std::fs::remove_file(data.join("index.redb")).unwrap();
    let to = dir.path().join("out");
    let report = export(&data, &ExportAccount::Address(address("anna@office.test")), &to).unwrap();
    assert_eq!((report.messages, report.salvaged), (42, 42));
    assert_eq!(report.skipped_count, 1, "{:?}", report.skipped);
    assert!(letters(&to).is_superset(&all_texts()));
    let other = export(&data, &ExportAccount::Id(AccountId(anna.0 + 1)), &dir.path().join("other"));
    assert_eq!(other.unwrap().messages, 0);
}

/// Wherever the index is damaged: what was delivered comes out, by the index or by the log.
#[tokio::test]
async fn a_damaged_index_loses_no_mail() {
    let (dir, data, anna) = stopped().await;
    let index = data.join("index.redb");
    let whole = std::fs::read(&index).unwrap();
    let expected = all_texts();
    let step = whole.len() / 23;
    for (round, at) in (0..whole.len()).step_by(step).enumerate() {
        let mut broken = whole.clone();
        let end = (at + step / 2).min(broken.len());
        broken[at..end].fill(0xA5);
        std::fs::write(&index, &broken).unwrap();
        let to = dir.path().join(format!("out-{round}"));
        let report = export(&data, &ExportAccount::Id(anna), &to).unwrap();
        assert!(letters(&to).is_superset(&expected), "{at}: {report:?}");
        assert!(broken == std::fs::read(&index).unwrap());
    }
    std::fs::write(&index, &whole[..whole.len() / 3]).unwrap();
    let to = dir.path().join("cut");
    export(&data, &ExportAccount::Id(anna), &to).unwrap();
    assert!(letters(&to).is_superset(&expected));
}
