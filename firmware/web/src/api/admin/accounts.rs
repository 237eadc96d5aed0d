//! Accounts.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base::{AccountId, DomainName};
use serde::Deserialize;
use serde_json::json;
use session::rules::Operation;
use store::{Account, AccountChange, AccountQuery, AccountSort, AccountState, StoreError};

use crate::Web;
use crate::api::accounts_input::{AccountInput, Taken};
use crate::api::views::AccountView;
use crate::api::{done, mail_rules};
use crate::error::ApiError;
use crate::guard::{Identity, Person};
use crate::input::{Body, Params, Segment};
use crate::outbound::named;
use crate::rules;
use crate::sessions::Who;

/// Accounts on a page.
const PAGE_MAX: usize = 500;
const PAGE: usize = 50;
/// Longest search, bytes.
const SEARCH_MAX: usize = 200;
/// Domains that one account administers.
const MANAGES_MAX: usize = 1_000;

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Asc,
    Desc,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Local,
    External,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
    #[serde(default)]
    search: String,
    #[serde(default)]
    domain: String,
    state: Option<AccountState>,
    source: Option<Source>,
    #[serde(default)]
    sort: AccountSort,
    #[serde(default)]
    order: Order,
}

impl Query {
    fn check(self, by: &Identity) -> Result<AccountQuery, ApiError> {
        let domain = match self.domain.as_str() {
            "" => None,
            name => Some(rules::domain(name).map_err(|problem| problem.at("domain"))?),
        };
        if self.search.len() > SEARCH_MAX {
            return Err(ApiError::invalid("search-too-long").field("search"));
        }
        Ok(AccountQuery {
            search: self.search,
            seen: by.seen_domains(),
            domain,
            state: self.state,
            is_external: self.source.map(|source| matches!(source, Source::External)),
            sort: self.sort,
            is_descending: matches!(self.order, Order::Desc),
            offset: self.offset,
            limit: self.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX),
        })
    }
}

pub(super) async fn list(
    State(web): State<Web>,
    Person(by): Person,
    Params(query): Params<Query>,
) -> Result<impl IntoResponse, ApiError> {
    let query = query.check(&by)?;
    // Reads a row of the index for each account: not on the threads that serve connections.
    let finding = tokio::task::spawn_blocking(move || {
        let page = web.store().find_accounts(&query)?;
        let items = page.accounts.iter().map(|account| AccountView::of(&web, account));
        let items = items.collect::<Result<Vec<_>, ApiError>>()?;
        let next = query.offset.saturating_add(items.len());
        let next = (!items.is_empty() && (next as u64) < page.found).then_some(next);
        let (found, total) = (page.found, page.total);
        Ok(json!({ "items": items, "next": next, "found": found, "total": total }))
    });
    let answer: Result<_, ApiError> = finding.await.map_err(|_| ApiError::busy())?;
    answer.map(Json)
}

pub(super) async fn add(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<AccountInput>,
) -> Result<impl IntoResponse, ApiError> {
    let mut account = input.check(web.store(), &mut Taken::read(web.store())?)?;
    let asked = account.clone();
    let store = by.store_if(&web, move |by, _| by.must_add(&asked))?;
    account.password_hash = Some(Box::pin(web.ctx().auth.hash(&input.password)).await?);
    let id = store.create_account(account).await?;
    let account = find(&web, id.0)?;
    tracing::info!(account = %account.address, by = by.login(), "account added");
    Ok((StatusCode::CREATED, Json(AccountView::of(&web, &account)?)))
}

fn find(web: &Web, id: u32) -> Result<Account, ApiError> {
    web.store().account(AccountId(id))?.ok_or_else(ApiError::not_found)
}

pub(super) async fn show(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    let Some(account) = web.store().account(AccountId(id))? else {
        let was = web.store().deleted_account(AccountId(id))?;
        let is_seen = was.is_some_and(|was| by.sees(was.address.domain()));
        return Err(if is_seen {
            ApiError::gone("account-deleted")
        } else {
            ApiError::not_found()
        });
    };
    by.must_reach(&account, Operation::Read)?;
    Ok(Json(AccountView::of(&web, &account)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    name: Option<String>,
    aliases: Option<Vec<String>>,
    #[serde(default, deserialize_with = "named")]
    quota_mb: Option<Option<u64>>,
    #[serde(default, deserialize_with = "named")]
    quota_messages: Option<Option<u64>>,
    state: Option<AccountState>,
    is_admin: Option<bool>,
    manages: Option<Vec<String>>,
    send_as: Option<Vec<String>>,
    forward: Option<Vec<String>>,
    forward_keep: Option<bool>,
    #[serde(default, deserialize_with = "named")]
    language: Option<Option<String>>,
}

impl Change {
    fn check(&self, web: &Web, account: &Account) -> Result<AccountChange, ApiError> {
        let name = self.name.as_deref().map(rules::name).transpose();
        let language = match &self.language {
            Some(Some(text)) => {
                Some(Some(rules::language(text).map_err(|problem| problem.at("language"))?))
            }
            Some(None) => Some(None),
            None => None,
        };
        let quota_bytes = match self.quota_mb {
            // Without limit, whatever the default is.
            Some(Some(0)) => Some(Some(0)),
            Some(Some(mb)) => {
                Some(Some(rules::quota(mb).map_err(|problem| problem.at("quota_mb"))?))
            }
            Some(None) => Some(None),
            None => None,
        };
        Ok(AccountChange {
            name: name.map_err(|problem| problem.at("name"))?,
            aliases: self.aliases(web, account)?,
            quota_bytes,
            quota_messages: self.quota_messages,
            state: self.state,
            is_admin: self.is_admin,
            manages: self.manages(web)?,
            send_as: self.send_as.as_deref().map(mail_rules::send_as).transpose()?,
            forward: self.forward(account)?,
            forward_keep: self.forward_keep,
            language,
            password_hash: None,
        })
    }

    fn forward(&self, account: &Account) -> Result<Option<Vec<base::Address>>, ApiError> {
        self.forward.as_deref().map(|texts| mail_rules::forward(account, texts)).transpose()
    }

    /// All domains that the account administers after the change.
    fn manages(&self, web: &Web) -> Result<Option<Vec<DomainName>>, ApiError> {
        let Some(texts) = &self.manages else { return Ok(None) };
        if texts.len() > MANAGES_MAX {
            return Err(ApiError::invalid("too-many-domains").field("manages"));
        }
        let known = web.store().domains()?;
        let mut names = Vec::with_capacity(texts.len());
        for (n, text) in texts.iter().enumerate() {
            let field = format!("manages.{n}");
            let name = rules::domain(text).map_err(|problem| problem.at(&field))?;
            if !known.iter().any(|domain| domain.name == name) {
                let detail = format!("{name} is no domain of this server");
                return Err(ApiError::invalid("domain-unknown").field(field).detail(detail));
            }
            names.push(name);
        }
        Ok(Some(names))
    }

    /// All aliases after the change: those it has may stay, others must be free.
    fn aliases(
        &self,
        web: &Web,
        account: &Account,
    ) -> Result<Option<Vec<base::Address>>, ApiError> {
        let Some(texts) = &self.aliases else { return Ok(None) };
        if texts.len() > rules::ALIASES_MAX {
            return Err(ApiError::invalid("too-many-aliases").field("aliases"));
        }
        let own: BTreeSet<String> = account.aliases.iter().map(base::Address::key).collect();
        let mut taken = Taken::read(web.store())?;
        let (mut aliases, mut seen) = (Vec::with_capacity(texts.len()), BTreeSet::new());
        for (n, text) in texts.iter().enumerate() {
            let field = format!("aliases.{n}");
            let address = rules::address(text).map_err(|problem| problem.at(&field))?;
            if !seen.insert(address.key()) {
                return Err(ApiError::invalid("duplicate").field(field));
            }
            let kept = own.contains(&address.key());
            aliases.push(if kept { address } else { taken.free(web.store(), text, &field)? });
        }
        Ok(Some(aliases))
    }
}

/// An admin account must not lock itself out.
fn is_self(by: &Identity, id: u32) -> bool {
    by.who == Who::Account(AccountId(id))
}

pub(super) async fn change(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
    Body(input): Body<Change>,
) -> Result<impl IntoResponse, ApiError> {
    let account = find(&web, id)?;
    let is_shut = input.state.is_some_and(|state| state != AccountState::Active);
    let loses = is_shut || input.is_admin == Some(false);
    if loses && is_self(&by, id) {
        return Err(ApiError::conflict("not-yourself"));
    }
    by.must_reach(&account, Operation::Modify)?;
    let change = input.check(&web, &account)?;
    let (target, asked) = (account.id, change.clone());
    let store = by.store_if(&web, move |by, state| {
        let account = state.account(target)?.ok_or(StoreError::NoSuchAccount)?;
        by.must_reach(&account, Operation::Modify)?;
        by.must_change(&account, &asked)
    })?;
    store.update_account(account.id, change).await?;
    if is_shut {
        web.sign_out(Who::Account(account.id), None);
    }
    tracing::info!(account = %account.address, by = by.login(), "account changed");
    Ok(Json(AccountView::of(&web, &find(&web, id)?)?))
}

pub(super) async fn remove(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    if is_self(&by, id) {
        return Err(ApiError::conflict("not-yourself"));
    }
    let account = find(&web, id)?;
    let store = by.store_reaching(&web, account.id, Operation::Delete)?;
    match store.delete_account(account.id).await {
        Err(StoreError::InUse) => return Err(ApiError::conflict("in-use")),
        gone => gone?,
    }
    web.sign_out(Who::Account(account.id), None);
    tracing::info!(account = %account.address, by = by.login(), "account removed");
    Ok(done())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    password: String,
}

pub(super) async fn set_password(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
    Body(input): Body<Password>,
) -> Result<impl IntoResponse, ApiError> {
    let account = find(&web, id)?;
    let store = by.store_reaching(&web, account.id, Operation::Modify)?;
    if account.source.is_some() {
        return Err(ApiError::conflict("password-at-source"));
    }
    let holder = rules::Holder::of(account.is_admin);
    let login = account.address.to_string();
    rules::password(&input.password, holder, &[&login, account.address.local()])
        .map_err(|problem| problem.at("password"))?;
    let password_hash = Some(Box::pin(web.ctx().auth.hash_again(&account, &input.password)).await?);
    let change = AccountChange { password_hash, ..Default::default() };
    store.update_account(account.id, change).await?;
    let own = is_self(&by, id).then_some(&by.key);
    web.sign_out(Who::Account(account.id), own);
    tracing::info!(account = login, by = by.login(), "password set by an admin");
    Ok(done())
}
