//! Mail domains.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base::DomainName;
use serde::{Deserialize, Serialize};
use serde_json::json;
use session::rules::{Role, Target};
use store::{Domain, DomainChange, StoreError};

use crate::Web;
use crate::api::done;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::{Body, Segment};
use crate::outbound::named;
use crate::rules::{self, MB};

/// Further names of one domain; the store's limit.
const ALIASES_MAX: usize = 100;

/// A domain as it is shown.
#[derive(Debug, Serialize)]
struct DomainView {
    name: String,
    accounts: u32,
    aliases: u32,
    groups: u32,
    catch_all: Option<String>,
    domain_aliases: Vec<String>,
    admins: Vec<String>,
    default_quota_mb: Option<u64>,
    source: bool,
}

impl DomainView {
    fn new(web: &Web, domain: &Domain) -> Result<Self, StoreError> {
        Ok(Self {
            name: domain.name.to_string(),
            accounts: domain.accounts,
            aliases: domain.aliases,
            groups: domain.groups,
            catch_all: domain.catch_all.as_ref().map(ToString::to_string),
            domain_aliases: domain.further.iter().map(ToString::to_string).collect(),
            admins: domain.admins.iter().map(ToString::to_string).collect(),
            default_quota_mb: domain.quota_bytes.map(|bytes| bytes / MB),
            source: web.store().source(&domain.name)?.is_some(),
        })
    }
}

pub(super) async fn list(
    State(web): State<Web>,
    Person(by): Person,
) -> Result<impl IntoResponse, ApiError> {
    let domains = web.store().domains()?;
    let seen = domains.iter().filter(|domain| by.sees(&domain.name));
    let items: Vec<_> =
        seen.map(|domain| DomainView::new(&web, domain)).collect::<Result<_, _>>()?;
    Ok(Json(json!({ "items": items })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDomain {
    name: String,
}

pub(super) async fn add(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<NewDomain>,
) -> Result<impl IntoResponse, ApiError> {
    let name = rules::domain(&input.name).map_err(|problem| problem.at("name"))?;
    match by.store(&web).create_domain(name.clone()).await {
        Err(StoreError::Exists) => return Err(ApiError::conflict("domain-exists").field("name")),
        Err(err @ StoreError::DomainTaken(_)) => return Err(ApiError::from(err).field("name")),
        made => made?,
    }
    tracing::info!(domain = %name, by = by.login(), "domain added");
    Ok((StatusCode::CREATED, Json(DomainView::new(&web, &find(&web, &name)?)?)))
}

fn find(web: &Web, name: &DomainName) -> Result<Domain, ApiError> {
    web.store().domain(name)?.ok_or_else(ApiError::not_found)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default, deserialize_with = "named")]
    catch_all: Option<Option<String>>,
    domain_aliases: Option<Vec<String>>,
    #[serde(default, deserialize_with = "named")]
    default_quota_mb: Option<Option<u64>>,
}

impl Change {
    /// What changes: the fields, with the attributes of the domain's entry.
    fn fields(&self) -> Vec<(&'static str, &'static str)> {
        let changed = [
            ("catch_all", "postroomCatchAll", self.catch_all.is_some()),
            ("domain_aliases", "postroomDomainAlias", self.domain_aliases.is_some()),
            ("default_quota_mb", "postroomQuota", self.default_quota_mb.is_some()),
        ];
        let changed = changed.into_iter().filter(|(_, _, is_changed)| *is_changed);
        changed.map(|(field, attribute, _)| (field, attribute)).collect()
    }

    fn check(&self, web: &Web, domain: &Domain) -> Result<DomainChange, ApiError> {
        let catch_all = match &self.catch_all {
            Some(Some(text)) => {
                Some(Some(rules::address(text).map_err(|problem| problem.at("catch_all"))?))
            }
            Some(None) => Some(None),
            None => None,
        };
        let quota_bytes = match self.default_quota_mb {
            // Without limit, whatever the box's default is.
            Some(Some(0)) => Some(Some(0)),
            Some(Some(mb)) => {
                Some(Some(rules::quota(mb).map_err(|problem| problem.at("default_quota_mb"))?))
            }
            Some(None) => Some(None),
            None => None,
        };
        let further = self.further(web, domain)?;
        Ok(DomainChange { catch_all, further, quota_bytes })
    }

    /// All further names: those it has may stay, others must be nobody's.
    fn further(&self, web: &Web, domain: &Domain) -> Result<Option<Vec<DomainName>>, ApiError> {
        let Some(texts) = &self.domain_aliases else { return Ok(None) };
        if texts.len() > ALIASES_MAX {
            return Err(ApiError::invalid("too-many-domain-aliases").field("domain_aliases"));
        }
        let known = web.store().domains()?;
        let is_others = |name: &DomainName| {
            let has = |other: &Domain| other.name == *name || other.further.contains(name);
            *name == domain.name
                || known.iter().any(|other| other.name != domain.name && has(other))
        };
        let (mut names, mut seen) = (Vec::with_capacity(texts.len()), BTreeSet::new());
        for (n, text) in texts.iter().enumerate() {
            let field = format!("domain_aliases.{n}");
            let name = rules::domain(text).map_err(|problem| problem.at(&field))?;
            if !seen.insert(name.clone()) {
                return Err(ApiError::invalid("duplicate").field(field));
            }
            if is_others(&name) {
                let detail = format!("{name} is a domain of this server, or another name of one");
                return Err(ApiError::conflict("domain-taken").field(field).detail(detail));
            }
            names.push(name);
        }
        Ok(Some(names))
    }
}

pub(super) async fn change(
    State(web): State<Web>,
    Person(by): Person,
    Segment(name): Segment<String>,
    Body(input): Body<Change>,
) -> Result<impl IntoResponse, ApiError> {
    let name = DomainName::parse(&name).map_err(|_| ApiError::not_found())?;
    let (of, fields) = (name.clone(), input.fields());
    let store = by.store_if(&web, move |by, _| {
        by.must_manage(&of)?;
        let target = if by.role() == Role::Admin { Target::Other } else { Target::Base };
        let may = |attribute| session::rules::may_write(by.role(), target, attribute);
        match fields.iter().find(|(_, attribute)| !may(attribute)) {
            Some((field, _)) => Err(StoreError::Forbidden((*field).to_owned())),
            None => Ok(()),
        }
    })?;
    let domain = find(&web, &name)?;
    let change = input.check(&web, &domain)?;
    store.update_domain(name.clone(), change).await?;
    tracing::info!(domain = %name, by = by.login(), "domain changed");
    Ok(Json(DomainView::new(&web, &find(&web, &name)?)?))
}

pub(super) async fn remove(
    State(web): State<Web>,
    Person(by): Person,
    Segment(name): Segment<String>,
) -> Result<impl IntoResponse, ApiError> {
    let name = DomainName::parse(&name).map_err(|_| ApiError::not_found())?;
    match by.store(&web).delete_domain(name.clone()).await {
        Err(StoreError::InUse) => {
            let detail = "people, aliases, groups or other entries are in it still";
            return Err(ApiError::conflict("domain-in-use").detail(detail));
        }
        Err(StoreError::NoSuchDomain) => return Err(ApiError::not_found()),
        gone => gone?,
    }
    tracing::info!(domain = %name, by = by.login(), "domain removed");
    Ok(done())
}
