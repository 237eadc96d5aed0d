//! The ports 443 and 80 as a client of flesh meets them: real sockets, TLS, a full house, the end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base::{Tier, TierBudget};
use testkit::client::{PATIENCE, Wire, over_tls};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::office::Office;

struct Ports {
    office: Office,
    https: SocketAddr,
    http: SocketAddr,
    servers: Vec<JoinHandle<()>>,
}

async fn ports(connections_max: u32) -> Ports {
    let mut budget = TierBudget::of(Tier::OneGb);
    budget.connections_anonymous_max = connections_max;
    let office = Office::with(None, budget).await;
    let https = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = (https.local_addr().unwrap(), http.local_addr().unwrap());
    let servers = vec![
        tokio::spawn(office.web.clone().serve_https(https)),
        tokio::spawn(office.web.clone().serve_http(http)),
    ];
    Ports { office, https: at.0, http: at.1, servers }
}

fn plain(to: SocketAddr) -> Box<dyn Wire> {
    let tcp = TcpStream::connect(to).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    Box::new(tcp)
}

/// Says something and reads one answer's head and what came with it; nothing if the server hung up first.
fn exchange(wire: &mut Box<dyn Wire>, words: &str) -> String {
    let mut answer = Vec::new();
    if wire.write_all(words.as_bytes()).and_then(|()| wire.flush()).is_err() {
        return String::new();
    }
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 4096];
        match wire.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(n) => answer.extend_from_slice(&piece[..n]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

const STATE: &str = "GET /api/state HTTP/1.1\r\nHost: box.test\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_says_so() {
    let ports = ports(1).await;
    let (https, http) = (ports.https, ports.http);
    tokio::task::spawn_blocking(move || {
        let mut first = over_tls(plain(https)).unwrap();
        assert!(exchange(&mut first, STATE).starts_with("HTTP/1.1 200 OK"), "the one place");
        let mut second = over_tls(plain(https)).unwrap();
        let refusal = exchange(&mut second, STATE);
        assert!(refusal.starts_with("HTTP/1.1 503 "), "{refusal}");
        let refusal = exchange(&mut plain(http), STATE);
        assert!(refusal.starts_with("HTTP/1.1 503 "), "{refusal}");
        assert!(exchange(&mut first, STATE).starts_with("HTTP/1.1 200 OK"), "who is in stays");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_clients_are_told_and_sent_away() {
    let ports = ports(100).await;
    let (https, http) = (ports.https, ports.http);
    tokio::task::spawn_blocking(move || {
        let said = |words: &str| exchange(&mut over_tls(plain(https)).unwrap(), words);
        let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
        let cut_off = said(&long);
        assert!(cut_off.is_empty() || cut_off.starts_with("HTTP/1.1 431 "), "{cut_off}");
        let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(100));
        assert!(said(&many).starts_with("HTTP/1.1 431 "));
        assert!(said("EHLO there\r\n\r\n").starts_with("HTTP/1.1 400 "));
        let smuggled = "POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\
            Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n";
        assert!(said(smuggled).starts_with("HTTP/1.1 400 "));
        // HTTPS spoken to port 80, HTTP to port 443: an answer or an alert, and the end.
        let hello = exchange(&mut plain(http), "\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n");
        assert!(hello.starts_with("HTTP/1.1 400 "), "{hello}");
        let alert = exchange(&mut plain(https), STATE);
        assert!(alert.starts_with('\u{15}'), "a TLS alert: {alert:?}");
        let there = exchange(&mut plain(http), "GET /setup HTTP/1.1\r\nHost: box.test\r\n\r\n");
        assert!(there.contains("\r\nlocation: https://box.test:8443/setup\r\n"), "{there}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_daemon_is_the_end_of_idle_connections() {
    let ports = ports(100).await;
    let https = ports.https;
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let client = tokio::task::spawn_blocking(move || {
        let mut idle = over_tls(plain(https)).unwrap();
        exchange(&mut idle, STATE);
        ready.send(()).unwrap();
        let mut rest = Vec::new();
        // With or without a goodbye: what counts is that the wait is over.
        idle.read_to_end(&mut rest).map_or(0, |_| rest.len())
    });
    is_ready.await.unwrap();
    ports.office.web.ctx().shutdown.cancel();
    let limit = Duration::from_secs(60);
    for server in ports.servers {
        tokio::time::timeout(limit, server).await.unwrap().unwrap();
    }
    let rest = tokio::time::timeout(limit, client).await.unwrap().unwrap();
    assert!(rest < 1000, "no second answer");
    while ports.office.web.ctx().admission.usage().connections > 0 {
        tokio::task::yield_now().await;
    }
}
