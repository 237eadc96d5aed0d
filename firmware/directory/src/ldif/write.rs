//! Records as text: lines of 76 columns, base64 where a value is no plain line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Change, Control, Record};
use crate::schema::Description;
use crate::{Attributes, Dn, Modification};

/// RFC 2849 note 10.
const COLUMNS: usize = 76;

/// Appends an entry as a content record, its classes first, and an empty line. What is in `attributes` is
/// written, passwords too: the caller takes out what nobody should see.
pub fn write_entry(out: &mut String, dn: &Dn, attributes: &Attributes) {
    value(out, "dn", dn.as_text().as_bytes());
    let (classes, others): (Vec<_>, Vec<_>) =
        attributes.iter().partition(|(key, _)| key.as_str() == "objectclass");
    for (key, values) in classes.into_iter().chain(others) {
        let name = Description::parse(key).map(|of| of.name());
        let name = name.as_deref().unwrap_or(key);
        values.iter().for_each(|bytes| value(out, name, bytes));
    }
    out.push('\n');
}

/// Appends a record and an empty line.
pub fn write_record(out: &mut String, record: &Record) {
    value(out, "dn", record.dn.as_text().as_bytes());
    record.controls.iter().for_each(|of| control(out, of));
    match &record.change {
        Change::Entry { attributes, is_add } => {
            if *is_add {
                line(out, "changetype: add");
            }
            attributes.iter().for_each(|(name, bytes)| value(out, name, bytes));
        }
        Change::Delete => line(out, "changetype: delete"),
        Change::Modify(changes) => {
            line(out, "changetype: modify");
            changes.iter().for_each(|change| modification(out, change));
        }
        Change::Rename { rdn, deletes_old, superior } => {
            line(out, "changetype: modrdn");
            value(out, "newrdn", rdn.to_string().as_bytes());
            line(out, if *deletes_old { "deleteoldrdn: 1" } else { "deleteoldrdn: 0" });
            if let Some(superior) = superior {
                value(out, "newsuperior", superior.as_text().as_bytes());
            }
        }
    }
    out.push('\n');
}

fn modification(out: &mut String, change: &Modification) {
    let (operation, name, values) = match change {
        Modification::Add { name, values } => ("add", name, values),
        Modification::Delete { name, values } => ("delete", name, values),
        Modification::Replace { name, values } => ("replace", name, values),
        Modification::Increment { name, values } => ("increment", name, values),
    };
    value(out, operation, name.as_bytes());
    values.iter().for_each(|bytes| value(out, name, bytes));
    line(out, "-");
}

fn control(out: &mut String, of: &Control) {
    let critical = if of.is_critical { " true" } else { " false" };
    let value = match &of.value {
        Some(value) => format!(":: {}", STANDARD.encode(value)),
        None => String::new(),
    };
    line(out, &format!("control: {}{critical}{value}", of.oid));
}

/// RFC 2849's SAFE-STRING, and no space at the end (note 8).
fn plain(bytes: &[u8]) -> Option<&str> {
    let is_good = bytes.iter().all(|c| matches!(c, 0x20..=0x7e | b'\t'))
        && !matches!(bytes.first(), Some(b' ' | b':' | b'<'))
        && bytes.last() != Some(&b' ');
    std::str::from_utf8(bytes).ok().filter(|_| is_good)
}

fn value(out: &mut String, name: &str, bytes: &[u8]) {
    match plain(bytes) {
        Some("") => line(out, &format!("{name}:")),
        Some(text) => line(out, &format!("{name}: {text}")),
        None => line(out, &format!("{name}:: {}", STANDARD.encode(bytes))),
    }
}

/// A line, folded. It is ASCII.
fn line(out: &mut String, text: &str) {
    let mut room = COLUMNS;
    for c in text.chars() {
        if room == 0 {
            out.push_str("\n ");
            room = COLUMNS - 1;
        }
        out.push(c);
        room -= 1;
    }
    out.push('\n');
}
