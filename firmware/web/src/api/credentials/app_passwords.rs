//! App passwords.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use session::Protocol;
use store::{AppPassword, StoreError};

use super::{own_id, reached, store_for};
use crate::Web;
use crate::api::done;
use crate::error::ApiError;
use crate::guard::{Identity, Person};
use crate::input::{Body, Segment};
use crate::rules;

/// An app password, without what checks it.
#[derive(Serialize)]
struct Shown {
    id: u32,
    name: String,
    protocols: Vec<&'static str>,
    created_at: String,
    /// To about an hour.
    last_used_at: Option<String>,
    last_address: Option<String>,
}

impl From<AppPassword> for Shown {
    fn from(app: AppPassword) -> Self {
        Self {
            id: app.id,
            name: app.name,
            protocols: Protocol::of_bits(app.protocols).map(Protocol::name).collect(),
            created_at: app.created_at.rfc3339(),
            last_used_at: app.last_used_at.map(|at| at.rfc3339()),
            last_address: app.last_address.map(|address| address.to_string()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    name: String,
    protocols: Vec<String>,
}

impl Input {
    fn check(&self) -> Result<(String, u8), ApiError> {
        let name = rules::title(&self.name).map_err(|problem| problem.at("name"))?;
        let bits = self.protocols.iter().try_fold(0, |bits, name| {
            Protocol::of_name(name).map(|protocol| bits | protocol.bit())
        });
        match bits {
            Some(bits) if bits != 0 => Ok((name, bits)),
            _ => {
                let known = Protocol::OF_APPS.map(Protocol::name).join(" ");
                let detail = format!("name at least one of {known}");
                Err(ApiError::invalid("protocols-invalid").field("protocols").detail(detail))
            }
        }
    }
}

fn listed(web: &Web, id: AccountId) -> Result<impl IntoResponse + use<>, ApiError> {
    let known = web.store().credentials(id)?.app_passwords;
    let items: Vec<Shown> = known.into_iter().map(Shown::from).collect();
    Ok(Json(json!({ "items": items })))
}

async fn add(
    web: &Web,
    by: &Identity,
    id: AccountId,
    input: Input,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let (name, bits) = input.check()?;
    let (password, verifier) = Box::pin(web.ctx().auth.make_app_password(id)).await?;
    let number =
        match store_for(web, by, id)?.add_app_password(id, name.clone(), bits, verifier).await {
            Err(StoreError::LimitReached(_)) => return Err(ApiError::conflict("too-many")),
            added => added?,
        };
    tracing::info!(account = %id, app = number, by = by.login(), "app password made");
    let protocols: Vec<&str> = Protocol::of_bits(bits).map(Protocol::name).collect();
    let made = json!({ "id": number, "name": name, "protocols": protocols, "password": password });
    Ok((StatusCode::CREATED, Json(made)))
}

async fn remove(
    web: &Web,
    by: &Identity,
    id: AccountId,
    number: u32,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let gone = store_for(web, by, id)?.remove_app_password(id, number).await?;
    gone.ok_or_else(ApiError::not_found)?;
    web.ctx().admission.close_app_password(id, number);
    tracing::info!(account = %id, app = number, by = by.login(), "app password revoked");
    Ok(done())
}

pub(super) async fn list_own(
    State(web): State<Web>,
    Person(person): Person,
) -> Result<impl IntoResponse, ApiError> {
    listed(&web, own_id(&person)?)
}

pub(super) async fn add_own(
    State(web): State<Web>,
    Person(person): Person,
    Body(input): Body<Input>,
) -> Result<impl IntoResponse, ApiError> {
    add(&web, &person, own_id(&person)?, input).await
}

pub(super) async fn remove_own(
    State(web): State<Web>,
    Person(person): Person,
    Segment(number): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    remove(&web, &person, own_id(&person)?, number).await
}

pub(super) async fn list_of(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    listed(&web, reached(&web, &by, id)?.id)
}

pub(super) async fn add_for(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
    Body(input): Body<Input>,
) -> Result<impl IntoResponse, ApiError> {
    add(&web, &by, reached(&web, &by, id)?.id, input).await
}

pub(super) async fn remove_of(
    State(web): State<Web>,
    Person(by): Person,
    Segment((id, number)): Segment<(u32, u32)>,
) -> Result<impl IntoResponse, ApiError> {
    remove(&web, &by, reached(&web, &by, id)?.id, number).await
}
