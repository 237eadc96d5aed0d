//! The connection: HTTP/1.1 over TLS or over the unix socket, one for the whole command.
//!
//! Limits: ten seconds to connect, three minutes for an answer, 64 MB of one that is kept.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::args::Place;
use crate::call::{Call, Content};
use crate::failure::Failure;
use crate::tls;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(180);
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where the server is.
#[derive(Debug)]
enum Target {
    Socket(PathBuf),
    Https { host: String, port: u16 },
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    token: Option<String>,
}

fn target(place: &Place) -> Result<Target, Failure> {
    if let Some(socket) = place.socket() {
        return Ok(Target::Socket(socket));
    }
    let usage = |text: &str| Failure::Usage(text.to_owned());
    let url = place.server.as_deref().ok_or_else(|| {
        usage("which server? --server URL (with a token), or --data DIR on the machine itself")
    })?;
    let rest =
        url.strip_prefix("https://").ok_or_else(|| usage("a server is https://HOST[:PORT]"))?;
    let authority = rest.trim_end_matches('/');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_| usage("the port of --server is no number"))?)
        }
        _ => (authority, 443),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.contains('/') {
        return Err(usage("a server is https://HOST[:PORT]"));
    }
    Ok(Target::Https { host: host.to_owned(), port })
}

async fn spoken<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|err| err.to_string())?;
    // It ends with the sender; what goes wrong is told by the request that it happens to.
    tokio::spawn(connection);
    Ok(sender)
}

async fn over_tls(
    host: &str,
    port: u16,
    config: rustls::ClientConfig,
) -> Result<SendRequest<Full<Bytes>>, String> {
    let tcp = TcpStream::connect((host, port)).await.map_err(|err| err.to_string())?;
    let name = ServerName::try_from(host.to_owned()).map_err(|err| err.to_string())?;
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
    spoken(tls.map_err(|err| tls::why(&err))?).await
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(place: &Place) -> Result<Self, Failure> {
        let token = place.token()?;
        let (named, connecting) = match target(place)? {
            Target::Socket(path) => {
                let named = path.display().to_string();
                let stream = UnixStream::connect(&path);
                let sender = async {
                    match stream.await {
                        Ok(stream) => spoken(stream).await,
                        Err(err) => Err(err.to_string()),
                    }
                };
                (named, tokio::time::timeout(CONNECT_WITHIN, Box::pin(sender)).await)
            }
            Target::Https { host, port } => {
                let config = tls::config(place.ca.as_deref(), place.fingerprint.as_deref())?;
                let sender = over_tls(&host, port, config);
                let named = format!("{host}:{port}");
                (named, tokio::time::timeout(CONNECT_WITHIN, Box::pin(sender)).await)
            }
        };
        let unreachable = |why: String| Failure::Unreachable(named.clone(), why);
        let sender =
            connecting.map_err(|_| unreachable("no answer".to_owned()))?.map_err(unreachable)?;
        let is_socket = place.socket().is_some();
        let authority = if is_socket { "postroom".to_owned() } else { named };
        Ok(Self { sender, authority, token })
    }

    async fn send(&mut self, call: Call) -> Result<Response<Incoming>, Failure> {
        let lost = |why: String| Failure::Unreachable("the server".to_owned(), why);
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("/api/admin{}", call.path))
            .header(header::HOST, &self.authority)
            .header(header::USER_AGENT, concat!("postroom/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let (kind, bytes) = match call.content {
            Content::Nothing => (None, Vec::new()),
            Content::Json(body) => (Some("application/json"), body.to_string().into_bytes()),
            Content::File(kind, bytes) => (Some(kind), bytes),
        };
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(Full::new(Bytes::from(bytes)));
        let request = request.map_err(|err| Failure::Usage(err.to_string()))?;
        self.sender.ready().await.map_err(|err| lost(err.to_string()))?;
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.sender.send_request(request)).await;
        answer.map_err(|_| lost("no answer".to_owned()))?.map_err(|err| lost(err.to_string()))
    }

    /// Sends a request and reads the whole answer; `Null` where there is none.
    pub(crate) async fn ask(&mut self, call: Call) -> Result<Value, Failure> {
        let named = call.named();
        let answer = self.send(call).await?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let bytes =
            bytes.map_err(|err| Failure::Unreachable("the server".to_owned(), err.to_string()))?;
        let mut body: Value = serde_json::from_slice(&bytes.to_bytes()).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(body);
        }
        if body["error"] == "not-found" && body["detail"].as_str().is_none_or(str::is_empty) {
            body["detail"] = Value::from(format!("there is no {named}"));
        }
        Err(Failure::Refused { status: status.as_u16(), body })
    }

    /// Sends a request and hands on the answer piece by piece.
    pub(crate) async fn copy(
        &mut self,
        call: Call,
        out: &mut dyn std::io::Write,
    ) -> Result<(), Failure> {
        let answer = self.send(call).await?;
        let status = answer.status();
        let mut body = answer.into_body();
        let mut refusal = Vec::new();
        while let Some(frame) = body.frame().await {
            let lost =
                |err: hyper::Error| Failure::Unreachable("the server".to_owned(), err.to_string());
            let Ok(data) = frame.map_err(lost)?.into_data() else { continue };
            if status.is_success() {
                out.write_all(&data).map_err(|err| Failure::Local("writing".to_owned(), err))?;
            } else if refusal.len() < ANSWER_BYTES_MAX {
                refusal.extend_from_slice(&data);
            }
        }
        if status.is_success() {
            return out.flush().map_err(|err| Failure::Local("writing".to_owned(), err));
        }
        let body = serde_json::from_slice(&refusal).unwrap_or(Value::Null);
        Err(Failure::Refused { status: status.as_u16(), body })
    }
}
