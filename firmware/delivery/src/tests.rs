//! The whole crate over a real store: accept, queue, smarthost, bounces; with a clock that stands.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use base::{Address, DomainName, FixedClock, Tier, TierBudget, Timestamp, Uid};
use store::{Account, Alias, Envelope, NewAccount, Notify, Options, Outbound, SmarthostTls, Store};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::client::{Patience, Peer, TlsUse, Verdict};
use crate::outbound::{Reason, Stage};
use crate::{AcceptError, AcceptedMessage, Delivery, Rcpt, RcptVerdict, SenderVerdict};

struct Office {
    _dir: tempfile::TempDir,
    store: Store,
    clock: Arc<FixedClock>,
    delivery: Delivery,
    anna: Account,
    bert: Account,
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

async fn account(store: &Store, text: &str, quota_bytes: Option<u64>) -> Account {
    let new = NewAccount {
        address: address(text),
        name: String::new(),
        aliases: Vec::new(),
        quota_bytes,
        is_admin: false,
        password_hash: None,
    };
    let id = store.create_account(new).await.unwrap();
    store.account(id).unwrap().unwrap()
}

/// anna and bert of office.test, team@ for both and somebody elsewhere.
async fn office() -> Office {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_795_338_000)));
    let options = Options { reserve_bytes: Some(0), ..Options::new(dir.path()) };
    let store = Store::open(options, clock.clone()).unwrap();
    store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
    let anna = account(&store, "anna@office.test", None).await;
    let bert = account(&store, "bert@office.test", Some(1)).await;
    let targets = ["anna@office.test", "bert@office.test", "carl@else.test"];
    let team = Alias {
        address: address("team@office.test"),
        targets: targets.iter().map(|t| address(t)).collect(),
    };
    store.create_alias(team).await.unwrap();
    let hostname =
        |settings: &mut store::Settings| "mail.office.test".clone_into(&mut settings.hostname);
    store.update_settings(Box::new(hostname)).await.unwrap();
    let budget = Arc::new(TierBudget::of(Tier::OneGb));
    let delivery = Delivery::new(store.clone(), clock.clone(), budget);
    Office { _dir: dir, store, clock, delivery, anna, bert }
}

const RETURN_PATH: &str = "Return-Path: <anna@office.test>\r\n";
const MESSAGE: &str = "Received: by mail.office.test\r\nSubject: x\r\n\r\nhello\r\n";

impl Office {
    fn message(&self, text: &str, to: &[&str], notify: Notify) -> AcceptedMessage {
        let mut staging = self.store.stage().unwrap();
        staging.write(RETURN_PATH.as_bytes()).unwrap();
        staging.write(text.as_bytes()).unwrap();
        let rcpt = |to: &&str| Rcpt { address: address(to), orcpt: None, notify };
        AcceptedMessage {
            envelope: Envelope {
                reverse_path: Some(address("anna@office.test")),
                ..Envelope::default()
            },
            recipients: to.iter().map(rcpt).collect(),
            staged: staging.finish().unwrap(),
            skip: u32::try_from(RETURN_PATH.len()).unwrap(),
            authenticated: Some(self.anna.id),
            session: "s1".to_owned(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    async fn accept(&self, to: &[&str], notify: Notify) -> crate::Accepted {
        self.delivery.accept(self.message(MESSAGE, to, notify)).await.unwrap()
    }

    /// The texts in an account's INBOX.
    fn inbox(&self, account: &Account) -> Vec<String> {
        let inbox = self.store.mailbox_by_name(account.id, "INBOX").unwrap().unwrap();
        let rows = self.store.rows(inbox.id, Uid(1), Uid(u32::MAX), 100).unwrap();
        let read = |row: &store::Row| self.store.read(&row.blob, 0, store::READ_MAX).unwrap();
        rows.iter().map(|row| String::from_utf8(read(row)).unwrap()).collect()
    }

    async fn use_smarthost(&self, port: u16) {
        let outbound = smarthost("127.0.0.1", port);
        let change = |settings: &mut store::Settings| settings.outbound = outbound;
        self.store.update_settings(Box::new(change)).await.unwrap();
    }

    /// The only entry's recipients: state and attempts.
    fn queued(&self) -> Vec<(String, u32)> {
        let entries = self.store.queue_list(base::QueueId(0), 100).unwrap();
        let of = |r: &store::QueueRecipient| (format!("{:?}", r.state), r.attempts);
        entries.iter().flat_map(|e| e.recipients.iter().map(of)).collect()
    }
}

fn smarthost(host: &str, port: u16) -> Outbound {
    Outbound::Smarthost {
        host: host.to_owned(),
        port,
        tls: SmarthostTls::None,
        user: None,
        password: None,
    }
}

/// A relay that answers RCPT with what `reply` holds at the time, and keeps what it got.
struct Relay {
    port: u16,
    reply: Arc<Mutex<&'static str>>,
    log: Arc<Mutex<String>>,
}

async fn relay(reply: &'static str) -> Relay {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let reply = Arc::new(Mutex::new(reply));
    let log = Arc::new(Mutex::new(String::new()));
    let relay = Relay { port, reply: reply.clone(), log: log.clone() };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, reply.clone(), log.clone()));
        }
    });
    relay
}

async fn serve(stream: TcpStream, reply: Arc<Mutex<&'static str>>, log: Arc<Mutex<String>>) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 relay.test\r\n").await.unwrap();
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        log.lock().unwrap().push_str(&line);
        let answer = match line.get(..4) {
            _ if in_data && line != ".\r\n" => continue,
            _ if in_data => "250 2.0.0 queued\r\n",
            Some("EHLO") => "250-relay.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
            // And then it cannot: the handshake is no line of text.
            Some("STAR") => "220 go\r\n",
            Some("DATA") => "354 go\r\n",
            Some("RCPT") => *reply.lock().unwrap(),
            Some("QUIT") => return,
            _ => "250 ok\r\n",
        };
        in_data = answer.starts_with("354");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn verdicts_at_mail_and_rcpt() {
    let office = office().await;
    let (delivery, anna) = (&office.delivery, &office.anna);
    let verdict = async |to: &str, login| delivery.verify_rcpt(&address(to), login, 0).await;
    assert_eq!(verdict("Anna@office.test", None).await, RcptVerdict::Local);
    assert_eq!(verdict("team@office.test", None).await, RcptVerdict::Local);
    assert_eq!(verdict("nobody@office.test", Some(anna)).await, RcptVerdict::UnknownUser);
    assert_eq!(verdict("x@else.test", None).await, RcptVerdict::RelayDenied);
    assert_eq!(verdict("x@else.test", Some(anna)).await, RcptVerdict::Relay);
    assert_eq!(verdict("bert@office.test", None).await, RcptVerdict::Local);
    // RFC 1870 §6.1: what cannot fit is refused before it is sent.
    let large = delivery.verify_rcpt(&address("bert@office.test"), None, 1 << 40).await;
    assert_eq!(large, RcptVerdict::OverQuota);
    office.accept(&["bert@office.test"], Notify::default()).await;
    assert_eq!(verdict("bert@office.test", None).await, RcptVerdict::OverQuota);
    let sender = |from: &str| delivery.verify_sender(anna, Some(&address(from)));
    assert_eq!(sender("anna@office.test"), SenderVerdict::Allowed);
    assert_eq!(sender("team@office.test"), SenderVerdict::Allowed);
    assert_eq!(sender("bert@office.test"), SenderVerdict::NotYours);
    assert_eq!(sender("x@else.test"), SenderVerdict::NotYours);
    assert_eq!(delivery.verify_sender(anna, None), SenderVerdict::Allowed);
}

#[tokio::test]
async fn one_copy_each_and_the_rest_into_the_spool() {
    let office = office().await;
    let to = ["team@office.test", "anna@office.test", "carl@else.test", "dora@else.test"];
    let accepted = office.accept(&to, Notify::default()).await;
    assert_eq!(accepted.local_copies, 2);
    let whole = format!("{RETURN_PATH}{MESSAGE}");
    assert_eq!(office.inbox(&office.anna), [whole.as_str()]);
    assert_eq!(office.inbox(&office.bert), [whole.as_str()]);
    let entry = office.store.queue_entry(accepted.queue_id.unwrap()).unwrap().unwrap();
    let remote: Vec<_> =
        entry.recipients.iter().map(|r| (r.address.to_string(), r.orcpt.as_deref())).collect();
    let carl = ("carl@else.test".to_owned(), Some("rfc822;team@office.test"));
    assert_eq!(remote, [carl, ("dora@else.test".to_owned(), None)]);
}

#[tokio::test]
async fn circles_and_strange_senders_are_refused_and_leave_nothing() {
    let office = office().await;
    let circle = format!("{}{MESSAGE}", "Received: by x\r\n".repeat(100));
    let message = office.message(&circle, &["anna@office.test"], Notify::default());
    assert!(matches!(office.delivery.accept(message).await, Err(AcceptError::MailLoop)));
    let mut message = office.message(MESSAGE, &["anna@office.test"], Notify::default());
    message.authenticated = Some(office.bert.id);
    assert!(matches!(office.delivery.accept(message).await, Err(AcceptError::SenderNotYours)));
    assert!(office.inbox(&office.anna).is_empty());
}

#[tokio::test]
async fn a_busy_relay_is_asked_again_and_then_gets_it_without_our_return_path() {
    let office = office().await;
    let relay = relay("450 4.2.0 busy\r\n").await;
    office.use_smarthost(relay.port).await;
    office.accept(&["carl@else.test"], Notify::default()).await;
    office.delivery.run_due().await;
    assert_eq!(office.queued(), [("Pending".to_owned(), 1)]);
    let log = relay.log.lock().unwrap().clone();
    office.clock.advance(240);
    office.delivery.run_due().await;
    assert_eq!(*relay.log.lock().unwrap(), log, "not due yet");
    office.clock.advance(120);
    *relay.reply.lock().unwrap() = "250 ok\r\n";
    office.delivery.run_due().await;
    assert_eq!(office.queued(), []);
    let log = relay.log.lock().unwrap().clone();
    let data = log.rsplit_once("DATA\r\n").unwrap().1;
    assert!(data.starts_with(&format!("{MESSAGE}.\r\n")), "{data}");
    assert!(office.inbox(&office.anna).is_empty(), "nobody asked for a success report");
}

#[tokio::test]
async fn a_refusal_comes_back_into_the_senders_inbox_at_once() {
    let office = office().await;
    let relay = relay("550 5.1.1 no such user\r\n").await;
    office.use_smarthost(relay.port).await;
    office.accept(&["carl@else.test"], Notify::default()).await;
    office.delivery.run_due().await;
    assert_eq!(office.queued(), []);
    let inbox = office.inbox(&office.anna);
    assert_eq!(inbox.len(), 1);
    for wanted in [
        "Return-Path: <>\r\n",
        "report-type=delivery-status",
        "Final-Recipient: rfc822; carl@else.test\r\nAction: failed\r\nStatus: 5.1.1\r\n",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
        MESSAGE,
    ] {
        assert!(inbox[0].contains(wanted), "{wanted:?} in {}", inbox[0]);
    }
    assert!(!inbox[0].contains("Return-Path: <anna"), "our own field stays at home");
    // Whoever asked for silence gets it.
    office
        .accept(&["carl@else.test"], Notify { success: false, failure: false, delay: false })
        .await;
    office.delivery.run_due().await;
    assert_eq!((office.queued().len(), office.inbox(&office.anna).len()), (0, 1));
}

#[tokio::test]
async fn a_bounce_never_bounces() {
    let office = office().await;
    let relay = relay("550 5.1.1 no such user\r\n").await;
    office.use_smarthost(relay.port).await;
    let mut message = office.message(MESSAGE, &["carl@else.test"], Notify::default());
    message.envelope.reverse_path = Some(address("strange@far.test"));
    message.authenticated = None;
    office.delivery.accept(message).await.unwrap();
    // The bounce for the stranger goes out by the relay too, with a null reverse-path, and is
    // refused as well. Then it is over.
    office.delivery.run_due().await;
    office.delivery.run_due().await;
    assert_eq!(office.queued(), []);
    let log = relay.log.lock().unwrap().clone();
    assert_eq!(log.matches("MAIL FROM:<strange@far.test>").count(), 1);
    assert_eq!(log.matches("MAIL FROM:<>").count(), 1);
    assert_eq!(log.matches("RCPT TO:<strange@far.test>").count(), 1);
}

#[tokio::test]
async fn nobody_there_means_a_delay_notice_and_after_five_days_a_bounce() {
    let office = office().await;
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    office.use_smarthost(unused.local_addr().unwrap().port()).await;
    drop(unused);
    office.accept(&["carl@else.test"], Notify::default()).await;
    let mut rounds = 0;
    while let Some(due) = office.store.queue_next_due().unwrap() {
        let now = base::Clock::now(office.clock.as_ref());
        office.clock.advance((due.0 - now.0).max(0) / 1000 + 1);
        office.delivery.run_due().await;
        rounds += 1;
        assert!(rounds < 100, "it ends");
    }
    let inbox = office.inbox(&office.anna);
    assert_eq!(inbox.len(), 2);
    assert!(inbox[0].contains("Action: delayed\r\n") && inbox[0].contains("Will-Retry-Until: "));
    assert!(inbox[1].contains("Action: failed\r\nStatus: 4.4.7\r\n"), "{}", inbox[1]);
}

#[tokio::test]
async fn success_is_reported_where_it_is_asked_for() {
    let office = office().await;
    let relay = relay("250 ok\r\n").await;
    office.use_smarthost(relay.port).await;
    let notify = Notify { success: true, ..Notify::default() };
    office.accept(&["bert@office.test", "carl@else.test"], notify).await;
    office.delivery.run_due().await;
    let inbox = office.inbox(&office.anna);
    assert_eq!(inbox.len(), 2);
    assert!(
        inbox[0].contains("Final-Recipient: rfc822; bert@office.test\r\nAction: delivered\r\n")
    );
    assert!(inbox[1].contains("Final-Recipient: rfc822; carl@else.test\r\nAction: relayed\r\n"));
}

#[tokio::test]
async fn mail_for_a_domain_that_became_ours_is_delivered_here() {
    let office = office().await;
    office.accept(&["carl@else.test", "dora@else.test"], Notify::default()).await;
    office.store.create_domain(DomainName::parse("else.test").unwrap()).await.unwrap();
    let carl = account(&office.store, "carl@else.test", None).await;
    office.delivery.run_due().await;
    assert_eq!(office.inbox(&carl), [format!("{RETURN_PATH}{MESSAGE}")]);
    assert_eq!(office.queued(), []);
    assert!(
        office.inbox(&office.anna)[0].contains("dora@else.test\r\nAction: failed\r\nStatus: 5.1.1")
    );
}

#[tokio::test]
async fn the_runner_wakes_by_itself_and_stops() {
    let office = office().await;
    let relay = relay("250 ok\r\n").await;
    office.use_smarthost(relay.port).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let runner = tokio::spawn(crate::queue::run(office.delivery.clone(), async {
        drop(stopped.await);
    }));
    let mut changed = office.store.watch_queue();
    office.accept(&["carl@else.test"], Notify::default()).await;
    changed.wait_for(|_| office.queued().is_empty()).await.unwrap();
    assert!(relay.log.lock().unwrap().contains("RCPT TO:<carl@else.test>"));
    stop.send(()).unwrap();
    runner.await.unwrap();
}

#[tokio::test]
async fn the_test_of_the_way_out_says_what_is_wrong() {
    let office = office().await;
    let relay = relay("250 ok\r\n").await;
    let test = async |outbound: &Outbound| {
        let test = office.delivery.test_outbound(outbound, None, None).await;
        (test.ok, test.stage, test.reason)
    };
    assert_eq!(test(&smarthost("localhost", relay.port)).await, (true, Stage::Done, Reason::Ok));
    assert!(!relay.log.lock().unwrap().contains("DATA"), "nothing is sent");
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = unused.local_addr().unwrap().port();
    drop(unused);
    let refused = (false, Stage::Connect, Reason::ConnectionRefused);
    assert_eq!(test(&smarthost("127.0.0.1", port)).await, refused);
    let mut with_tls = smarthost("127.0.0.1", relay.port);
    if let Outbound::Smarthost { tls, .. } = &mut with_tls {
        *tls = SmarthostTls::Starttls;
    }
    assert_eq!(test(&with_tls).await, (false, Stage::Tls, Reason::TlsFailed));
}

fn exchanger(port: u16) -> Peer {
    Peer {
        host: format!("mx{port}.else.test"),
        address: (Ipv4Addr::LOCALHOST, port).into(),
        tls: TlsUse::Opportunistic,
        is_verified: false,
        credentials: None,
        hello: "mail.office.test".to_owned(),
        patience: Patience::Standard,
    }
}

#[tokio::test]
async fn the_next_exchanger_is_asked_and_broken_tls_is_done_without() {
    let office = office().await;
    let relay = relay("250 ok\r\n").await;
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = unused.local_addr().unwrap().port();
    drop(unused);
    let accepted = office.accept(&["carl@else.test"], Notify::default()).await;
    let entry = office.store.queue_entry(accepted.queue_id.unwrap()).unwrap().unwrap();
    let peers = [exchanger(dead), exchanger(relay.port)];
    let outcomes = office.delivery.attempt_peers(&entry, &peers, &[0]).await;
    assert!(matches!(outcomes[0].verdict, Verdict::Delivered { .. }), "{outcomes:?}");
    assert_eq!(outcomes[0].host, Some(peers[1].host.clone()));
    let log = relay.log.lock().unwrap().clone();
    assert_eq!((log.matches("EHLO").count(), log.matches("STARTTLS").count()), (2, 1), "{log}");
    let outcomes = office.delivery.attempt_peers(&entry, &peers[..1], &[0]).await;
    assert!(matches!(outcomes[0].verdict, Verdict::Temporary(_)), "{outcomes:?}");
}

#[tokio::test]
async fn an_exchanger_that_is_ourselves_ends_the_circle() {
    let office = office().await;
    let relay = relay("250 ok\r\n").await;
    let hostname = |settings: &mut store::Settings| "Relay.test".clone_into(&mut settings.hostname);
    office.store.update_settings(Box::new(hostname)).await.unwrap();
    let accepted = office.accept(&["carl@else.test"], Notify::default()).await;
    let entry = office.store.queue_entry(accepted.queue_id.unwrap()).unwrap().unwrap();
    let peer = Peer { tls: TlsUse::Opportunistic, ..exchanger(relay.port) };
    let outcomes = office.delivery.attempt_peers(&entry, &[peer], &[0]).await;
    let Verdict::Permanent(word) = &outcomes[0].verdict else { panic!("{outcomes:?}") };
    assert_eq!(word.status, "5.4.6");
    assert!(!relay.log.lock().unwrap().contains("MAIL"));
}

#[tokio::test]
async fn an_international_address_needs_a_relay_that_takes_it() {
    let office = office().await;
    let relay = relay("250 ok\r\n").await;
    office.use_smarthost(relay.port).await;
    office.accept(&["jörg@else.test"], Notify::default()).await;
    office.delivery.run_due().await;
    let inbox = office.inbox(&office.anna);
    assert!(inbox[0].contains("Final-Recipient: utf-8; j\\x{F6}rg@else.test\r\n"), "{}", inbox[0]);
    assert!(inbox[0].contains("Status: 5.6.7\r\n"));
    assert!(!relay.log.lock().unwrap().contains("MAIL"));
}

/// A name server that knows a few names; everything else does not exist.
async fn name_server() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut packet = [0; 1500];
        while let Ok((len, from)) = socket.recv_from(&mut packet).await {
            socket.send_to(&answer(&packet[..len]), from).await.unwrap();
        }
    });
    address
}

/// RFC 1035 §4.1: the question comes back with what is known of it.
fn answer(query: &[u8]) -> Vec<u8> {
    let mut at = 12;
    let mut name = String::new();
    while query[at] != 0 {
        let len = usize::from(query[at]);
        name.push_str(std::str::from_utf8(&query[at + 1..=at + len]).unwrap());
        name.push('.');
        at += len + 1;
    }
    let kind = query[at + 2];
    let question = &query[12..at + 5];
    let record: Option<Vec<u8>> = match (name.to_lowercase().as_str(), kind) {
        ("mx.test.", 15) => Some(b"\0\x0a\x02m1\x02mx\x04test\0".to_vec()),
        ("null.test.", 15) => Some(b"\0\0\0".to_vec()),
        ("m1.mx.test." | "plain.test.", 1) => Some(vec![192, 0, 2, 7]),
        _ => None,
    };
    let exists =
        record.is_some() || matches!(name.as_str(), "m1.mx.test." | "plain.test." | "empty.test.");
    let mut out = query[..2].to_vec();
    out.extend([0x81, if exists { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(record.is_some())]);
    out.extend([0, 0, 0, 0]);
    out.extend(question);
    if let Some(record) = record {
        out.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0]);
        out.push(u8::try_from(record.len()).unwrap());
        out.extend(record);
    }
    out
}

#[tokio::test]
async fn hosts_are_found_by_mx_and_by_address() {
    let office = office().await;
    office.delivery.set_network_dns(vec![name_server().await]);
    let route = async |domain: &str| {
        let domain = DomainName::parse(domain).unwrap();
        match office.delivery.route_domain(&domain).await {
            Ok(peers) => peers.iter().map(|p| format!("{} {}", p.host, p.address)).collect(),
            Err(no) => vec![format!("{} {}", no.is_permanent, no.word.status)],
        }
    };
    assert_eq!(route("mx.test").await, ["m1.mx.test 192.0.2.7:25"]);
    assert_eq!(route("plain.test").await, ["plain.test 192.0.2.7:25"]);
    assert_eq!(route("null.test").await, ["true 5.1.10"]);
    assert_eq!(route("empty.test").await, ["true 5.4.4"]);
    assert_eq!(route("nowhere.test").await, ["true 5.1.2"]);
    assert_eq!(route("[192.0.2.9]").await, ["[192.0.2.9] 192.0.2.9:25"]);
    assert_eq!(route("[IPv6:2001:db8::1]").await, ["[ipv6:2001:db8::1] [2001:db8::1]:25"]);
}

#[tokio::test]
async fn a_clock_that_jumps_neither_bounces_young_mail_nor_forgets_it() {
    const TEN_YEARS: i64 = 3_653 * 86_400;
    let office = office().await;
    let relay = relay("450 4.2.0 busy\r\n").await;
    office.use_smarthost(relay.port).await;
    office.accept(&["carl@else.test"], Notify::default()).await;
    office.clock.advance(TEN_YEARS);
    office.delivery.run_due().await;
    assert_eq!(
        office.queued(),
        [("Pending".to_owned(), 1)],
        "minutes old, whatever the clock says"
    );
    office.clock.advance(-TEN_YEARS);
    *relay.reply.lock().unwrap() = "250 ok\r\n";
    office.delivery.run_due().await;
    assert_eq!(office.queued(), [], "what waits for a time ten years ahead is tried");
}

#[tokio::test]
async fn a_dead_destination_rests_and_the_next_entry_does_not_wait_for_it() {
    let destination = crate::route::Destination::Domain(DomainName::parse("dead.test").unwrap());
    let resting = crate::rest::Resting::default();
    assert!(resting.word(&destination).is_none());
    resting.begin(destination.clone(), crate::client::Word::ours("4.4.1", "no answer"));
    assert_eq!(resting.word(&destination).unwrap().status, "4.4.1");
    resting.clear();
    assert!(resting.word(&destination).is_none());
}
