//! Mail domains.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base::DomainName;
use serde::Deserialize;
use serde_json::json;
use store::StoreError;

use crate::Web;
use crate::api::done;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::{Body, Segment};
use crate::rules;

pub(super) async fn list(
    State(web): State<Web>,
    Person(by): Person,
) -> Result<impl IntoResponse, ApiError> {
    let domains = web.store().domains()?;
    let items: Vec<_> = domains
        .iter()
        .filter(|domain| by.sees(&domain.name))
        .map(|domain| json!({ "name": domain.name.as_str(), "accounts": domain.accounts }))
        .collect();
    Ok(Json(json!({ "items": items })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDomain {
    name: String,
}

pub(super) async fn add(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<NewDomain>,
) -> Result<impl IntoResponse, ApiError> {
    let name = rules::domain(&input.name).map_err(|problem| problem.at("name"))?;
    match by.store(&web).create_domain(name.clone()).await {
        Err(StoreError::Exists) => return Err(ApiError::conflict("domain-exists").field("name")),
        made => made?,
    }
    tracing::info!(domain = %name, by = by.login(), "domain added");
    Ok((StatusCode::CREATED, Json(json!({ "name": name.as_str(), "accounts": 0 }))))
}

pub(super) async fn remove(
    State(web): State<Web>,
    Person(by): Person,
    Segment(name): Segment<String>,
) -> Result<impl IntoResponse, ApiError> {
    let name = DomainName::parse(&name).map_err(|_| ApiError::not_found())?;
    match by.store(&web).delete_domain(name.clone()).await {
        Err(StoreError::InUse) => return Err(ApiError::conflict("domain-in-use")),
        Err(StoreError::NoSuchDomain) => return Err(ApiError::not_found()),
        gone => gone?,
    }
    tracing::info!(domain = %name, by = by.login(), "domain removed");
    Ok(done())
}
