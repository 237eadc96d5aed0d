//! What was deleted and can be restored: messages, for their owner and for an admin, and accounts.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use base::{AccountId, Civil, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use session::rules::Operation;
use store::{DeletedAccount, DeletedFilter, DeletedMessage, Obstacle, StoreError};

use crate::Web;
use crate::api::views::AccountView;
use crate::error::ApiError;
use crate::guard::{Identity, Person};
use crate::input::{Body, Params, Segment};

/// Messages or accounts on a page.
const PAGE_MAX: usize = 500;
const PAGE: usize = 50;
/// Messages that one request restores.
const RESTORE_MAX: usize = 1_000;
/// Bytes of a subject or sender that are shown.
const TEXT_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    mailbox: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

impl Query {
    fn filter(&self) -> Result<DeletedFilter, ApiError> {
        let time = |text: &Option<String>, field: &str| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => match time_of(text) {
                Some(at) => Ok(Some(at)),
                None => Err(ApiError::bad_request(format!("{field} is not a time"))),
            },
        };
        Ok(DeletedFilter {
            mailbox: self.mailbox.clone().filter(|name| !name.is_empty()),
            from: time(&self.from, "from")?,
            to: time(&self.to, "to")?,
        })
    }
}

/// `2026-11-22` or `2026-11-22T09:00:00Z`, with parts of a second as browsers write them (RFC 3339 §5.6), which
/// are left out.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let mut date = date.splitn(3, '-');
    let time = time.strip_suffix('Z')?;
    let (time, parts) = time.split_once('.').unwrap_or((time, "0"));
    if parts.is_empty() || !parts.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut time = time.splitn(3, ':');
    let civil = Civil {
        year: date.next()?.parse().ok().filter(|year| (0..10_000).contains(year))?,
        month: date.next()?.parse().ok().filter(|month| (1..=12).contains(month))?,
        day: date.next()?.parse().ok().filter(|day| (1..=31).contains(day))?,
        hour: time.next()?.parse().ok().filter(|hour| *hour < 24)?,
        minute: time.next()?.parse().ok().filter(|minute| *minute < 60)?,
        second: time.next()?.parse().ok().filter(|second| *second < 61)?,
        weekday: 0,
    };
    Some(Timestamp::from_secs(civil.to_secs()))
}

#[derive(Serialize)]
struct MessageView {
    id: u64,
    deleted_at: String,
    mailbox: String,
    date: String,
    size: u64,
    from: String,
    subject: String,
}

/// The start of a header field's value, or nothing where the message cannot be read.
fn view(web: &Web, message: &DeletedMessage) -> MessageView {
    let header = web.store().read(&message.blob, 0, 16 * 1024).unwrap_or_default();
    let fields: Vec<_> = message::header_fields(&header).collect();
    let text = |name: &[u8]| {
        let field = fields.iter().find(|field| field.is(name));
        let mut text = field.map(|field| field.text().trim().to_owned()).unwrap_or_default();
        while text.len() > TEXT_MAX {
            text.pop();
        }
        text
    };
    MessageView {
        id: message.id,
        deleted_at: message.deleted_at.rfc3339(),
        mailbox: message.mailbox_name.clone(),
        date: message.internal_date.rfc3339(),
        size: message.size,
        from: text(b"From"),
        subject: text(b"Subject"),
    }
}

async fn list(web: &Web, account: AccountId, query: Query) -> Result<Json<Value>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let filter = query.filter()?;
    let page = web.store().deleted_messages(account, &filter, query.after, limit)?;
    let sum = web.store().deleted_sum(account)?;
    // Reads and unpacks as many messages as are shown.
    let (shown, messages) = (web.clone(), page.messages);
    let items = tokio::task::spawn_blocking(move || {
        messages.iter().map(|message| view(&shown, message)).collect::<Vec<_>>()
    });
    let items = items.await.map_err(|_| ApiError::busy())?;
    let days = web.settings().retention_days();
    Ok(Json(json!({
        "items": items,
        "next": page.next,
        "total": sum.messages,
        "total_bytes": sum.bytes,
        "retention_days": days,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    ids: Vec<u64>,
    mailbox: Option<String>,
}

async fn restore(
    web: &Web,
    account: AccountId,
    input: Restore,
    by: &Identity,
) -> Result<Json<Value>, ApiError> {
    if input.ids.len() > RESTORE_MAX {
        return Err(ApiError::invalid("too-many-messages").field("ids"));
    }
    let store = if by.asks_for_own() {
        by.store(web)
    } else {
        by.store_reaching(web, account, Operation::Modify)?
    };
    let restored = match store.restore_messages(account, input.ids, input.mailbox).await {
        Err(StoreError::BadName) => {
            return Err(ApiError::invalid("mailbox-name-invalid").field("mailbox"));
        }
        Err(StoreError::OverQuota) => return Err(ApiError::conflict("over-quota")),
        Err(StoreError::LimitReached(what)) => {
            return Err(ApiError::conflict("limit-reached").detail(what));
        }
        restored => restored?,
    };
    tracing::info!(account = %account, messages = restored.messages.len(), by = by.login(), "messages restored");
    Ok(Json(json!({ "restored": restored.messages.len(), "missing": restored.missing })))
}

fn own(person: &Identity) -> Result<AccountId, ApiError> {
    person.account.as_ref().map(|account| account.id).ok_or_else(ApiError::not_found)
}

pub(super) async fn list_own(
    State(web): State<Web>,
    Person(person): Person,
    Params(query): Params<Query>,
) -> Result<impl IntoResponse, ApiError> {
    list(&web, own(&person)?, query).await
}

pub(super) async fn restore_own(
    State(web): State<Web>,
    Person(person): Person,
    Body(input): Body<Restore>,
) -> Result<impl IntoResponse, ApiError> {
    restore(&web, own(&person)?, input, &person).await
}

fn existing(web: &Web, by: &Identity, id: u32) -> Result<AccountId, ApiError> {
    let account = web.store().account(AccountId(id))?.ok_or_else(ApiError::not_found)?;
    // Mail of others is shown: an admin's is not for who administers a domain.
    by.must_reach(&account, Operation::Modify)?;
    Ok(account.id)
}

pub(super) async fn list_of_account(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
    Params(query): Params<Query>,
) -> Result<impl IntoResponse, ApiError> {
    list(&web, existing(&web, &by, id)?, query).await
}

pub(super) async fn restore_of_account(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
    Body(input): Body<Restore>,
) -> Result<impl IntoResponse, ApiError> {
    restore(&web, existing(&web, &by, id)?, input, &by).await
}

#[derive(Serialize)]
struct DeletedAccountView {
    id: u32,
    address: String,
    name: String,
    deleted_at: String,
    expires_at: String,
    messages: u64,
    bytes: u64,
    restorable: bool,
    why: Option<&'static str>,
}

impl DeletedAccountView {
    fn of(account: &DeletedAccount, retention_days: u16) -> Self {
        let kept = i64::from(retention_days) * 86_400;
        Self {
            id: account.id.0,
            address: account.address.to_string(),
            name: account.name.clone(),
            deleted_at: account.deleted_at.rfc3339(),
            expires_at: Timestamp::from_secs(account.deleted_at.secs() + kept).rfc3339(),
            messages: account.messages,
            bytes: account.bytes,
            restorable: account.obstacle.is_none(),
            why: account.obstacle.map(|obstacle| match obstacle {
                Obstacle::AddressTaken => "address-taken",
                Obstacle::NoDomain => "domain-unknown",
                Obstacle::NameTaken => "exists",
            }),
        }
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    DeletedAt,
    Address,
    Name,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Asc,
    Desc,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
    #[serde(default)]
    search: String,
    #[serde(default)]
    sort: Sort,
    #[serde(default)]
    order: Order,
}

/// Deleted accounts that `takes` lets through, in order.
fn sorted(
    web: &Web,
    page: &Page,
    takes: &dyn Fn(&DeletedAccount) -> bool,
) -> Result<Vec<DeletedAccount>, StoreError> {
    let (mut all, mut after) = (Vec::new(), AccountId(0));
    loop {
        let some = web.store().deleted_accounts(after, PAGE_MAX)?;
        let Some(last) = some.last() else { break };
        after = last.id;
        all.extend(some.into_iter().filter(takes));
    }
    let key = |account: &DeletedAccount| match page.sort {
        Sort::DeletedAt => (account.deleted_at, String::new()),
        Sort::Address => (Timestamp::default(), account.address.key()),
        Sort::Name => (Timestamp::default(), account.name.to_lowercase()),
    };
    all.sort_by_cached_key(|account| (key(account), account.id));
    if page.order == Order::Desc {
        all.reverse();
    }
    Ok(all)
}

pub(super) async fn accounts(
    State(web): State<Web>,
    Person(by): Person,
    Params(page): Params<Page>,
) -> Result<impl IntoResponse, ApiError> {
    // Reads what each of them was: not on the threads that serve connections.
    let finding = tokio::task::spawn_blocking(move || {
        let wanted = page.search.trim().to_lowercase();
        let takes = |account: &DeletedAccount| {
            let is_in = |text: &str| text.to_lowercase().contains(&wanted);
            by.sees(account.address.domain())
                && (is_in(&account.name) || is_in(&account.address.to_string()))
        };
        let found = sorted(&web, &page, &takes)?;
        let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let days = web.settings().retention_days();
        let shown = found.iter().skip(page.offset).take(limit);
        let items: Vec<_> = shown.map(|account| DeletedAccountView::of(account, days)).collect();
        let next = page.offset.saturating_add(items.len());
        let next = (!items.is_empty() && next < found.len()).then_some(next);
        Ok(json!({
            "items": items, "next": next, "found": found.len(), "retention_days": days
        }))
    });
    let answer: Result<_, StoreError> = finding.await.map_err(|_| ApiError::busy())?;
    Ok(Json(answer?))
}

pub(super) async fn restore_account(
    State(web): State<Web>,
    Person(by): Person,
    Segment(id): Segment<u32>,
) -> Result<impl IntoResponse, ApiError> {
    let id = AccountId(id);
    let store = by.store_if(&web, move |by, state| match state.deleted_account(id)? {
        Some(was) => by.must_reach(&was, Operation::Add),
        None => Err(StoreError::NoSuchAccount),
    })?;
    let lost = store.restore_account(id).await?;
    let account = web.store().account(id)?.ok_or_else(ApiError::not_found)?;
    tracing::info!(account = %account.address, by = by.login(), "account restored");
    let lost: Vec<_> = lost.iter().map(ToString::to_string).collect();
    Ok(Json(json!({ "account": AccountView::of(&web, &account)?, "lost_aliases": lost })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_with_or_without_a_time_of_day() {
        for (text, secs) in [
            ("2026-11-22", Some(1_795_305_600)),
            ("2026-11-22T09:00:00Z", Some(1_795_338_000)),
            // As JavaScript writes it.
            ("2026-11-22T09:00:00.000Z", Some(1_795_338_000)),
            ("2026-11-22T09:00:00.5Z", Some(1_795_338_000)),
            ("2026-11-22T09:00:00.Z", None),
            ("2026-11-22T09:00:00.x0Z", None),
            ("2026-11-22T09:00:00", None),
            ("2026-13-22", None),
            ("2026-11-22T24:00:00Z", None),
            ("99999999999-01-01", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(time_of(text).map(Timestamp::secs), secs, "{text}");
        }
    }
}
