//! Replays what the fuzzer kept, without a fuzzer: the corpus, and what once failed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use postroom_fuzz::{TARGETS, escape, inputs};

#[test]
fn all_kept_inputs_hold() {
    for target in TARGETS {
        let mut count = 0;
        for folder in ["corpus", "regressions"] {
            let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(folder)
                .join(format!("{}.txt", target.name));
            let Ok(text) = fs::read_to_string(&file) else { continue };
            let kept = inputs(&text).unwrap_or_else(|n| panic!("{}: line {n}", file.display()));
            for input in kept {
                let held = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
                assert!(held.is_ok(), "{}: {}", target.name, escape(&input));
                count += 1;
            }
        }
        println!("{}: {count} inputs hold", target.name);
    }
}

#[test]
fn every_file_belongs_to_a_target() {
    for folder in ["corpus", "regressions", "dict"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(postroom_fuzz::find(&name).is_some(), "{}", path.display());
        }
    }
}
