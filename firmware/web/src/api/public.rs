//! What the UI asks before anybody is known.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;
use store::{Origin, Via};

use super::views::SignedIn;
use super::{Table, done};
use crate::Web;
use crate::error::ApiError;
use crate::guard::{Access, Identity, Peer, Visitor};
use crate::input::Body;
use crate::rules;
use crate::sessions::Who;

const OPENAPI: &str = include_str!("../../openapi.yaml");

pub(super) fn routes(table: Table) -> Table {
    table
        .on(Access::Public, Method::GET, "/openapi.yaml", openapi)
        .on(Access::Public, Method::GET, "/state", state)
        .on(Access::Public, Method::POST, "/language", set_language)
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/yaml; charset=utf-8")], OPENAPI)
}

async fn state(State(web): State<Web>, Visitor(visitor): Visitor) -> impl IntoResponse {
    let settings = web.settings();
    let visitor = visitor.as_ref();
    let signed_in = visitor.filter(|v| v.is_person()).map(|v| SignedIn::of(&web, v));
    let in_setup = |visitor: &Identity| visitor.who == Who::Setup && !settings.setup_complete;
    Json(json!({
        "setup_needed": !settings.setup_complete,
        "setup_session": visitor.is_some_and(in_setup),
        "language": settings.language,
        "hostname": settings.hostname,
        "version": env!("CARGO_PKG_VERSION"),
        "appliance": web.link().is_some(),
        "signed_in": signed_in,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Language {
    language: String,
}

async fn set_language(
    State(web): State<Web>,
    Visitor(visitor): Visitor,
    Peer(peer): Peer,
    Body(input): Body<Language>,
) -> Result<impl IntoResponse, ApiError> {
    // The first page of the wizard comes before the code.
    let may = !web.settings().setup_complete || visitor.as_ref().is_some_and(Identity::is_admin);
    if !may {
        return Err(ApiError::forbidden("forbidden"));
    }
    let origin = match visitor {
        Some(visitor) => visitor.origin(),
        None => Origin::new("setup", Via::Setup, Some(peer)),
    };
    store_language(&web, origin, &input.language).await?;
    Ok(done())
}

/// Sets the box's language; a repetition costs no write.
pub(super) async fn store_language(web: &Web, by: Origin, text: &str) -> Result<(), ApiError> {
    let language = rules::language(text).map_err(|problem| problem.at("language"))?;
    if web.settings().language != language {
        let change = move |settings: &mut store::Settings| settings.language = language;
        web.store().by(by).update_settings(Box::new(change)).await?;
    }
    Ok(())
}
