//! Hooks after an act: each follows the audit log from where it was told last, one row after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use store::{AuditFilter, AuditRow, Store, StoreError, Webhook, WebhookMode, WebhookState};
use tokio::task::{AbortHandle, JoinSet};

use crate::http::{self, Call};
use crate::{Shared, payload};

/// Waits before the next attempt, seconds; the last one is repeated.
const BACKOFF_SECS: [u64; 9] = [1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200];
/// A hook that took nothing for so long is given up until somebody looks after it, seconds.
pub(crate) const GIVE_UP_AFTER: i64 = 24 * 3_600;
/// Rows read at once.
const PAGE: usize = 100;
/// Rows that a hook did not want to hear of before that is written down.
const QUIET_ROWS_MAX: u64 = 1_000;
/// HTTP says with it that nobody wants to be told here any more.
const GONE: u16 = 410;

/// Tells all hooks, until it is dropped.
pub(crate) async fn run(shared: Arc<Shared>, store: Store) {
    let mut hooks = store.watch_webhooks();
    let mut tasks = JoinSet::new();
    let mut running = BTreeMap::<u32, (Webhook, AbortHandle)>::new();
    loop {
        let current = hooks.borrow_and_update().clone();
        let is_told = |hook: &&Webhook| hook.enabled && hook.mode == WebhookMode::After;
        // What changed begins anew, with what is set now.
        running.retain(|_, (hook, task)| {
            // One that was given up begins anew when it is set again as it was.
            let is_set = current.iter().filter(is_told).any(|other| other == hook);
            let stays = is_set && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for hook in current.iter().filter(is_told) {
            running.entry(hook.id).or_insert_with(|| {
                let following = follow(shared.clone(), store.clone(), hook.clone());
                (hook.clone(), tasks.spawn(following))
            });
        }
        while tasks.try_join_next().is_some() {}
        if hooks.changed().await.is_err() {
            return;
        }
    }
}

async fn follow(shared: Arc<Shared>, store: Store, hook: Webhook) {
    if let Err(err) = tell_all(&shared, &store, &hook).await {
        tracing::error!(%err, hook = hook.name, "a webhook is not told any more");
    }
}

async fn tell_all(shared: &Shared, store: &Store, hook: &Webhook) -> Result<(), StoreError> {
    let mut news = store.watch_audit();
    let Some(mut state) = store.webhook_state(hook.id)? else { return Ok(()) };
    let mut written = state.told;
    while state.gave_up_at.is_none() {
        news.borrow_and_update();
        let page = store.audit_after(state.told, PAGE, &AuditFilter::default())?;
        if let Some(first) = page.rows.first() {
            // Rows are numbered without gaps: what is missing went before it was told.
            state.missed = state.missed.saturating_add(first.seq - state.told - 1);
        }
        for row in &page.rows {
            if hook.wants(&row.event) {
                tell(shared, store, hook, row, &mut state).await?;
                if state.gave_up_at.is_some() {
                    return Ok(());
                }
                written = state.told;
            } else {
                state.told = row.seq;
            }
        }
        if state.told.saturating_sub(written) >= QUIET_ROWS_MAX {
            store.set_webhook_state(hook.clone(), state.clone()).await?;
            written = state.told;
        }
        if page.rows.is_empty() && news.changed().await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Tells of one row until the hook takes it or is given up.
async fn tell(
    shared: &Shared,
    store: &Store,
    hook: &Webhook,
    row: &AuditRow,
    state: &mut WebhookState,
) -> Result<(), StoreError> {
    let id = format!("audit_{}_{}", hook.created_at.0, row.seq);
    let body = payload::told(row);
    for attempt in 1.. {
        let call = Call {
            id: &id,
            event: &row.event,
            body: body.clone(),
            seq: Some(row.seq),
            attempt,
            time_max: http::TIME_MAX,
        };
        let (kept, _) = Box::pin(shared.call(hook, call)).await;
        let now = shared.clock.now();
        if kept.is_ok {
            if state.failing_since.is_some() {
                tracing::info!(hook = hook.name, "a webhook takes what it is told again");
            }
            (state.told, state.last_ok_at) = (row.seq, Some(now));
            (state.failing_since, state.last_error) = (None, None);
            return store.set_webhook_state(hook.clone(), state.clone()).await;
        }
        let since = *state.failing_since.get_or_insert(now);
        let is_over = now.secs().saturating_sub(since.secs()) >= GIVE_UP_AFTER;
        state.last_error = match (kept.status, kept.detail) {
            (Some(status), _) => Some(format!("HTTP {status}")),
            (None, detail) => detail,
        };
        if is_over || kept.status == Some(GONE) {
            state.gave_up_at = Some(now);
            tracing::error!(hook = hook.name, "a webhook takes nothing: it is given up");
        } else if attempt == 1 {
            tracing::warn!(hook = hook.name, "a webhook did not take what it was told");
        }
        store.set_webhook_state(hook.clone(), state.clone()).await?;
        if state.gave_up_at.is_some() {
            return Ok(());
        }
        let wait = usize::try_from(attempt).unwrap_or(usize::MAX).min(BACKOFF_SECS.len());
        let wait = BACKOFF_SECS.get(wait - 1).copied().unwrap_or(1);
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }
    Ok(())
}
