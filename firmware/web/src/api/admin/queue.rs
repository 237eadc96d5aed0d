//! The queue.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use base::QueueId;
use serde::Deserialize;
use serde_json::json;

use crate::Web;
use crate::api::done;
use crate::api::views::QueueView;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::{Params, Segment};

/// Entries on a page.
const PAGE_MAX: usize = 500;
const PAGE: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    after: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(web): State<Web>,
    Params(query): Params<Query>,
) -> Result<impl IntoResponse, ApiError> {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let after = match query.after.as_deref() {
        None | Some("") => 0,
        Some(text) => text.parse().map_err(|_| ApiError::bad_request("after is not a queue id"))?,
    };
    // One more than asked for tells whether there is a next page.
    let mut entries = web.store().queue_list(QueueId(after), limit + 1)?;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| has_more).map(|entry| entry.id.to_string());
    let items: Vec<_> = entries.iter().map(QueueView::from).collect();
    let total = web.store().queue_len()?;
    Ok(Json(json!({ "items": items, "next": next, "total": total })))
}

pub(super) async fn show(
    State(web): State<Web>,
    Segment(id): Segment<u64>,
) -> Result<impl IntoResponse, ApiError> {
    let entry = web.store().queue_entry(QueueId(id))?.ok_or_else(ApiError::not_found)?;
    Ok(Json(QueueView::from(&entry)))
}

fn found(was_there: bool) -> Result<impl IntoResponse + use<>, ApiError> {
    if was_there { Ok(done()) } else { Err(ApiError::not_found()) }
}

pub(super) async fn remove(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u64>,
) -> Result<impl IntoResponse, ApiError> {
    let was_there = by.store(&web).queue_delete(QueueId(id)).await?;
    if was_there {
        tracing::info!(queue_id = id, by = by.login(), "queue entry thrown away");
    }
    found(was_there)
}

pub(super) async fn retry(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u64>,
) -> Result<impl IntoResponse, ApiError> {
    web.delivery().try_all_destinations();
    found(by.store(&web).queue_retry(QueueId(id)).await?)
}

pub(super) async fn hold(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u64>,
) -> Result<impl IntoResponse, ApiError> {
    tracing::info!(queue_id = id, by = by.login(), "queue entry held");
    found(by.store(&web).queue_hold(QueueId(id), true).await?)
}

pub(super) async fn release(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u64>,
) -> Result<impl IntoResponse, ApiError> {
    tracing::info!(queue_id = id, by = by.login(), "queue entry released");
    found(by.store(&web).queue_hold(QueueId(id), false).await?)
}
