//! How long deleted mail is kept, and the quota of accounts that have none of their own.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use store::{RETENTION_DAYS_MAX, Settings};

use crate::Web;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::Body;
use crate::rules;

/// What is set, all of it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Storage {
    retention_days: u16,
    default_quota_mb: Option<u64>,
    default_quota_messages: Option<u64>,
}

impl From<&Settings> for Storage {
    fn from(settings: &Settings) -> Self {
        Self {
            retention_days: settings.retention_days(),
            default_quota_mb: settings.default_quota_bytes.map(|bytes| bytes / rules::MB),
            default_quota_messages: settings.default_quota_messages,
        }
    }
}

pub(super) async fn show(State(web): State<Web>) -> impl IntoResponse {
    Json(Storage::from(&*web.settings()))
}

pub(super) async fn set(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<Storage>,
) -> Result<impl IntoResponse, ApiError> {
    if input.retention_days > RETENTION_DAYS_MAX {
        return Err(ApiError::invalid("retention-invalid").field("retention_days"));
    }
    let bytes = input.default_quota_mb.map(rules::quota).transpose();
    let bytes = bytes.map_err(|problem| problem.at("default_quota_mb"))?;
    let messages = input.default_quota_messages;
    if messages == Some(0) {
        return Err(ApiError::invalid("quota-invalid").field("default_quota_messages"));
    }
    let change = move |settings: &mut Settings| {
        settings.retention_days = Some(input.retention_days);
        settings.default_quota_bytes = bytes;
        settings.default_quota_messages = messages;
    };
    let settings = by.store(&web).update_settings(Box::new(change)).await?;
    tracing::info!(days = settings.retention_days(), by = by.login(), "storage settings changed");
    Ok(Json(Storage::from(&*settings)))
}
