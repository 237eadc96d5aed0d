//! Reads what we write into IMAP answers: a sloppy client would be led astray by a quote too few.

/// Checks that `bytes` are one parenthesized list of IMAP values: balanced, strings quoted right, literals
/// as long as they say. RFC 9051 §9.
///
/// # Panics
/// They are not.
pub(crate) fn assert_list(bytes: &[u8]) {
    let mut depth = 0u32;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'(' => depth += 1,
            b')' => {
                assert!(depth > 0, "a parenthesis closes nothing");
                depth -= 1;
                assert!(depth > 0 || at == bytes.len(), "text behind the list");
            }
            b'"' => at = behind_quoted(bytes, at),
            b'{' => at = behind_literal(bytes, at),
            _ => assert!((b' '..=b'~').contains(&byte), "byte {byte:#x} outside a string"),
        }
    }
    assert_eq!(depth, 0, "a parenthesis stays open");
}

fn behind_quoted(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let byte = *bytes.get(at).expect("a quoted string ends");
        at += 1;
        match byte {
            b'"' => return at,
            b'\\' => {
                assert!(matches!(bytes.get(at), Some(b'"' | b'\\')), "only these are escaped");
                at += 1;
            }
            _ => assert!(!matches!(byte, b'\r' | b'\n' | 0), "a quoted string is one line"),
        }
    }
}

fn behind_literal(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at(digits);
    assert!(rest.starts_with(b"}\r\n"), "a literal is announced");
    let len: usize = std::str::from_utf8(number).unwrap().parse().unwrap();
    assert!(rest.len() >= 3 + len, "a literal is as long as it says");
    at + digits + 3 + len
}
