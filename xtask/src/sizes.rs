//! `cargo xtask sizes`: what the image, the slot and its parts weigh. Only shown: the limit of a slot is the
//! business of `image`.

use crate::place::Place;
use crate::{image, say};
use anyhow::{Context as _, Result};
use std::fs;

/// Below this a part is only counted in the sum.
const SHOWN_BYTES: u64 = 100 * 1024;

pub(crate) fn sizes(place: &Place) -> Result<()> {
    let image = image::path(place);
    let list = fs::read_to_string(image.with_extension("sizes"))
        .context("there is no image yet: `cargo xtask image` builds it")?;
    for extension in ["img", "img.zst", "slot"] {
        if let Ok(data) = fs::metadata(image.with_extension(extension)) {
            println!("{:>10}  {extension}", say::size(data.len()));
        }
    }
    println!("\nparts of the slot before compression:");
    let (mut small, mut sum) = (0, 0);
    for line in list.lines() {
        let (size, path) = line.split_once('\t').context("a broken list of sizes")?;
        let size: u64 = size.parse()?;
        sum += size;
        if size >= SHOWN_BYTES {
            println!("{:>10}  {path}", say::size(size));
        } else {
            small += size;
        }
    }
    println!("{:>10}  everything smaller", say::size(small));
    println!("{:>10}  together", say::size(sum));
    Ok(())
}
