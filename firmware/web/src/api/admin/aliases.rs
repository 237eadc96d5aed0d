//! Aliases: addresses that stand for others.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base::Address;
use serde::Deserialize;
use serde_json::json;
use store::Alias;

use crate::Web;
use crate::api::accounts_input::Taken;
use crate::api::done;
use crate::api::views::AliasView;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::{Body, Segment};
use crate::rules;

/// Targets of one alias.
const TARGETS_MAX: usize = 1_000;

pub(super) async fn list(
    State(web): State<Web>,
    Person(by): Person,
) -> Result<impl IntoResponse, ApiError> {
    let aliases = web.store().aliases()?;
    let theirs = aliases.iter().filter(|alias| by.sees(alias.address.domain()));
    let items: Vec<_> = theirs.map(AliasView::from).collect();
    Ok(Json(json!({ "items": items })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AliasInput {
    address: String,
    targets: Vec<String>,
}

pub(super) async fn add(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<AliasInput>,
) -> Result<impl IntoResponse, ApiError> {
    let mut taken = Taken::read(web.store())?;
    let address = taken.free(web.store(), &input.address, "address")?;
    let store = by.store_managing(&web, address.domain())?;
    let targets = targets(&address, &input.targets)?;
    let alias = Alias { address, targets };
    store.create_alias(alias.clone()).await?;
    tracing::info!(alias = %alias.address, by = by.login(), "alias added");
    Ok((StatusCode::CREATED, Json(AliasView::from(&alias))))
}

fn targets(address: &Address, texts: &[String]) -> Result<Vec<Address>, ApiError> {
    if texts.is_empty() {
        return Err(ApiError::invalid("targets-empty").field("targets"));
    }
    if texts.len() > TARGETS_MAX {
        return Err(ApiError::invalid("too-many-targets").field("targets"));
    }
    let (mut targets, mut seen) = (Vec::with_capacity(texts.len()), BTreeSet::new());
    for (n, text) in texts.iter().enumerate() {
        let field = format!("targets.{n}");
        let target = rules::address(text).map_err(|problem| problem.at(&field))?;
        if target.key() == address.key() {
            return Err(ApiError::invalid("alias-to-itself").field(field));
        }
        // Said twice is meant once.
        if seen.insert(target.key()) {
            targets.push(target);
        }
    }
    Ok(targets)
}

fn existing(web: &Web, text: &str) -> Result<Address, ApiError> {
    let address = Address::parse(text).map_err(|_| ApiError::not_found())?;
    let known = web.store().aliases()?.into_iter().find(|a| a.address.key() == address.key());
    known.map(|alias| alias.address).ok_or_else(ApiError::not_found)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Targets {
    targets: Vec<String>,
}

pub(super) async fn change(
    State(web): State<Web>,
    Person(by): Person,
    Segment(address): Segment<String>,
    Body(input): Body<Targets>,
) -> Result<impl IntoResponse, ApiError> {
    let address = existing(&web, &address)?;
    let store = by.store_managing(&web, address.domain())?;
    let targets = targets(&address, &input.targets)?;
    let alias = Alias { address, targets };
    store.update_alias(alias.clone()).await?;
    tracing::info!(alias = %alias.address, by = by.login(), "alias changed");
    Ok(Json(AliasView::from(&alias)))
}

pub(super) async fn remove(
    State(web): State<Web>,
    Person(by): Person,
    Segment(address): Segment<String>,
) -> Result<impl IntoResponse, ApiError> {
    let address = existing(&web, &address)?;
    by.store_managing(&web, address.domain())?.delete_alias(address.clone()).await?;
    tracing::info!(alias = %address, by = by.login(), "alias removed");
    Ok(done())
}
