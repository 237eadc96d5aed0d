//! Names as text: RFC 4514 §2. Escaped by two hexadecimal digits, as slapd does it.

use super::Rdn;

pub(super) fn join(rdns: impl Iterator<Item = String>) -> String {
    rdns.collect::<Vec<_>>().join(",")
}

pub(super) fn of_rdn(rdn: &Rdn) -> String {
    let avas = rdn.avas.iter().map(|ava| format!("{}={}", ava.attribute.name(), value(&ava.value)));
    avas.collect::<Vec<_>>().join("+")
}

pub(super) fn normal_of_rdn(rdn: &Rdn) -> String {
    let mut avas: Vec<String> =
        rdn.avas.iter().map(|ava| format!("{}={}", ava.attribute.key(), value(&ava.key))).collect();
    avas.sort();
    avas.join("+")
}

/// A value with everything escaped that a name gives a meaning to, and what is no text.
fn value(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    let mut at = 0;
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            let is_first = at == 0;
            at += c.len_utf8();
            let is_edge = is_first || at == value.len();
            if "\"+,;<=>\\".contains(c)
                || c.is_ascii_control()
                || (c == ' ' && is_edge)
                || (c == '#' && is_first)
            {
                hex(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(c);
            }
        }
        at += chunk.invalid().len();
        hex(&mut text, chunk.invalid());
    }
    text
}

fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(&format!("\\{byte:02X}"));
    }
}
