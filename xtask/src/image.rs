//! `cargo xtask image`: the disk image, from Debian's packages, the kernel and the daemon.

use crate::apt::Apt;
use crate::board::Board;
use crate::place::{Place, write_whole};
use crate::root::Tree;
use crate::{bom, buildroot, daemon, disk, esp, grub, kernel, say};
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A larger slot is no image: it goes over slow lines as an update.
const SLOT_BYTES_MAX: usize = 25_000_000;

#[derive(Clone, Copy, ValueEnum)]
enum Builder {
    /// Debian's packages; works on any Debian 12 machine
    Debian,
    /// A Buildroot checkout, with the external tree in `image/`
    Buildroot,
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What the image is built with
    #[arg(long, value_enum, default_value = "debian")]
    builder: Builder,
    /// The Buildroot checkout for `--builder buildroot`
    #[arg(long, value_name = "DIR")]
    buildroot: Option<PathBuf>,
    /// Take this program for the daemon instead of building it
    #[arg(long, value_name = "FILE")]
    daemon: Option<PathBuf>,
    /// Do not make the compressed copy
    #[arg(long)]
    no_compress: bool,
}

pub(crate) fn command(place: &Place, options: &Options) -> Result<()> {
    if matches!(options.builder, Builder::Buildroot) {
        return buildroot::build(place, options.buildroot.as_deref());
    }
    let daemon = match &options.daemon {
        Some(daemon) => daemon.clone(),
        None => daemon::daemon_binary(place)?,
    };
    let image = assemble(place, &daemon)?;
    if !options.no_compress {
        compress(&image)?;
    }
    let dir = image.parent().context("an image in no folder")?;
    say::step(&format!("the image is ready: {}", image.display()));
    say::note(&format!("all files: {}", dir.display()));
    Ok(())
}

/// Builds everything and answers where the image is.
///
/// # Errors
/// When a part does not build.
pub fn build(place: &Place) -> Result<PathBuf> {
    assemble(place, &daemon::daemon_binary(place)?)
}

/// Where the image stands when it is built.
#[must_use]
pub fn path(place: &Place) -> PathBuf {
    place.image_dir().join(format!("postroom-{}-x86_64.img", place.version()))
}

fn assemble(place: &Place, daemon: &Path) -> Result<PathBuf> {
    let board = Board::load(place)?;
    let work = place.image_dir();
    fs::create_dir_all(&work)?;
    let _held = place.lock_cache()?;
    let mut apt = Apt::open(place)?;
    apt.fetch(&board.packages())?;
    let kernel = kernel::build(place, &board, &mut apt)?;
    let grub = grub::build(&apt, &place.root.join("image/grub.cfg"), &work)?;
    let tree = Tree::gather(place, &board, &apt, &kernel, daemon)?;
    let slot = tree.squashfs(place.source_time())?;
    say::note(&format!("slot: {} bytes", slot.len()));
    let image = path(place);
    // Those of an earlier image would pass for this one's.
    for extension in ["img.zst", "sha256"] {
        let old = image.with_extension(extension);
        if old.exists() {
            fs::remove_file(old)?;
        }
    }
    write_whole(&image.with_extension("slot"), &slot)?;
    write_whole(&image.with_extension("sizes"), sizes_text(&tree).as_bytes())?;
    within_limit(slot.len())?;
    write_whole(&image.with_extension("bom.json"), bom::build(place, &apt, &slot)?.as_bytes())?;
    say::step("writing the disk");
    let esp = esp::build(place, &grub, disk::ESP_BYTES)?;
    let part = image.with_extension("part");
    disk::write(&part, &grub, &esp, &slot)?;
    fs::rename(&part, &image)?;
    Ok(image)
}

fn within_limit(slot_bytes: usize) -> Result<()> {
    if slot_bytes > SLOT_BYTES_MAX {
        bail!(
            "the slot has {slot_bytes} bytes, {SLOT_BYTES_MAX} are its limit; \
             `cargo xtask sizes` shows the parts"
        );
    }
    Ok(())
}

fn sizes_text(tree: &Tree) -> String {
    tree.sizes().iter().map(|(path, size)| format!("{size}\t{path}\n")).collect()
}

/// The copy to hand out, and the check sums of both.
fn compress(image: &Path) -> Result<()> {
    say::step("compressing the image");
    let packed = image.with_extension("img.zst");
    let part = image.with_extension("part");
    let mut encoder = zstd::Encoder::new(fs::File::create(&part)?, 15)?;
    encoder.include_checksum(true)?;
    let mut progress = say::Progress::new("compressing", fs::metadata(image)?.len());
    let mut source = fs::File::open(image)?;
    let mut chunk = vec![0; 1024 * 1024];
    loop {
        let count = std::io::Read::read(&mut source, &mut chunk)?;
        if count == 0 {
            break;
        }
        std::io::Write::write_all(&mut encoder, chunk.get(..count).unwrap_or_default())?;
        progress.advance(u64::try_from(count)?);
    }
    encoder.finish()?.sync_all()?;
    progress.finish();
    fs::rename(&part, &packed)?;
    let dir = image.parent().context("an image in no folder")?;
    let names = [image, &packed].map(|path| path.file_name().unwrap_or_default().to_owned());
    let output = Command::new("sha256sum").args(&names).current_dir(dir).output()?;
    if !output.status.success() {
        bail!("sha256sum failed");
    }
    write_whole(&image.with_extension("sha256"), &output.stdout)
}

#[cfg(test)]
mod tests {
    use super::{SLOT_BYTES_MAX, within_limit};

    #[test]
    fn a_slot_above_its_limit_is_refused() {
        within_limit(SLOT_BYTES_MAX).unwrap();
        let refused = within_limit(SLOT_BYTES_MAX + 1).unwrap_err().to_string();
        assert!(refused.contains("25000001 bytes"), "{refused}");
    }
}
