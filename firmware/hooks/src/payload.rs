//! The bodies of requests: `type`, `timestamp` and `data`, as Standard Webhooks recommends.

use base::{Timestamp, hex};
use serde::Serialize;
use serde_json::json;
use store::{AuditChange, AuditEvent, AuditRow, Origin, Via};

#[derive(Serialize)]
struct Data<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    who: &'e str,
    via: Option<Via>,
    address: Option<String>,
    target: &'e str,
    changes: &'e [AuditChange],
}

fn body(
    event: &AuditEvent,
    origin: Option<&Origin>,
    at: Timestamp,
    seq: Option<u64>,
    phase: &str,
) -> Vec<u8> {
    let data = Data {
        seq,
        who: origin.map_or("", |origin| origin.who.as_str()),
        via: origin.map(|origin| origin.via),
        address: origin.and_then(|origin| origin.address).map(|a| a.to_canonical().to_string()),
        target: &event.target,
        changes: &event.changes,
    };
    let body =
        json!({ "type": event.action, "timestamp": at.rfc3339(), "phase": phase, "data": data });
    body.to_string().into_bytes()
}

/// What was done.
pub(crate) fn told(row: &AuditRow) -> Vec<u8> {
    body(&row.event, Some(&row.origin), row.at, Some(row.seq), "after")
}

/// What is to be done.
pub(crate) fn question(event: &AuditEvent, origin: Option<&Origin>, at: Timestamp) -> Vec<u8> {
    body(event, origin, at, None, "before")
}

/// An id that no other request has. It holds no dot: it is signed between dots.
pub(crate) fn random_id(kind: &str) -> String {
    let mut random = [0; 16];
    // Without randomness it is no secret that is lost: the id only tells requests apart.
    let _is_random = getrandom::fill(&mut random).is_ok();
    format!("{kind}_{}", hex::encode(&random))
}
