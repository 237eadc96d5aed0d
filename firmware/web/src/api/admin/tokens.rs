//! Tokens of the API, for programs. A token is shown once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{StoreError, Token};

use crate::Web;
use crate::api::deleted::time_of;
use crate::api::done;
use crate::bearer;
use crate::error::ApiError;
use crate::guard::Person;
use crate::input::{Body, Segment};
use crate::rules;

/// Domains of one token.
const DOMAINS_MAX: usize = 1_000;

#[derive(Serialize)]
struct TokenView {
    id: u32,
    name: String,
    role: &'static str,
    domains: Vec<String>,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

impl From<&Token> for TokenView {
    fn from(token: &Token) -> Self {
        let domains = token.domains.iter().flatten();
        Self {
            id: token.id,
            name: token.name.clone(),
            role: if token.domains.is_some() { "domains" } else { "admin" },
            domains: domains.map(|domain| domain.as_str().to_owned()).collect(),
            created_at: token.created_at.rfc3339(),
            expires_at: token.expires_at.map(base::Timestamp::rfc3339),
            last_used_at: token.last_used_at.map(base::Timestamp::rfc3339),
        }
    }
}

pub(super) async fn list(State(web): State<Web>) -> Result<impl IntoResponse, ApiError> {
    let items: Vec<_> = web.store().tokens()?.iter().map(TokenView::from).collect();
    Ok(Json(json!({ "items": items })))
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum TokenRole {
    Admin,
    Domains,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    name: String,
    role: TokenRole,
    #[serde(default)]
    domains: Vec<String>,
    #[serde(default)]
    expires_at: Option<String>,
}

impl NewToken {
    fn check(&self, web: &Web, hash: [u8; 32]) -> Result<Token, ApiError> {
        let name = rules::title(&self.name).map_err(|problem| problem.at("name"))?;
        let created_at = web.ctx().clock.now();
        let expires_at = match self.expires_at.as_deref() {
            None => None,
            Some(text) => match time_of(text).filter(|at| *at > created_at) {
                Some(at) => Some(at),
                None => {
                    let detail = "a date or time to come: 2027-01-31 or 2027-01-31T08:00:00Z";
                    let refused = ApiError::invalid("expires-invalid").field("expires_at");
                    return Err(refused.detail(detail));
                }
            },
        };
        Ok(Token {
            id: 0,
            name,
            hash,
            domains: self.domains()?,
            created_at,
            expires_at,
            last_used_at: None,
        })
    }

    fn domains(&self) -> Result<Option<Vec<base::DomainName>>, ApiError> {
        match self.role {
            TokenRole::Admin if self.domains.is_empty() => return Ok(None),
            // A list beside the role that needs none: it was meant to be less.
            TokenRole::Admin => return Err(ApiError::invalid("role-invalid").field("role")),
            TokenRole::Domains => {}
        }
        if self.domains.is_empty() || self.domains.len() > DOMAINS_MAX {
            return Err(ApiError::invalid("domain-unknown").field("domains"));
        }
        let each = self.domains.iter().enumerate().map(|(n, text)| {
            rules::domain(text).map_err(|problem| problem.at(format!("domains.{n}")))
        });
        each.collect::<Result<_, _>>().map(Some)
    }
}

pub(super) async fn add(
    State(web): State<Web>,
    Person(by): Person,
    Body(input): Body<NewToken>,
) -> Result<impl IntoResponse, ApiError> {
    let (secret, hash) = bearer::secret().ok_or_else(ApiError::busy)?;
    let mut token = input.check(&web, hash)?;
    token.id = match by.store(&web).create_token(token.clone()).await {
        Err(StoreError::Exists) => return Err(ApiError::conflict("token-exists").field("name")),
        Err(StoreError::NoSuchDomain) => {
            let detail = "one of them is no domain of this server";
            return Err(ApiError::invalid("domain-unknown").field("domains").detail(detail));
        }
        Err(StoreError::LimitReached(what)) => {
            return Err(ApiError::conflict("limit-reached").detail(what));
        }
        id => id?,
    };
    tracing::info!(token = token.name, by = by.login(), "token made");
    let mut shown = json!(TokenView::from(&token));
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("token".to_owned(), json!(bearer::text(token.id, &secret)));
    }
    Ok((StatusCode::CREATED, Json(shown)))
}

pub(super) async fn remove(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    if !by.store(&web).delete_token(id).await? {
        return Err(ApiError::not_found());
    }
    tracing::info!(token = id, by = by.login(), "token taken away");
    Ok(done())
}
