//! The setup wizard's API. It remembers in the store where it is, so that a closed browser goes on; once it
//! is over, all of it is gone.

mod steps;
mod users;

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Origin, Settings, Via};

use super::{Table, done, public};
use crate::Web;
use crate::error::ApiError;
use crate::guard::{Access, UserAgent, Visitor, Wizard, open_session};
use crate::input::Body;
use crate::outbound::{self, OutboundView};
use crate::sessions::Who;
use crate::setup_code;

/// What the UI may have remembered, bytes of JSON.
const UI_MAX: usize = 32 * 1024;

pub(super) fn routes(table: Table) -> Table {
    table
        .on(Access::WhileSetup, Method::POST, "/setup/code", enter)
        .on(Access::Setup, Method::GET, "/setup/progress", progress)
        .on(Access::Setup, Method::PUT, "/setup/progress", remember)
        .on(Access::Setup, Method::POST, "/setup/password", steps::password)
        .on(Access::Setup, Method::POST, "/setup/domain", steps::domain)
        .on(Access::Setup, Method::GET, "/setup/network", steps::network)
        .on(Access::Setup, Method::POST, "/setup/network", steps::set_network)
        .on(Access::Setup, Method::GET, "/setup/outbound", outbound::show)
        .on(Access::Setup, Method::POST, "/setup/outbound", outbound::set)
        .on(Access::Setup, Method::POST, "/setup/outbound/test", outbound::test)
        .on(Access::Setup, Method::POST, "/setup/users", users::add)
        .on(Access::Setup, Method::POST, "/setup/finish", steps::finish)
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Step {
    Language,
    Code,
    #[default]
    Password,
    Domain,
    Network,
    Outbound,
    Users,
    Finish,
}

/// What the wizard remembers in the settings.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    #[serde(default)]
    step: Step,
    #[serde(default)]
    skipped: Vec<Step>,
    #[serde(default)]
    ui: Value,
    /// The domain that the wizard made; replaced when the admin goes back and corrects it.
    #[serde(default)]
    domain: Option<String>,
}

impl Memory {
    fn of(settings: &Settings) -> Self {
        serde_json::from_str(&settings.wizard).unwrap_or_default()
    }

    fn store_in(&self, settings: &mut Settings) {
        settings.wizard = serde_json::to_string(self).unwrap_or_default();
    }
}

#[derive(Serialize)]
struct Progress {
    step: Step,
    skipped: Vec<Step>,
    ui: Value,
    language: String,
    password_set: bool,
    hostname: String,
    domains: Vec<String>,
    accounts: u64,
    outbound: OutboundView,
    appliance: bool,
}

impl Progress {
    fn of(web: &Web) -> Result<Self, ApiError> {
        let settings = web.settings();
        let memory = Memory::of(&settings);
        let domains = web.store().domains()?;
        Ok(Self {
            step: memory.step,
            skipped: memory.skipped,
            ui: memory.ui,
            language: settings.language.clone(),
            password_set: settings.admin_password_hash.is_some(),
            hostname: settings.hostname.clone(),
            domains: domains.iter().map(|domain| domain.name.to_string()).collect(),
            accounts: web.store().accounts_len()?,
            outbound: OutboundView::from(&settings.outbound),
            appliance: web.link().is_some(),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
    language: Option<String>,
}

async fn enter(
    State(web): State<Web>,
    from: UserAgent,
    Visitor(before): Visitor,
    Body(input): Body<Code>,
) -> Result<impl IntoResponse, ApiError> {
    let peer = from.address;
    if let Some(secs) = web.code_throttle().wait_secs() {
        return Err(ApiError::throttled(secs));
    }
    if !setup_code::matches(&web.settings().setup_code, &input.code) {
        web.code_throttle().failed();
        tracing::warn!(%peer, "wrong setup code");
        return Err(ApiError::forbidden("wrong-code").field("code"));
    }
    web.code_throttle().succeeded();
    if let Some(language) = input.language {
        public::store_language(&web, Origin::new("setup", Via::Setup, Some(peer)), &language)
            .await?;
    }
    if let Some(before) = before {
        web.sessions().close(&before.key);
    }
    let cookie = open_session(&web, Who::Setup, from, web.ctx().admission.now())?;
    tracing::info!(%peer, "setup wizard opened");
    Ok((cookie, Json(Progress::of(&web)?)))
}

async fn progress(State(web): State<Web>) -> Result<impl IntoResponse, ApiError> {
    Ok(Json(Progress::of(&web)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    step: Step,
    #[serde(default)]
    skipped: Vec<Step>,
    #[serde(default)]
    ui: Value,
}

async fn remember(
    State(web): State<Web>,
    Wizard(by): Wizard,
    Body(input): Body<Place>,
) -> Result<impl IntoResponse, ApiError> {
    if input.ui.to_string().len() > UI_MAX || input.skipped.len() > 8 {
        return Err(ApiError::invalid("too-much").field("ui"));
    }
    let change = move |settings: &mut Settings| {
        let mut memory = Memory::of(settings);
        (memory.step, memory.skipped, memory.ui) = (input.step, input.skipped, input.ui);
        memory.store_in(settings);
    };
    by.store(&web).update_settings(Box::new(change)).await?;
    Ok(done())
}
