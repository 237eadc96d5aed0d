//! The SMTP client: one connection to one host, one transaction. RFC 5321, RFC 3207, RFC 4954,
//! RFC 2920, RFC 1870, RFC 6152, RFC 6531, RFC 3461.
//!
//! Never here: which host to ask, when to try again. Limits: a reply of 100 lines of 4 KB, the time
//! limits of RFC 5321 §4.5.3.2, 50 RCPT commands on the way at once.

mod error;
mod reply;
mod tls;
mod transaction;
mod wire;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use store::SmarthostTls;

pub(crate) use error::{Cause, ClientError};
pub(crate) use reply::Reply;
pub(crate) use tls::TlsClient;
pub(crate) use transaction::{NO_ANSWER, To, Transaction, Verdict, Word};

use crate::outbound::Stage;
use wire::Wire;

/// RFC 5321 §4.5.3.2.1 and following.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5 * 60);
const TLS_TIMEOUT: Duration = Duration::from_secs(60);
const QUIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Which TLS the connection gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsUse {
    /// STARTTLS where it is offered, any certificate (RFC 7435).
    Opportunistic,
    /// No TLS.
    Never,
    /// STARTTLS or nothing.
    Starttls,
    /// TLS from the first byte.
    Implicit,
}

impl From<SmarthostTls> for TlsUse {
    fn from(tls: SmarthostTls) -> Self {
        match tls {
            SmarthostTls::None => Self::Never,
            SmarthostTls::Starttls => Self::Starttls,
            SmarthostTls::Implicit => Self::Implicit,
        }
    }
}

/// User name and password.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

/// Whom to connect to, and how.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The name: for the certificate and for notices.
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
    pub(crate) tls: TlsUse,
    /// A certificate of a public authority for `host` is required; see [`needs_certificate`].
    pub(crate) is_verified: bool,
    pub(crate) credentials: Option<Credentials>,
    /// Our name.
    pub(crate) hello: String,
    /// Shortens the waits; for the test of the way out.
    pub(crate) patience: Patience,
}

/// How long to wait for the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As RFC 5321 says.
    Standard,
    /// At most 15 s a step: somebody sits in front of it.
    Short,
}

impl Patience {
    pub(crate) fn limit(self, standard: Duration) -> Duration {
        match self {
            Self::Standard => standard,
            Self::Short => standard.min(Duration::from_secs(15)),
        }
    }
}

/// True if a smarthost at `address` must show a certificate that a public authority signed: all but
/// those in the own network, which cannot have one.
pub(crate) fn needs_certificate(address: IpAddr) -> bool {
    !base::is_lan(address)
}

/// What EHLO offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) starttls: bool,
    pub(crate) pipelining: bool,
    pub(crate) eight_bit_mime: bool,
    pub(crate) smtputf8: bool,
    pub(crate) dsn: bool,
    /// `Some(0)`: no fixed limit (RFC 1870 §4).
    pub(crate) size: Option<u64>,
    pub(crate) auth_plain: bool,
    pub(crate) auth_login: bool,
}

impl Offer {
    /// RFC 5321 §4.1.1.1: one keyword a line, the first line greets.
    fn parse(reply: &Reply) -> Self {
        let mut offer = Self::default();
        for line in reply.lines().skip(1) {
            let line = line.to_ascii_uppercase();
            // `AUTH=LOGIN` is an old habit of some.
            let mut words = line.split([' ', '=']).filter(|w| !w.is_empty());
            match words.next() {
                Some("STARTTLS") => offer.starttls = true,
                Some("PIPELINING") => offer.pipelining = true,
                Some("8BITMIME") => offer.eight_bit_mime = true,
                Some("SMTPUTF8") => offer.smtputf8 = true,
                Some("DSN") => offer.dsn = true,
                Some("SIZE") => {
                    offer.size = Some(words.next().and_then(|w| w.parse().ok()).unwrap_or(0));
                }
                Some("AUTH") => {
                    for mechanism in words {
                        offer.auth_plain |= mechanism == "PLAIN";
                        offer.auth_login |= mechanism == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        offer
    }
}

/// A connection on which EHLO, TLS and the login are done.
#[derive(Debug)]
pub(crate) struct Client {
    wire: Wire,
    offer: Offer,
    patience: Patience,
    /// The name the other side greeted with.
    pub(crate) greeted_as: String,
}

impl Client {
    /// Connects and does everything before MAIL.
    pub(crate) async fn open(peer: &Peer, tls: &TlsClient) -> Result<Self, ClientError> {
        check_password_is_safe(peer)?;
        let limit = peer.patience.limit(CONNECT_TIMEOUT);
        let mut wire = Wire::connect(peer.address, limit).await?;
        if peer.tls == TlsUse::Implicit {
            wire.start_tls(tls, peer, peer.patience.limit(TLS_TIMEOUT)).await?;
        }
        wire.stage = Stage::Greeting;
        let greeting = wire.reply(peer.patience.limit(COMMAND_TIMEOUT)).await?;
        if greeting.code() != 220 {
            return Err(wire.refused(greeting));
        }
        let greeted_as = greeting.lines().next().and_then(|l| l.split(' ').next()).unwrap_or("");
        let greeted_as = greeted_as.to_ascii_lowercase();
        let offer = Offer::default();
        let mut client = Self { wire, offer, patience: peer.patience, greeted_as };
        client.hello(&peer.hello).await?;
        let wants_starttls = match peer.tls {
            TlsUse::Starttls => true,
            TlsUse::Opportunistic => client.offer.starttls,
            TlsUse::Never | TlsUse::Implicit => false,
        };
        if wants_starttls {
            client.starttls(peer, tls).await?;
            client.hello(&peer.hello).await?;
        }
        if let Some(credentials) = &peer.credentials {
            client.login(credentials).await?;
        }
        Ok(client)
    }

    async fn command(&mut self, stage: Stage, line: &str) -> Result<Reply, ClientError> {
        self.wire.stage = stage;
        let limit = self.patience.limit(COMMAND_TIMEOUT);
        self.wire.send(format!("{line}\r\n").as_bytes(), limit).await?;
        self.wire.reply(limit).await
    }

    /// EHLO, and HELO where that is not known (RFC 5321 §3.2).
    async fn hello(&mut self, name: &str) -> Result<(), ClientError> {
        let reply = self.command(Stage::Hello, &format!("EHLO {name}")).await?;
        if reply.is_positive() {
            self.offer = Offer::parse(&reply);
            return Ok(());
        }
        if !matches!(reply.code(), 500..=504 | 550) {
            return Err(self.wire.refused(reply));
        }
        self.offer = Offer::default();
        let reply = self.command(Stage::Hello, &format!("HELO {name}")).await?;
        if reply.is_positive() { Ok(()) } else { Err(self.wire.refused(reply)) }
    }

    /// RFC 3207 §4.
    async fn starttls(&mut self, peer: &Peer, tls: &TlsClient) -> Result<(), ClientError> {
        self.wire.stage = Stage::Tls;
        if !self.offer.starttls {
            return Err(self.wire.failed(Cause::TlsNotOffered));
        }
        let reply = self.command(Stage::Tls, "STARTTLS").await?;
        if reply.code() != 220 {
            return Err(self.wire.refused(reply));
        }
        self.wire.start_tls(tls, peer, self.patience.limit(TLS_TIMEOUT)).await
    }

    /// RFC 4954, PLAIN (RFC 4616) or the older LOGIN.
    async fn login(&mut self, credentials: &Credentials) -> Result<(), ClientError> {
        self.wire.stage = Stage::Login;
        let Credentials { user, password } = credentials;
        let reply = if self.offer.auth_plain {
            let response = STANDARD.encode(format!("\0{user}\0{password}"));
            self.command(Stage::Login, &format!("AUTH PLAIN {response}")).await?
        } else if self.offer.auth_login {
            let mut reply = self.command(Stage::Login, "AUTH LOGIN").await?;
            for answer in [user, password] {
                if reply.code() != 334 {
                    return Err(self.wire.refused(reply));
                }
                reply = self.command(Stage::Login, &STANDARD.encode(answer)).await?;
            }
            reply
        } else {
            return Err(self.wire.failed(Cause::AuthNotOffered));
        };
        if reply.code() == 235 { Ok(()) } else { Err(self.wire.refused(reply)) }
    }

    /// MAIL and RSET, for the test of the way out: would this sender be taken?
    pub(crate) async fn try_sender(&mut self, sender: &str) -> Result<(), ClientError> {
        let reply = self.command(Stage::Sender, &format!("MAIL FROM:<{sender}>")).await?;
        if !reply.is_positive() {
            return Err(self.wire.refused(reply));
        }
        self.command(Stage::Sender, "RSET").await?;
        Ok(())
    }

    /// Says goodbye; whatever comes of it changes nothing any more.
    pub(crate) async fn quit(mut self) {
        if self.wire.send(b"QUIT\r\n", QUIT_TIMEOUT).await.is_ok() {
            drop(self.wire.reply(QUIT_TIMEOUT).await);
        }
    }
}

/// A password never crosses a network in the clear.
fn check_password_is_safe(peer: &Peer) -> Result<(), ClientError> {
    let is_clear = matches!(peer.tls, TlsUse::Never | TlsUse::Opportunistic);
    if peer.credentials.is_some() && is_clear && !peer.address.ip().is_loopback() {
        return Err(ClientError { stage: Stage::Settings, cause: Cause::PasswordNeedsTls });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
