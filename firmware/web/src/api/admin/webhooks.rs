//! Webhooks: who is told of changes, and who is asked before them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use hooks::{Attempt, Reason, TargetError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{OnFailure, StoreError, Webhook, WebhookMode};

use crate::Web;
use crate::api::done;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::{Body, Segment};
use crate::rules;

/// Events of one webhook.
const EVENTS_MAX: usize = 50;
/// Families of events, with the verbs they have.
const FAMILIES: [(&str, &[&str]); 16] = [
    ("account", &["create", "change", "password", "delete", "restore"]),
    ("alias", &["create", "change", "delete"]),
    ("group", &["create", "change", "delete"]),
    ("domain", &["create", "change", "delete"]),
    ("entry", &["create", "change", "rename", "delete"]),
    ("settings", &["change"]),
    ("tls", &["change"]),
    ("messages", &["restore"]),
    ("session", &["sign-in", "end"]),
    ("queue", &["retry", "hold", "release", "delete"]),
    ("webhook", &["create", "change", "delete", "refused"]),
    ("box", &["reboot", "power-off"]),
    ("trace", &["on", "off"]),
    ("credential", &[]),
    ("token", &["create", "delete"]),
    ("source", &["create", "change", "delete", "sync"]),
];
/// Families that can be asked about before an act.
const BEFORE: [&str; 3] = ["account", "alias", "group"];

#[derive(Serialize)]
struct View {
    id: u32,
    name: String,
    url: String,
    events: Vec<String>,
    mode: WebhookMode,
    on_failure: OnFailure,
    enabled: bool,
    created_at: String,
    /// The secret before this one counts until then.
    old_secret_until: Option<String>,
    state: StateView,
    /// Only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

#[derive(Serialize)]
struct StateView {
    waiting: u64,
    failing_since: Option<String>,
    gave_up_at: Option<String>,
    last_ok_at: Option<String>,
    last_error: Option<String>,
    missed: u64,
}

impl View {
    fn of(web: &Web, hook: &Webhook, secret: Option<String>) -> Result<Self, ApiError> {
        let state = web.store().webhook_state(hook.id)?.unwrap_or_default();
        let time = |at: Option<base::Timestamp>| at.map(base::Timestamp::rfc3339);
        let is_told = hook.enabled && hook.mode == WebhookMode::After;
        let waiting = if is_told { web.store().audit_len_after(state.told)? } else { 0 };
        Ok(Self {
            id: hook.id,
            name: hook.name.clone(),
            url: hook.url.clone(),
            events: hook.events.clone(),
            mode: hook.mode,
            on_failure: hook.on_failure,
            enabled: hook.enabled,
            created_at: hook.created_at.rfc3339(),
            old_secret_until: time(hook.old_secret(web.ctx().clock.now()).map(|old| old.until)),
            state: StateView {
                waiting,
                failing_since: time(state.failing_since),
                gave_up_at: time(state.gave_up_at),
                last_ok_at: time(state.last_ok_at),
                last_error: state.last_error,
                missed: state.missed,
            },
            secret,
        })
    }
}

fn find(web: &Web, id: u32) -> Result<Webhook, ApiError> {
    let hooks = web.store().watch_webhooks();
    let found = hooks.borrow().iter().find(|hook| hook.id == id).cloned();
    found.ok_or_else(ApiError::not_found)
}

pub(super) async fn list(State(web): State<Web>) -> Result<impl IntoResponse, ApiError> {
    let hooks = web.store().watch_webhooks().borrow().clone();
    let items: Result<Vec<View>, ApiError> =
        hooks.iter().map(|hook| View::of(&web, hook, None)).collect();
    let events: Vec<String> = FAMILIES
        .iter()
        .flat_map(|(family, verbs)| verbs.iter().map(move |verb| format!("{family}.{verb}")))
        .collect();
    Ok(Json(json!({ "items": items?, "events": events })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    name: Option<String>,
    url: Option<String>,
    events: Option<Vec<String>>,
    mode: Option<WebhookMode>,
    on_failure: Option<OnFailure>,
    enabled: Option<bool>,
    #[serde(default)]
    new_secret: bool,
}

impl Input {
    /// What is set after the change.
    fn over(self, web: &Web, mut hook: Webhook) -> Result<Webhook, ApiError> {
        if let Some(name) = &self.name {
            hook.name = rules::title(name).map_err(|problem| problem.at("name"))?;
        }
        if let Some(url) = self.url {
            web.hooks().check_url(&url).map_err(|err| {
                let (code, detail) = match err {
                    TargetError::Invalid => {
                        ("url-invalid", "it is no address of http:// or https://")
                    }
                    TargetError::NeedsHttps => {
                        ("url-needs-https", "outside of the own network it has to be https://")
                    }
                    TargetError::Own => ("url-refused", "it is the box itself"),
                };
                ApiError::invalid(code).field("url").detail(detail)
            })?;
            url.trim().clone_into(&mut hook.url);
        }
        hook.events = self.events.unwrap_or(hook.events);
        hook.mode = self.mode.unwrap_or(hook.mode);
        hook.on_failure = self.on_failure.unwrap_or(hook.on_failure);
        hook.enabled = self.enabled.unwrap_or(hook.enabled);
        check_events(&hook)?;
        Ok(hook)
    }
}

fn check_events(hook: &Webhook) -> Result<(), ApiError> {
    if hook.events.is_empty() || hook.events.len() > EVENTS_MAX {
        return Err(ApiError::invalid("events-invalid").field("events"));
    }
    for (n, kind) in hook.events.iter().enumerate() {
        let (family, verb) = kind.split_once('.').unwrap_or((kind, "*"));
        let known = FAMILIES.iter().find(|(name, _)| *name == family);
        let is_known = match known {
            // Verbs of later versions may stand in what was exported from one.
            Some((_, verbs)) => verb == "*" || verbs.is_empty() || verbs.contains(&verb),
            None => kind == "*" && hook.mode == WebhookMode::After,
        };
        let can_be = hook.mode == WebhookMode::After || BEFORE.contains(&family);
        if !is_known || !can_be {
            let detail = format!("\"{kind}\" is no event for this");
            return Err(ApiError::invalid("events-invalid")
                .field(format!("events.{n}"))
                .detail(detail));
        }
    }
    Ok(())
}

/// A new secret, and as it is shown.
fn fresh_secret(hook: &mut Webhook) -> Result<String, ApiError> {
    let (secret, shown) = hooks::new_secret().ok_or_else(ApiError::busy)?;
    hook.secret = secret;
    Ok(shown)
}

pub(super) async fn add(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<Input>,
) -> Result<impl IntoResponse, ApiError> {
    for (is_missing, field) in [
        (input.name.is_none(), "name"),
        (input.url.is_none(), "url"),
        (input.events.is_none(), "events"),
    ] {
        if is_missing {
            return Err(ApiError::bad_request(format!("missing field `{field}`")));
        }
    }
    let new = Webhook { enabled: true, ..Webhook::default() };
    let mut hook = input.over(&web, new)?;
    let secret = fresh_secret(&mut hook)?;
    let made = match by.store(&web).create_webhook(hook).await {
        Err(StoreError::LimitReached(_)) => return Err(ApiError::conflict("too-many")),
        made => made?,
    };
    tracing::info!(hook = made.name, by = by.login(), "webhook added");
    Ok((StatusCode::CREATED, Json(View::of(&web, &made, Some(secret))?)))
}

pub(super) async fn change(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
    Body(input): Body<Input>,
) -> Result<impl IntoResponse, ApiError> {
    let gets_secret = input.new_secret;
    let mut hook = input.over(&web, find(&web, id)?)?;
    let secret = if gets_secret { Some(fresh_secret(&mut hook)?) } else { None };
    if !by.store(&web).change_webhook(hook.clone()).await? {
        return Err(ApiError::not_found());
    }
    tracing::info!(hook = hook.name, by = by.login(), "webhook changed");
    Ok(Json(View::of(&web, &find(&web, id)?, secret)?))
}

pub(super) async fn remove(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    let hook = find(&web, id)?;
    if !by.store(&web).delete_webhook(id).await? {
        return Err(ApiError::not_found());
    }
    tracing::info!(hook = hook.name, by = by.login(), "webhook removed");
    Ok(done())
}

#[derive(Serialize)]
struct AttemptView {
    at: String,
    event: String,
    seq: Option<u64>,
    attempt: u32,
    ok: bool,
    status: Option<u16>,
    error: Option<Reason>,
    detail: Option<String>,
    ms: u64,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            at: attempt.at.rfc3339(),
            event: attempt.event,
            seq: attempt.seq,
            attempt: attempt.attempt,
            ok: attempt.is_ok,
            status: attempt.status,
            error: attempt.error,
            detail: attempt.detail,
            ms: attempt.ms,
        }
    }
}

pub(super) async fn test(
    State(web): State<Web>,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    let hook = find(&web, id)?;
    Ok(Json(AttemptView::from(Box::pin(web.hooks().test(&hook)).await)))
}

pub(super) async fn log(
    State(web): State<Web>,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    let hook = find(&web, id)?;
    let attempts = web.hooks().attempts(hook.id).into_iter();
    Ok(Json(json!({ "items": attempts.map(AttemptView::from).collect::<Vec<_>>() })))
}
