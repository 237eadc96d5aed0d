//! Plays every transcript of `tests/transcripts`, each against a fresh daemon.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use testkit::transcript;

/// Daemons at once; each hashes a password or two at its start.
const AT_ONCE: usize = 3;

fn play_folder(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts").join(name);
    let files = transcript::files(&folder).expect("the folder is there");
    assert!(!files.is_empty(), "no transcripts in {name}");
    let total = files.len();
    let waiting: Mutex<Vec<PathBuf>> = Mutex::new(files);
    let failed: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(file) = next(&waiting) {
                    if let Err(err) = transcript::run_file(&file) {
                        failed.lock().unwrap().push(format!("{err:#}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!("{name}: {} of {total} transcripts hold", total - failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

fn next(waiting: &Mutex<Vec<PathBuf>>) -> Option<PathBuf> {
    waiting.lock().unwrap().pop()
}

#[test]
fn imap() {
    play_folder("imap");
}

#[test]
fn pop3() {
    play_folder("pop3");
}

#[test]
fn smtp() {
    play_folder("smtp");
}
