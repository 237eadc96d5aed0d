//! What a signed-in person may see and change of his own.

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use session::LoginError;
use store::{AccountChange, OwnForwarding};

use super::sign_in::ADMIN;
use super::views::{AccountView, SignedIn};
use super::{Table, deleted, done, mail_rules, public};
use crate::Web;
use crate::client_settings::ClientSettings;
use crate::error::ApiError;
use crate::guard::{Access, Peer, Person, RequestHost};
use crate::input::Body;
use crate::rules;

pub(super) fn routes(table: Table) -> Table {
    table
        .on(Access::Person, Method::GET, "/me", show)
        .on(Access::Person, Method::POST, "/me/password", set_password)
        .on(Access::Person, Method::POST, "/me/language", set_language)
        .on(Access::Person, Method::PUT, "/me/forwarding", set_forwarding)
        .on(Access::Person, Method::GET, "/me/client-settings", client_settings)
        .on(Access::Person, Method::GET, "/me/deleted-messages", deleted::list_own)
        .on(Access::Person, Method::POST, "/me/deleted-messages/restore", deleted::restore_own)
}

#[derive(Serialize)]
struct Me {
    #[serde(flatten)]
    signed_in: SignedIn,
    account: Option<AccountView>,
    client_settings: Option<ClientSettings>,
    /// Where they may say that their mail goes on to.
    own_forwarding: OwnForwarding,
}

async fn show(
    State(web): State<Web>,
    Person(person): Person,
    RequestHost(host): RequestHost,
) -> Result<impl IntoResponse, ApiError> {
    let account = person.account.as_deref();
    let user = account.map(|account| account.address.to_string());
    Ok(Json(Me {
        signed_in: SignedIn::of(&web, &person),
        account: account.map(|account| AccountView::of(&web, account)).transpose()?,
        client_settings: user.map(|user| ClientSettings::new(&web, Some(user), &host)),
        own_forwarding: person.own_forwarding(&web),
    }))
}

async fn client_settings(
    State(web): State<Web>,
    Person(person): Person,
    RequestHost(host): RequestHost,
) -> Result<impl IntoResponse, ApiError> {
    let account = person.account.ok_or_else(ApiError::not_found)?;
    Ok(Json(ClientSettings::new(&web, Some(account.address.to_string()), &host)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    old: String,
    new: String,
}

async fn set_password(
    State(web): State<Web>,
    Person(person): Person,
    Peer(peer): Peer,
    Body(input): Body<PasswordChange>,
) -> Result<impl IntoResponse, ApiError> {
    let settings = web.settings();
    let login = person.login();
    if person.account.as_ref().is_some_and(|account| account.source.is_some()) {
        return Err(ApiError::conflict("password-at-source"));
    }
    let hash = match &person.account {
        Some(account) => account.password_hash.as_deref(),
        None => settings.admin_password_hash.as_deref(),
    };
    // The same throttle as for signing in: a stolen session is no way to guess the password.
    let name = if person.account.is_some() { login.as_str() } else { ADMIN };
    let checked = web.ctx().auth.check(name, hash, input.old.as_bytes(), peer);
    match Box::pin(checked).await {
        Err(LoginError::Wrong) => return Err(ApiError::forbidden("wrong-password").field("old")),
        checked => checked?,
    }
    let holder = rules::Holder::of(person.is_admin());
    let names = [login.as_str(), settings.hostname.as_str()];
    rules::password(&input.new, holder, &names).map_err(|problem| problem.at("new"))?;
    let auth = &web.ctx().auth;
    let hash = match &person.account {
        Some(account) => Box::pin(auth.hash_again(account, &input.new)).await?,
        None => Box::pin(auth.hash(&input.new)).await?,
    };
    match &person.account {
        Some(account) => {
            let change = AccountChange { password_hash: Some(hash), ..Default::default() };
            person.store(&web).update_account(account.id, change).await?;
        }
        None => {
            let change = |settings: &mut store::Settings| settings.admin_password_hash = Some(hash);
            person.store(&web).update_settings(Box::new(change)).await?;
        }
    }
    web.sign_out(person.who, Some(&person.key));
    tracing::info!(account = login, %peer, "password changed by its owner");
    Ok(done())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LanguageChange {
    language: Option<String>,
}

async fn set_language(
    State(web): State<Web>,
    Person(person): Person,
    Body(input): Body<LanguageChange>,
) -> Result<impl IntoResponse, ApiError> {
    match (&person.account, input.language) {
        (Some(account), language) => {
            let checked = language.as_deref().map(rules::language).transpose();
            let language = checked.map_err(|problem| problem.at("language"))?;
            let change = AccountChange { language: Some(language), ..Default::default() };
            person.store(&web).update_account(account.id, change).await?;
        }
        (None, Some(language)) => public::store_language(&web, person.origin(), &language).await?,
        (None, None) => return Err(ApiError::invalid("language-unknown").field("language")),
    }
    Ok(done())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forwarding {
    forward: Vec<String>,
    forward_keep: bool,
}

async fn set_forwarding(
    State(web): State<Web>,
    Person(person): Person,
    Peer(peer): Peer,
    Body(input): Body<Forwarding>,
) -> Result<impl IntoResponse, ApiError> {
    let account = person.account.as_deref().ok_or_else(ApiError::not_found)?;
    let forward = mail_rules::forward(account, &input.forward)?;
    person.must_forward(&web, account, &forward)?;
    let (forward, forward_keep) = (Some(forward), Some(input.forward_keep));
    let change = AccountChange { forward, forward_keep, ..Default::default() };
    person.store(&web).update_account(account.id, change).await?;
    tracing::info!(account = %account.address, %peer, "forwarding changed by its owner");
    let account = web.store().account(account.id)?.ok_or_else(ApiError::not_found)?;
    Ok(Json(AccountView::of(&web, &account)?))
}
