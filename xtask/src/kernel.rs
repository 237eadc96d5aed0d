//! The kernel: built lean from Debian's source with the fragment in `board/`.
//!
//! A build takes a quarter of an hour, so its result is kept in the cache folder under the hash
//! of everything that went into it: the version of the source, the fragment and this recipe.

use crate::apt::{Apt, Package};
use crate::board::Board;
use crate::place::{Place, write_whole};
use crate::{host, kernel_fragment, say};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Changes when the steps below change in a way that changes the result.
const RECIPE: &str = "1";
/// Lines that `make` prints for our configuration; only the progress bar leans on it.
const LINES_EXPECTED: u64 = 2550;

/// A finished kernel.
pub(crate) struct Kernel {
    pub(crate) image: PathBuf,
    pub(crate) version: String,
}

/// The kernel of a board: from the cache, or built now.
pub(crate) fn build(place: &Place, board: &Board, apt: &mut Apt) -> Result<Kernel> {
    let packages = apt.fetch(std::slice::from_ref(&board.kernel_source))?;
    let source = packages.first().context("no kernel source package")?;
    let path = place.root.join("board").join(&board.kernel_fragment);
    let fragment = fs::read_to_string(&path).context("cannot read the kernel fragment")?;
    let mut hasher = blake3::Hasher::new();
    for part in [RECIPE, &source.name, &source.version, &fragment] {
        hasher.update(part.as_bytes()).update(&[0]);
    }
    let key: String = hasher.finalize().to_hex().chars().take(16).collect();
    let kept = place.cache.join("kernel").join(key);
    let kernel = Kernel { image: kept.join("bzImage"), version: source.version.clone() };
    if kernel.image.exists() {
        say::note(&format!("kernel {} (kept from an earlier build)", kernel.version));
        return Ok(kernel);
    }
    say::note(&format!("no kernel of this source and fragment is kept in {}", kept.display()));
    host::ensure(&[host::KERNEL_TOOLS])?;
    let tree = unpack(place, source)?;
    configure(&tree, &fragment)?;
    make(&tree)?;
    fs::create_dir_all(&kept)?;
    fs::copy(tree.join(".config"), kept.join("config"))?;
    write_whole(&kernel.image, &fs::read(tree.join("arch/x86/boot/bzImage"))?)?;
    fs::remove_dir_all(place.cache.join("kernel/build"))?;
    say::note(&format!(
        "kernel {}: {}",
        kernel.version,
        say::size(fs::metadata(&kernel.image)?.len())
    ));
    Ok(kernel)
}

fn unpack(place: &Place, source: &Package) -> Result<PathBuf> {
    say::step(&format!("unpacking the kernel source {}", source.version));
    let build = place.cache.join("kernel/build");
    if build.exists() {
        fs::remove_dir_all(&build)?;
    }
    fs::create_dir_all(&build)?;
    let archive = source.root.join("usr/src").join(format!("{}.tar.xz", source.name));
    let status = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&build).status()?;
    if !status.success() {
        bail!("cannot unpack {}", archive.display());
    }
    Ok(build.join(&source.name))
}

fn configure(tree: &Path, fragment: &str) -> Result<()> {
    fs::write(tree.join("postroom.config"), fragment)?;
    let status = Command::new("make")
        .args(["-s", "KCONFIG_ALLCONFIG=postroom.config", "allnoconfig"])
        .current_dir(tree)
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("the kernel cannot be configured");
    }
    let lost = kernel_fragment::unhonored(fragment, &fs::read_to_string(tree.join(".config"))?);
    if !lost.is_empty() {
        bail!("the kernel source does not honor these lines of the fragment:\n{}", lost.join("\n"));
    }
    Ok(())
}

fn make(tree: &Path) -> Result<()> {
    let jobs = std::thread::available_parallelism().map_or(2, usize::from);
    say::step(&format!("building the kernel ({jobs} jobs, about a quarter of an hour on 2 cores)"));
    let log = tree.join("make.log");
    let mut child = Command::new("make")
        .arg(format!("-j{jobs}"))
        .arg("bzImage")
        // The same source gives the same kernel, whoever builds it and when.
        .env("KBUILD_BUILD_TIMESTAMP", "2026-01-01")
        .env("KBUILD_BUILD_USER", "postroom")
        .env("KBUILD_BUILD_HOST", "build")
        .env_remove("MAKEFLAGS")
        .current_dir(tree)
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log)?)
        .spawn()?;
    let mut progress = say::Progress::new("kernel", LINES_EXPECTED);
    if let Some(lines) = child.stdout.take() {
        for line in BufReader::new(lines).split(b'\n') {
            line?;
            progress.advance(1);
        }
    }
    progress.finish();
    if !child.wait()?.success() {
        bail!("the kernel does not build; its messages are in {}", log.display());
    }
    Ok(())
}
