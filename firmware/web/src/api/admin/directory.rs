//! What holds for the directory as a whole.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use store::{OwnForwarding, Settings};

use crate::Web;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::Body;

/// What is set.
#[derive(Serialize)]
struct Directory {
    lan_lookup: bool,
    own_forwarding: OwnForwarding,
}

impl From<&Settings> for Directory {
    fn from(settings: &Settings) -> Self {
        Self { lan_lookup: settings.lan_lookup, own_forwarding: settings.own_forwarding }
    }
}

/// What is left out stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    lan_lookup: Option<bool>,
    own_forwarding: Option<OwnForwarding>,
}

pub(super) async fn show(State(web): State<Web>) -> impl IntoResponse {
    Json(Directory::from(&*web.settings()))
}

pub(super) async fn set(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<Change>,
) -> Result<impl IntoResponse, ApiError> {
    let change = move |settings: &mut Settings| {
        settings.lan_lookup = input.lan_lookup.unwrap_or(settings.lan_lookup);
        settings.own_forwarding = input.own_forwarding.unwrap_or(settings.own_forwarding);
    };
    let settings = by.store(&web).update_settings(Box::new(change)).await?;
    let (lan_lookup, own_forwarding) = (settings.lan_lookup, settings.own_forwarding);
    tracing::info!(lan_lookup, ?own_forwarding, by = by.login(), "directory settings changed");
    Ok(Json(Directory::from(&*settings)))
}
