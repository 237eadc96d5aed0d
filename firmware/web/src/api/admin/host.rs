//! The box itself: its name, its network, how mail leaves it, switching it off.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base::box_link::{Network, Request};
use serde::Deserialize;
use serde_json::json;
use store::{AuditEvent, Settings};

use crate::Web;
use crate::api::done;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::Body;
use crate::{network, rules};

pub(super) async fn hostname(State(web): State<Web>) -> impl IntoResponse {
    Json(json!({ "hostname": web.settings().hostname }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostName {
    hostname: String,
}

pub(super) async fn set_hostname(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<HostName>,
) -> Result<impl IntoResponse, ApiError> {
    let hostname = rules::hostname(&input.hostname).map_err(|problem| problem.at("hostname"))?;
    let name = hostname.clone();
    let change = move |settings: &mut Settings| settings.hostname = name;
    by.store(&web).update_settings(Box::new(change)).await?;
    tracing::info!(%hostname, by = by.login(), "host name changed");
    web.name_certificate().await;
    web.introduce().await;
    let fingerprint = web.ctx().tls.info().fingerprint;
    Ok(Json(json!({ "hostname": hostname, "fingerprint": fingerprint })))
}

pub(super) async fn network(State(web): State<Web>) -> Result<impl IntoResponse, ApiError> {
    Ok(Json(network::status(&web).await?))
}

pub(super) async fn set_network(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<Network>,
) -> Result<impl IntoResponse, ApiError> {
    tracing::info!(?input, by = by.login(), "network changes");
    network::set(&web, &by, input).await?;
    Ok(done())
}

pub(super) async fn reboot(
    State(web): State<Web>,
    Person(by): Person,
) -> Result<impl IntoResponse, ApiError> {
    network::ask(&web, &Request::Reboot).await?;
    by.store(&web).audit(AuditEvent::new("box.reboot", "")).await?;
    tracing::info!(by = by.login(), "reboot");
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn power_off(
    State(web): State<Web>,
    Person(by): Person,
) -> Result<impl IntoResponse, ApiError> {
    network::ask(&web, &Request::PowerOff).await?;
    by.store(&web).audit(AuditEvent::new("box.power-off", "")).await?;
    tracing::info!(by = by.login(), "power off");
    Ok(StatusCode::ACCEPTED)
}
