//! Node.js that is new enough for Vite 8: the machine's, else one from the npm registry in the cache folder.
//!
//! Debian 12 brings Node 18 and npm 9. Both are good for one thing: fetching newer ones, which
//! are ordinary packages of the registry.

use crate::host::{self, Need};
use crate::place::Place;
use crate::say;
use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// The oldest Node that builds and tests the UI.
const NODE_MAJOR_MIN: u32 = 20;
/// What is fetched where the machine's is older.
const PACKAGES: [&str; 2] = ["node@22", "npm@11"];

const NODE: &[Need] = &[
    Need { file: "/usr/bin/node", package: "nodejs" },
    Need { file: "/usr/bin/npm", package: "npm" },
];

/// The search path under which `node` and `npm` are new enough.
///
/// # Errors
/// When neither the machine nor the registry has one.
pub(crate) fn path(place: &Place) -> Result<OsString> {
    host::ensure(&[NODE])?;
    let machine = std::env::var_os("PATH").unwrap_or_default();
    if major(&machine).is_some_and(|major| major >= NODE_MAJOR_MIN) {
        return Ok(machine);
    }
    let own = place.cache.join("node");
    let modules = own.join("node_modules");
    let first = [modules.join("node/bin"), modules.join(".bin")];
    let dirs = first.into_iter().chain(std::env::split_paths(&machine));
    let path = std::env::join_paths(dirs)?;
    if major(&path).is_none_or(|major| major < NODE_MAJOR_MIN) {
        fetch(&own)?;
    }
    if major(&path).is_none_or(|major| major < NODE_MAJOR_MIN) {
        bail!("Node.js {NODE_MAJOR_MIN} or newer is needed and could not be fetched");
    }
    Ok(path)
}

fn fetch(into: &Path) -> Result<()> {
    say::step("this machine's Node.js is too old for the web UI: fetching one for the cache");
    std::fs::create_dir_all(into)?;
    let status = Command::new("npm")
        .current_dir(into)
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix", "."])
        .args(PACKAGES)
        .status()
        .context("npm")?;
    if !status.success() {
        bail!("npm could not fetch {}", PACKAGES.join(" and "));
    }
    Ok(())
}

/// Major version of the `node` that this search path finds.
fn major(path: &OsString) -> Option<u32> {
    let found = std::env::split_paths(path).map(|dir| dir.join("node")).find(|f| f.is_file())?;
    let output = Command::new(found).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}
