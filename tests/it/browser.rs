//! Chromium walks through the pages of a fresh daemon by keyboard: the wizard in its language, then the
//! administration and the preferences in all five. The walk itself is in `tests/browser`; its pictures are
//! left in `tests/artefacts/browser`.

use std::path::Path;
use std::process::Command;

use testkit::Daemon;
use testkit::daemon::Options;

fn walk(language: &str) {
    let mut daemon = Daemon::start(Options::default()).unwrap();
    let code = daemon.setup_code.clone().expect("a fresh box needs its wizard");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let done = Command::new("node")
        .arg("run.mjs")
        .current_dir(folder)
        .env("POSTROOM_URL", &daemon.url)
        .env("POSTROOM_SETUP_CODE", code)
        .env("POSTROOM_LANGUAGE", language)
        .output()
        .unwrap_or_else(|err| panic!("node: {err}"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{err}\n{}", daemon.log());
    daemon.stop().unwrap();
    daemon.check().unwrap();
}

#[test]
fn the_pages_work_by_keyboard_in_english() {
    walk("en");
}

#[test]
fn the_pages_work_by_keyboard_in_german() {
    walk("de");
}
