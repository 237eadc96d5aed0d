//! One request and its answer: HTTP/1.1 over a connection of its own. Nothing is followed, nothing is kept.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};
use store::{AuditEvent, Webhook};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::attempts::Attempt;
use crate::target::{Target, TargetError};
use crate::{Lookup, Shared, sign};

/// From the look-up to the end of the answer.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(15);
/// Bytes of an answer.
const ANSWER_MAX: usize = 16 * 1024;
/// Bytes of the head of an answer.
const HEAD_MAX: usize = 32 * 1024;
/// Addresses of a host that are tried.
const ADDRESSES_MAX: usize = 4;
const AGENT: &str = concat!("Postroom/", env!("CARGO_PKG_VERSION"));

/// Why there was no answer, in stable words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The URL is none that may be called.
    Url,
    /// The host has no address, or nobody could be asked.
    Dns,
    /// Nobody answers there.
    Connect,
    /// No TLS, or a certificate that does not hold.
    Tls,
    /// It took too long.
    Timeout,
    /// What came back is no answer of HTTP, or too much of it.
    AnswerInvalid,
}

/// Why there was no answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    reason: Reason,
    detail: String,
}

fn failed(reason: Reason, detail: impl std::fmt::Display) -> Failure {
    Failure { reason, detail: detail.to_string() }
}

/// What a hook said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// One call of a hook.
pub(crate) struct Call<'e> {
    /// The same in each attempt.
    pub(crate) id: &'e str,
    pub(crate) event: &'e AuditEvent,
    pub(crate) body: Vec<u8>,
    pub(crate) seq: Option<u64>,
    pub(crate) attempt: u32,
    pub(crate) time_max: Duration,
}

/// Sends requests.
pub(crate) struct Sender {
    lookup: Lookup,
    own_ports: Vec<u16>,
    tls: Option<TlsConnector>,
}

fn connector() -> Result<TlsConnector, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

impl Sender {
    pub(crate) fn new(lookup: Lookup, own_ports: Vec<u16>) -> Self {
        let tls = connector().inspect_err(|err| {
            tracing::error!(%err, "TLS towards webhooks could not be set up");
        });
        Self { lookup, own_ports, tls: tls.ok() }
    }

    /// Takes a URL apart; one whose host is an address is checked whole.
    pub(crate) fn target(&self, url: &str) -> Result<Target, TargetError> {
        let target = Target::parse(url)?;
        let address = if target.host.eq_ignore_ascii_case("localhost") {
            Ok(IpAddr::from([127, 0, 0, 1]))
        } else {
            target.host.parse()
        };
        if let Ok(address) = address {
            target.may_be_at(address, &self.own_ports)?;
        }
        Ok(target)
    }

    async fn connect(&self, target: &Target) -> Result<TcpStream, Failure> {
        let found = match target.host.parse() {
            Ok(address) => Some(vec![address]),
            Err(_) => (self.lookup)(target.host.clone()).await,
        };
        let found = found.filter(|found| !found.is_empty());
        let none = || failed(Reason::Dns, format!("{} has no address", target.host));
        let mut last = none();
        for address in found.ok_or_else(none)?.into_iter().take(ADDRESSES_MAX) {
            if target.may_be_at(address, &self.own_ports).is_err() {
                last = failed(Reason::Url, format!("{address} may not be called this way"));
                continue;
            }
            match TcpStream::connect(SocketAddr::new(address, target.port)).await {
                Ok(stream) => return Ok(stream),
                Err(err) => last = failed(Reason::Connect, format!("{address}: {err}")),
            }
        }
        Err(last)
    }

    /// Sends a request and waits for its answer.
    async fn post(&self, hook: &Webhook, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let target = self.target(&hook.url);
        let target = target.map_err(|_| failed(Reason::Url, "this URL may not be called"))?;
        let stream = self.connect(&target).await?;
        if !target.is_tls {
            return Box::pin(exchange(stream, request)).await;
        }
        let tls = self.tls.as_ref().ok_or_else(|| failed(Reason::Tls, "there is no TLS"))?;
        let name = ServerName::try_from(target.host.clone());
        let name = name.map_err(|err| failed(Reason::Url, err))?;
        let stream = tls.connect(name, stream).await.map_err(|err| failed(Reason::Tls, err))?;
        Box::pin(exchange(stream, request)).await
    }
}

/// One request over a fresh connection.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let invalid = |err: &dyn std::fmt::Display| failed(Reason::AnswerInvalid, err);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|err| invalid(&err))?;
    let talking = async {
        let response = sender.send_request(request).await.map_err(|err| invalid(&err))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|err| invalid(&err))?.to_bytes();
        Ok(Answer { status, body })
    };
    // The connection does its work beside, and is dropped with the answer.
    tokio::select! {
        answer = talking => answer,
        ended = async {
            let ended = connection.await;
            match ended {
                // It ended well: what it read is still to be taken.
                Ok(()) => std::future::pending().await,
                Err(err) => err,
            }
        } => Err(invalid(&ended)),
    }
}

impl Shared {
    /// Calls a hook and keeps the attempt.
    pub(crate) async fn call(&self, hook: &Webhook, call: Call<'_>) -> (Attempt, Option<Answer>) {
        let Call { id, event, body, seq, attempt, time_max } = call;
        let (at, begun) = (self.clock.now(), Instant::now());
        let outcome = match request(hook, id, at, body) {
            Ok(request) => {
                let post = Box::pin(self.sender.post(hook, request));
                let late = || failed(Reason::Timeout, "no answer in time");
                timeout(time_max, post).await.unwrap_or_else(|_| Err(late()))
            }
            Err(failure) => Err(failure),
        };
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut kept = Attempt {
            at,
            event: event.action.clone(),
            seq,
            attempt,
            is_ok: false,
            status: None,
            error: None,
            detail: None,
            ms,
        };
        let answer = match outcome {
            Ok(answer) => {
                (kept.is_ok, kept.status) = (answer.is_ok(), Some(answer.status));
                if !kept.is_ok {
                    kept.detail = Some(plain(&answer.body));
                }
                Some(answer)
            }
            Err(failure) => {
                (kept.error, kept.detail) = (Some(failure.reason), Some(failure.detail));
                None
            }
        };
        self.keep(hook.id, kept.clone());
        (kept, answer)
    }
}

fn request(
    hook: &Webhook,
    id: &str,
    now: Timestamp,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, Failure> {
    let invalid = |_| failed(Reason::Url, "this URL may not be called");
    let target = Target::parse(&hook.url).map_err(invalid)?;
    let signature = sign::signatures(hook, id, now, &body);
    Request::builder()
        .method(Method::POST)
        .uri(target.path)
        .header(header::HOST, target.authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, AGENT)
        .header(header::CONNECTION, "close")
        .header("webhook-id", id)
        .header("webhook-timestamp", now.secs().to_string())
        .header("webhook-signature", signature)
        .body(Full::new(Bytes::from(body)))
        .map_err(|err| failed(Reason::Url, err))
}

/// The beginning of an answer as one line of plain text.
pub(crate) fn plain(body: &[u8]) -> String {
    const CHARS_MAX: usize = 300;
    let text = String::from_utf8_lossy(body);
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(CHARS_MAX).collect::<String>().trim().to_owned()
}
