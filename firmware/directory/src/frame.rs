//! Where a message ends, and whether it is worth to be taken apart. RFC 4511 §5.1: BER with definite
//! lengths.
//!
//! The parser behind this one builds a tree: its memory is many times that of the bytes. So depth, number of
//! elements and fit of all lengths are known before it begins. No recursion, no allocation.

/// Deepest nesting that is taken apart: a filter of 32 levels has at most 36.
const DEPTH_MAX: usize = 64;
/// Most elements of one message: a group with 50,000 members fits.
const ELEMENTS_MAX: usize = 100_000;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// It does not begin as an LDAP message does, or its lengths are wrong.
    Malformed,
    /// It is longer than this client may send, or it has too many parts.
    TooLarge,
}

/// The head of an element.
struct Head {
    tag: u8,
    /// Bytes of tag and length.
    head: usize,
    /// Bytes of the content.
    content: usize,
}

/// Reads a head; `None` where there are not enough bytes.
fn head(bytes: &[u8]) -> Result<Option<Head>, FrameError> {
    let Some(&tag) = bytes.first() else { return Ok(None) };
    // LDAP has no tag number above 30.
    if tag & 0x1F == 0x1F {
        return Err(FrameError::Malformed);
    }
    let Some(&first) = bytes.get(1) else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some(Head { tag, head: 2, content: usize::from(first) }));
    }
    let len = usize::from(first & 0x7F);
    // 0x80 is the indefinite form.
    if !(1..=8).contains(&len) {
        return Err(FrameError::Malformed);
    }
    let Some(length) = bytes.get(2..2 + len) else { return Ok(None) };
    let content = length.iter().try_fold(0u64, |sum, &byte| {
        if sum >> 56 == 0 { Some(sum << 8 | u64::from(byte)) } else { None }
    });
    let content = content.and_then(|content| usize::try_from(content).ok());
    let content = content.filter(|content| *content < usize::MAX / 2);
    Ok(Some(Head { tag, head: 2 + len, content: content.ok_or(FrameError::TooLarge)? }))
}

/// The length of the message that `bytes` begin with, as soon as it is known; the message itself may not be
/// there as a whole.
///
/// # Errors
/// It is no message, or has more than `max` bytes.
pub fn length(bytes: &[u8], max: usize) -> Result<Option<usize>, FrameError> {
    // A first byte that is no SEQUENCE need not wait for more.
    if bytes.first().is_some_and(|&tag| tag != 0x30) {
        return Err(FrameError::Malformed);
    }
    let Some(head) = head(bytes)? else { return Ok(None) };
    let len = head.head + head.content;
    if len > max { Err(FrameError::TooLarge) } else { Ok(Some(len)) }
}

/// Checks that a whole message is sound all through.
pub fn check(message: &[u8]) -> Result<(), FrameError> {
    // Where the open elements end.
    let mut ends = [0usize; DEPTH_MAX];
    let mut depth = 0;
    let (mut at, mut elements) = (0, 0);
    let mut end = message.len();
    while at < message.len() {
        let rest = message.get(at..end).unwrap_or_default();
        let head = head(rest)?.ok_or(FrameError::Malformed)?;
        if head.head + head.content > rest.len() {
            return Err(FrameError::Malformed);
        }
        elements += 1;
        if elements > ELEMENTS_MAX {
            return Err(FrameError::TooLarge);
        }
        at += head.head;
        if head.tag & 0x20 == 0 {
            at += head.content;
        } else {
            let slot = ends.get_mut(depth).ok_or(FrameError::TooLarge)?;
            *slot = end;
            depth += 1;
            end = at + head.content;
        }
        while at == end && depth > 0 {
            depth -= 1;
            end = ends.get(depth).copied().unwrap_or(message.len());
        }
    }
    if depth == 0 { Ok(()) } else { Err(FrameError::Malformed) }
}

/// The number of a message and the tag of its operation, where they can be read: what is needed to answer a
/// message that cannot be obeyed.
pub fn id_and_operation(message: &[u8]) -> Option<(i32, u8)> {
    let outer = head(message).ok()??;
    let inner = message.get(outer.head..)?;
    let id_head = head(inner).ok()??;
    if id_head.tag != 0x02 || !(1..=4).contains(&id_head.content) {
        return None;
    }
    let rest = inner.get(id_head.head..)?;
    let (id, rest) = rest.split_at_checked(id_head.content)?;
    let id = id.iter().try_fold(0i64, |sum, &byte| Some(sum << 8 | i64::from(byte)))?;
    let id = i32::try_from(id).ok().filter(|id| *id > 0)?;
    Some((id, *rest.first()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNBIND: &[u8] = &[0x30, 5, 2, 1, 3, 0x42, 0];

    #[test]
    fn a_message_ends_where_its_length_says() {
        assert_eq!(length(UNBIND, 100), Ok(Some(7)));
        assert_eq!(length(&UNBIND[..1], 100), Ok(None));
        assert_eq!(length(UNBIND, 6), Err(FrameError::TooLarge));
        assert_eq!(length(&[0x30, 0x84, 0, 0, 0], 100), Ok(None));
        assert_eq!(length(&[0x30, 0x84, 0, 0, 0, 5], 100), Ok(Some(11)));
        assert_eq!(length(&[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], 100), Err(FrameError::TooLarge));
        assert_eq!(length(&[0x30, 0x88, 0xFF, 0, 0, 0, 0, 0, 0, 0], 9), Err(FrameError::TooLarge));
        for bad in
            [&b"\x30\x80"[..], b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"\x30\x89", b"\x30\xFF"]
        {
            assert_eq!(length(bad, 100), Err(FrameError::Malformed), "{bad:x?}");
        }
    }

    #[test]
    fn lengths_must_fit_all_through() {
        assert_eq!(check(UNBIND), Ok(()));
        for bad in [
            &[0x30, 5, 2, 1, 3, 0x42, 1][..],
            &[0x30, 5, 2, 4, 3, 0x42, 0],
            &[0x30, 5, 0x22, 1, 3, 0x42, 0],
            &[0x30, 4, 2, 1, 3, 0x42, 0],
            &[0x30, 4, 2, 1, 3, 0x5F],
            &[0x30, 3, 0x30, 0x80, 0],
        ] {
            assert!(check(bad).is_err(), "{bad:x?}");
        }
    }

    /// A hundred thousand levels, each in the next.
    fn nested(levels: usize) -> Vec<u8> {
        let mut heads = Vec::new();
        let mut len = 0;
        for _ in 0..levels {
            let length = u32::try_from(len).unwrap().to_be_bytes();
            let mut head = vec![0x30, 0x84];
            head.extend_from_slice(&length);
            len += head.len();
            heads.push(head);
        }
        heads.reverse();
        heads.concat()
    }

    #[test]
    fn depth_and_number_of_elements_are_bounded() {
        assert_eq!(check(&nested(DEPTH_MAX)), Ok(()));
        assert_eq!(check(&nested(DEPTH_MAX + 1)), Err(FrameError::TooLarge));
        assert_eq!(check(&nested(100_000)), Err(FrameError::TooLarge));
        let flat = |n: usize| {
            let len = u32::try_from(2 * n).unwrap().to_be_bytes();
            [&[0x30, 0x84][..], &len, &[4, 0].repeat(n)].concat()
        };
        assert_eq!(check(&flat(ELEMENTS_MAX - 1)), Ok(()));
        assert_eq!(check(&flat(ELEMENTS_MAX)), Err(FrameError::TooLarge));
    }

    #[test]
    fn number_and_operation_are_read_where_they_can() {
        assert_eq!(id_and_operation(UNBIND), Some((3, 0x42)));
        assert_eq!(
            id_and_operation(&[0x30, 8, 2, 4, 0x7F, 0xFF, 0xFF, 0xFF, 0x63, 0]),
            Some((i32::MAX, 0x63))
        );
        for bad in [&[0x30, 5, 2, 1, 0, 0x42, 0][..], &[0x30, 3, 2, 1, 3], &[0x30, 2, 4, 0], &[]] {
            assert_eq!(id_and_operation(bad), None, "{bad:x?}");
        }
    }
}
