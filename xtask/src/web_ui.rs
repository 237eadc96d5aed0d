//! The web UI: built with npm into `web-ui/dist`, which the daemon then embeds.

use crate::place::Place;
use crate::{node, say};
use anyhow::Result;
use std::ffi::OsString;
use xshell::cmd;

/// Builds the UI. While there is none yet, says so: the daemon then answers with a plain page.
pub(crate) fn build(place: &Place) -> Result<()> {
    if !prepare(place)? {
        return Ok(());
    }
    say::step("building the web UI");
    npm(place, "build")
}

/// Runs a script of `package.json`.
pub(crate) fn npm(place: &Place, script: &str) -> Result<()> {
    let shell = place.shell()?;
    shell.change_dir("web-ui");
    let path = node::path(place)?;
    cmd!(shell, "npm run --silent {script}").env("PATH", path).quiet().run()?;
    Ok(())
}

/// Brings Node and the UI's packages. Answers whether there is a UI.
pub(crate) fn prepare(place: &Place) -> Result<bool> {
    if !place.root.join("web-ui/package.json").exists() {
        say::note("there is no web-ui/package.json: the daemon is built without the web UI");
        return Ok(false);
    }
    install(place, "web-ui", &node::path(place)?)?;
    Ok(true)
}

/// Brings the packages of a folder's lock file, unless they are there.
pub(crate) fn install(place: &Place, folder: &str, path: &OsString) -> Result<()> {
    let dir = place.root.join(folder);
    let lock = std::fs::read(dir.join("package-lock.json"))?;
    let stamp = dir.join("node_modules/.postroom-lock");
    let fresh = blake3::hash(&lock).to_hex().to_string();
    if std::fs::read_to_string(&stamp).ok().as_deref() != Some(fresh.as_str()) {
        say::step(&format!("installing the npm packages of {folder} (npm ci)"));
        let shell = place.shell()?;
        shell.change_dir(folder);
        cmd!(shell, "npm ci --no-audit --no-fund").env("PATH", path).quiet().run()?;
        std::fs::write(&stamp, fresh)?;
    }
    Ok(())
}
