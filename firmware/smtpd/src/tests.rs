//! Sessions over a pipe: what needs a clock of its own, a small budget or a far-away peer. Everything else
//! stands in `tests/transcripts/smtp`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{Address, Clock, DomainName, FixedClock, Tier, TierBudget, Timestamp};
use delivery::Delivery;
use session::{Conn, Context, Service as _, Shutdown, Tls};
use store::{AccountChange, NewAccount, Options, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::Smtp;

const FAR: &str = "192.0.2.7";

/// A box with anna@office.test and a small budget.
struct Rig {
    ctx: Context,
    delivery: Delivery,
    _dir: tempfile::TempDir,
}

impl Rig {
    async fn new() -> Self {
        Self::with_reserve(0).await
    }

    /// A box whose disk counts as full when less than `reserve` bytes are free.
    async fn with_reserve(reserve: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::from_secs(1_795_338_000)));
        let mut budget = TierBudget::of(Tier::OneGb);
        budget.message_bytes_max = 20_000;
        budget.rcpt_max = 3;
        let budget = Arc::new(budget);
        let options = Options {
            cache_bytes: 1 << 20,
            message_bytes_max: budget.message_bytes_max,
            message_memory_bytes: 4096,
            queue_entries_max: 1,
            reserve_bytes: Some(reserve),
            ..Options::new(dir.path().join("data"))
        };
        let store = Store::open(options, clock.clone()).unwrap();
        store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
        let anna = NewAccount {
            address: Address::parse("anna@office.test").unwrap(),
            name: "Anna".to_owned(),
            aliases: Vec::new(),
            quota_bytes: None,
            is_admin: false,
            password_hash: None,
        };
        store.create_account(anna).await.unwrap();
        let names = ["mail.office.test".to_owned()];
        let tls = Tls::open(store.clone(), &names, clock.now()).await.unwrap();
        let delivery = Delivery::new(store.clone(), clock.clone(), budget.clone());
        let ctx = Context::new(store, budget, clock, tls, Shutdown::new());
        Self { ctx, delivery, _dir: dir }
    }

    /// A session; `first` is sent before it starts.
    async fn open(&self, service: &str, peer: &str, first: &[u8]) -> Client {
        let peer: IpAddr = peer.parse().unwrap();
        let (conn, mut pipe) = Conn::in_memory(self.ctx.clone(), peer).unwrap();
        pipe.write_all(first).await.unwrap();
        let server = Smtp::new(service, self.delivery.clone());
        tokio::spawn(async move { Box::pin(server.run(conn)).await });
        Client { pipe, unread: String::new() }
    }

    /// A session after its greeting and EHLO.
    async fn hello(&self, service: &str, peer: &str) -> Client {
        let mut client = self.open(service, peer, b"").await;
        client.expect("220 ").await;
        client.talk("EHLO client.test", "250 HELP").await;
        client
    }

    fn stored(&self) -> u32 {
        let anna = Address::parse("anna@office.test").unwrap();
        let anna = self.ctx.store.account_by_address(&anna).unwrap().unwrap();
        self.ctx.store.mailbox_by_name(anna.id, "INBOX").unwrap().unwrap().exists
    }
}

struct Client {
    pipe: DuplexStream,
    unread: String,
}

impl Client {
    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some((line, rest)) = self.unread.split_once("\r\n") {
                let line = line.to_owned();
                self.unread = rest.to_owned();
                return Some(line);
            }
            let mut bytes = [0; 512];
            let n = self.pipe.read(&mut bytes).await.unwrap();
            if n == 0 {
                return None;
            }
            self.unread.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
        }
    }

    /// Reads the last line of a reply; it must begin so.
    async fn expect(&mut self, start: &str) {
        loop {
            let line = self.line().await.unwrap_or_else(|| "<eof>".to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                assert!(line.starts_with(start), "expected {start:?}, came {line:?}");
                return;
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.pipe.write_all(bytes).await.unwrap();
    }

    async fn talk(&mut self, line: &str, start: &str) {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.expect(start).await;
    }

    async fn envelope(&mut self) {
        self.talk("MAIL FROM:<a@b.test>", "250 2.1.0").await;
        self.talk("RCPT TO:<anna@office.test>", "250 2.1.5").await;
    }

    async fn expect_end(&mut self) {
        assert_eq!(self.line().await, None);
    }
}

#[tokio::test]
async fn who_speaks_before_the_greeting_is_sent_away() {
    let rig = Rig::new().await;
    let mut client = rig.open("smtp", FAR, b"EHLO spam.test\r\nMAIL FROM:<a@b.test>\r\n").await;
    client.expect("554 5.5.0").await;
    let mut client = rig.open("smtp", FAR, b"\x16\x03\x01\x02\0").await;
    client.expect("500 5.5.1 TLS").await;
}

#[tokio::test]
async fn lmtp_is_not_for_the_internet() {
    let rig = Rig::new().await;
    rig.open("lmtp", FAR, b"").await.expect("554 5.7.1").await;
    rig.open("lmtp", "192.168.1.9", b"").await.expect("220 ").await;
}

#[tokio::test]
async fn no_password_crosses_the_network_in_plain_text() {
    let rig = Rig::new().await;
    for service in ["smtp", "submission"] {
        let mut client = rig.open(service, FAR, b"").await;
        client.expect("220 ").await;
        client.send(b"EHLO client.test\r\n").await;
        let mut offers = Vec::new();
        while offers.last().is_none_or(|line: &String| line.as_bytes()[3] == b'-') {
            offers.push(client.line().await.unwrap());
        }
        assert!(offers.contains(&"250-STARTTLS".to_owned()), "{offers:?}");
        assert!(!offers.iter().any(|line| line.contains("AUTH")), "{offers:?}");
        client.talk("AUTH PLAIN AGEAYg==", "538 5.7.11").await;
        client.talk("AUTH LOGIN", "538 5.7.11").await;
    }
    let mut client = rig.hello("submission", FAR).await;
    client.talk("MAIL FROM:<anna@office.test>", "530 5.7.0 Say STARTTLS").await;
}

#[tokio::test]
async fn the_budget_limits_size_and_recipients() {
    let rig = Rig::new().await;
    let mut client = rig.hello("smtp", FAR).await;
    client.talk("MAIL FROM:<a@b.test> SIZE=20001", "552 5.3.4").await;
    client.talk("MAIL FROM:<a@b.test> SIZE=20000", "250").await;
    for _ in 0..3 {
        client.talk("RCPT TO:<anna@office.test>", "250").await;
    }
    client.talk("RCPT TO:<anna@office.test>", "452 4.5.3").await;
    // One that is too large is read to its end and refused; the session goes on.
    client.talk("DATA", "354").await;
    client.send(b"Subject: large\r\n\r\n").await;
    client.send("x".repeat(78).as_bytes()).await;
    client.send(format!("\r\n{}", "y".repeat(78)).repeat(300).as_bytes()).await;
    client.talk("\r\n.", "552 5.3.4").await;
    // The same by BDAT.
    client.envelope().await;
    client.send(b"BDAT 25000 LAST\r\n").await;
    client.send(&vec![b'z'; 25_000]).await;
    client.expect("552 5.3.4").await;
    client.envelope().await;
    client.send(b"BDAT 40001 LAST\r\n").await;
    client.expect("552 5.3.4").await;
    assert_eq!(rig.stored(), 0);
    // One that will not end is cut off.
    let mut client = rig.hello("smtp", FAR).await;
    client.envelope().await;
    client.talk("DATA", "354").await;
    client.send(&b"Subject: x\r\n".repeat(4000)).await;
    client.expect("552 5.3.4").await;
    drop(client);
    let mut client = rig.hello("smtp", FAR).await;
    client.envelope().await;
    client.talk("DATA", "354").await;
    client.talk("Subject: fits\r\n\r\ntext\r\n.", "250 2.0.0").await;
    assert_eq!(rig.stored(), 1);
}

#[tokio::test]
async fn a_full_disk_and_a_full_queue_are_told_as_passing() {
    let rig = Rig::new().await;
    let hash = rig.ctx.auth.hash("secret").await.unwrap();
    let anna = Address::parse("anna@office.test").unwrap();
    let id = rig.ctx.store.account_by_address(&anna).unwrap().unwrap().id;
    let change = AccountChange { password_hash: Some(hash), ..AccountChange::default() };
    rig.ctx.store.update_account(id, change).await.unwrap();
    let mut client = rig.hello("submission", "127.0.0.1").await;
    client.talk("AUTH LOGIN YW5uYUBvZmZpY2UudGVzdA==", "334 ").await;
    client.talk("c2VjcmV0", "235 2.7.0").await;
    for answer in ["250 2.0.0", "452 4.3.1"] {
        client.talk("MAIL FROM:<anna@office.test>", "250").await;
        client.talk("RCPT TO:<anna@office.test>", "250").await;
        client.talk("RCPT TO:<x@elsewhere.test>", "250").await;
        client.talk("DATA", "354").await;
        client.talk("Subject: x\r\n\r\ntext\r\n.", answer).await;
    }
    // All or nothing: of the second there is no local copy either.
    assert_eq!(rig.stored(), 1);

    let rig = Rig::with_reserve(u64::MAX).await;
    let mut client = rig.hello("smtp", FAR).await;
    client.talk("MAIL FROM:<a@b.test>", "452 4.3.1").await;
    client.talk("NOOP", "250").await;
}

#[tokio::test]
async fn who_may_not_log_in_is_told_if_the_password_is_right() {
    for state in [store::AccountState::Disabled, store::AccountState::Suspended] {
        let rig = Rig::new().await;
        let hash = rig.ctx.auth.hash("secret").await.unwrap();
        let anna = Address::parse("anna@office.test").unwrap();
        let id = rig.ctx.store.account_by_address(&anna).unwrap().unwrap().id;
        let change = AccountChange {
            password_hash: Some(hash),
            state: Some(state),
            ..AccountChange::default()
        };
        rig.ctx.store.update_account(id, change).await.unwrap();
        let mut client = rig.hello("submission", "127.0.0.1").await;
        for (password, answer) in [("d3Jvbmc=", "535 5.7.8"), ("c2VjcmV0", "525 5.7.13")] {
            client.talk("AUTH LOGIN YW5uYUBvZmZpY2UudGVzdA==", "334 ").await;
            client.talk(password, answer).await;
        }
    }
}

#[tokio::test]
async fn who_is_slow_is_sent_away() {
    let rig = Rig::new().await;
    let mut silent = rig.open("smtp", FAR, b"").await;
    silent.expect("220 ").await;
    let mut trickler = rig.hello("smtp", FAR).await;
    let mut in_data = rig.hello("smtp", FAR).await;
    in_data.envelope().await;
    in_data.talk("DATA", "354").await;
    let mut in_bdat = rig.hello("smtp", FAR).await;
    in_bdat.envelope().await;
    in_bdat.send(b"BDAT 10000 LAST\r\n").await;
    // From here on time passes only when everybody waits, and then at once.
    tokio::time::pause();
    silent.expect("421 4.4.2").await;
    silent.expect_end().await;
    for client in [&mut trickler, &mut in_data, &mut in_bdat] {
        let mut sent = 0;
        // A byte every ten seconds would last for a day.
        while client.pipe.write_all(b"x").await.is_ok() {
            sent += 1;
            assert!(sent < 100, "a trickle keeps the session open");
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        client.expect("421 4.4.2").await;
    }
    assert_eq!(rig.stored(), 0);
}

#[tokio::test]
async fn a_stop_is_told() {
    let rig = Rig::new().await;
    let mut idle = rig.hello("smtp", FAR).await;
    let mut in_data = rig.hello("smtp", FAR).await;
    in_data.envelope().await;
    in_data.talk("DATA", "354").await;
    in_data.send(b"Subject: half a message\r\n").await;
    rig.ctx.shutdown.cancel();
    idle.expect("421 4.3.2").await;
    in_data.expect("421 4.3.2").await;
    assert_eq!(rig.stored(), 0);
}

#[tokio::test]
async fn commands_without_a_message_end() {
    let rig = Rig::new().await;
    let mut client = rig.hello("smtp", FAR).await;
    client.envelope().await;
    client.send(&b"BDAT 0\r\n".repeat(150)).await;
    for _ in 0..150 {
        client.expect("250").await;
    }
    client.send(&b"NOOP\r\n".repeat(60)).await;
    while client.line().await.is_some_and(|line| line.starts_with("250")) {}
    client.expect_end().await;
}

/// Pieces that make dialogues, right ones and wrong ones.
const PIECES: [&[u8]; 22] = [
    b"EHLO x\r\n",
    b"HELO x\r\n",
    b"MAIL FROM:<a@b.test>\r\n",
    b"RCPT TO:<anna@office.test>\r\n",
    b"RCPT TO:<x@elsewhere.test>\r\n",
    b"DATA\r\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r\n.\r",
    b"BDAT 5\r\n",
    b"BDAT 7 LAST\r\n",
    b"a\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"\r",
    b"\n",
    b"\0",
    b"AUTH PLAIN\r\n",
    b"*\r\n",
    b"Subject: x\r\n\r\n",
    b"VRFY anna\r\n",
];

/// Whatever is said, the session ends in order when the client hangs up, and no more messages are stored
/// than 250s after data were said.
#[tokio::test]
async fn no_dialogue_breaks_a_session() {
    let rig = Rig::new().await;
    let mut dice = 0x9e37_79b9_7f4a_7c15u64;
    let mut promised = 0;
    for round in 0..300 {
        let mut dialogue = if round % 2 == 0 {
            b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<anna@office.test>\r\n".to_vec()
        } else {
            Vec::new()
        };
        for _ in 0..12 {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            let piece = usize::try_from(dice % PIECES.len() as u64).unwrap();
            dialogue.extend_from_slice(PIECES[piece]);
        }
        let mut client = rig.open("smtp", "127.0.0.1", b"").await;
        client.expect("220 ").await;
        client.send(&dialogue).await;
        client.pipe.shutdown().await.unwrap();
        while let Some(line) = client.line().await {
            let code = line.split([' ', '-']).next().unwrap();
            assert!(code.len() == 3 && code.parse::<u16>().is_ok(), "{line:?}");
            promised += u32::from(line.contains("taken as"));
        }
    }
    assert!(promised > 0, "no dialogue brought a message through");
    assert_eq!(rig.stored(), promised);
}
