//! `cargo xtask clean`: removes what the commands made, and nothing else.

use crate::place::Place;
use crate::say;
use anyhow::Result;
use std::path::Path;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also what is kept between builds: Debian's packages and kernels
    #[arg(long)]
    cache: bool,
}

pub(crate) fn clean(place: &Place, options: &Options) -> Result<()> {
    remove(&place.image_dir())?;
    remove(&place.target.join("run"))?;
    remove(&place.root.join("web-ui/dist"))?;
    if options.cache {
        remove(&place.cache)?;
    }
    say::note("cargo's own files stay; `cargo clean` removes them");
    Ok(())
}

fn remove(dir: &Path) -> Result<()> {
    if dir.exists() {
        say::step(&format!("removing {}", dir.display()));
        std::fs::remove_dir_all(dir)?;
    }
    Ok(())
}
