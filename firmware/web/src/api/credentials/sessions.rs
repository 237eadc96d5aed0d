//! Where somebody is logged in now: connections of mail programs and directory clients, and web sessions.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use base::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use session::LiveSession;
use store::AuditEvent;

use super::{existing, own_id};
use crate::Web;
use crate::api::done;
use crate::error::ApiError;
use crate::guard::{Identity, Person};
use crate::input::{Params, Segment};
use crate::sessions::{Shown, Who};

/// Before the number of a web session; connections have the names of the log, `s1f`.
const WEB: &str = "w";

/// A login.
#[derive(Serialize)]
struct Item {
    id: String,
    protocol: &'static str,
    account: String,
    address: String,
    since: String,
    client: Option<String>,
    tls: Option<&'static str>,
    /// The name of the app password.
    app_password: Option<String>,
    /// The one that asks.
    current: bool,
}

/// The protocol of a service.
fn protocol_of(service: &'static str) -> &'static str {
    match service {
        "imap" | "imaps" => "imap",
        "pop3" | "pop3s" => "pop3",
        "smtp" | "submission" | "submissions" => "smtp",
        "ldap" | "ldaps" => "ldap",
        other => other,
    }
}

/// Names of accounts and of their app passwords, each looked up once.
struct Names<'w> {
    web: &'w Web,
    known: BTreeMap<AccountId, (String, BTreeMap<u32, String>)>,
}

impl Names<'_> {
    fn of(&mut self, id: AccountId) -> Result<&(String, BTreeMap<u32, String>), ApiError> {
        if !self.known.contains_key(&id) {
            let name = match self.web.store().account(id)? {
                Some(account) => account.address.to_string(),
                None if id == store::OFFICE => "admin".to_owned(),
                None => String::new(),
            };
            let apps = self.web.store().credentials(id)?.app_passwords;
            let apps = apps.into_iter().map(|app| (app.id, app.name)).collect();
            self.known.insert(id, (name, apps));
        }
        self.known.get(&id).ok_or_else(ApiError::not_found)
    }
}

fn items(web: &Web, by: &Identity, of: Option<AccountId>) -> Result<Vec<Item>, ApiError> {
    let mut names = Names { web, known: BTreeMap::new() };
    let mut items = Vec::new();
    for LiveSession { id, service, account, address, since, client, tls, app_password } in
        web.ctx().admission.sessions(of)
    {
        let (name, apps) = names.of(account)?;
        items.push(Item {
            id,
            protocol: protocol_of(service),
            account: name.clone(),
            address: address.to_string(),
            since: since.rfc3339(),
            client,
            tls,
            app_password: app_password.and_then(|number| apps.get(&number).cloned()),
            current: false,
        });
    }
    for Shown { number, key, who, browser } in web.sessions().list(None) {
        let Some(account) = who.account().filter(|id| of.is_none_or(|of| of == *id)) else {
            continue;
        };
        items.push(Item {
            id: format!("{WEB}{number}"),
            protocol: "web",
            account: names.of(account)?.0.clone(),
            address: browser.address.to_string(),
            since: browser.at.rfc3339(),
            client: (!browser.client.is_empty()).then_some(browser.client),
            tls: Some("TLS"),
            app_password: None,
            current: key == by.key,
        });
    }
    Ok(items)
}

/// Ends one, if it is of `of`.
async fn end_one(
    web: &Web,
    by: &Identity,
    id: &str,
    of: Option<Who>,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let is_ended = match id.strip_prefix(WEB) {
        Some(number) => match number.parse() {
            Ok(number) => web.sessions().end(number, of),
            Err(_) => false,
        },
        None => web.ctx().admission.end_session(id, of.and_then(Who::account)),
    };
    if !is_ended {
        return Err(ApiError::not_found());
    }
    by.store(web).audit(AuditEvent::new("session.end", id)).await?;
    tracing::info!(login = id, by = by.login(), "login ended");
    Ok(done())
}

pub(super) async fn list_own(
    State(web): State<Web>,
    Person(person): Person,
) -> Result<impl IntoResponse, ApiError> {
    let items = items(&web, &person, Some(own_id(&person)?))?;
    Ok(Json(json!({ "items": items })))
}

pub(super) async fn end_own(
    State(web): State<Web>,
    Person(person): Person,
    Segment(id): Segment<String>,
) -> Result<impl IntoResponse, ApiError> {
    end_one(&web, &person, &id, Some(person.who)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    account: Option<u32>,
}

pub(super) async fn list(
    State(web): State<Web>,
    Person(by): Person,
    Params(query): Params<Query>,
) -> Result<impl IntoResponse, ApiError> {
    let items = items(&web, &by, query.account.map(AccountId))?;
    Ok(Json(json!({ "items": items })))
}

pub(super) async fn end(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<String>,
) -> Result<impl IntoResponse, ApiError> {
    end_one(&web, &by, &id, None).await
}

pub(super) async fn end_all(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    let account = existing(&web, id)?;
    web.sign_out(Who::Account(account.id), Some(&by.key));
    let event = AuditEvent::new("session.end", account.address.to_string());
    by.store(&web).audit(event).await?;
    tracing::info!(account = %account.address, by = by.login(), "all logins ended");
    Ok(done())
}
