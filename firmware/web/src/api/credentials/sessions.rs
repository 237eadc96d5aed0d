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

use super::{own_id, reached};
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

/// What is shown of an account whose login is listed.
#[derive(Default)]
struct Holder {
    name: String,
    app_passwords: BTreeMap<u32, String>,
    is_shown: bool,
}

/// Accounts, each looked up once.
struct Holders<'w> {
    web: &'w Web,
    by: &'w Identity,
    known: BTreeMap<AccountId, Holder>,
}

impl Holders<'_> {
    fn look_up(&self, id: AccountId) -> Result<Holder, ApiError> {
        let account = self.web.store().account(id)?;
        let is_own = self.by.who.account() == Some(id);
        let (name, is_seen) = match &account {
            Some(account) => (account.address.to_string(), self.by.sees(account.address.domain())),
            None if id == store::OFFICE => ("admin".to_owned(), self.by.is_admin()),
            None => return Ok(Holder::default()),
        };
        let apps = self.web.store().credentials(id)?.app_passwords;
        let app_passwords = apps.into_iter().map(|app| (app.id, app.name)).collect();
        Ok(Holder { name, app_passwords, is_shown: is_own || is_seen })
    }

    /// The account, if its logins are theirs to see.
    fn of(&mut self, id: AccountId) -> Result<Option<&Holder>, ApiError> {
        if !self.known.contains_key(&id) {
            let holder = self.look_up(id)?;
            self.known.insert(id, holder);
        }
        Ok(self.known.get(&id).filter(|holder| holder.is_shown))
    }
}

fn items(web: &Web, by: &Identity, of: Option<AccountId>) -> Result<Vec<Item>, ApiError> {
    let mut holders = Holders { web, by, known: BTreeMap::new() };
    let mut items = Vec::new();
    for LiveSession { id, service, account, address, since, client, tls, app_password } in
        web.ctx().admission.sessions(of)
    {
        let Some(holder) = holders.of(account)? else { continue };
        items.push(Item {
            id,
            protocol: protocol_of(service),
            account: holder.name.clone(),
            address: address.to_string(),
            since: since.rfc3339(),
            client,
            tls,
            app_password: app_password.and_then(|id| holder.app_passwords.get(&id).cloned()),
            current: false,
        });
    }
    for Shown { number, key, who, browser } in web.sessions().list(None) {
        let Some(account) = who.account().filter(|id| of.is_none_or(|of| of == *id)) else {
            continue;
        };
        let Some(holder) = holders.of(account)? else { continue };
        items.push(Item {
            id: format!("{WEB}{number}"),
            protocol: "web",
            account: holder.name.clone(),
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

/// Whose login that is.
fn whose(web: &Web, id: &str) -> Option<Who> {
    if let Some(number) = id.strip_prefix(WEB).and_then(|number| number.parse::<u64>().ok()) {
        let shown = web.sessions().list(None).into_iter().find(|it: &Shown| it.number == number);
        return shown.map(|it| it.who);
    }
    let live = web.ctx().admission.sessions(None).into_iter().find(|it| it.id == id)?;
    Some(Who::of(live.account))
}

/// Ends one of `of`.
async fn end_one(
    web: &Web,
    by: &Identity,
    id: &str,
    of: Who,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let is_ended = match id.strip_prefix(WEB).map(str::parse) {
        Some(Ok(number)) => web.sessions().end(number, Some(of)),
        Some(Err(_)) => false,
        None => web.ctx().admission.end_session(id, of.account()),
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
    end_one(&web, &person, &id, person.who).await
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
    let of = whose(&web, &id).ok_or_else(ApiError::not_found)?;
    match of {
        Who::Account(account) => drop(reached(&web, &by, account.0)?),
        _ if by.is_admin() => {}
        _ => return Err(ApiError::forbidden("forbidden")),
    }
    end_one(&web, &by, &id, of).await
}

pub(super) async fn end_all(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    let account = reached(&web, &by, id)?;
    web.sign_out(Who::Account(account.id), Some(&by.key));
    let event = AuditEvent::new("session.end", account.address.to_string());
    by.store(&web).audit(event).await?;
    tracing::info!(account = %account.address, by = by.login(), "all logins ended");
    Ok(done())
}
