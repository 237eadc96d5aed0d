//! Signing in and out.

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::response::IntoResponse;
use serde::Deserialize;
use store::AuditEvent;

use super::views::SignedIn;
use super::{Table, done};
use crate::Web;
use crate::error::ApiError;
use crate::guard::{Access, Identity, Person, UserAgent, Visitor, forget_session, open_session};
use crate::input::Body;
use crate::sessions::Who;

/// The login of whoever owns the box.
pub(crate) const ADMIN: &str = "admin";

pub(super) fn routes(table: Table) -> Table {
    table
        .on(Access::Person, Method::GET, "/session", show)
        .on(Access::Public, Method::POST, "/session", sign_in)
        .on(Access::Public, Method::DELETE, "/session", sign_out)
}

async fn show(State(web): State<Web>, Person(person): Person) -> impl IntoResponse {
    Json(SignedIn::of(&web, &person))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    login: String,
    password: String,
    /// Of the second factor, or a recovery code.
    code: Option<String>,
}

async fn sign_in(
    State(web): State<Web>,
    from: UserAgent,
    Visitor(before): Visitor,
    Body(input): Body<Credentials>,
) -> Result<impl IntoResponse, ApiError> {
    let peer = from.address;
    let _place = web.sign_ins().try_acquire().map_err(|_| ApiError::busy())?;
    let login = input.login.trim();
    if login.eq_ignore_ascii_case(ADMIN) && web.settings().admin_password_hash.is_none() {
        return Err(ApiError::forbidden("setup-needed"));
    }
    let (password, code) = (input.password.as_bytes(), input.code.as_deref());
    let since = web.ctx().admission.now();
    let checked = Box::pin(web.ctx().auth.sign_in(login, password, code, peer)).await;
    let account = match checked {
        Ok(account) => account,
        Err(err) => {
            tracing::info!(%peer, %err, "sign-in to the web refused");
            return Err(err.into());
        }
    };
    // A new cookie for the new rights; the old one, if any, is of no use any more.
    if let Some(before) = before {
        web.sessions().close(&before.key);
    }
    let who = account.as_ref().map_or(Who::Admin, |account| Who::Account(account.id));
    let cookie = open_session(&web, who, from, since)?;
    let mut identity = Identity::new([0; 32], who, account, store::Via::Web);
    identity.address = Some(peer);
    tracing::info!(account = identity.login(), %peer, "signed in to the web");
    if identity.is_admin() {
        let event = AuditEvent::new("session.sign-in", identity.login());
        identity.store(&web).audit(event).await?;
    }
    Ok((cookie, Json(SignedIn::of(&web, &identity))))
}

async fn sign_out(State(web): State<Web>, Visitor(visitor): Visitor) -> impl IntoResponse {
    if let Some(visitor) = visitor {
        web.sessions().close(&visitor.key);
    }
    (forget_session(), done())
}
