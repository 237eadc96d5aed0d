//! What holds for the directory as a whole.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use store::Settings;

use crate::Web;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::Body;

/// What is set, all of it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Directory {
    lan_lookup: bool,
}

impl From<&Settings> for Directory {
    fn from(settings: &Settings) -> Self {
        Self { lan_lookup: settings.lan_lookup }
    }
}

pub(super) async fn show(State(web): State<Web>) -> impl IntoResponse {
    Json(Directory::from(&*web.settings()))
}

pub(super) async fn set(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<Directory>,
) -> Result<impl IntoResponse, ApiError> {
    let change = move |settings: &mut Settings| settings.lan_lookup = input.lan_lookup;
    let settings = by.store(&web).update_settings(Box::new(change)).await?;
    tracing::info!(lan_lookup = settings.lan_lookup, by = by.login(), "directory settings changed");
    Ok(Json(Directory::from(&*settings)))
}
