//! Stores that earlier formats wrote, kept in `tests/fixtures/store-vN`: every later version must open them
//! and find all that `shown.txt` beside them lists. They were killed at work: the end of the log is not in the
//! index.
//!
//! A new format gets a fixture of its own: raise [`FORMAT`], run
//! `POSTROOM_FIXTURE=write cargo test -p store --test sim fixtures`, and keep the old folders in the test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::caller::{Gate, perform};
use crate::choice::Chooser;
use crate::content::Contents;
use crate::disk::SimDisk;
use crate::doubt::{Doubt, End};
use crate::life::{Checkpoints, DIR, check, open};
use crate::model::Model;
use crate::random::Random;
use crate::shown::{Shown, difference, look};

/// The format that is written today.
const FORMAT: u32 = 3;
const NOW: i64 = 1_795_338_000_000;
/// Beside the files of the store: what it shows.
const SHOWN: &str = "shown.txt";

fn folder(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/store-v{format}"))
}

/// Some groups of acts of all kinds; the state they lead to.
async fn work(
    store: &store::Store,
    clock: &Gate,
    contents: &Contents,
    random: &mut Random,
    mut model: Model,
) -> (Model, Shown) {
    let mut shown = Shown::new();
    for _ in 0..12 {
        clock.advance(61_000);
        let (known, now) = (model.clone(), clock.at());
        let acts = Chooser { random, model, now }.acts(8);
        let answers = perform(store, clock, contents, &acts, true).await;
        let ended = acts.into_iter().zip(answers.into_iter().map(End::of)).collect();
        shown = look(store, contents).unwrap();
        model = Doubt::new(known, ended, now).settle(&shown, contents).unwrap();
    }
    (model, shown)
}

/// A life that ends well, and one that is killed.
async fn make(contents: &Contents) -> (SimDisk, Shown) {
    let clock = Arc::new(Gate::new(NOW));
    let mut random = Random::new(2026);
    let disk = SimDisk::new(Path::new("/data"), random.fork());
    let store = open(&disk, &clock, Checkpoints::AtTheEnd).unwrap();
    let (model, _) = work(&store, &clock, contents, &mut random, Model::new()).await;
    store.close().await.unwrap();
    let store = open(&disk, &clock, Checkpoints::AtTheEnd).unwrap();
    let (_, shown) = work(&store, &clock, contents, &mut random, model).await;
    (disk.kill(), shown)
}

/// Writes the fixture of today's format.
async fn write(contents: &Contents) {
    let (disk, shown) = make(contents).await;
    let folder = folder(FORMAT);
    for (path, bytes) in disk.files() {
        let Ok(name) = path.strip_prefix(DIR) else { continue };
        if bytes.is_empty() {
            continue;
        }
        let to = folder.join(format!("{}.zst", name.display()));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, zstd::bulk::compress(&bytes, 19).unwrap()).unwrap();
    }
    let lines: Vec<String> = shown.iter().map(|(key, line)| format!("{key}\t{line}\n")).collect();
    std::fs::write(folder.join(SHOWN), lines.concat()).unwrap();
}

/// Puts all files below a folder on the disk.
fn load(disk: &SimDisk, from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            load(disk, &path, &to.join(name));
        } else if let Some(name) = name.strip_suffix(".zst") {
            let packed = std::fs::read(&path).unwrap();
            let bytes = zstd::stream::decode_all(packed.as_slice()).unwrap();
            disk.put_file(&to.join(name), &bytes);
        }
    }
}

/// What a line is about: its key without numbers, addresses and names.
fn kind(key: &str) -> String {
    let words = key.split(' ').filter(|word| word.chars().all(char::is_alphabetic));
    words.collect::<Vec<_>>().join(" ")
}

/// What a store shows, as far as the fixture knew of it.
fn look_as_then(store: &store::Store, contents: &Contents, then: &Shown) -> Shown {
    let kinds: BTreeSet<String> = then.keys().map(|key| kind(key)).collect();
    let mut found = look(store, contents).unwrap();
    found.retain(|key, _| kinds.contains(&kind(key)));
    found
}

/// Everything that was there is there, and after work on it nothing is wrong.
async fn find(format: u32, contents: &Contents) {
    let folder = folder(format);
    let text = std::fs::read_to_string(folder.join(SHOWN)).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    let expected: Shown = lines.map(|(key, line)| (key.to_owned(), line.to_owned())).collect();
    let disk = SimDisk::new(Path::new("/data"), Random::new(0));
    load(&disk, &folder, Path::new(DIR));
    let clock = Arc::new(Gate::new(NOW + 86_400_000));
    for _ in 0..2 {
        let store = open(&disk, &clock, Checkpoints::AtTheEnd).unwrap();
        let found = look_as_then(&store, contents, &expected);
        assert!(found == expected, "format {format}: {}", difference(&expected, &found));
        store.close().await.unwrap();
        check(&disk).unwrap();
    }
}

#[test]
fn stores_of_all_formats_are_found_whole() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let contents = Contents::new();
    if std::env::var_os("POSTROOM_FIXTURE").is_some() {
        runtime.block_on(Box::pin(write(&contents)));
    }
    for format in 2..=FORMAT {
        runtime.block_on(Box::pin(find(format, &contents)));
    }
}
