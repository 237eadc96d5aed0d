//! The audit log: pages, and all of it as a file. There is nothing here that changes it.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{AuditChange, AuditFilter, AuditRow};

use crate::Web;
use crate::api::deleted::time_of;
use crate::error::ApiError;
use crate::exchange::table::{self, Separator};
use crate::input::Params;
use crate::streamed;

/// Rows on a page.
const PAGE_MAX: usize = 500;
const PAGE: usize = 50;
/// Rows of the export that are made at once.
const CHUNK: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    before: Option<u64>,
    limit: Option<usize>,
    #[serde(default)]
    who: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    action: String,
    since: Option<String>,
    until: Option<String>,
    format: Option<String>,
    /// Of a table.
    #[serde(default)]
    separator: Separator,
}

impl Query {
    fn filter(&self) -> Result<AuditFilter, ApiError> {
        let time = |text: &Option<String>, field| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => match time_of(text) {
                Some(at) => Ok(Some(at)),
                None => {
                    let detail = "a date is 2026-01-31, a time 2026-01-31T08:00:00Z";
                    Err(ApiError::invalid("time-invalid").field(field).detail(detail))
                }
            },
        };
        Ok(AuditFilter {
            who: self.who.trim().to_owned(),
            target: self.target.trim().to_owned(),
            action: self.action.trim().to_owned(),
            since: time(&self.since, "since")?,
            until: time(&self.until, "until")?,
        })
    }
}

#[derive(Serialize)]
struct RowView<'r> {
    seq: u64,
    at: String,
    who: &'r str,
    via: store::Via,
    address: Option<String>,
    action: &'r str,
    target: &'r str,
    changes: &'r [AuditChange],
}

impl<'r> From<&'r AuditRow> for RowView<'r> {
    fn from(row: &'r AuditRow) -> Self {
        Self {
            seq: row.seq,
            at: row.at.rfc3339(),
            who: &row.origin.who,
            via: row.origin.via,
            address: row.origin.address.map(|address| address.to_canonical().to_string()),
            action: &row.event.action,
            target: &row.event.target,
            changes: &row.event.changes,
        }
    }
}

pub(super) async fn list(
    State(web): State<Web>,
    Params(query): Params<Query>,
) -> Result<impl IntoResponse, ApiError> {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let (store, filter) = (web.store().clone(), query.filter()?);
    // A filter that little fits looks at many rows.
    let reading =
        tokio::task::spawn_blocking(move || store.audit_rows(query.before, limit, &filter));
    let page = reading.await.map_err(|_| ApiError::busy())??;
    let items: Vec<RowView<'_>> = page.rows.iter().map(RowView::from).collect();
    Ok(Json(json!({ "items": items, "next": page.next })))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Jsonl,
    Csv,
}

pub(super) async fn export(
    State(web): State<Web>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let (format, kind, name) = match query.format.as_deref() {
        Some("jsonl") => (Format::Jsonl, "application/jsonl", "audit.jsonl"),
        Some("csv") => (Format::Csv, "text/csv; charset=utf-8", "audit.csv"),
        _ => return Err(ApiError::invalid("format-unknown").field("format")),
    };
    let (store, filter, separator) = (web.store().clone(), query.filter()?, query.separator);
    let body = streamed::body(move |pieces| {
        let head = table::line(&CSV_HEAD.map(str::to_owned), separator);
        if format == Format::Csv && !pieces.send([table::MARK, &head].concat()) {
            return Ok(());
        }
        let mut after = 0;
        loop {
            let page = store.audit_after(after, CHUNK, &filter)?;
            let Some(next) = page.next else { return Ok(()) };
            after = next;
            let lines: Vec<u8> =
                page.rows.iter().flat_map(|row| line(row, format, separator)).collect();
            if !lines.is_empty() && !pieces.send(lines) {
                return Ok(());
            }
        }
    });
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers =
        [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, body).into_response())
}

const CSV_HEAD: [&str; 8] = ["seq", "at", "who", "via", "address", "action", "target", "changes"];

fn line(row: &AuditRow, format: Format, separator: Separator) -> Vec<u8> {
    let view = RowView::from(row);
    if format == Format::Jsonl {
        let mut line = serde_json::to_vec(&view).unwrap_or_default();
        line.push(b'\n');
        return line;
    }
    let via = serde_json::to_value(view.via).unwrap_or_default();
    let cells = [
        view.seq.to_string(),
        view.at,
        view.who.to_owned(),
        via.as_str().unwrap_or_default().to_owned(),
        view.address.unwrap_or_default(),
        view.action.to_owned(),
        view.target.to_owned(),
        view.changes.iter().map(in_words).collect::<Vec<_>>().join("\n"),
    ];
    table::line(&cells, separator)
}

/// `cn: Anna Berg -> Anna Kern`.
fn in_words(change: &AuditChange) -> String {
    let (before, after) = (change.before.join(", "), change.after.join(", "));
    format!("{}: {before} -> {after}", change.name)
}
