//! What comes in: JSON bodies with a limit in bytes and time, query and path values; each wrong one is told
//! in the API's own shape.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::guard::Identity;

/// Largest body, bytes.
const BODY_MAX: usize = 1024 * 1024;
/// Largest body of somebody who is not known: a login or a code. Ten thousand strangers cost 160 MB at most.
const STRANGERS_BODY_MAX: usize = 16 * 1024;
/// A body must be here within this time.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        // A form of another site cannot send this type without asking first: one more hurdle for CSRF.
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json"));
        }
        let is_known = request.extensions().get::<Identity>().is_some();
        let max = if is_known { BODY_MAX } else { STRANGERS_BODY_MAX };
        let reading = axum::body::to_bytes(request.into_body(), max);
        let bytes = match tokio::time::timeout(BODY_TIMEOUT, reading).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large")),
            Err(_) => return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout")),
        };
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|err| ApiError::bad_request(err.to_string()))
    }
}

/// A file as it is, read only when the handler says so.
pub(crate) struct File(Request);

/// Largest file, bytes.
const FILE_MAX: usize = 16 * 1024 * 1024;
/// A file must be here within this time: its request has two minutes in all.
const FILE_TIMEOUT: Duration = Duration::from_secs(80);
/// What a file may be called. Not text/plain: a form of another site could send that.
const FILE_TYPES: [&str; 9] = [
    "text/csv",
    "text/tab-separated-values",
    "text/ldif",
    "text/x-ldif",
    "text/vcard",
    "text/x-vcard",
    "text/directory",
    "application/vnd.ms-excel",
    "application/octet-stream",
];

impl<S: Sync> FromRequest<S> for File {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if FILE_TYPES.contains(&kind.as_str()) {
            return Ok(Self(request));
        }
        Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-file"))
    }
}

impl File {
    /// The bytes.
    pub(crate) async fn read(self) -> Result<axum::body::Bytes, ApiError> {
        let reading = axum::body::to_bytes(self.0.into_body(), FILE_MAX);
        match tokio::time::timeout(FILE_TIMEOUT, reading).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(_)) => Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large")),
            Err(_) => Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout")),
        }
    }
}

/// A JSON body, or none.
pub(crate) struct MaybeBody<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(Self(None));
        }
        Body::from_request(request, state).await.map(|Body(body)| Self(Some(body)))
    }
}

/// The query.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(err) => Err(ApiError::bad_request(err.body_text())),
        }
    }
}

/// A value in the path; one that cannot be is one that is not there.
pub(crate) struct Segment<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(ApiError::not_found()),
        }
    }
}
