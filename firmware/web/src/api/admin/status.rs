//! The state of everything, for the first admin page.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use base::box_link::SERVICES;
use serde_json::{Value, json};

use crate::Web;
use crate::certificate;
use crate::error::ApiError;

pub(super) async fn show(State(web): State<Web>) -> Result<impl IntoResponse, ApiError> {
    let store = web.store();
    let box_status = match web.link() {
        Some(link) => link.status().await.ok(),
        None => None,
    };
    let (free, total) = store.disk_space()?;
    let services =
        SERVICES.iter().map(|(name, port)| json!({ "name": name, "port": web.port(*port) }));
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "hostname": web.ctx().hostname(),
        "now": web.ctx().clock.now().rfc3339(),
        "uptime_secs": web.uptime_secs(),
        "tier": tier(&web),
        "connections": connections(&web),
        "services": services.collect::<Vec<_>>(),
        "web_sessions": web.sessions().len(),
        "memory": memory(),
        "disk": { "free_bytes": free, "total_bytes": total, "low": store.disk_is_low() },
        "store": {
            "domains": store.domains()?.len(),
            "accounts": store.accounts_len()?,
            "aliases": store.aliases()?.len(),
            "queue": store.queue_len()?,
        },
        "webhooks_failing": webhooks_failing(&web)?,
        "certificate": certificate::describe(&web.ctx().tls.info()),
        "box": box_status,
    })))
}

/// Webhooks that do not take what they are told.
fn webhooks_failing(web: &Web) -> Result<usize, ApiError> {
    let hooks = web.store().watch_webhooks().borrow().clone();
    let mut failing = 0;
    for hook in hooks.iter().filter(|hook| hook.enabled) {
        let state = web.store().webhook_state(hook.id)?.unwrap_or_default();
        failing += usize::from(state.failing_since.is_some());
    }
    Ok(failing)
}

fn tier(web: &Web) -> Value {
    let budget = &web.ctx().budget;
    json!({
        "name": budget.name.name(),
        "connections_max": budget.connections_max,
        "connections_per_address_max": budget.connections_per_address_max,
        "connections_per_account_max": budget.connections_per_account_max,
        "message_bytes_max": budget.message_bytes_max,
        "queue_entries_max": budget.queue_entries_max,
        "store_memory_mb": budget.store_memory_mb,
        "redb_cache_mb": budget.redb_cache_mb,
    })
}

fn connections(web: &Web) -> Value {
    let usage = web.ctx().admission.usage();
    let now = |name: &str| usage.by_service.get(name).copied().unwrap_or(0);
    let services = SERVICES.iter().map(|(name, _)| json!({ "name": name, "now": now(name) }));
    json!({
        "now": usage.connections,
        "max": usage.connections_max,
        "services": services.collect::<Vec<_>>(),
    })
}

/// What the kernel says; 0 where it does not.
fn memory() -> Value {
    let own = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let all = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    json!({
        "daemon_bytes": kb_line(&own, "VmRSS:") * 1024,
        "box_total_bytes": kb_line(&all, "MemTotal:") * 1024,
        "box_available_bytes": kb_line(&all, "MemAvailable:") * 1024,
    })
}

/// The number of `VmRSS:     1234 kB`.
fn kb_line(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
