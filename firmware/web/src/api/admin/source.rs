//! The external directory of a domain: settings, test, sync. The password goes in and never comes out.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use base::DomainName;
use serde::{Deserialize, Serialize};
use serde_json::json;
use source::settings::{self, Effective};
use source::{Reason, Report};
use store::{AuditEvent, SourcePreset, SourceSettings, SourceTls};

use crate::Web;
use crate::api::done;
use crate::error::ApiError;
use crate::guard::{Identity, Person};
use crate::input::{Body, MaybeBody, Params, Segment};
use crate::outbound::named;

/// The settings as they are given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    preset: SourcePreset,
    url: String,
    tls: Option<SourceTls>,
    ca_pem: Option<String>,
    fingerprint: Option<String>,
    #[serde(default)]
    bind_dn: String,
    /// Outer `None`: not named, the stored one stays.
    #[serde(default, deserialize_with = "named")]
    bind_password: Option<Option<String>>,
    base: String,
    filter: Option<String>,
    group_filter: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    interval_minutes: Option<u32>,
    cache_days: Option<u16>,
}

fn yes() -> bool {
    true
}

fn refused(problem: settings::Problem) -> ApiError {
    ApiError::invalid(problem.code).field(problem.field).detail(problem.detail)
}

impl Change {
    /// The settings this asks for. A password that is not named is the stored one, if it is for the same name
    /// at the same place with the same trust: nobody can have it sent elsewhere.
    fn over(self, stored: Option<&SourceSettings>) -> Result<SourceSettings, ApiError> {
        let (host, port, is_tls) = settings::parse_url(&self.url).map_err(refused)?;
        let tls = match (is_tls, self.tls) {
            (true, None | Some(SourceTls::Tls)) => SourceTls::Tls,
            (false, None) => SourceTls::Starttls,
            (false, Some(tls @ (SourceTls::Starttls | SourceTls::None))) => tls,
            _ => {
                let detail = "ldaps:// is tls, ldap:// is starttls or none";
                return Err(ApiError::invalid("url-invalid").field("tls").detail(detail));
            }
        };
        let some = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let mut settings = SourceSettings {
            enabled: self.enabled,
            preset: self.preset,
            host,
            port,
            tls,
            ca_pem: some(self.ca_pem),
            fingerprint: some(self.fingerprint.map(|text| settings::plain_fingerprint(&text))),
            bind_dn: self.bind_dn.trim().to_owned(),
            bind_password: None,
            base: self.base.trim().to_owned(),
            filter: some(self.filter),
            group_filter: self.group_filter,
            attributes: self.attributes,
            interval_minutes: self.interval_minutes.unwrap_or(settings::INTERVAL_MINUTES),
            cache_days: self.cache_days.unwrap_or(settings::CACHE_DAYS),
        };
        let place = |of: &SourceSettings| {
            (of.host.clone(), of.port, of.tls, of.ca_pem.clone(), of.fingerprint.clone())
        };
        settings.bind_password = match self.bind_password {
            Some(password) => password.filter(|password| !password.is_empty()),
            None => stored
                .filter(|stored| {
                    place(stored) == place(&settings) && stored.bind_dn == settings.bind_dn
                })
                .and_then(|stored| stored.bind_password.clone()),
        };
        settings::check(&settings).map_err(refused)?;
        Ok(settings)
    }
}

/// The settings as they are shown.
#[derive(Serialize)]
struct View {
    enabled: bool,
    preset: SourcePreset,
    url: String,
    tls: SourceTls,
    ca_pem: Option<String>,
    fingerprint: Option<String>,
    bind_dn: String,
    password_set: bool,
    base: String,
    filter: Option<String>,
    group_filter: Option<String>,
    attributes: BTreeMap<String, String>,
    interval_minutes: u32,
    cache_days: u16,
    effective: BTreeMap<&'static str, String>,
}

impl From<SourceSettings> for View {
    fn from(settings: SourceSettings) -> Self {
        let scheme = if settings.tls == SourceTls::Tls { "ldaps" } else { "ldap" };
        let is_v6 = settings.host.contains(':');
        let host = if is_v6 { format!("[{}]", settings.host) } else { settings.host.clone() };
        let Effective { filter, group_filter, mut attributes } = Effective::of(&settings);
        attributes.extend([("filter", filter), ("group_filter", group_filter)]);
        Self {
            enabled: settings.enabled,
            preset: settings.preset,
            url: format!("{scheme}://{host}:{}", settings.port),
            tls: settings.tls,
            ca_pem: settings.ca_pem,
            fingerprint: settings.fingerprint,
            bind_dn: settings.bind_dn,
            password_set: settings.bind_password.is_some(),
            base: settings.base,
            filter: settings.filter,
            group_filter: settings.group_filter,
            attributes: settings.attributes,
            interval_minutes: settings.interval_minutes,
            cache_days: settings.cache_days,
            effective: attributes,
        }
    }
}

/// A domain of the box that who asks may look at.
fn domain(web: &Web, by: &Identity, name: &str) -> Result<DomainName, ApiError> {
    let name = DomainName::parse(name).map_err(|_| ApiError::not_found())?;
    let is_there = web.store().domains()?.iter().any(|domain| domain.name == name);
    if is_there && by.sees(&name) { Ok(name) } else { Err(ApiError::not_found()) }
}

fn stored(web: &Web, domain: &DomainName) -> Result<SourceSettings, ApiError> {
    web.store().source(domain)?.ok_or_else(ApiError::not_found)
}

pub(super) async fn show(
    State(web): State<Web>,
    Person(by): Person,
    Segment(name): Segment<String>,
) -> Result<impl IntoResponse, ApiError> {
    let domain = domain(&web, &by, &name)?;
    Ok(Json(View::from(stored(&web, &domain)?)))
}

pub(super) async fn set(
    State(web): State<Web>,
    Person(by): Person,
    Segment(name): Segment<String>,
    Body(input): Body<Change>,
) -> Result<impl IntoResponse, ApiError> {
    let domain = domain(&web, &by, &name)?;
    let settings = input.over(web.store().source(&domain)?.as_ref())?;
    by.store(&web).set_source(domain.clone(), settings.clone()).await?;
    tracing::info!(%domain, host = settings.host, by = by.login(), "source set");
    if settings.enabled {
        web.sources().start(&domain, false);
    }
    Ok(Json(View::from(settings)))
}

pub(super) async fn remove(
    State(web): State<Web>,
    Person(by): Person,
    Segment(name): Segment<String>,
) -> Result<impl IntoResponse, ApiError> {
    let domain = domain(&web, &by, &name)?;
    stored(&web, &domain)?;
    Box::pin(web.sources().release(&by.store(&web), &domain)).await?;
    tracing::info!(%domain, by = by.login(), "source removed; its people are local ones");
    Ok(done())
}

pub(super) async fn test(
    State(web): State<Web>,
    Person(by): Person,
    Segment(name): Segment<String>,
    MaybeBody(input): MaybeBody<Change>,
) -> Result<impl IntoResponse, ApiError> {
    let domain = domain(&web, &by, &name)?;
    let settings = match input {
        Some(input) => input.over(web.store().source(&domain)?.as_ref())?,
        None => stored(&web, &domain)?,
    };
    let report = Box::pin(web.sources().test(&domain, &settings)).await?;
    Ok(Json(report.ok_or_else(ApiError::busy)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    /// Also if the source shows less than half of the people.
    #[serde(default)]
    force: bool,
}

pub(super) async fn sync(
    State(web): State<Web>,
    Person(by): Person,
    Segment(name): Segment<String>,
    Params(how): Params<How>,
) -> Result<impl IntoResponse, ApiError> {
    let domain = domain(&web, &by, &name)?;
    let started = stored(&web, &domain)?.enabled && web.sources().start(&domain, how.force);
    if started {
        let event = AuditEvent::new("source.sync", domain.to_string());
        let event = if how.force { event.with("force", "", "true") } else { event };
        by.store(&web).audit(event).await?;
    }
    Ok(Json(json!({ "started": started })))
}

pub(super) async fn status(
    State(web): State<Web>,
    Person(by): Person,
    Segment(name): Segment<String>,
) -> Result<impl IntoResponse, ApiError> {
    let domain = domain(&web, &by, &name)?;
    stored(&web, &domain)?;
    let status = web.sources().status(&domain)?;
    let (result, reason, detail) = match &status.outcome {
        None => (None, None, None),
        Some(Ok(report)) if report.errors.is_empty() => (Some("ok"), None, None),
        Some(Ok(_)) => (Some("partial"), None, None),
        Some(Err(why)) => (Some("failed"), Some(why.reason), Some(why.detail.clone())),
    };
    let report = status.outcome.and_then(Result::ok).unwrap_or_default();
    Ok(Json(StatusView {
        running: status.is_running,
        syncs: status.ended,
        last_sync_at: status.last_sync_at.map(base::Timestamp::rfc3339),
        result,
        reason,
        detail,
        report,
    }))
}

#[derive(Serialize)]
struct StatusView {
    running: bool,
    syncs: u64,
    last_sync_at: Option<String>,
    result: Option<&'static str>,
    reason: Option<Reason>,
    detail: Option<String>,
    #[serde(flatten)]
    report: Report,
}
