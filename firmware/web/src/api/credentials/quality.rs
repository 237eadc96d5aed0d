//! The meter beside a field for a new password.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;
use session::password::{self, Holder};

use crate::Web;
use crate::error::ApiError;
use crate::guard::Visitor;
use crate::input::Body;
use crate::sessions::Who;

/// Longest text looked at, bytes: 256 characters of four.
const TEXT_MAX: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    password: String,
    /// Whose it will be; without, one's own.
    login: Option<String>,
    #[serde(default)]
    is_admin: bool,
}

/// For who is signed in, or sets the box up: a stranger has no use for it but to keep the box busy.
pub(super) async fn judge(
    State(web): State<Web>,
    Visitor(visitor): Visitor,
    Body(input): Body<Input>,
) -> Result<impl IntoResponse, ApiError> {
    let visitor =
        visitor.ok_or_else(|| ApiError::new(StatusCode::UNAUTHORIZED, "sign-in-needed"))?;
    let login = input.login.unwrap_or_else(|| visitor.login());
    if input.password.len() > TEXT_MAX || login.len() > TEXT_MAX {
        return Err(ApiError::invalid("password-too-long").field("password"));
    }
    let _place = web.sign_ins().try_acquire().map_err(|_| ApiError::busy())?;
    let is_own_admin = visitor.account.is_none() || visitor.is_admin();
    let is_own = login == visitor.login();
    let holder =
        Holder::of(input.is_admin || visitor.who == Who::Setup || (is_own && is_own_admin));
    let hostname = web.settings().hostname.clone();
    // Some milliseconds of a core.
    let judged = tokio::task::spawn_blocking(move || {
        let about = [login.as_str(), hostname.as_str()];
        let score = password::score(&input.password, &about);
        (score, password::check(&input.password, holder, &about))
    });
    let (score, checked) = judged.await.map_err(|_| ApiError::busy())?;
    let reason = checked.as_ref().err().map(|why| why.code);
    Ok(Json(json!({ "score": score, "ok": checked.is_ok(), "reason": reason })))
}
