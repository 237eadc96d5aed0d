//! The second factor of the web pages: on, off, and how one stands.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;
use session::{LoginError, NewTotp};
use store::StoreError;

use super::{own_id, reached, store_for};
use crate::Web;
use crate::api::done;
use crate::error::ApiError;
use crate::guard::{Identity, Peer, Person};
use crate::input::{Body, Segment};

pub(super) async fn security(
    State(web): State<Web>,
    Person(person): Person,
) -> Result<impl IntoResponse, ApiError> {
    let known = web.store().credentials(own_id(&person)?)?;
    let left = known.totp.as_ref().map_or(0, |totp| totp.recovery_codes.len());
    Ok(Json(json!({
        "totp": known.totp.is_some(),
        "recovery_codes_left": left,
        "app_passwords_required": known.totp.is_some(),
        "app_passwords": known.app_passwords.len(),
    })))
}

/// The name that its tries are counted for: the one of sign-ins.
fn counted(person: &Identity) -> String {
    person.account.as_ref().map_or_else(|| person.login(), |account| account.address.key())
}

/// A session alone is not enough for what protects the account: it may be a stolen one.
async fn confirm_password(
    web: &Web,
    person: &Identity,
    password: &str,
    peer: std::net::IpAddr,
) -> Result<(), ApiError> {
    let (auth, password) = (&web.ctx().auth, password.as_bytes());
    let checked = async {
        match &person.account {
            Some(account) => auth.check_account(account, password, peer).await,
            None => {
                let hash = web.settings().admin_password_hash.clone();
                auth.check(&person.login(), hash.as_deref(), password, peer).await
            }
        }
    };
    match Box::pin(checked).await {
        Err(LoginError::Wrong) => Err(ApiError::forbidden("wrong-password").field("password")),
        checked => Ok(checked?),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    password: String,
}

pub(super) async fn begin(
    State(web): State<Web>,
    Person(person): Person,
    Peer(peer): Peer,
    Body(input): Body<Begin>,
) -> Result<impl IntoResponse, ApiError> {
    let id = own_id(&person)?;
    confirm_password(&web, &person, &input.password, peer).await?;
    if web.store().credentials(id)?.totp.is_some() {
        return Err(ApiError::conflict("totp-on"));
    }
    let new = NewTotp::generate().ok_or_else(ApiError::busy)?;
    let uri = new.uri(&person.login(), &web.ctx().hostname());
    let answer = Json(json!({ "secret": new.secret(), "uri": uri }));
    web.pending_totp().begin(id, new);
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirm {
    code: String,
}

pub(super) async fn confirm(
    State(web): State<Web>,
    Person(person): Person,
    Body(input): Body<Confirm>,
) -> Result<impl IntoResponse, ApiError> {
    let id = own_id(&person)?;
    let new = web.pending_totp().find(id);
    let new = new.ok_or_else(|| ApiError::new(StatusCode::GONE, "totp-expired"))?;
    let store = person.store(&web);
    let codes = match web.ctx().auth.turn_on_totp(&store, id, &new, &input.code).await {
        Err(LoginError::WrongCode) => return Err(ApiError::forbidden("wrong-code").field("code")),
        Err(LoginError::Store(StoreError::Exists)) => return Err(ApiError::conflict("totp-on")),
        done => done?,
    };
    web.pending_totp().end(id);
    // Whoever is signed in elsewhere showed no code, and connections of the password are not let in any more.
    web.sign_out(person.who, Some(&person.key));
    tracing::info!(account = person.login(), "second factor turned on");
    Ok(Json(json!({ "recovery_codes": codes })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TurnOff {
    password: Option<String>,
    code: Option<String>,
}

pub(super) async fn turn_off(
    State(web): State<Web>,
    Person(person): Person,
    Peer(peer): Peer,
    Body(input): Body<TurnOff>,
) -> Result<impl IntoResponse, ApiError> {
    let id = own_id(&person)?;
    if web.store().credentials(id)?.totp.is_none() {
        return Err(ApiError::conflict("totp-off"));
    }
    match (&input.password, &input.code) {
        (Some(password), _) => confirm_password(&web, &person, password, peer).await?,
        (None, Some(code)) => {
            let name = counted(&person);
            let checked = web.ctx().auth.check_code(id, &name, code, peer).await;
            checked.map_err(|err| ApiError::from(err).field("code"))?;
        }
        (None, None) => return Err(ApiError::bad_request("password or code is needed")),
    }
    person.store(&web).remove_totp(id).await?;
    tracing::info!(account = person.login(), "second factor turned off by its owner");
    Ok(done())
}

pub(super) async fn turn_off_for(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    let account = reached(&web, &by, id)?;
    let store = store_for(&web, &by, account.id)?;
    if !store.remove_totp(account.id).await? {
        return Err(ApiError::conflict("totp-off"));
    }
    tracing::info!(account = %account.address, by = by.login(), "second factor turned off");
    Ok(done())
}
