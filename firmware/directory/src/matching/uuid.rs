//! UUIDs as text: RFC 4530.

/// The text in lower case; `None` if it is none.
pub(crate) fn key(value: &[u8]) -> Option<Vec<u8>> {
    let is_good = value.len() == 36
        && value.iter().enumerate().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => *c == b'-',
            _ => c.is_ascii_hexdigit(),
        });
    is_good.then(|| value.to_ascii_lowercase())
}
