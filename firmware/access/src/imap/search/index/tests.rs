//! With an index and without one a search gives the same messages.

use std::sync::Arc;

use base::{Address, DomainName, SystemClock, Timestamp};
use proptest::prelude::*;
use store::{NewAccount, NewMessage, Options};
use tokio::runtime::{Builder, Runtime};

use super::super::run;
use super::*;
use crate::imap::parse::{EnvelopeField, HeaderName, Key};
use crate::imap::view::View;
use crate::search::fold::fold;

/// A mailbox in a store of its own.
pub(in super::super) struct Office {
    runtime: Runtime,
    store: Store,
    mailbox: MailboxId,
    _dir: tempfile::TempDir,
}

impl Office {
    pub(in super::super) fn new() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let options = Options { reserve_bytes: Some(0), ..Options::new(dir.path()) };
        let (store, mailbox) = runtime.block_on(async {
            let store = Store::open(options, Arc::new(SystemClock)).unwrap();
            store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
            let account = NewAccount {
                address: Address::parse("anna@office.test").unwrap(),
                name: "anna".to_owned(),
                aliases: Vec::new(),
                quota_bytes: None,
                is_admin: false,
                password_hash: None,
            };
            let account = store.create_account(account).await.unwrap();
            let inbox = store.mailbox_by_name(account, "INBOX").unwrap().unwrap();
            (store, inbox.id)
        });
        Self { runtime, store, mailbox, _dir: dir }
    }

    pub(in super::super) fn append<T: AsRef<[u8]>>(&self, texts: &[T]) {
        let messages = texts
            .iter()
            .map(|text| {
                let mut staging = self.store.stage().unwrap();
                staging.write(text.as_ref()).unwrap();
                NewMessage {
                    message: staging.finish().unwrap(),
                    flags: store::Flags::default(),
                    internal_date: Timestamp::from_secs(0),
                    zone_minutes: 0,
                }
            })
            .collect();
        self.runtime.block_on(self.store.append(self.mailbox, messages)).unwrap();
    }

    fn view(&self) -> UidRanges {
        self.store.uids(self.mailbox).unwrap()
    }

    fn build(&self) {
        let shutdown = Shutdown::new();
        self.runtime.block_on(build(&self.store, self.mailbox, self.view(), &shutdown)).unwrap();
    }

    fn job(&self, key: Key) -> Job {
        let view = View::new(self.view(), base::ModSeq(1));
        let mut needles = Needles::default();
        let test = Test::of(key, &view, Timestamp::from_secs(0), &mut needles);
        Job {
            store: self.store.clone(),
            mailbox: self.mailbox,
            test: Arc::new(test),
            needles: Arc::new(needles),
        }
    }

    pub(in super::super) fn find(&self, key: &Key, by_index: bool) -> String {
        let found = run::find(self.job(key.clone()), self.view(), by_index);
        self.runtime.block_on(found).unwrap().uids.to_string()
    }
}

const WORDS: [&str; 12] = [
    "harbour",
    "Hafen",
    "GRÜSSE",
    "gruß",
    "café",
    "日本語",
    "Привет",
    "offer",
    "often",
    "zanzibar",
    "ab",
    "x",
];

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(WORDS.to_vec())
}

/// A message of some words, now and then encoded or in parts.
fn message() -> impl Strategy<Value = String> {
    (word(), word(), proptest::collection::vec(word(), 0..8), 0u8..4).prop_map(
        |(name, subject, words, form)| {
            let text = words.join(" ");
            let head = format!("From: {name} <{}@x.test>\r\nSubject: {subject} {name}\r\n", words.len());
            match form {
                0 => format!("{head}\r\n{text}\r\n"),
                1 => {
                    let hex: String = text.bytes().map(|byte| format!("={byte:02X}")).collect();
                    format!("{head}Content-Type: text/plain; charset=utf-8\r\n\
                        Content-Transfer-Encoding: quoted-printable\r\n\r\n{hex}\r\n")
                }
                2 => format!("{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{text}\r\n\
                    --b\r\nContent-Type: application/x; name=\"{subject}.pdf\"\r\n\r\nhidden\r\n--b--\r\n"),
                _ => format!("{head}Content-Type: message/rfc822\r\n\r\nSubject: {subject}\r\n\r\n{text}\r\n"),
            }
        },
    )
}

/// A part of a word or of two.
fn needle() -> impl Strategy<Value = Vec<u8>> {
    (word(), word(), 0usize..6, 1usize..9).prop_map(|(one, other, from, len)| {
        let text: String = format!("{one} {other}").chars().skip(from).take(len).collect();
        fold(&text)
    })
}

fn key() -> impl Strategy<Value = Key> {
    let leaf = prop_oneof![
        needle().prop_map(Key::Text),
        needle().prop_map(Key::Body),
        needle().prop_map(|text| Key::Envelope(EnvelopeField::From, text)),
        needle().prop_map(|text| Key::Envelope(EnvelopeField::Subject, text)),
        needle().prop_map(|text| Key::Header(HeaderName(b"subject".to_vec()), text)),
        needle().prop_map(|text| Key::Header(HeaderName(b"from".to_vec()), text)),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| Key::Not(Box::new(key))),
            (inner.clone(), inner.clone())
                .prop_map(|(one, other)| { Key::Or(Box::new(one), Box::new(other)) }),
            proptest::collection::vec(inner, 1..3).prop_map(Key::And),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn the_index_never_changes_an_answer(
        before in proptest::collection::vec(message(), 70..120),
        after in proptest::collection::vec(message(), 0..90),
        keys in proptest::collection::vec(key(), 12),
        gone in proptest::collection::btree_set(1u32..100, 0..30),
    ) {
        let office = Office::new();
        office.append(&before);
        office.build();
        let first = office.store.search_index(office.mailbox).unwrap();
        prop_assert_eq!(first.messages, before.len());
        let check = || {
            for key in &keys {
                assert_eq!(office.find(key, true), office.find(key, false), "{key:?}");
            }
        };
        check();
        office.append(&after);
        let gone: UidRanges = gone.into_iter().map(Uid).collect();
        let deleted = store::Flags { system: store::Flags::DELETED, keywords: Vec::new() };
        let marking = office.store.store_flags(office.mailbox, gone, store::FlagOp::Add, deleted, None);
        office.runtime.block_on(marking).unwrap();
        office.runtime.block_on(office.store.expunge(office.mailbox, None)).unwrap();
        check();
        office.build();
        check();
        office.store.search_index_drop(office.mailbox).unwrap();
        check();
    }
}

#[test]
fn a_rare_word_leaves_few_messages() {
    let office = Office::new();
    let texts: Vec<String> = (0..300)
        .map(|n| {
            let rare = if n % 100 == 7 { "zanzibar" } else { "harbour" };
            format!(
                "Subject: offer {n}\r\n\r\nplease find attached the {rare} list of week {n}\r\n"
            )
        })
        .collect();
    office.append(&texts);
    let key = Key::Text(b"zanzibar".to_vec());
    let job = office.job(key.clone());
    assert_eq!(narrow(&job, &office.view()).unwrap().len(), 300);
    office.build();
    let left = narrow(&job, &office.view()).unwrap();
    assert!(left.len() < 10, "{left}");
    assert_eq!(office.find(&key, true), "8,108,208");
    // What came later is looked into.
    office.append(&["\r\nzanzibar\r\n".to_owned()]);
    assert_eq!(office.find(&key, true), "8,108,208,301");
}
