//! The messages under `tests/messages` have the structure that stands beside them.
//!
//! With `POSTROOM_BLESS=1` the expected texts are written anew, for a person to read.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::{Part, PartKind, Scanner, Structure};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/messages")
}

/// The IMAP part numbers with the bodies, as a client can fetch them.
fn numbered(out: &mut String, message: &[u8], structure: &Structure, path: &[u32]) {
    let mut number = 1;
    loop {
        let mut path = path.to_vec();
        path.push(number);
        let Some(part) = structure.part(&path) else { return };
        let name: Vec<_> = path.iter().map(u32::to_string).collect();
        let at = |offset: u64| usize::try_from(offset).unwrap();
        let body = &message[at(part.body_start)..at(part.body_end)];
        let shown = if matches!(part.kind, PartKind::Leaf) {
            format!("{:?}", String::from_utf8_lossy(body))
        } else {
            format!("{} bytes", body.len())
        };
        writeln!(out, "PART {} {}/{} {shown}", name.join("."), part.main_type, part.sub_type)
            .unwrap();
        if !is_own_body(structure, &path, part) {
            numbered(out, message, structure, &path);
        }
        number += 1;
    }
}

/// A leaf has no parts.
fn is_own_body(structure: &Structure, path: &[u32], part: &Part) -> bool {
    let mut deeper = path.to_vec();
    deeper.push(1);
    structure.part(&deeper).is_none_or(|p| std::ptr::eq(p, part))
}

fn described(message: &[u8]) -> String {
    let mut scanner = Scanner::new();
    scanner.feed(message);
    let structure = scanner.finish();
    let mut out = String::new();
    for (name, text) in [
        ("ENVELOPE", structure.imap_envelope()),
        ("BODY", structure.imap_body(false)),
        ("BODYSTRUCTURE", structure.imap_body(true)),
    ] {
        // Literals show their bytes; what is no UTF-8 cannot be there.
        let text = String::from_utf8(text).unwrap().replace('\r', "");
        writeln!(out, "{name} {text}").unwrap();
    }
    numbered(&mut out, message, &structure, &[]);
    out
}

#[test]
fn kept_messages_have_their_structure() {
    let mut seen = 0;
    for group in ["rfc", "malformed"] {
        for entry in std::fs::read_dir(folder().join(group)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "eml") {
                continue;
            }
            let described = described(&std::fs::read(&path).unwrap());
            let expected = path.with_extension("structure");
            if std::env::var_os("POSTROOM_BLESS").is_some() {
                std::fs::write(&expected, &described).unwrap();
            }
            let expected = std::fs::read_to_string(&expected).unwrap();
            assert_eq!(described, expected, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 4, "the messages are there");
}
