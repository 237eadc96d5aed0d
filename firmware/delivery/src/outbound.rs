//! The test of the way out for the wizard and the admin page: everything short of sending.
//!
//! The answer is codes; the plain words in five languages are the web UI's.

use std::time::Duration;

use base::{Address, DomainName};
use serde::Serialize;
use store::Outbound;

use crate::Delivery;
use crate::client::{Client, Patience, Peer};

/// A domain whose mail hosts answer everybody: can the outside be reached on port 25?
const PROBE_DOMAIN: &str = "gmail.com";
/// The whole test takes no longer.
const TEST_TIMEOUT: Duration = Duration::from_secs(40);
/// Addresses that are tried; somebody waits for the answer.
const TEST_PEERS_MAX: usize = 3;

/// How far the test came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The settings themselves.
    Settings,
    /// Name to address.
    Resolve,
    /// TCP connection.
    Connect,
    /// The other side's 220.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS or TLS.
    Tls,
    /// AUTH.
    Login,
    /// MAIL FROM.
    Sender,
    /// All of it.
    Done,
}

/// Why it did not come further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// All is well.
    Ok,
    /// A password and no TLS, outside the loopback: refused by us.
    PasswordNeedsTls,
    /// No such name.
    NameNotFound,
    /// The name servers did not answer.
    DnsFailed,
    /// The domain of the probe takes no mail (RFC 7505).
    DomainTakesNoMail,
    /// Nobody listens there.
    ConnectionRefused,
    /// No way there.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// What answered does not speak SMTP.
    NotSmtp,
    /// The other side sent us away at once (4yz, 5yz or closed the connection).
    Rejected,
    /// The other side offers no STARTTLS.
    TlsNotOffered,
    /// The TLS handshake failed.
    TlsFailed,
    /// The certificate is not trusted.
    CertificateNotTrusted,
    /// The other side offers no login that we know.
    AuthNotOffered,
    /// User name or password is wrong.
    WrongPassword,
    /// The other side wants a login.
    LoginRequired,
    /// The other side does not take mail from this sender.
    SenderRefused,
    /// The connection was lost.
    ConnectionLost,
}

/// What [`Delivery::test_outbound`] found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutboundTest {
    /// Mail can go out.
    pub ok: bool,
    /// How far it came.
    pub stage: Stage,
    /// Why not further.
    pub reason: Reason,
    /// The other side's words or the system's, English, one line, without secrets.
    pub detail: String,
    /// Who was asked: `mail.example.net:587`.
    pub host: String,
}

impl Delivery {
    /// Connects as `outbound` says and does everything up to MAIL FROM and RSET; nothing is sent.
    ///
    /// `sender` stands in MAIL FROM (else `postmaster@` our host name). With [`Outbound::Direct`]
    /// the mail host of `probe` is asked, by default a large provider's.
    pub async fn test_outbound(
        &self,
        outbound: &Outbound,
        sender: Option<&Address>,
        probe: Option<&DomainName>,
    ) -> OutboundTest {
        let test = Box::pin(self.test_route(outbound, sender, probe));
        tokio::time::timeout(TEST_TIMEOUT, test).await.unwrap_or_else(|_| OutboundTest {
            ok: false,
            stage: Stage::Connect,
            reason: Reason::Timeout,
            detail: "no answer in time".to_owned(),
            host: asked_host(outbound, probe),
        })
    }

    async fn test_route(
        &self,
        outbound: &Outbound,
        sender: Option<&Address>,
        probe: Option<&DomainName>,
    ) -> OutboundTest {
        let peers = match (outbound, probe) {
            (Outbound::Smarthost { .. }, _) => self.route_smarthost(outbound).await,
            (Outbound::Direct, Some(domain)) => self.route_domain(domain).await,
            (Outbound::Direct, None) => match DomainName::parse(PROBE_DOMAIN) {
                Ok(domain) => self.route_domain(&domain).await,
                Err(_) => Ok(Vec::new()),
            },
        };
        let peers = match peers {
            Ok(peers) => peers,
            Err(no) => {
                return OutboundTest {
                    ok: false,
                    stage: Stage::Resolve,
                    reason: no.reason,
                    detail: no.word.text,
                    host: asked_host(outbound, probe),
                };
            }
        };
        let default_sender = format!("postmaster@{}", self.hostname());
        let sender = sender.map_or(default_sender, Address::to_string);
        // Of several addresses the furthest result counts: it is the one nearest to the trouble.
        let mut best: Option<OutboundTest> = None;
        for peer in peers.iter().take(TEST_PEERS_MAX) {
            let test = self.test_peer(peer, &sender).await;
            if test.ok {
                return test;
            }
            if best.as_ref().is_none_or(|b| b.stage < test.stage) {
                best = Some(test);
            }
        }
        best.unwrap_or_else(|| OutboundTest {
            ok: false,
            stage: Stage::Resolve,
            reason: Reason::NameNotFound,
            detail: "no address".to_owned(),
            host: asked_host(outbound, probe),
        })
    }

    async fn test_peer(&self, peer: &Peer, sender: &str) -> OutboundTest {
        let host = format!("{}:{}", peer.host, peer.address.port());
        let failed = |stage, reason, detail: String| OutboundTest {
            ok: false,
            stage,
            reason,
            detail,
            host: host.clone(),
        };
        let Some(tls) = self.tls() else {
            return failed(Stage::Tls, Reason::TlsFailed, "TLS could not be set up".to_owned());
        };
        let peer = Peer { patience: Patience::Short, ..peer.clone() };
        let mut client = match Box::pin(Client::open(&peer, tls)).await {
            Ok(client) => client,
            Err(err) => return failed(err.stage, err.reason(), err.to_string()),
        };
        let outcome = client.try_sender(sender).await;
        client.quit().await;
        match outcome {
            Ok(()) => OutboundTest {
                ok: true,
                stage: Stage::Done,
                reason: Reason::Ok,
                detail: String::new(),
                host,
            },
            Err(err) => failed(err.stage, err.reason(), err.to_string()),
        }
    }
}

/// Whom the settings name.
fn asked_host(outbound: &Outbound, probe: Option<&DomainName>) -> String {
    match outbound {
        Outbound::Smarthost { host, port, .. } => format!("{host}:{port}"),
        Outbound::Direct => probe.map_or(PROBE_DOMAIN, DomainName::as_str).to_owned(),
    }
}
