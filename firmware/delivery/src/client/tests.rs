//! The client against a server that plays a part: replies, refusals, lost connections, TLS.

use std::sync::{Arc, Mutex};

use base::Address;
use store::Notify;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::outbound::Reason;

/// What the server does: to a line that begins with the first text it answers with the second.
/// `DROP` closes the connection, `TLS` is 220 and a handshake.
type Part = &'static [(&'static str, &'static str)];

const EHLO: (&str, &str) = ("EHLO", "250-mx.test hello\r\n250-PIPELINING\r\n250 DSN\r\n");
const OK: [(&str, &str); 4] = [
    ("MAIL", "250 2.1.0 ok\r\n"),
    ("RCPT TO:<no", "550 5.1.1 who?\r\n"),
    ("RCPT TO:<later", "450 4.2.0 later\r\n"),
    ("RCPT", "250 2.1.5 ok\r\n"),
];

fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["mx.test".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Arc::new(config).into()
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// Answers one connection as `part` says; returns what came in.
async fn play(
    listener: TcpListener,
    greeting: &'static str,
    part: Vec<(&'static str, &'static str)>,
    log: Arc<Mutex<String>>,
) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream: BufReader<Box<dyn Duplex>> = BufReader::new(Box::new(stream));
    if greeting == "IMPLICIT" {
        let tls = acceptor().accept(stream.into_inner()).await;
        let Ok(tls) = tls else { return };
        stream = BufReader::new(Box::new(tls));
        stream.write_all(b"220 mx.test ready\r\n").await.unwrap();
    } else {
        stream.write_all(greeting.as_bytes()).await.unwrap();
    }
    let mut in_data = false;
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        log.lock().unwrap().push_str(&line);
        let key = if in_data { "." } else { line.as_str() };
        if in_data && line != ".\r\n" {
            continue;
        }
        let answer = part.iter().find(|(begin, _)| key.starts_with(begin)).map(|(_, a)| *a);
        match answer {
            Some("DROP") => return,
            Some("TLS") => {
                stream.write_all(b"220 go\r\n").await.unwrap();
                let Ok(tls) = acceptor().accept(stream.into_inner()).await else { return };
                stream = BufReader::new(Box::new(tls));
            }
            Some(answer) => {
                in_data = answer.starts_with("354");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            None => stream.write_all(b"502 5.5.1 unknown\r\n").await.unwrap(),
        }
    }
}

struct Scene {
    peer: Peer,
    log: Arc<Mutex<String>>,
    server: tokio::task::JoinHandle<()>,
}

async fn scene(greeting: &'static str, parts: &[Part]) -> Scene {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let log = Arc::new(Mutex::new(String::new()));
    let server = tokio::spawn(play(listener, greeting, parts.concat(), log.clone()));
    let peer = Peer {
        host: "mx.test".to_owned(),
        address,
        tls: TlsUse::Opportunistic,
        is_verified: false,
        credentials: None,
        hello: "mail.office.test".to_owned(),
        patience: Patience::Standard,
    };
    Scene { peer, log, server }
}

const GREETING: &str = "220 mx.test ESMTP\r\n";

fn tls() -> TlsClient {
    TlsClient::new().unwrap()
}

/// Sends `content` to `recipients`; the verdicts as words, and what the server saw.
async fn send(scene: Scene, recipients: &[&str], content: &'static [u8]) -> (Vec<String>, String) {
    let addresses: Vec<Address> = recipients.iter().map(|r| Address::parse(r).unwrap()).collect();
    let notify = Notify { success: true, ..Notify::default() };
    let to = |address| To { address, orcpt: Some("rfc822;a+b@c.test"), notify };
    let sender = Address::parse("anna@office.test").unwrap();
    let read = |offset: u64, len: usize| {
        let from = usize::try_from(offset).unwrap();
        // Small pieces, so that line ends are cut in the middle.
        Ok(content[from..content.len().min(from + len.min(3))].to_vec())
    };
    let mail = Transaction {
        reverse_path: Some(&sender),
        recipients: addresses.iter().map(to).collect(),
        size: 100,
        is_8bit: true,
        needs_smtputf8: false,
        ret: Some(store::Ret::Headers),
        envid: Some("e 1"),
        content: &read,
    };
    let mut client = Client::open(&scene.peer, &tls()).await.unwrap();
    let verdicts = client.send(&mail).await;
    let shown = match verdicts {
        Ok(verdicts) => verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Delivered { reply, dsn_passed } => {
                    format!("delivered {reply} {dsn_passed}")
                }
                Verdict::Temporary(word) => format!("temporary {}", word.status),
                Verdict::Permanent(word) => format!("permanent {}", word.status),
            })
            .collect(),
        Err(err) => vec![format!("broken {:?}", err.stage)],
    };
    client.quit().await;
    scene.server.await.unwrap();
    let log = scene.log.lock().unwrap().clone();
    (shown, log)
}

#[tokio::test]
async fn each_recipient_gets_its_own_verdict() {
    let part: Part =
        &[EHLO, ("DATA", "354 go\r\n"), (".", "250 2.0.0 queued\r\n"), ("QUIT", "DROP")];
    let scene = scene(GREETING, &[part, &OK]).await;
    let to = ["yes@x.test", "no@x.test", "later@x.test"];
    let (verdicts, log) = send(scene, &to, b"Subject: x\r\n\r\n.dot\nbare\rcr\xe4\n..").await;
    assert_eq!(verdicts, ["delivered 250 2.0.0 queued true", "permanent 5.1.1", "temporary 4.2.0"]);
    let wanted = "EHLO mail.office.test\r\n\
        MAIL FROM:<anna@office.test> RET=HDRS ENVID=e+201\r\n\
        RCPT TO:<yes@x.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@c.test\r\n\
        RCPT TO:<no@x.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@c.test\r\n\
        RCPT TO:<later@x.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@c.test\r\n\
        DATA\r\n";
    assert!(log.starts_with(wanted), "{log}");
}

#[tokio::test]
async fn what_goes_out_has_clean_line_ends_and_stuffed_dots() {
    let part: Part =
        &[EHLO, ("DATA", "354 go\r\n"), (".", "250 2.0.0 queued\r\n"), ("QUIT", "DROP")];
    let scene = scene(GREETING, &[part, &OK]).await;
    let (_, log) = send(scene, &["yes@x.test"], b"Subject: x\n\n.\r\n.dot\nbare\rcr\n..").await;
    let data = log.split_once("DATA\r\n").unwrap().1;
    assert_eq!(data, "Subject: x\r\n\r\n..\r\n..dot\r\nbare\r\ncr\r\n...\r\n.\r\nQUIT\r\n");
}

#[tokio::test]
async fn refusals_and_losses_at_each_step() {
    let cases: [(Part, &str); 8] = [
        (&[EHLO, ("MAIL", "451 4.3.0 no\r\n"), ("RCPT", "503 x\r\n")], "temporary 4.3.0"),
        (&[EHLO, ("MAIL", "550 5.7.1 no\r\n"), ("RCPT", "503 x\r\n")], "permanent 5.7.1"),
        (&[EHLO, ("MAIL", "DROP")], "broken Sender"),
        (&[EHLO, ("MAIL", "250 ok\r\n"), ("RCPT", "552 many\r\n")], "temporary 4.0.0"),
        (
            &[EHLO, ("MAIL", "250 ok\r\n"), ("RCPT", "250 ok\r\n"), ("DATA", "DROP")],
            "temporary 4.4.2",
        ),
        (
            &[EHLO, ("MAIL", "250 ok\r\n"), ("RCPT", "250 ok\r\n"), ("DATA", "554 5.6.0 no\r\n")],
            "permanent 5.6.0",
        ),
        (
            &[
                EHLO,
                ("MAIL", "250 ok\r\n"),
                ("RCPT", "250 ok\r\n"),
                ("DATA", "354 go\r\n"),
                (".", "DROP"),
            ],
            "temporary 4.4.2",
        ),
        (&[("EHLO", "250-x\r\n250 SIZE 99\r\n"), ("QUIT", "DROP")], "permanent 5.3.4"),
    ];
    for (part, wanted) in cases {
        let scene = scene(GREETING, &[part, &[("QUIT", "DROP")]]).await;
        let (verdicts, log) = send(scene, &["yes@x.test"], b"x").await;
        assert_eq!(verdicts, [wanted], "{part:?} {log}");
    }
}

#[tokio::test]
async fn helo_where_ehlo_is_unknown_and_no_parameters_then() {
    let part: Part =
        &[("HELO", "250 mx\r\n"), ("DATA", "354\r\n"), (".", "250 ok\r\n"), ("QUIT", "DROP")];
    let scene = scene(GREETING, &[part, &OK]).await;
    let (verdicts, log) = send(scene, &["yes@x.test"], b"x").await;
    assert_eq!(verdicts, ["delivered 250 ok false"]);
    assert!(
        log.contains(
            "HELO mail.office.test\r\nMAIL FROM:<anna@office.test>\r\nRCPT TO:<yes@x.test>\r\n"
        ),
        "{log}"
    );
}

#[tokio::test]
async fn starttls_with_any_certificate_towards_an_exchanger() {
    let part: Part = &[
        ("EHLO", "250-mx.test\r\n250 STARTTLS\r\n"),
        ("STARTTLS", "TLS"),
        ("DATA", "354\r\n"),
        (".", "250 ok\r\n"),
        ("QUIT", "DROP"),
    ];
    let scene = scene(GREETING, &[part, &OK]).await;
    let (verdicts, log) = send(scene, &["yes@x.test"], b"x").await;
    assert_eq!(verdicts, ["delivered 250 ok false"]);
    assert_eq!(log.matches("EHLO").count(), 2, "EHLO again over TLS: {log}");
}

async fn opened(mut scene: Scene, change: impl FnOnce(&mut Peer)) -> (Option<Reason>, String) {
    change(&mut scene.peer);
    let outcome = match Client::open(&scene.peer, &tls()).await {
        Ok(client) => {
            client.quit().await;
            None
        }
        Err(err) => Some(err.reason()),
    };
    let log = scene.log.lock().unwrap().clone();
    (outcome, log)
}

fn login(peer: &mut Peer) {
    let (user, password) = ("anna".to_owned(), "secret".to_owned());
    peer.credentials = Some(Credentials { user, password });
}

#[tokio::test]
async fn the_way_to_the_login_and_its_reasons() {
    const TLS_OFFER: Part = &[
        ("EHLO", "250-mx.test\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS\r\n"),
        ("STARTTLS", "TLS"),
        ("AUTH PLAIN AGFubmEAc2VjcmV0", "235 2.7.0 ok\r\n"),
        ("QUIT", "DROP"),
    ];
    const LOGIN: Part = &[
        ("EHLO", "250-mx.test\r\n250 AUTH=LOGIN\r\n"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
        ("YW5uYQ==", "334 UGFzc3dvcmQ6\r\n"),
        ("c2VjcmV0", "535 5.7.8 wrong\r\n"),
    ];
    let required = |peer: &mut Peer| {
        login(peer);
        peer.tls = TlsUse::Starttls;
    };
    let verified = |peer: &mut Peer| {
        peer.tls = TlsUse::Starttls;
        peer.is_verified = true;
    };
    let implicit = |peer: &mut Peer| peer.tls = TlsUse::Implicit;
    assert_eq!(opened(scene(GREETING, &[TLS_OFFER]).await, required).await.0, None);
    let (reason, log) = opened(scene(GREETING, &[TLS_OFFER]).await, verified).await;
    assert_eq!(reason, Some(Reason::CertificateNotTrusted));
    assert!(!log.contains("AUTH"), "no word to a stranger: {log}");
    assert_eq!(opened(scene(GREETING, &[LOGIN]).await, login).await.0, Some(Reason::WrongPassword));
    let (reason, log) = opened(scene(GREETING, &[LOGIN]).await, required).await;
    assert_eq!((reason, log.contains("AUTH")), (Some(Reason::TlsNotOffered), false));
    assert_eq!(
        opened(scene(GREETING, &[&[EHLO]]).await, login).await.0,
        Some(Reason::AuthNotOffered)
    );
    let quit: Part = &[EHLO, ("QUIT", "DROP")];
    assert_eq!(opened(scene("IMPLICIT", &[quit]).await, implicit).await.0, None);
    // TLS towards a port that speaks plainly.
    assert_eq!(opened(scene(GREETING, &[]).await, implicit).await.0, Some(Reason::TlsFailed));
    assert_eq!(
        opened(scene("HTTP/1.1 400 Bad\r\n", &[]).await, |_| {}).await.0,
        Some(Reason::NotSmtp)
    );
    assert_eq!(
        opened(scene("554 5.7.1 go away\r\n", &[]).await, |_| {}).await.0,
        Some(Reason::Rejected)
    );
}

#[tokio::test]
async fn a_password_never_crosses_a_network_in_the_clear() {
    let mut scene = scene(GREETING, &[]).await;
    login(&mut scene.peer);
    scene.peer.tls = TlsUse::Never;
    scene.peer.address = "192.0.2.1:25".parse().unwrap();
    let err = Client::open(&scene.peer, &tls()).await.unwrap_err();
    assert_eq!((err.stage, err.reason()), (Stage::Settings, Reason::PasswordNeedsTls));
    scene.server.abort();
}

#[test]
fn own_networks_need_no_public_certificate() {
    for (address, wanted) in [
        ("127.0.0.1", false),
        ("192.168.1.5", false),
        ("10.0.0.1", false),
        ("::1", false),
        ("fd00::1", false),
        ("192.0.2.1", true),
        ("2001:db8::1", true),
    ] {
        assert_eq!(needs_certificate(address.parse().unwrap()), wanted, "{address}");
    }
}
