//! Whole servers over a pipe: a client says anything and hangs up; the session must end by itself, and
//! what it said must be lines.
//!
//! They share a store on the quickest disk there is, which is made anew from time to time: what earlier
//! inputs left behind is part of the game, but must not grow for ever.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use access::imap::Imap;
use access::pop3::{Maildrops, Pop3};
use base::{Address, Clock, DomainName, SystemClock, Tier, TierBudget};
use delivery::Delivery;
use ldapd::Ldap;
use session::{Conn, Context, Service, Shutdown, Tls};
use store::{Flags, NewAccount, NewMessage, Options, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

/// Inputs before the store is made anew.
const INPUTS_MAX: u32 = 2_000;
/// What a session says at most, bytes; beyond it an input has found a way to make it repeat itself.
const OUTPUT_MAX: u64 = 64 * 1024 * 1024;

const LETTERS: [&[u8]; 3] = [
    b"From: a@office.test\r\nTo: b@office.test\r\nSubject: one\r\nMessage-ID: <1@x>\r\n\r\nText.\r\n.\r\n",
    b"From: a@office.test\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nReferences: <1@x>\r\n\
      Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\n\
      Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx\r\n--b--\r\n",
    b"no header\nbare\rends\0",
];

struct Office {
    runtime: Runtime,
    ctx: Context,
    delivery: Delivery,
    maildrops: Maildrops,
    inputs: u32,
    _dir: tempfile::TempDir,
}

fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.expect("a folder")
}

impl Office {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = scratch();
        let (ctx, delivery) = runtime.block_on(furnish(dir.path()));
        Self { runtime, ctx, delivery, maildrops: Maildrops::default(), inputs: 0, _dir: dir }
    }

    /// Says `input` to a server and gives what it answers.
    fn talk<S: Service>(&self, server: &S, input: &[u8]) -> Vec<u8> {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        self.runtime.block_on(async {
            let (conn, pipe) = Conn::in_memory(self.ctx.clone(), here).expect("a place");
            let (read, mut write) = tokio::io::split(pipe);
            let saying = async {
                // A server that says goodbye takes no more.
                let _said = write.write_all(input).await.is_ok() && write.shutdown().await.is_ok();
            };
            let mut heard = Vec::new();
            let mut read = read.take(OUTPUT_MAX);
            let hearing = async { read.read_to_end(&mut heard).await.map(drop) };
            let ((), (), heard_all) = tokio::join!(server.run(conn), saying, hearing);
            heard_all.expect("a pipe");
            assert!((heard.len() as u64) < OUTPUT_MAX, "it does not end");
            heard
        })
    }
}

async fn furnish(dir: &Path) -> (Context, Delivery) {
    let mut budget = TierBudget::of(Tier::OneGb);
    budget.message_bytes_max = 100_000;
    budget.password_hashes_at_once = 1;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = Options {
        cache_bytes: 4 << 20,
        message_bytes_max: budget.message_bytes_max,
        queue_entries_max: 100,
        reserve_bytes: Some(0),
        ..Options::new(dir)
    };
    let store = Store::open(options, clock.clone()).expect("a store");
    let tls =
        Tls::open(store.clone(), &["mail.office.test".to_owned()], clock.now()).await.unwrap();
    let budget = Arc::new(budget);
    let delivery = Delivery::new(store.clone(), clock.clone(), budget.clone());
    let ctx = Context::new(store.clone(), budget, clock.clone(), tls, Shutdown::new());
    store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
    for name in ["anna", "bert"] {
        let account = NewAccount {
            address: Address::parse(&format!("{name}@office.test")).unwrap(),
            name: name.to_owned(),
            aliases: Vec::new(),
            quota_bytes: Some(1_000_000),
            is_admin: false,
            password_hash: Some(ctx.auth.hash("secret").await.unwrap()),
        };
        let account = store.create_account(account).await.unwrap();
        let inbox = store.mailbox_by_name(account, "INBOX").unwrap().unwrap();
        for letter in LETTERS {
            let mut staging = store.stage().unwrap();
            staging.write(letter).unwrap();
            let message = NewMessage {
                message: staging.finish().unwrap(),
                flags: Flags::default(),
                internal_date: clock.now(),
                zone_minutes: 0,
            };
            store.append(inbox.id, vec![message]).await.unwrap();
        }
    }
    (ctx, delivery)
}

/// Runs one input against the office of this process.
fn with_office(run: impl FnOnce(&Office) -> Vec<u8>) -> Vec<u8> {
    static OFFICE: Mutex<Option<Office>> = Mutex::new(None);
    let mut office = OFFICE.lock().unwrap_or_else(PoisonError::into_inner);
    if office.as_ref().is_some_and(|office| office.inputs >= INPUTS_MAX) {
        *office = None;
    }
    let office = office.get_or_insert_with(Office::open);
    office.inputs += 1;
    run(office)
}

/// Every byte that a server says belongs to a line, unless it is cut off in the middle of a message.
fn assert_lines(heard: &[u8], greeting: &[u8]) {
    assert!(heard.starts_with(greeting), "{}", String::from_utf8_lossy(heard));
    assert!(heard.ends_with(b"\r\n"), "{}", String::from_utf8_lossy(heard));
}

/// An IMAP client that has logged in and opened INBOX.
pub(crate) fn imap(bytes: &[u8]) {
    let before: &[u8] = b"z1 LOGIN anna@office.test secret\r\nz2 SELECT INBOX\r\n";
    let input = [before, bytes].concat();
    let heard = with_office(|office| office.talk(&Imap::new(false), &input));
    assert_lines(&heard, b"* OK ");
}

/// An LDAP client that has bound as a person.
pub(crate) fn ldap(bytes: &[u8]) {
    let before: &[u8] = b"0\"\x02\x01\x01`\x1d\x02\x01\x03\x04\x10anna@office.test\x80\x06secret";
    let input = [before, bytes].concat();
    let heard = with_office(|office| office.talk(&Ldap::new(&office.ctx.budget), &input));
    ldapd::fuzzing::answers(&heard);
}

/// A POP3 client that has logged in.
pub(crate) fn pop3(bytes: &[u8]) {
    let input = [&b"USER bert@office.test\r\nPASS secret\r\n"[..], bytes].concat();
    let heard =
        with_office(|office| office.talk(&Pop3::new(false, office.maildrops.clone()), &input));
    assert_lines(&heard, b"+OK ");
}

/// A mail program that has logged in. (On port 25 who speaks before the greeting is sent away.)
pub(crate) fn smtp(bytes: &[u8]) {
    let before: &[u8] = b"EHLO x\r\nAUTH PLAIN AGFubmFAb2ZmaWNlLnRlc3QAc2VjcmV0\r\n";
    let input = [before, bytes].concat();
    let heard = with_office(|office| {
        let server = smtpd::Smtp::new("submission", office.delivery.clone());
        office.talk(&server, &input)
    });
    assert_lines(&heard, b"220 ");
}
