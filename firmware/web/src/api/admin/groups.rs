//! Groups; with an address they are distribution lists.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base::{Address, DomainName};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Group, GroupChange, GroupSummary, Members, Resolution, Store, StoreError};

use crate::Web;
use crate::api::done;
use crate::error::ApiError;
use crate::guard::{Identity, Person};
use crate::input::{Body, Params, Segment};
use crate::outbound::named;
use crate::rules::{self, Problem};

/// Groups on a page.
const PAGE_MAX: usize = 500;
const PAGE: usize = 50;
/// Members of one group; the store's limit.
const MEMBERS_MAX: usize = 10_000;
/// Longest description, characters.
const DESCRIPTION_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    #[serde(default)]
    domain: String,
    #[serde(default)]
    search: String,
    with_address: Option<bool>,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

/// A group without its members, or with them.
#[derive(Debug, Serialize)]
struct GroupView<M> {
    name: String,
    domain: String,
    address: Option<String>,
    members: M,
    description: String,
}

impl From<GroupSummary> for GroupView<usize> {
    fn from(group: GroupSummary) -> Self {
        Self {
            name: group.name,
            domain: group.domain.to_string(),
            address: group.address.map(|address| address.to_string()),
            members: group.members,
            description: group.description,
        }
    }
}

fn shown(web: &Web, group: &Group) -> Result<GroupView<Vec<String>>, ApiError> {
    let mut members = Vec::new();
    for id in &group.members {
        members.extend(web.store().account(*id)?.map(|account| account.address.to_string()));
    }
    members.extend(group.groups.iter().cloned());
    members.extend(group.outside.iter().map(ToString::to_string));
    Ok(GroupView {
        name: group.name.clone(),
        domain: group.domain.to_string(),
        address: group.address.as_ref().map(ToString::to_string),
        members,
        description: group.description.clone(),
    })
}

pub(super) async fn list(
    State(web): State<Web>,
    Person(by): Person,
    Params(query): Params<Query>,
) -> Result<impl IntoResponse, ApiError> {
    let domain = match query.domain.as_str() {
        "" => None,
        name => Some(rules::domain(name).map_err(|problem| problem.at("domain"))?),
    };
    let wanted = query.search.trim().to_lowercase();
    let fits = |group: &GroupSummary| {
        let contains = |text: &str| text.to_lowercase().contains(&wanted);
        by.sees(&group.domain)
            && domain.as_ref().is_none_or(|domain| *domain == group.domain)
            && query.with_address.is_none_or(|with| with == group.address.is_some())
            && (contains(&group.name)
                || contains(&group.description)
                || group.address.as_ref().is_some_and(|address| contains(&address.to_string())))
    };
    let mut found = web.store().group_summaries()?;
    found.retain(fits);
    found.sort_by_cached_key(|g| (g.domain.to_string(), g.name.to_lowercase()));
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let len = found.len();
    let items: Vec<_> =
        found.into_iter().skip(query.offset).take(limit).map(GroupView::from).collect();
    let next = query.offset.saturating_add(items.len());
    let next = (!items.is_empty() && next < len).then_some(next);
    Ok(Json(json!({ "items": items, "next": next, "found": len })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGroup {
    name: String,
    domain: String,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    description: String,
}

pub(super) async fn add(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<NewGroup>,
) -> Result<impl IntoResponse, ApiError> {
    let domain = rules::domain(&input.domain).map_err(|problem| problem.at("domain"))?;
    by.must_manage(&domain)?;
    let name = rules::group_name(&input.name).map_err(|problem| problem.at("name"))?;
    let description = description(&input.description)?;
    let address = match &input.address {
        Some(text) => Some(address(&by, text)?),
        None => None,
    };
    let reading = Reading { store: web.store(), by: &by, known: None };
    let Members { accounts: members, groups, outside } =
        reading.members("members", &input.members, address.is_some())?;
    let group = Group {
        name: name.clone(),
        domain: domain.clone(),
        address,
        members,
        groups,
        outside,
        description,
    };
    let asked = group.clone();
    let store = by.store_if(&web, move |by, state| {
        let Group { members: accounts, groups, outside, .. } = asked.clone();
        let members = Members { accounts, groups, outside };
        by.must_group(state, &asked.domain, None, asked.address.as_ref(), [&members])
    })?;
    match store.create_group(group).await {
        Err(StoreError::Exists) => return Err(ApiError::conflict("group-exists").field("name")),
        made => made.map_err(refused)?,
    }
    tracing::info!(group = name, %domain, by = by.login(), "group added");
    let group = web.store().group(&name, &domain)?.ok_or_else(ApiError::not_found)?;
    Ok((StatusCode::CREATED, Json(shown(&web, &group)?)))
}

/// What the store says of a group that it does not take.
fn refused(err: StoreError) -> ApiError {
    match err {
        err @ StoreError::NoSuchDomain => ApiError::from(err).field("address"),
        err @ StoreError::AddressTaken(_) => ApiError::from(err).field("address"),
        err => err.into(),
    }
}

fn description(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    let has_control = text.chars().any(|c| c.is_control() && c != '\n');
    if text.chars().count() > DESCRIPTION_MAX || has_control {
        let detail = format!("a description has at most {DESCRIPTION_MAX} characters");
        return Err(Problem::new("description-invalid", detail).at("description"));
    }
    Ok(text.to_owned())
}

/// The address of a group, in a domain of who sets it.
fn address(by: &Identity, text: &str) -> Result<Address, ApiError> {
    let address = rules::address(text).map_err(|problem| problem.at("address"))?;
    by.must_manage_all("address", [&address])?;
    Ok(address)
}

/// Members as they are given: addresses of accounts, addresses elsewhere, `name@domain` of groups.
struct Reading<'a> {
    store: &'a Store,
    by: &'a Identity,
    /// The group as it is. A name of a group in it means that group, whoever has it as an address; and who
    /// is in it may stay, whoever may add him.
    known: Option<&'a Group>,
}

impl Reading<'_> {
    fn members(&self, key: &str, texts: &[String], has_address: bool) -> Result<Members, ApiError> {
        if texts.len() > MEMBERS_MAX {
            return Err(ApiError::invalid("too-many-members").field(key));
        }
        let mut members = Members::default();
        for (n, text) in texts.iter().enumerate() {
            let field = format!("{key}.{n}");
            self.member(text, &mut members).map_err(|err| err.field(&field))?;
            if !members.outside.is_empty() && !has_address {
                let detail = "people elsewhere get nothing of a group without an address";
                return Err(ApiError::invalid("members-need-address").field(field).detail(detail));
            }
        }
        members.accounts.sort_unstable();
        members.accounts.dedup();
        members.groups.sort_unstable();
        members.groups.dedup();
        members.outside.sort_by_key(Address::key);
        members.outside.dedup_by_key(|address| address.key());
        Ok(members)
    }

    fn member(&self, text: &str, members: &mut Members) -> Result<(), ApiError> {
        let key = text.trim().to_lowercase();
        if self.known.is_some_and(|group| group.groups.contains(&key)) {
            members.groups.push(key);
            return Ok(());
        }
        let parsed = rules::address(text);
        if let Ok(address) = &parsed
            && let Some(account) = self.store.account_by_address(address)?
        {
            if !self.known.is_some_and(|group| group.members.contains(&account.id)) {
                self.by.must_manage(account.address.domain())?;
            }
            members.accounts.push(account.id);
            return Ok(());
        }
        // Names of groups may be no local parts: `All of us@office.test`.
        if let Some((name, domain)) = key.rsplit_once('@')
            && let Ok(domain) = DomainName::parse(domain)
            && self.store.group(name, &domain)?.is_some()
        {
            self.by.must_manage(&domain)?;
            members.groups.push(key);
            return Ok(());
        }
        let address =
            parsed.map_err(|problem| ApiError::invalid(problem.code).detail(problem.detail))?;
        if self.store.resolve(&address)? != Resolution::NotLocal {
            let detail = format!("{address} is no account of this server");
            return Err(ApiError::invalid("member-unknown").detail(detail));
        }
        members.outside.push(address);
        Ok(())
    }
}

fn existing(web: &Web, by: &Identity, text: &str) -> Result<Group, ApiError> {
    let (name, domain) = text.rsplit_once('@').ok_or_else(ApiError::not_found)?;
    let domain = DomainName::parse(domain).map_err(|_| ApiError::not_found())?;
    by.must_manage(&domain)?;
    web.store().group(name, &domain)?.ok_or_else(ApiError::not_found)
}

pub(super) async fn show(
    State(web): State<Web>,
    Person(by): Person,
    Segment(group): Segment<String>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(Json(shown(&web, &existing(&web, &by, &group)?)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default, deserialize_with = "named")]
    address: Option<Option<String>>,
    members: Option<Vec<String>>,
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
    description: Option<String>,
}

impl Change {
    fn check(&self, web: &Web, by: &Identity, group: &Group) -> Result<GroupChange, ApiError> {
        if self.members.is_some() && !(self.add.is_empty() && self.remove.is_empty()) {
            return Err(ApiError::bad_request(
                "members is the whole list, beside it is no add or remove",
            ));
        }
        let address = match &self.address {
            Some(Some(text)) => Some(Some(address(by, text)?)),
            Some(None) => Some(None),
            None => None,
        };
        let has_address = address.as_ref().unwrap_or(&group.address).is_some();
        let reading = Reading { store: web.store(), by, known: Some(group) };
        let members = self.members.as_deref();
        Ok(GroupChange {
            address,
            members: members.map(|m| reading.members("members", m, has_address)).transpose()?,
            add: reading.members("add", &self.add, has_address)?,
            remove: reading.members("remove", &self.remove, true)?,
            description: self.description.as_deref().map(description).transpose()?,
        })
    }
}

pub(super) async fn change(
    State(web): State<Web>,
    Person(by): Person,
    Segment(group): Segment<String>,
    Body(input): Body<Change>,
) -> Result<impl IntoResponse, ApiError> {
    let group = existing(&web, &by, &group)?;
    let change = input.check(&web, &by, &group)?;
    let (name, of, asked) = (group.name.clone(), group.domain.clone(), change.clone());
    let store = by.store_if(&web, move |by, state| {
        let known = state.group(&name, &of)?;
        let address = asked.address.as_ref().and_then(Option::as_ref);
        let members = asked.members.iter().chain([&asked.add]);
        by.must_group(state, &of, known.as_ref(), address, members)
    })?;
    let done = store.update_group(group.name.clone(), group.domain.clone(), change);
    let after = done.await.map_err(refused)?;
    tracing::info!(group = group.name, domain = %group.domain, by = by.login(), "group changed");
    Ok(Json(shown(&web, &after)?))
}

pub(super) async fn remove(
    State(web): State<Web>,
    Person(by): Person,
    Segment(group): Segment<String>,
) -> Result<impl IntoResponse, ApiError> {
    let group = existing(&web, &by, &group)?;
    let store = by.store_managing(&web, &group.domain)?;
    store.delete_group(group.name.clone(), group.domain.clone()).await?;
    tracing::info!(group = group.name, domain = %group.domain, by = by.login(), "group removed");
    Ok(done())
}
