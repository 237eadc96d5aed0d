//! The bill of materials: everything that is in the image, with versions and licenses.

use crate::apt::Apt;
use crate::place::{Place, TARGET};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;

/// The bill as JSON.
pub(crate) fn build(place: &Place, apt: &Apt, slot: &[u8]) -> Result<String> {
    let debian: Vec<Value> = apt
        .packages()
        .map(|package| {
            let file = package.file.file_name().unwrap_or_default().to_string_lossy();
            json!({ "name": package.name, "version": package.version, "file": file })
        })
        .collect();
    let bill = json!({
        "product": "postroom",
        "version": place.version(),
        "built": place.source_time(),
        "slot_bytes": slot.len(),
        "slot_blake3": blake3::hash(slot).to_hex().to_string(),
        "debian": debian,
        "crates": crates(place)?,
        "npm": npm(place)?,
    });
    Ok(serde_json::to_string_pretty(&bill)?)
}

/// What `cargo metadata` says of the whole workspace.
pub(crate) fn metadata(place: &Place) -> Result<Value> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET])
        .current_dir(&place.root)
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).with_context(|| format!("cargo metadata: {text}"))
}

/// The packages that the daemon is linked from, by `cargo metadata`'s identifiers.
pub(crate) fn linked(metadata: &Value, package: &str) -> BTreeSet<String> {
    let nodes = metadata["resolve"]["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let start = named.iter().find(|entry| entry["name"] == package);
    let mut todo: Vec<&str> = start.and_then(|entry| entry["id"].as_str()).into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if !seen.insert(id.to_owned()) {
            continue;
        }
        let node = nodes.iter().find(|node| node["id"] == id);
        let deps = node.and_then(|node| node["deps"].as_array());
        for dep in deps.map(Vec::as_slice).unwrap_or_default() {
            let kinds = dep["dep_kinds"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_linked = kinds.iter().any(|kind| kind["kind"].is_null());
            if is_linked && let Some(id) = dep["pkg"].as_str() {
                todo.push(id);
            }
        }
    }
    seen
}

fn crates(place: &Place) -> Result<Vec<Value>> {
    let metadata = metadata(place)?;
    let linked = linked(&metadata, "postroomd");
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(packages
        .iter()
        .filter(|package| package["id"].as_str().is_some_and(|id| linked.contains(id)))
        .map(|package| {
            json!({
                "name": package["name"],
                "version": package["version"],
                "license": package["license"],
            })
        })
        .collect())
}

fn npm(place: &Place) -> Result<Vec<Value>> {
    let Ok(text) = std::fs::read_to_string(place.root.join("web-ui/package-lock.json")) else {
        return Ok(Vec::new());
    };
    let lock: Value = serde_json::from_str(&text).context("web-ui/package-lock.json")?;
    let packages = lock["packages"].as_object();
    Ok(packages
        .into_iter()
        .flatten()
        .filter_map(|(path, package)| {
            let name = path.rsplit_once("node_modules/")?.1;
            Some(json!({
                "name": name,
                "version": package["version"],
                "license": package["license"],
                "build_only": package["dev"].as_bool().unwrap_or(false),
            }))
        })
        .collect())
}
