//! One request to the admin API.

use hyper::Method;
use serde_json::{Value, json};

/// What is sent with a request.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Nothing,
    Json(Value),
    /// A file, as it is.
    File(&'static str, Vec<u8>),
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Below `/api/admin`, with the query.
    pub(crate) path: String,
    pub(crate) content: Content,
}

/// A text as one segment of a path or one value of a query (RFC 3986 §2.1).
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

impl Call {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), content: Content::Nothing }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self { content: Content::Json(body), ..Self::new(Method::POST, path) }
    }

    pub(crate) fn patch(path: impl Into<String>, body: Value) -> Self {
        Self { content: Content::Json(body), ..Self::new(Method::PATCH, path) }
    }

    pub(crate) fn put(path: impl Into<String>, body: Value) -> Self {
        Self { content: Content::Json(body), ..Self::new(Method::PUT, path) }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// The same with one more value in the query; nothing for `None`.
    pub(crate) fn with<V: ToString>(mut self, name: &str, value: Option<V>) -> Self {
        if let Some(value) = value {
            let mark = if self.path.contains('?') { '&' } else { '?' };
            self.path.push_str(&format!("{mark}{name}={}", escaped(&value.to_string())));
        }
        self
    }

    /// What it is about, as a person reads it: the path without marks.
    pub(crate) fn named(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default().trim_matches('/');
        let mut bytes = Vec::with_capacity(path.len());
        let mut rest = path.bytes();
        while let Some(byte) = rest.next() {
            let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
            // Each mark is one of ours: two digits follow.
            let marked =
                (byte == b'%').then(|| Some(digit(rest.next())? << 4 | digit(rest.next())?));
            bytes.push(marked.flatten().and_then(|byte| u8::try_from(byte).ok()).unwrap_or(byte));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What would be sent, without secrets.
    pub(crate) fn shown(&self) -> Value {
        let body = match &self.content {
            Content::Nothing => Value::Null,
            Content::Json(body) => masked(body.clone()),
            Content::File(kind, bytes) => json!({ "type": kind, "bytes": bytes.len() }),
        };
        let path = format!("/api/admin{}", self.path);
        json!({ "method": self.method.as_str(), "path": path, "body": body })
    }
}

fn masked(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        for (name, value) in fields {
            let is_secret = name.contains("password") && value.is_string();
            *value = if is_secret { json!("(secret)") } else { masked(value.take()) };
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_secret_and_what_is_sent_is_escaped() {
        let call = Call::post("/accounts", json!({ "address": "a@b", "password": "secret" }));
        let shown = call.shown().to_string();
        assert!(shown.contains("(secret)") && !shown.contains("\"secret\""), "{shown}");
        let call = Call::get("/accounts").with("search", Some("Zoë & Co")).with("x", None::<u32>);
        assert_eq!(call.path, "/accounts?search=Zo%C3%AB%20%26%20Co");
        assert_eq!(escaped("a/b@c.test"), "a%2Fb@c.test");
        let call = Call::get(format!("/groups/{}", escaped("zoë & co@b.test"))).with("a", Some(1));
        assert_eq!(call.named(), "groups/zoë & co@b.test");
        let source = json!({ "bind": { "password": "secret" }, "ca_pem": "text" });
        assert_eq!(masked(source)["bind"]["password"], "(secret)");
    }
}
