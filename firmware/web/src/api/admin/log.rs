//! The log's tail and the wire trace.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::AuditEvent;

use crate::Web;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::{Body, Params};
use crate::log_ring::LINES_MAX;

const LINES: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

pub(super) async fn tail(
    State(web): State<Web>,
    Params(query): Params<Query>,
) -> Result<impl IntoResponse, ApiError> {
    let limit = query.limit.unwrap_or(LINES).clamp(1, LINES_MAX);
    let (last, lines) = web.log().after(query.after, limit);
    Ok(Json(json!({ "last": last, "lines": lines })))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trace {
    on: bool,
}

pub(super) async fn trace() -> impl IntoResponse {
    Json(Trace { on: session::trace::is_on() })
}

pub(super) async fn set_trace(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<Trace>,
) -> Result<impl IntoResponse, ApiError> {
    let action = if input.on { "trace.on" } else { "trace.off" };
    by.store(&web).audit(AuditEvent::new(action, "")).await?;
    session::trace::set(input.on);
    tracing::info!(on = input.on, by = by.login(), "wire trace");
    Ok(Json(input))
}
