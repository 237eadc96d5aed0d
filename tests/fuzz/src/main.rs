//! libFuzzer's program: `POSTROOM_FUZZ=TARGET fuzz CORPUS`. `cargo xtask fuzz` builds and runs it.
//!
//! All targets are in one program, so that it is built once.

#![no_main]
#![allow(unsafe_code, reason = "the macro exports the symbol that libFuzzer calls")]
#![allow(missing_docs, reason = "the macro's functions")]

use std::sync::OnceLock;

use libfuzzer_sys::Corpus;
use postroom_fuzz::Target;

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> Target {
    let name = std::env::var("POSTROOM_FUZZ").unwrap_or_default();
    match postroom_fuzz::find(&name) {
        Some(target) => target,
        None => std::process::exit(2),
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> Corpus {
    let target = TARGET.get_or_init(target);
    if bytes.len() > target.len_max {
        return Corpus::Reject;
    }
    (target.run)(bytes);
    Corpus::Keep
});
