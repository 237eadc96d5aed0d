//! The daemon as it is shipped: one static program.
//!
//! The image, `run`, `test` and `bench` all take it from here, so what is tested is what ships.

use crate::place::{Place, TARGET};
use crate::{host, say, web_ui};
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// Builds the static daemon with the web UI in it and answers where it is.
///
/// # Errors
/// When it does not build.
pub fn daemon_binary(place: &Place) -> Result<PathBuf> {
    host::ensure(&[host::DAEMON_TOOLS])?;
    web_ui::build(place)?;
    say::step("building the daemon (static, release)");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--package", "postroomd", "--target", TARGET])
        .env("RUSTFLAGS", rust_flags(place)?)
        // Set by the cargo that runs us; it would hide the flags above from the build scripts.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(&place.root)
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the daemon does not build");
    }
    Ok(place.target.join(TARGET).join("release/postroomd"))
}

/// Static, and without the folders of the machine it was built on: they are nobody's business
/// and would make two builds differ.
fn rust_flags(place: &Place) -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = match home {
        Some(home) => home,
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cargo"),
    };
    Ok(format!(
        "-C target-feature=+crt-static --remap-path-prefix={}=postroom \
         --remap-path-prefix={}=cargo",
        place.root.display(),
        home.display()
    ))
}
