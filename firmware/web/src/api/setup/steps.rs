//! The steps of the wizard but the first users.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use base::box_link::Network;
use base::{AccountId, DomainName};
use serde::Deserialize;
use serde_json::json;
use store::{Settings, Store, StoreError};

use super::Memory;
use crate::Web;
use crate::api::done;
use crate::api::sign_in::ADMIN;
use crate::client_settings::ClientSettings;
use crate::error::ApiError;
use crate::guard::{RequestHost, UserAgent, Wizard, open_session};
use crate::input::Body;
use crate::sessions::Who;
use crate::{network, rules};

/// Accounts named on the last page.
const SHOWN_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    password: String,
}

pub(super) async fn password(
    State(web): State<Web>,
    Wizard(by): Wizard,
    Body(input): Body<Password>,
) -> Result<impl IntoResponse, ApiError> {
    let names = [ADMIN, &web.settings().hostname];
    rules::password(&input.password, rules::Holder::Admin, &names)
        .map_err(|problem| problem.at("password"))?;
    let hash = Box::pin(web.ctx().auth.hash(&input.password)).await?;
    let change = move |settings: &mut Settings| settings.admin_password_hash = Some(hash);
    by.store(&web).update_settings(Box::new(change)).await?;
    web.sessions().close_all(Who::Admin, None);
    Ok(done())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    hostname: Option<String>,
    domain: Option<String>,
}

pub(super) async fn domain(
    State(web): State<Web>,
    Wizard(by): Wizard,
    Body(input): Body<Names>,
) -> Result<impl IntoResponse, ApiError> {
    let hostname = input.hostname.as_deref().map(rules::hostname).transpose();
    let hostname = hostname.map_err(|problem| problem.at("hostname"))?;
    let domain = input.domain.as_deref().map(rules::domain).transpose();
    let domain = domain.map_err(|problem| problem.at("domain"))?;
    if let Some(domain) = &domain {
        replace_domain(&web, &by.store(&web), domain).await?;
    }
    if let Some(hostname) = hostname {
        let change = move |settings: &mut Settings| settings.hostname = hostname;
        by.store(&web).update_settings(Box::new(change)).await?;
        web.introduce().await;
    }
    let hostname = web.settings().hostname.clone();
    Ok(Json(json!({ "hostname": hostname, "domain": domain.map(|name| name.to_string()) })))
}

/// Makes the domain; the one the wizard made before goes if nothing is in it.
async fn replace_domain(web: &Web, store: &Store, domain: &DomainName) -> Result<(), ApiError> {
    match store.create_domain(domain.clone()).await {
        Ok(()) | Err(StoreError::Exists) => {}
        Err(err) => return Err(err.into()),
    }
    let before = Memory::of(&web.settings()).domain;
    let name = domain.to_string();
    if let Some(before) = before.filter(|before| *before != name) {
        let parsed = DomainName::parse(&before).map_err(|_| ApiError::not_found())?;
        match store.delete_domain(parsed).await {
            Ok(()) | Err(StoreError::InUse | StoreError::NoSuchDomain) => {}
            Err(err) => return Err(err.into()),
        }
    }
    let change = move |settings: &mut Settings| {
        let mut memory = Memory::of(settings);
        memory.domain = Some(name);
        memory.store_in(settings);
    };
    store.update_settings(Box::new(change)).await?;
    Ok(())
}

pub(super) async fn network(State(web): State<Web>) -> Result<impl IntoResponse, ApiError> {
    Ok(Json(network::status(&web).await?))
}

pub(super) async fn set_network(
    State(web): State<Web>,
    Wizard(by): Wizard,
    Body(input): Body<Network>,
) -> Result<impl IntoResponse, ApiError> {
    network::set(&web, &by, input).await?;
    Ok(done())
}

pub(super) async fn finish(
    State(web): State<Web>,
    Wizard(by): Wizard,
    from: UserAgent,
    RequestHost(host): RequestHost,
) -> Result<impl IntoResponse, ApiError> {
    let peer = from.address;
    if web.settings().admin_password_hash.is_none() {
        return Err(ApiError::conflict("password-needed"));
    }
    let change = |settings: &mut Settings| {
        settings.setup_complete = true;
        settings.setup_code.clear();
        settings.wizard.clear();
    };
    by.store(&web).update_settings(Box::new(change)).await?;
    web.sessions().close_all(Who::Setup, None);
    let cookie = open_session(&web, Who::Admin, from, web.ctx().admission.now())?;
    tracing::info!(%peer, "setup complete");
    if !web.settings().hostname.is_empty() {
        web.name_certificate().await;
    }
    web.introduce().await;
    let accounts = web.store().accounts(AccountId(0), SHOWN_MAX)?;
    let accounts: Vec<_> = accounts
        .iter()
        .map(|account| json!({ "address": account.address.to_string(), "name": account.name }))
        .collect();
    let answer = json!({
        "hostname": web.settings().hostname,
        "client_settings": ClientSettings::new(&web, None, &host),
        "accounts": accounts,
    });
    Ok((cookie, Json(answer)))
}
