//! `cargo xtask image --builder buildroot`: the same board through a Buildroot checkout.
//!
//! `image/` is the external tree. Kernel fragment and board files are the same as for the other
//! builder; Buildroot brings its own toolchain, GRUB and e2fsprogs.

use crate::place::{Place, TARGET};
use crate::{daemon, host, say};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

const CONFIG: &str = "postroom_x86_64_defconfig";

pub(crate) fn build(place: &Place, buildroot: Option<&Path>) -> Result<()> {
    let tree = buildroot.context(
        "--builder buildroot needs a Buildroot checkout: give its folder with --buildroot DIR",
    )?;
    for file in ["Makefile", "Config.in", "package/Config.in", "support/kconfig"] {
        if !tree.join(file).exists() {
            bail!(
                "{} is not a Buildroot tree: it has no {file}. Unpack a Buildroot release (2025.02 \
                 or later) and give its folder with --buildroot DIR",
                tree.display()
            );
        }
    }
    host::ensure(&[host::KERNEL_TOOLS])?;
    let daemon = daemon::daemon_binary(place)?;
    let output = place.target.join("buildroot");
    fs::create_dir_all(&output)?;
    say::step("configuring Buildroot");
    make(place, tree, &output, &daemon, CONFIG)?;
    say::step("building with Buildroot (an hour or more the first time)");
    make(place, tree, &output, &daemon, "all")?;
    say::step(&format!("the image is ready: {}", output.join("images").display()));
    Ok(())
}

fn make(place: &Place, tree: &Path, output: &Path, daemon: &Path, goal: &str) -> Result<()> {
    let status = Command::new("make")
        .arg("-C")
        .arg(tree)
        .arg(format!("O={}", output.display()))
        .arg(format!("BR2_EXTERNAL={}", place.root.join("image").display()))
        .arg(goal)
        // package/postroomd takes the finished daemon: cargo builds it, with its own lock file.
        .env("POSTROOM_DAEMON", daemon)
        .env("POSTROOM_TARGET", TARGET)
        .status()
        .context("cannot start make")?;
    if !status.success() {
        bail!("Buildroot's `make {goal}` failed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::build;
    use crate::place::Place;
    use std::path::Path;

    #[test]
    fn without_a_buildroot_tree_it_says_what_is_missing() {
        let place = Place::find().unwrap();
        let error = build(&place, None).unwrap_err().to_string();
        assert!(error.contains("--buildroot DIR"), "{error}");
        let error = build(&place, Some(Path::new("/proc"))).unwrap_err().to_string();
        assert!(error.contains("/proc is not a Buildroot tree: it has no Makefile"), "{error}");
    }
}
