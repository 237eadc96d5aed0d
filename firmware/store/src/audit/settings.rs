//! What of the settings a change changed, key by key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{AuditEvent, SECRET, note, secrets, shown};
use crate::writer::Tx;
use crate::{Settings, StoreError, TlsIdentity};

/// What the wizard remembers for a browser is nobody's act.
const NO_ACT: &str = "wizard";

/// Each leaf of the settings by its path.
fn leaves(settings: &Settings) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    if let Ok(Value::Object(all)) = serde_json::to_value(settings) {
        for (name, value) in all {
            collect(name, value, &mut found);
        }
    }
    found
}

fn collect(path: String, value: Value, found: &mut BTreeMap<String, Vec<String>>) {
    let text = |value: &Value| match value {
        Value::String(text) => shown(text.as_bytes()),
        other => shown(other.to_string().as_bytes()),
    };
    let values = match value {
        Value::Object(inner) => {
            for (name, value) in inner {
                collect(format!("{path}.{name}"), value, found);
            }
            return;
        }
        Value::Null => return,
        Value::String(text) if text.is_empty() => return,
        Value::Array(values) => values.iter().map(text).collect(),
        value => vec![text(&value)],
    };
    found.insert(path, values);
}

/// What is secret is shown as being there.
fn told(path: &str, values: Option<&Vec<String>>) -> Vec<String> {
    match values {
        Some(values) if secrets::is_open_setting(path) => values.clone(),
        Some(_) => vec![SECRET.to_owned()],
        None => Vec::new(),
    }
}

/// Writes the row of a change, if it changed anything.
pub(crate) fn note_change(
    tx: &mut Tx<'_, '_>,
    before: &Settings,
    after: &Settings,
) -> Result<(), StoreError> {
    if before == after {
        return Ok(());
    }
    let (old, new) = (leaves(before), leaves(after));
    let mut event = AuditEvent::new("settings.change", "");
    let paths: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for path in paths {
        if path.as_str() != NO_ACT && old.get(path) != new.get(path) {
            event.changes.push(super::AuditChange {
                name: path.clone(),
                before: told(path, old.get(path)),
                after: told(path, new.get(path)),
            });
        }
    }
    if event.changes.is_empty() { Ok(()) } else { note(tx, event) }
}

/// Writes the row of another certificate.
pub(crate) fn note_identity(
    tx: &mut Tx<'_, '_>,
    before: Option<&TlsIdentity>,
    after: &TlsIdentity,
) -> Result<(), StoreError> {
    // Which of two it was is what a reader wants to know; the certificate itself anybody can fetch.
    let mark = |identity: &TlsIdentity| blake3::hash(identity.chain_pem.as_bytes()).to_hex();
    let old = before.map(|identity| mark(identity).to_string()).unwrap_or_default();
    let secret = |is_there: bool| if is_there { SECRET } else { "" };
    let event = AuditEvent::new("tls.change", "")
        .with("certificate_blake3", old, mark(after).to_string())
        .with("key", secret(before.is_some()), SECRET);
    note(tx, event)
}
