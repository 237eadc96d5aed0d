//! The browser that the tests drive, and the packages of its driver.

use crate::host::{self, Need};
use crate::place::Place;
use crate::{node, web_ui};
use anyhow::Result;
use std::ffi::OsString;

const CHROMIUM: &[Need] = &[Need { file: "/usr/bin/chromium", package: "chromium" }];

/// Installs browser and driver; answers the search path under which `node` is new enough.
///
/// # Errors
/// When a package cannot be had.
pub(crate) fn prepare(place: &Place) -> Result<OsString> {
    host::ensure(&[CHROMIUM])?;
    let path = node::path(place)?;
    web_ui::install(place, "tests/browser", &path)?;
    Ok(path)
}
