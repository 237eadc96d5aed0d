//! What of the settings, or of another record, a change changed, key by key.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{AuditChange, AuditEvent, SECRET, note, secrets, shown};
use crate::writer::Tx;
use crate::{Settings, StoreError, TlsIdentity};

/// What the wizard remembers for a browser is nobody's act.
const NO_ACT: &str = "wizard";

/// Each leaf of a record by its path.
fn leaves(record: &impl Serialize) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    if let Ok(Value::Object(all)) = serde_json::to_value(record) {
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
fn told(path: &str, values: Option<&Vec<String>>, is_open: &dyn Fn(&str) -> bool) -> Vec<String> {
    match values {
        Some(values) if is_open(path) => values.clone(),
        Some(_) => vec![SECRET.to_owned()],
        None => Vec::new(),
    }
}

/// What differs between two records, with the values that `is_open` lets be told.
pub(crate) fn differences<R: Serialize>(
    before: Option<&R>,
    after: Option<&R>,
    is_open: &dyn Fn(&str) -> bool,
) -> Vec<AuditChange> {
    let (old, new) = (before.map(leaves), after.map(leaves));
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differ = paths.into_iter().filter(|path| old.get(*path) != new.get(*path));
    let change = |path: &String| AuditChange {
        name: path.clone(),
        before: told(path, old.get(path), is_open),
        after: told(path, new.get(path), is_open),
    };
    differ.map(change).collect()
}

/// Writes the row of a change of the settings, if it changed anything.
pub(crate) fn note_change(
    tx: &mut Tx<'_, '_>,
    before: &Settings,
    after: &Settings,
) -> Result<(), StoreError> {
    let mut event = AuditEvent::new("settings.change", "");
    event.changes = differences(Some(before), Some(after), &secrets::is_open_setting);
    event.changes.retain(|change| change.name != NO_ACT);
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
