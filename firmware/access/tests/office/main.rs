//! The IMAP server over a real store and loopback TCP, in one process: all transcripts of
//! `tests/transcripts/imap`, and what needs a look into the store or a quota.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod codes;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use access::imap::Imap;
use base::{AccountId, Address, DomainName, SystemClock, Tier, TierBudget};
use session::{Context, Shutdown, Tls, serve};
use store::{NewAccount, Options, Store};
use testkit::client::{PATIENCE, Wire};
use testkit::transcript::{self, Transcript};
use testkit::{Client, Connector};

/// A running server with its ports.
struct Office {
    runtime: tokio::runtime::Runtime,
    ctx: Context,
    ports: BTreeMap<u16, SocketAddr>,
    dir: tempfile::TempDir,
}

impl Connector for Office {
    fn connect(&self, port: u16) -> anyhow::Result<Box<dyn Wire>> {
        let tcp = TcpStream::connect_timeout(&self.ports[&port], PATIENCE)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        Ok(Box::new(tcp))
    }
}

async fn account(ctx: &Context, name: &str, quota_bytes: Option<u64>) -> AccountId {
    let password_hash = Some(ctx.auth.hash(&format!("secret-{name}")).await.unwrap());
    let address = Address::parse(&format!("{name}@office.test")).unwrap();
    let account = NewAccount {
        address,
        name: name.to_owned(),
        aliases: Vec::new(),
        quota_bytes,
        is_admin: false,
        password_hash,
    };
    ctx.store.create_account(account).await.unwrap()
}

async fn open(dir: &Path, reserve_bytes: u64) -> Context {
    let mut budget = TierBudget::of(Tier::OneGb);
    // The shape of the hash is not what is tested here.
    budget.password_hashes_at_once = 4;
    let options = Options {
        cache_bytes: 8 << 20,
        message_bytes_max: budget.message_bytes_max,
        queue_entries_max: 1_000,
        reserve_bytes: Some(reserve_bytes),
        ..Options::new(dir)
    };
    let clock = Arc::new(SystemClock);
    let store = Store::open(options, clock.clone()).unwrap();
    let now = base::Clock::now(&SystemClock);
    let tls = Tls::open(store.clone(), &["mail.office.test".to_owned()], now).await.unwrap();
    Context::new(store, Arc::new(budget), clock, tls, Shutdown::new())
}

impl Office {
    fn start(accounts: &[(&str, Option<u64>)]) -> Self {
        Self::start_with(accounts, 0)
    }

    /// `reserve_bytes` of the disk must stay free.
    fn start_with(accounts: &[(&str, Option<u64>)], reserve_bytes: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut ports = BTreeMap::new();
        let ctx = runtime.block_on(async {
            let ctx = open(dir.path(), reserve_bytes).await;
            ctx.store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
            for (name, quota) in accounts {
                account(&ctx, name, *quota).await;
            }
            for (port, implicit_tls) in [(143, false), (993, true)] {
                let listener =
                    tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                ports.insert(port, listener.local_addr().unwrap());
                tokio::spawn(serve(listener, Arc::new(Imap::new(implicit_tls)), ctx.clone()));
            }
            ctx
        });
        Self { runtime, ctx, ports, dir }
    }

    /// Makes an account an administrator.
    fn promote(&self, name: &str) {
        let store = &self.ctx.store;
        let address = Address::parse(&format!("{name}@office.test")).unwrap();
        let id = store.account_by_address(&address).unwrap().unwrap().id;
        let change = store::AccountChange { is_admin: Some(true), ..Default::default() };
        self.runtime.block_on(store.update_account(id, change)).unwrap();
    }

    fn client(&self, account: &str) -> Client {
        let mut client = Client::connect(self, 143).unwrap();
        client.read_line().unwrap().unwrap();
        client.imap(&format!("LOGIN {account}@office.test secret-{account}")).unwrap();
        client
    }

    /// Stops all and walks the store.
    fn check(self) {
        let Self { runtime, ctx, dir, .. } = self;
        ctx.shutdown.cancel();
        let store = ctx.store.clone();
        drop(ctx);
        runtime.block_on(store.close()).unwrap();
        drop(runtime);
        let report = Store::check(dir.path()).unwrap();
        assert!(report.problems.is_empty(), "{:#?}", report.problems);
    }
}

/// Reads up to the tagged line; all of it.
fn reply(client: &mut Client, tag: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = client.read_line().unwrap().expect("the server is there");
        let is_last = line.starts_with(&format!("{tag} "));
        lines.push(line);
        if is_last {
            return lines;
        }
    }
}

#[test]
fn all_transcripts_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts/imap");
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut failed = Vec::new();
    for file in transcript::files(&folder).unwrap() {
        if !file.to_string_lossy().contains(&wanted) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let transcript = Transcript::parse(&text, "imap").unwrap();
        let accounts: Vec<_> = transcript.accounts().map(|(name, _)| (name, None)).collect();
        let office = Office::start(&accounts);
        transcript.accounts().filter(|known| known.1).for_each(|(name, _)| office.promote(name));
        let played = transcript.run(&office);
        if let Err(err) = played {
            let seen = format!("{err:#}");
            let tail: Vec<&str> = seen.lines().rev().take(12).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            failed.push(format!("{}:\n{}", file.display(), tail.join("\n")));
        }
        office.check();
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// RFC 9208 §4.3.2, RFC 7889: refused before the message is asked for; what comes all the same is
/// skipped.
#[test]
fn over_quota_is_told_before_the_message() {
    let office = Office::start(&[("anna", Some(100))]);
    let mut client = office.client("anna");
    client.send("a1 APPEND INBOX {101}").unwrap();
    assert!(reply(&mut client, "a1")[0].starts_with("a1 NO [OVERQUOTA] "));
    client.send(&format!("a2 APPEND INBOX {{101+}}\r\n{}", "x".repeat(101))).unwrap();
    assert!(reply(&mut client, "a2")[0].starts_with("a2 NO [OVERQUOTA] "));
    client.send(&format!("a3 APPEND INBOX {{60+}}\r\n{}", "x".repeat(60))).unwrap();
    assert!(reply(&mut client, "a3")[0].starts_with("a3 OK [APPENDUID "));
    client.send("a4 GETQUOTA \"\"").unwrap();
    assert_eq!(reply(&mut client, "a4")[0], "* QUOTA \"\" (STORAGE 1 0)");
    client.send("a5 SELECT INBOX").unwrap();
    reply(&mut client, "a5");
    client.send("a6 COPY 1 Sent").unwrap();
    assert!(reply(&mut client, "a6")[0].starts_with("a6 NO [OVERQUOTA] "));
    office.check();
}

/// A message much larger than every buffer comes and goes unchanged, also in parts.
#[test]
fn large_messages_stream_both_ways() {
    let office = Office::start(&[("anna", None)]);
    let mut client = office.client("anna");
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    let mut n = 0u32;
    while message.len() < 3_000_000 {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        message.extend_from_slice(format!("{n:x}\r\n").as_bytes());
    }
    message.extend_from_slice(b"the needle at the end\r\n");
    client.send_raw(format!("a1 APPEND INBOX {{{}+}}\r\n", message.len()).as_bytes()).unwrap();
    client.send_raw(&message).unwrap();
    client.send_raw(b"\r\na2 SELECT INBOX\r\na3 SEARCH BODY \"NEEDLE at\"\r\n").unwrap();
    assert!(reply(&mut client, "a1")[0].starts_with("a1 OK [APPENDUID "));
    reply(&mut client, "a2");
    assert_eq!(reply(&mut client, "a3")[0], "* SEARCH 1");
    client.send("a4 UID FETCH 1 (RFC822.SIZE BODY.PEEK[])").unwrap();
    let len = message.len();
    let head = client.read_line().unwrap().unwrap();
    assert_eq!(head, format!("* 1 FETCH (UID 1 RFC822.SIZE {len} BODY[] {{{len}}}"));
    assert!(client.read_exact(len).unwrap() == message);
    assert!(reply(&mut client, "a4").last().unwrap().starts_with("a4 OK"));
    client.send("a5 FETCH 1 BODY.PEEK[]<262100.100000>").unwrap();
    assert_eq!(client.read_line().unwrap().unwrap(), "* 1 FETCH (BODY[]<262100> {100000}");
    assert!(client.read_exact(100_000).unwrap() == message[262_100..362_100]);
    assert!(reply(&mut client, "a5").last().unwrap().starts_with("a5 OK"));
    office.check();
}

/// Outlook's first look at a mailbox, and the same with holes in it.
#[test]
fn many_messages_are_told_in_order() {
    let office = Office::start(&[("anna", None)]);
    let mut client = office.client("anna");
    let one = "x APPEND INBOX {14+}\r\nSubject: a\r\n\r\n\r\n";
    for _ in 0..12 {
        client.send_raw(one.repeat(100).as_bytes()).unwrap();
        for _ in 0..100 {
            assert!(reply(&mut client, "x")[0].starts_with("x OK"));
        }
    }
    client.send("a1 SELECT INBOX").unwrap();
    reply(&mut client, "a1");
    client.send("a2 UID STORE 100:200,700 +FLAGS.SILENT (\\Deleted)").unwrap();
    assert_eq!(reply(&mut client, "a2").len(), 1);
    client.send("a3 EXPUNGE").unwrap();
    assert_eq!(reply(&mut client, "a3").len(), 103);
    client.send("a4 UID FETCH 1:* (UID FLAGS)").unwrap();
    let lines = reply(&mut client, "a4");
    assert_eq!(lines.len(), 1200 - 102 + 1);
    let uids = (1..=1200).filter(|uid| !(100..=200).contains(uid) && *uid != 700);
    for ((seq, uid), line) in (1..).zip(uids).zip(&lines) {
        assert_eq!(*line, format!("* {seq} FETCH (UID {uid} FLAGS ())"));
    }
    client.send("a5 FETCH 1,99:100,* UID").unwrap();
    let lines = reply(&mut client, "a5");
    assert_eq!(
        lines[..4],
        [
            "* 1 FETCH (UID 1)",
            "* 99 FETCH (UID 99)",
            "* 100 FETCH (UID 201)",
            "* 1098 FETCH (UID 1200)",
        ]
    );
    office.check();
}

/// The client's side of COMPRESS.
struct Squeezed {
    tcp: TcpStream,
    deflate: flate2::Compress,
    inflate: flate2::Decompress,
    unread: Vec<u8>,
}

impl Squeezed {
    fn send(&mut self, text: &[u8]) {
        let mut out = Vec::with_capacity(text.len() + 1024);
        let sync = flate2::FlushCompress::Sync;
        self.deflate.compress_vec(text, &mut out, sync).unwrap();
        std::io::Write::write_all(&mut self.tcp, &out).unwrap();
    }

    /// The next line; `None` at the end.
    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=at).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let mut came = [0; 4096];
            let count = std::io::Read::read(&mut self.tcp, &mut came).unwrap_or(0);
            if count == 0 {
                return None;
            }
            let (mut used, mut plain) = (0, vec![0; 64 * 1024]);
            while used < count {
                let (read, made) = (self.inflate.total_in(), self.inflate.total_out());
                let none = flate2::FlushDecompress::None;
                self.inflate.decompress(&came[used..count], &mut plain, none).unwrap();
                used += usize::try_from(self.inflate.total_in() - read).unwrap();
                let made = usize::try_from(self.inflate.total_out() - made).unwrap();
                self.unread.extend_from_slice(&plain[..made]);
            }
        }
    }

    fn until(&mut self, start: &str) -> String {
        loop {
            let line = self.line().expect("the server is there");
            if line.starts_with(start) {
                return line;
            }
        }
    }
}

/// RFC 4978: after the OK all is compressed, both ways; IDLE too; a bomb is bounded as a line is.
#[test]
fn compressed_sessions_talk_as_others() {
    let office = Office::start(&[("anna", None)]);
    let start = || {
        let mut tcp = TcpStream::connect(office.ports[&143]).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut plain = Client::new(Box::new(tcp.try_clone().unwrap()));
        plain.read_line().unwrap().unwrap();
        plain.imap("LOGIN anna@office.test secret-anna").unwrap();
        // The command behind is compressed already: RFC 4978 §3 lets a client not wait for long.
        std::io::Write::write_all(&mut tcp, b"z COMPRESS DEFLATE\r\n").unwrap();
        assert_eq!(plain.read_line().unwrap().unwrap(), "z OK DEFLATE active");
        Squeezed {
            tcp,
            deflate: flate2::Compress::new(flate2::Compression::default(), false),
            inflate: flate2::Decompress::new(false),
            unread: Vec::new(),
        }
    };
    let mut client = start();
    client.send(b"a1 COMPRESS DEFLATE\r\n");
    assert!(client.until("a1 ").starts_with("a1 NO [COMPRESSIONACTIVE] "));
    client.send(b"a2 CAPABILITY\r\n");
    assert!(!client.until("* CAPABILITY ").contains("COMPRESS"));
    let mut message = b"Subject: squeezed\r\n\r\n".to_vec();
    for n in 0..20_000 {
        message.extend_from_slice(format!("line {}\r\n", n * n).as_bytes());
    }
    client.send(format!("a3 APPEND INBOX {{{}+}}\r\n", message.len()).as_bytes());
    client.send(&message);
    client.send(b"\r\na4 SELECT INBOX\r\na5 UID FETCH 1 BODY.PEEK[]\r\n");
    assert!(client.until("a3 ").starts_with("a3 OK [APPENDUID "));
    assert!(client.until("a4 ").starts_with("a4 OK"));
    assert_eq!(client.until("* 1 FETCH"), format!("* 1 FETCH (UID 1 BODY[] {{{}}}", message.len()));
    for line in String::from_utf8(message).unwrap().lines() {
        assert_eq!(client.line().unwrap(), line);
    }
    assert!(client.until("a5 ").starts_with("a5 OK"));
    client.send(b"a6 IDLE\r\n");
    client.until("+ idling");
    let mut other = office.client("anna");
    other.send_raw(b"x APPEND INBOX {14+}\r\nSubject: a\r\n\r\n\r\n").unwrap();
    assert!(reply(&mut other, "x")[0].starts_with("x OK"));
    client.until("* 2 EXISTS");
    client.send(b"DONE\r\n");
    assert!(client.until("a6 ").starts_with("a6 OK"));

    let mut bomb = start();
    bomb.send(&vec![b'a'; 64 << 20]);
    assert!(bomb.until("* BYE").contains("does not end"));
    assert_eq!(bomb.line(), None);
    office.check();
}
