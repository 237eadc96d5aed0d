//! Where things are: the repository, what is built, and what is kept between builds.

use crate::say;
use anyhow::{Context as _, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use xshell::Shell;

/// The target triple of the box.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The folders that every command works in.
#[derive(Debug, Clone)]
pub struct Place {
    /// The repository.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// Kept between builds and shared by all checkouts of a user: Debian's packages, kernels.
    pub cache: PathBuf,
}

impl Place {
    /// Finds the folders from the place of this crate and the environment.
    ///
    /// # Errors
    /// When there is no home folder to keep a cache in.
    pub fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().context("xtask is not inside a repository")?.to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => root.join(dir),
            None => root.join("target"),
        };
        let cache = match std::env::var_os("XDG_CACHE_HOME") {
            Some(dir) => PathBuf::from(dir),
            None => {
                PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache")
            }
        };
        Ok(Self { root, target, cache: cache.join("postroom") })
    }

    /// A shell that stands in the repository.
    ///
    /// # Errors
    /// When the current folder cannot be read.
    pub fn shell(&self) -> Result<Shell> {
        let shell = Shell::new()?;
        shell.change_dir(&self.root);
        Ok(shell)
    }

    /// Holds the cache folder for this process: two builds at once would mix their files.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn lock_cache(&self) -> Result<File> {
        std::fs::create_dir_all(&self.cache)?;
        let file = File::create(self.cache.join("lock"))?;
        if file.try_lock().is_err() {
            say::note("another build uses the cache folder; waiting for it");
            file.lock()?;
        }
        Ok(file)
    }

    /// The folder of the finished image.
    #[must_use]
    pub fn image_dir(&self) -> PathBuf {
        self.target.join("image")
    }

    /// The version of the product: that of the workspace.
    #[must_use]
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// The time that goes into the image instead of the clock: `SOURCE_DATE_EPOCH`, else the
    /// time of the last commit, else a fixed day, so that the same source gives the same image.
    #[must_use]
    pub fn source_time(&self) -> u32 {
        let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
        let commit = || {
            let output = std::process::Command::new("git")
                .args(["log", "-1", "--format=%ct"])
                .current_dir(&self.root)
                .output()
                .ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        // 2026-01-01
        given.or_else(commit).unwrap_or(1_767_225_600)
    }
}

/// Puts `bytes` under `path` in one move, so that a stopped build leaves no half file behind.
///
/// # Errors
/// When the disk refuses.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    std::fs::write(&part, bytes).with_context(|| format!("cannot write {}", part.display()))?;
    std::fs::rename(&part, path).with_context(|| format!("cannot write {}", path.display()))
}
