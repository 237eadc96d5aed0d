//! `cargo xtask image --builder buildroot`: the same board through a Buildroot checkout.
//!
//! `image/` is the external tree. Kernel fragment and board files are the same as for the other
//! builder; Buildroot brings its own toolchain, GRUB and e2fsprogs.

use crate::grub::Grub;
use crate::place::{Place, TARGET};
use crate::{daemon, disk, esp, host, say};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
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
    let image =
        place.image_dir().join(format!("postroom-{}-x86_64-buildroot.img", place.version()));
    assemble(place, &output, &image)?;
    say::step(&format!("the image is ready: {}", image.display()));
    Ok(())
}

/// The disk, as the other builder makes it, of what Buildroot has built.
fn assemble(place: &Place, output: &Path, image: &Path) -> Result<()> {
    let read = |path: PathBuf| {
        fs::read(&path).with_context(|| format!("Buildroot has not built {}", path.display()))
    };
    let images = output.join("images");
    let grub = Grub {
        boot: read(grub_build(output)?.join("build-i386-pc/grub-core/boot.img"))?,
        core: read(images.join("grub.img"))?,
        efi: read(images.join("efi-part/EFI/BOOT/bootx64.efi"))?,
    };
    let slot = read(images.join("rootfs.squashfs"))?;
    say::note(&format!("slot: {}", say::size(u64::try_from(slot.len())?)));
    fs::create_dir_all(place.image_dir())?;
    disk::write(image, &grub, &esp::build(place, &grub, disk::ESP_BYTES)?, &slot)
}

/// `build/grub2-VERSION`; `build/host-grub2-VERSION` stands beside it.
fn grub_build(output: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(output.join("build"))?.map(|entry| Ok(entry?.path()));
    let folders: Vec<PathBuf> = entries.collect::<Result<_>>()?;
    let is_grub = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("grub2-"))
    };
    folders.into_iter().find(is_grub).context("Buildroot has not built grub2")
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
    use super::{assemble, build};
    use crate::place::Place;
    use std::fs;
    use std::path::Path;

    #[test]
    fn without_a_buildroot_tree_it_says_what_is_missing() {
        let place = Place::find().unwrap();
        let error = build(&place, None).unwrap_err().to_string();
        assert!(error.contains("--buildroot DIR"), "{error}");
        let error = build(&place, Some(Path::new("/proc"))).unwrap_err().to_string();
        assert!(error.contains("/proc is not a Buildroot tree: it has no Makefile"), "{error}");
    }

    #[test]
    fn what_buildroot_builds_becomes_a_disk() {
        let place = Place::find().unwrap();
        let dir = std::env::temp_dir().join(format!("postroom-buildroot-{}", std::process::id()));
        let output = dir.join("output");
        let image = dir.join("x.img");
        let parts = [
            ("build/host-grub2-2.12/nothing", 1),
            ("images/grub.img", 1300),
            ("images/efi-part/EFI/BOOT/bootx64.efi", 2000),
            ("images/rootfs.squashfs", 4096),
        ];
        for (path, size) in parts {
            let path = output.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![7; size]).unwrap();
        }
        let error = assemble(&place, &output, &image).unwrap_err().to_string();
        assert!(error.contains("has not built grub2"), "{error}");
        let boot = output.join("build/grub2-2.12/build-i386-pc/grub-core/boot.img");
        fs::create_dir_all(boot.parent().unwrap()).unwrap();
        fs::write(boot, [7; 512]).unwrap();
        assemble(&place, &output, &image).unwrap();
        assert_eq!(gpt::GptConfig::new().open(&image).unwrap().partitions().len(), 5);
        fs::remove_dir_all(&dir).unwrap();
    }
}
