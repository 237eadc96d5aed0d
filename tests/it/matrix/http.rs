//! A client of the admin API, a request a connection: over TLS with a cookie or a token, or by the socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use testkit::Connector as _;
use testkit::client::over_tls;
use testkit::daemon::Daemon;

/// How somebody gets in.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// HTTPS without anything.
    Nobody,
    /// HTTPS with the cookie of a session.
    Session(String),
    /// HTTPS with a token.
    Token(String),
    /// The unix socket.
    Socket,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }
}

fn exchange(wire: &mut (impl Read + Write + ?Sized), request: &str) -> Result<Answer> {
    wire.write_all(request.as_bytes())?;
    wire.flush()?;
    let mut bytes = Vec::new();
    // A server that closes without TLS's farewell has said all the same what it said.
    if let Err(err) = wire.read_to_end(&mut bytes)
        && bytes.is_empty()
    {
        return Err(err.into());
    }
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    Ok(Answer { status, head: head.to_owned(), body })
}

/// Sends a request and reads the answer.
pub(crate) fn send(
    daemon: &Daemon,
    way: &Way,
    method: &str,
    path: &str,
    content: Option<(&str, &str)>,
) -> Result<Answer> {
    let login = match way {
        Way::Nobody | Way::Socket => String::new(),
        Way::Session(cookie) => format!("Cookie: {cookie}\r\n"),
        Way::Token(token) => format!("Authorization: Bearer {token}\r\n"),
    };
    let (kind, body) = content.unwrap_or(("", ""));
    let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
    let request = format!(
        "{method} /api{path} HTTP/1.1\r\nHost: box.test\r\nConnection: close\r\n{login}{kind}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = match way {
        Way::Socket => {
            let mut stream = UnixStream::connect(daemon.data.join("postroom.sock"))?;
            exchange(&mut stream, &request)
        }
        _ => exchange(&mut over_tls(daemon.at.connect(443)?)?, &request),
    };
    answer.with_context(|| format!("{method} {path}"))
}

/// Sends JSON by the socket; it must be done.
pub(crate) fn admin(daemon: &Daemon, method: &str, path: &str, body: &Value) -> Result<Value> {
    let text = body.to_string();
    let answer = send(daemon, &Way::Socket, method, path, Some(("application/json", &text)))?;
    anyhow::ensure!(answer.status < 300, "{method} {path}: {answer:?}");
    Ok(answer.body)
}

/// Signs in to the web pages.
pub(crate) fn session(daemon: &Daemon, login: &str, password: &str) -> Result<Way> {
    let body = json!({ "login": login, "password": password }).to_string();
    let json = Some(("application/json", body.as_str()));
    let answer = send(daemon, &Way::Nobody, "POST", "/session", json)?;
    let cookie = answer.head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next())?
    });
    Ok(Way::Session(cookie.with_context(|| format!("{answer:?}"))?.to_owned()))
}
