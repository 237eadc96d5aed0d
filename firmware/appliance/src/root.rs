//! The check that the root is what the image builder made: read-only, and with the files it lists.
//!
//! `/etc/postroom/manifest` holds one line a file: `BLAKE3 PATH`. The boot looks whether the root is
//! mounted read-only and the listed files can be read; their content is hashed in the background
//! once the box serves ([`check_content`]): unpacking the whole daemon before it starts cost two
//! seconds of eight. A damaged block does not pass unseen meanwhile, squashfs refuses it. The updater
//! reads a whole slot back once, after writing it.

use std::fs::{self, File};
use std::io::{self, Read as _};

const MANIFEST: &str = "/etc/postroom/manifest";
const RELEASE: &str = "/etc/postroom/release";
const FILES_MAX: usize = 256;

/// Value of a `KEY=value` line of the release file, as the image builder wrote it.
pub(crate) fn release(key: &str) -> Option<String> {
    let text = fs::read_to_string(RELEASE).ok()?;
    release_value(&text, key).map(str::to_owned)
}

fn release_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim().trim_matches('"'))
}

/// Version of the image.
pub(crate) fn image_version() -> String {
    release("VERSION").unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
}

/// What the quick check found, for the log.
pub(crate) fn check() -> Result<String, String> {
    let fs_type = root_mount().ok_or_else(|| "the kernel names no root mount".to_owned())?;
    let files = manifest()?;
    for (_, path) in &files {
        let mut head = [0; 4096];
        File::open(path)
            .and_then(|mut file| file.read(&mut head))
            .map_err(|err| format!("{path}: {err}"))?;
    }
    Ok(format!("{fs_type}, {} files listed", files.len()))
}

/// Hash and path of each listed file; the daemon itself where there is no manifest.
fn manifest() -> Result<Vec<(String, String)>, String> {
    let Ok(text) = fs::read_to_string(MANIFEST) else {
        return Ok(vec![(String::new(), "/sbin/postroomd".to_owned())]);
    };
    text.lines()
        .filter(|line| !line.is_empty())
        .take(FILES_MAX)
        .map(|line| {
            let (hash, path) = line.split_once(' ').ok_or("the manifest is not readable")?;
            Ok((hash.to_owned(), path.trim().to_owned()))
        })
        .collect()
}

/// Reads every listed file whole and compares it; what was found, for the log.
pub(crate) fn check_content() -> Result<String, String> {
    let files = manifest()?;
    let mut bytes = 0;
    for (want, path) in &files {
        let (hash, size) = hash_file(path).map_err(|err| format!("{path}: {err}"))?;
        if !want.is_empty() && hash != *want {
            return Err(format!("{path} is not what the image holds"));
        }
        bytes += size;
    }
    Ok(format!("{} files and {} KB whole", files.len(), bytes / 1024))
}

/// `squashfs, read-only`, from /proc/mounts.
fn root_mount() -> Option<String> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let line = mounts.lines().rev().find(|line| line.split(' ').nth(1) == Some("/"))?;
    let mut words = line.split(' ');
    let fs_type = words.nth(2)?;
    let is_read_only = words.next()?.split(',').any(|option| option == "ro");
    Some(format!("{fs_type}, {}", if is_read_only { "read-only" } else { "writable" }))
}

fn hash_file(path: &str) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 128 * 1024];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((hasher.finalize().to_hex().to_string(), bytes));
        }
        hasher.update(buffer.get(..n).unwrap_or_default());
        bytes += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_lines_are_read_with_and_without_quotes() {
        let text = "VERSION=0.1.0\nBOARD=\"generic\"\nBUILT=1795338000\n";
        assert_eq!(release_value(text, "VERSION"), Some("0.1.0"));
        assert_eq!(release_value(text, "BOARD"), Some("generic"));
        assert_eq!(release_value(text, "BUIL"), None);
    }

    #[test]
    fn a_file_is_hashed_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, vec![7; 300_000]).unwrap();
        let (hash, bytes) = hash_file(path.to_str().unwrap()).unwrap();
        assert_eq!(bytes, 300_000);
        assert_eq!(hash, blake3::hash(&vec![7; 300_000]).to_hex().to_string());
    }
}
