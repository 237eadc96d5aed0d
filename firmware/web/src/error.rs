//! What the API answers when it does not do what it was asked: one JSON shape with stable codes.
//!
//! The UI translates the code; `detail` is English for who reads logs. Nothing of the box's inside is told: an
//! internal error is logged with its chain and answered as `internal`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use session::LoginError;
use store::StoreError;

/// A refusal.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Box<Body>,
}

#[derive(Debug, Serialize)]
struct Body {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_secs: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<LineError>,
}

/// What is wrong in one line of a list.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LineError {
    /// Index in the list, from 0.
    pub(crate) line: usize,
    /// Key in the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// Code.
    pub(crate) error: &'static str,
    /// English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, error: &'static str) -> Self {
        let body = Body { error, field: None, detail: None, retry_after_secs: None, lines: vec![] };
        Self { status, body: Box::new(body) }
    }

    pub(crate) fn invalid(error: &'static str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error)
    }

    pub(crate) fn conflict(error: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }

    pub(crate) fn forbidden(error: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, error)
    }

    /// What is not theirs who ask; `field` names what of it, if it is a part.
    fn not_allowed(field: String) -> Self {
        let refusal = Self::forbidden("forbidden");
        if field.is_empty() { refusal } else { refusal.field(field) }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found")
    }

    /// What is not there any more, and can be brought back.
    pub(crate) fn gone(error: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    pub(crate) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy").retry_after(5)
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request").detail(detail)
    }

    pub(crate) fn throttled(retry_after_secs: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled").retry_after(retry_after_secs)
    }

    pub(crate) fn lines(error: &'static str, lines: Vec<LineError>) -> Self {
        let mut refusal = Self::invalid(error);
        refusal.body.lines = lines;
        refusal
    }

    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.body.field = Some(field.into());
        self
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.body.detail = Some(detail.into());
        self
    }

    fn retry_after(mut self, secs: u64) -> Self {
        self.body.retry_after_secs = Some(secs);
        self
    }

    pub(crate) fn code(&self) -> &'static str {
        self.body.error
    }

    /// This refusal as one of a list.
    pub(crate) fn into_line(self, line: usize) -> LineError {
        LineError { line, field: self.body.field, error: self.body.error, detail: self.body.detail }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry = self.body.retry_after_secs.map(HeaderValue::from);
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(secs) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, secs);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    /// The protocol's one table: what the store says, as HTTP.
    fn from(err: StoreError) -> Self {
        match err {
            StoreError::NoSuchAccount | StoreError::NoSuchAlias | StoreError::NoSuchGroup => {
                Self::not_found()
            }
            StoreError::NoSuchDomain => Self::invalid("domain-unknown"),
            StoreError::AddressTaken(address) => Self::conflict("address-taken").detail(address),
            StoreError::DomainTaken(name) => Self::conflict("domain-taken").detail(name),
            StoreError::Forbidden(field) => Self::not_allowed(field),
            StoreError::Refused(refusal) => Self::invalid("refused").detail(refusal.text),
            StoreError::LimitReached(what) => Self::conflict("limit-reached").detail(what),
            StoreError::Exists => Self::conflict("exists"),
            StoreError::InUse => Self::conflict("in-use"),
            StoreError::DiskFull => Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full"),
            StoreError::Closed => Self::busy(),
            StoreError::Vetoed(text) => Self::conflict("refused-by-webhook").detail(text),
            err => {
                let err: &dyn std::error::Error = &err;
                tracing::error!(err, "an act of the store failed for the web");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        }
    }
}

impl From<LoginError> for ApiError {
    fn from(err: LoginError) -> Self {
        match err {
            LoginError::Wrong => Self::forbidden("wrong-login"),
            LoginError::Throttled(wait) => {
                Self::throttled(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
            }
            LoginError::CodeNeeded => Self::new(StatusCode::UNAUTHORIZED, "code-needed"),
            LoginError::WrongCode => Self::forbidden("wrong-code"),
            LoginError::Disabled => Self::forbidden("account-disabled"),
            // Of SASL and of app passwords, which the web pages do not take.
            LoginError::Malformed
            | LoginError::NotAllowed
            | LoginError::AppPasswordNeeded
            | LoginError::OtherProtocol => Self::forbidden("wrong-login"),
            LoginError::Busy => Self::busy(),
            LoginError::Unavailable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "source-unavailable")
            }
            LoginError::Store(err) => err.into(),
        }
    }
}
