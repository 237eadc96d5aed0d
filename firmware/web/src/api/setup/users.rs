//! The first users: all of a list, or none.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use base::AccountId;
use serde::Deserialize;
use serde_json::json;
use store::{NewAccount, Store};
use tokio::task::JoinSet;

use crate::Web;
use crate::api::accounts_input::{AccountInput, Taken};
use crate::api::views::AccountView;
use crate::error::ApiError;
use crate::guard::Wizard;
use crate::input::Body;

/// Users in one list.
const USERS_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Users {
    users: Vec<AccountInput>,
}

pub(super) async fn add(
    State(web): State<Web>,
    Wizard(by): Wizard,
    Body(input): Body<Users>,
) -> Result<impl IntoResponse, ApiError> {
    if input.users.len() > USERS_MAX {
        return Err(ApiError::invalid("too-much").field("users"));
    }
    let mut ready = check(&web, &input.users)?;
    for (line, hash) in hash_all(&web, &input.users).await? {
        if let Some(account) = ready.get_mut(line) {
            account.password_hash = Some(hash);
        }
    }
    let store = by.store(&web);
    let mut made: Vec<AccountId> = Vec::with_capacity(ready.len());
    for (line, account) in ready.into_iter().enumerate() {
        match store.create_account(account).await {
            Ok(id) => made.push(id),
            Err(err) => {
                take_back(&store, &made).await;
                let refusal = ApiError::from(err);
                return Err(ApiError::lines("users-invalid", vec![refusal.into_line(line)]));
            }
        }
    }
    tracing::info!(count = made.len(), "accounts added by the wizard");
    let mut created = Vec::with_capacity(made.len());
    for id in made {
        if let Some(account) = web.store().account(id)? {
            created.push(AccountView::of(&web, &account)?);
        }
    }
    Ok(Json(json!({ "created": created })))
}

fn check(web: &Web, users: &[AccountInput]) -> Result<Vec<NewAccount>, ApiError> {
    let mut taken = Taken::read(web.store())?;
    let (mut ready, mut wrong) = (Vec::with_capacity(users.len()), Vec::new());
    for (line, user) in users.iter().enumerate() {
        match user.check(web.store(), &mut taken) {
            Ok(account) => ready.push(account),
            Err(refusal) => wrong.push(refusal.into_line(line)),
        }
    }
    if wrong.is_empty() { Ok(ready) } else { Err(ApiError::lines("users-invalid", wrong)) }
}

/// The hashes of all passwords by line; as many at once as the budget allows.
async fn hash_all(web: &Web, users: &[AccountInput]) -> Result<Vec<(usize, String)>, ApiError> {
    let mut hashing = JoinSet::new();
    for (line, user) in users.iter().enumerate() {
        let (auth, password) = (web.ctx().auth.clone(), user.password.clone());
        hashing.spawn(async move { auth.hash(&password).await.map(|hash| (line, hash)) });
    }
    let mut hashes = Vec::with_capacity(users.len());
    while let Some(hashed) = hashing.join_next().await {
        hashes.push(hashed.map_err(|_| ApiError::busy())??);
    }
    Ok(hashes)
}

/// None is made if one cannot be: another admin took an address in the meantime, or the disk is full.
async fn take_back(store: &Store, made: &[AccountId]) {
    for id in made {
        if let Err(err) = store.delete_account(*id).await {
            tracing::error!(%err, account = id.0, "an account of a failed list stays");
        }
    }
}
