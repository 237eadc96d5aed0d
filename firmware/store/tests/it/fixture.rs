//! A store in a folder of its own, with a clock that stands.

use std::sync::Arc;

use base::{AccountId, Address, DomainName, FixedClock, MailboxId, Timestamp};
use store::{
    Appended, Delivered, Delivery, Flags, LocalTarget, NewAccount, NewMessage, Options, Staged,
    Store, TargetMailbox,
};

pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Store,
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn new_account(text: &str) -> NewAccount {
    NewAccount {
        address: address(text),
        name: "Anna Berg".to_owned(),
        aliases: Vec::new(),
        quota_bytes: None,
        is_admin: false,
        password_hash: Some("$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA".to_owned()),
    }
}

/// A message whose size and text depend on `n`.
pub(crate) fn text(n: u64) -> Vec<u8> {
    let mut text = format!(
        "From: a@x.test\r\nTo: b@x.test\r\nSubject: message {n}\r\nMessage-ID: <{n}@x.test>\r\n\r\n"
    )
    .into_bytes();
    for line in 0..n % 50 {
        text.extend_from_slice(format!("line {line} of {n}\r\n").as_bytes());
    }
    text
}

impl Fixture {
    /// An empty store.
    pub(crate) fn empty() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_795_338_000)));
        let mut options = Self::options(&dir);
        change(&mut options);
        let store = Store::open(options, Arc::clone(&clock) as _).unwrap();
        Self { dir, clock, store }
    }

    fn options(dir: &tempfile::TempDir) -> Options {
        Options { cache_bytes: 4 << 20, ..Options::new(dir.path().join("data")) }
    }

    /// A store with the domain office.test and the account anna@office.test.
    pub(crate) async fn office() -> (Self, AccountId) {
        let fixture = Self::empty();
        fixture.store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
        let anna = fixture.store.create_account(new_account("anna@office.test")).await.unwrap();
        (fixture, anna)
    }

    /// Closes the store and opens it again with other options.
    pub(crate) async fn reopen_with(self, change: impl FnOnce(&mut Options)) -> Self {
        let Self { dir, clock, store } = self;
        store.close().await.unwrap();
        let mut options = Self::options(&dir);
        change(&mut options);
        let store = Store::open(options, Arc::clone(&clock) as _).unwrap();
        Self { dir, clock, store }
    }

    pub(crate) async fn reopen(self) -> Self {
        self.reopen_with(|_| {}).await
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// Closes the store; the walk must find nothing.
    pub(crate) async fn finish(self) -> store::CheckReport {
        let path = self.path();
        self.store.close().await.unwrap();
        let report = Store::check(&path).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
        report
    }

    pub(crate) fn stage(&self, bytes: &[u8]) -> Staged {
        stage(&self.store, bytes)
    }

    pub(crate) fn mailbox(&self, account: AccountId, name: &str) -> MailboxId {
        self.store.mailbox_by_name(account, name).unwrap().unwrap().id
    }

    pub(crate) async fn deliver(&self, accounts: &[AccountId], bytes: &[u8]) -> Delivered {
        let delivery = local(self.stage(bytes), accounts);
        self.store.deliver(delivery).await.unwrap()
    }

    pub(crate) async fn append(&self, mailbox: MailboxId, bytes: &[u8], flags: Flags) -> Appended {
        let message = NewMessage {
            message: self.stage(bytes),
            flags,
            internal_date: Timestamp::from_secs(1_000_000),
            zone_minutes: 60,
        };
        self.store.append(mailbox, vec![message]).await.unwrap()
    }

    /// The whole content of a message.
    pub(crate) fn content(&self, blob: &base::BlobId) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let piece = self.store.read(blob, all.len() as u64, store::READ_MAX).unwrap();
            if piece.is_empty() {
                return all;
            }
            all.extend_from_slice(&piece);
        }
    }
}

pub(crate) fn stage(store: &Store, bytes: &[u8]) -> Staged {
    let mut staging = store.stage().unwrap();
    for piece in bytes.chunks(60_000) {
        staging.write(piece).unwrap();
    }
    staging.finish().unwrap()
}

/// A delivery to the INBOX of each account.
pub(crate) fn local(message: Staged, accounts: &[AccountId]) -> Delivery {
    let target = |account: &AccountId| LocalTarget {
        account: *account,
        mailbox: TargetMailbox::Inbox,
        flags: Flags::default(),
    };
    Delivery { message, local: accounts.iter().map(target).collect(), remote: None }
}

pub(crate) fn flags(system: u8, keywords: &[&str]) -> Flags {
    Flags { system, keywords: keywords.iter().map(|k| (*k).to_owned()).collect() }
}

/// `1:3,7`
pub(crate) fn set(text: &str) -> base::UidRanges {
    let mut set = base::UidRanges::new();
    for range in text.split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        set.insert_range(
            base::Uid(first.parse().unwrap()),
            base::Uid(last.parse().unwrap_or(u32::MAX)),
        );
    }
    set
}
