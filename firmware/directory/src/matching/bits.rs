//! Bit strings (`'0101'B`) and names with one behind: RFC 4517 §3.3.2, §3.3.21.

pub(crate) fn is_bits(value: &[u8]) -> bool {
    let inner = value.strip_prefix(b"'").and_then(|rest| rest.strip_suffix(b"'B"));
    inner.is_some_and(|bits| bits.iter().all(|bit| matches!(bit, b'0' | b'1')))
}

/// The name, and the bit string if there is one. A `#` that no bit string follows belongs to the name.
pub(crate) fn name_and_uid(value: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if let Some(at) = value.iter().rposition(|c| *c == b'#') {
        let (name, rest) = value.split_at_checked(at)?;
        let uid = rest.get(1..)?;
        if is_bits(uid) {
            return Some((name, Some(uid)));
        }
    }
    Some((value, None))
}
