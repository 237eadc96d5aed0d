//! The house rules that no compiler knows: who may use whom, licenses, file heads, left-overs.
//!
//! Works on the files that git tracks or would track, so build products do not count.

use crate::bom;
use crate::place::Place;
use crate::suite::Count;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The lines of the design: a crate uses only crates of lines above its own in this list.
const LAYERS: &[&[&str]] = &[
    &["base"],
    &["message", "directory"],
    &["policy", "sieve", "smtp", "store"],
    &["delivery", "hooks", "session", "source"],
    &["smtpd", "access", "ldapd", "davd", "jmap", "web", "appliance", "ctl"],
    &["postroomd"],
];
/// Not part of the product; they may use anything, and nothing of the product uses them.
const TOOLS: &[&str] = &["testkit", "postroom-tests", "postroom-fuzz", "xtask"];

/// Licenses that may be linked into the daemon. MPL only unmodified, and named in NOTICE.
const LICENSES: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "0BSD",
    "Zlib",
    "CC0-1.0",
    "Unicode-3.0",
    "Unlicense",
    "OpenSSL",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "MPL-2.0",
];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "misc"];

/// Runs all rules; prints what they find.
pub(crate) fn tidy(place: &Place) -> Result<Count> {
    let metadata = bom::metadata(place)?;
    let mut found = edges(&metadata);
    found.extend(licenses(&metadata));
    let files = tracked(place)?;
    for file in &files {
        found.extend(empty_name(file));
        if let Ok(text) = std::fs::read_to_string(place.root.join(file)) {
            found.extend(text_rules(file, &text));
        }
    }
    found.iter().for_each(|line| eprintln!("    {line}"));
    let rules = 6;
    Ok(Count { passed: if found.is_empty() { rules } else { 0 }, failed: found.len().try_into()? })
}

fn tracked(place: &Place) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(&place.root)
        .output()
        .context("tidy reads the list of files from git")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn edges(metadata: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let members = list(metadata, "workspace_members");
    for package in list(metadata, "packages").iter().filter(|one| members.contains(&one["id"])) {
        let name = package["name"].as_str().unwrap_or_default();
        for dependency in list(package, "dependencies") {
            let is_ours = dependency["path"].is_string();
            let is_linked = dependency["kind"].is_null();
            if is_ours && is_linked {
                let used = dependency["name"].as_str().unwrap_or_default();
                found.extend(edge(name, used));
            }
        }
    }
    found
}

/// What is wrong with `name` using `used`, if anything.
fn edge(name: &str, used: &str) -> Option<String> {
    if TOOLS.contains(&name) {
        return None;
    }
    let layer = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    match (layer(name), layer(used)) {
        (None, _) => Some(format!("{name} stands on no line of the design (xtask/src/tidy.rs)")),
        (Some(own), Some(below)) if below < own => None,
        _ => Some(format!("{name} must not use {used}: dependencies run downwards only")),
    }
}

fn licenses(metadata: &Value) -> Vec<String> {
    let linked = bom::linked(metadata, "postroomd");
    list(metadata, "packages")
        .iter()
        .filter(|package| package["id"].as_str().is_some_and(|id| linked.contains(id)))
        .filter_map(|package| {
            let license = package["license"].as_str().unwrap_or("none stated");
            let name = package["name"].as_str().unwrap_or_default();
            (!allowed(license)).then(|| format!("{name} is licensed under {license:?}"))
        })
        .collect()
}

/// SPDX expressions as crates use them: one choice of an OR must be allowed in full.
fn allowed(expression: &str) -> bool {
    let flat = expression.replace('/', " OR ").replace(['(', ')'], "");
    // "A AND (B OR C)" becomes "A AND B OR C"; every named license allowed is the safe reading.
    let is_mixed = flat.contains(" AND ") && flat.contains(" OR ");
    let mut choices = flat.split(" OR ");
    let choice_allowed =
        |choice: &str| choice.split(" AND ").all(|one| LICENSES.contains(&one.trim()));
    if is_mixed { choices.all(choice_allowed) } else { choices.any(choice_allowed) }
}

fn empty_name(file: &str) -> Option<String> {
    let stem = Path::new(file).file_stem()?.to_str()?;
    let parents = Path::new(file).parent()?;
    let is_empty = |name: &str| EMPTY_NAMES.contains(&name);
    let is_source = file.ends_with(".rs") || file.ends_with(".ts") || file.ends_with(".svelte");
    let in_folder = parents.iter().filter_map(|part| part.to_str()).any(is_empty);
    (is_source && (is_empty(stem) || in_folder))
        .then(|| format!("{file}: the name says nothing of what is inside"))
}

fn text_rules(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let is_rust = file.ends_with(".rs");
    if is_rust && !text.starts_with("//!") {
        found.push(format!("{file}: does not begin with //! (what it owns, what it never does)"));
    }
    let is_code = is_rust || file.ends_with(".ts") || file.ends_with(".svelte");
    // Put together here, so that this file passes its own rule.
    let left_over = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X:"].concat()];
    let machine = ["home", "work", "Users"].map(|dir| format!("/{dir}/"));
    for (line, number) in text.lines().zip(1..) {
        if is_code && left_over.iter().any(|word| line.contains(word.as_str())) {
            found.push(format!("{file}:{number}: work is left over"));
        }
        if machine.iter().any(|dir| names_machine(line, dir)) {
            found.push(format!("{file}:{number}: names a folder of one machine"));
        }
        if file.ends_with("package-lock.json") && is_foreign_registry(line) {
            found.push(format!("{file}:{number}: comes from a registry of one machine"));
        }
    }
    found
}

/// An absolute path, not a part of a longer one or of an address.
fn names_machine(line: &str, dir: &str) -> bool {
    line.match_indices(dir).any(|(at, _)| {
        let before = line.as_bytes().get(..at).and_then(<[u8]>::last);
        before.is_none_or(|byte| matches!(byte, b' ' | b'"' | b'\'' | b'(' | b'=' | b'`'))
    })
}

fn is_foreign_registry(line: &str) -> bool {
    line.trim().starts_with("\"resolved\": \"http")
        && !line.contains("\"https://registry.npmjs.org/")
}

#[cfg(test)]
mod tests {
    use super::{allowed, edge, empty_name, text_rules};

    #[test]
    fn dependencies_run_downwards_only() {
        for (name, used, is_right) in [
            ("store", "base", true),
            ("smtpd", "delivery", true),
            ("testkit", "store", true),
            ("store", "smtp", false),
            ("base", "store", false),
            ("delivery", "smtpd", false),
            ("web", "access", false),
            ("store", "testkit", false),
            ("attic", "base", false),
        ] {
            assert_eq!(edge(name, used).is_none(), is_right, "{name} -> {used}");
        }
    }

    #[test]
    fn licenses_are_read_as_expressions() {
        for (expression, is_allowed) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0", false),
            ("ISC AND (Apache-2.0 OR ISC)", true),
            ("MIT AND GPL-2.0", false),
            ("MIT AND (GPL-2.0 OR AGPL-3.0)", false),
            ("none stated", false),
        ] {
            assert_eq!(allowed(expression), is_allowed, "{expression}");
        }
    }

    #[test]
    fn each_text_rule_finds_its_fault() {
        assert!(text_rules("a.rs", "//! What it owns.\n").is_empty());
        assert_eq!(text_rules("a.rs", "fn a() {}\n").len(), 1, "no file head");
        let left = ["//! A.\n// TO", "DO: more\n"].concat();
        assert_eq!(text_rules("a.rs", &left).len(), 1, "left-over work");
        let path = ["cd /ho", "me/anna/x\n"].concat();
        assert_eq!(text_rules("a.sh", &path).len(), 1, "a machine's folder");
        assert!(text_rules("a.md", "https://x.test/home/page\n").is_empty());
        let lock = "  \"resolved\": \"http://mirror.test/a.tgz\",\n";
        assert_eq!(text_rules("web-ui/package-lock.json", lock).len(), 1, "a private registry");
        assert!(empty_name("firmware/x/src/util.rs").is_some());
        assert!(empty_name("firmware/x/src/common/a.rs").is_some());
        assert!(empty_name("firmware/x/src/line.rs").is_none());
    }
}
