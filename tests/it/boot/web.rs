//! A small HTTPS client of the admin API.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use testkit::{Client, Connector};

/// A session with the API; keeps the cookie.
pub(crate) struct Web<'a> {
    to: &'a dyn Connector,
    cookie: Option<String>,
}

impl<'a> Web<'a> {
    pub(crate) fn new(to: &'a dyn Connector) -> Self {
        Self { to, cookie: None }
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<(u16, Value)> {
        self.ask("GET", path, None)
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.ask("POST", path, Some(body))
    }

    pub(crate) fn put(&mut self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.ask("PUT", path, Some(body))
    }

    pub(crate) fn patch(&mut self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.ask("PATCH", path, Some(body))
    }

    /// Posts and wants a 2xx.
    pub(crate) fn must(&mut self, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.post(path, body)?;
        if !(200..300).contains(&status) {
            bail!("{path}: {status} {answer}");
        }
        Ok(answer)
    }

    /// One request on a connection of its own.
    fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let mut client = Client::connect(self.to, 443)?;
        let body = body.map(Value::to_string);
        let mut head = format!("{method} /api{path} HTTP/1.1\r\nHost: postroom.local\r\n");
        head.push_str("Connection: close\r\n");
        if let Some(cookie) = &self.cookie {
            head.push_str(&format!("Cookie: {cookie}\r\n"));
        }
        if let Some(body) = &body {
            head.push_str("Content-Type: application/json\r\n");
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        client.send_raw(format!("{head}\r\n{}", body.unwrap_or_default()).as_bytes())?;
        let status = client.read_line()?.context("no answer")?;
        let status: u16 = status.split(' ').nth(1).context("no status")?.parse()?;
        let mut length = 0;
        loop {
            let line = client.read_line()?.context("the head ends early")?;
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse()?,
                "set-cookie" => {
                    self.cookie = value.trim().split(';').next().map(str::to_owned);
                }
                _ => {}
            }
        }
        let bytes = client.read_exact(length)?;
        let answer = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        Ok((status, answer))
    }
}
