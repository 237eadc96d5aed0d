//! xtext of RFC 3461 §4: printable ASCII with `+XX` for the rest.

/// Decodes xtext. `None` where it is malformed or holds what may not stand in a header field later:
/// control characters or bytes beyond ASCII.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'=' => return None,
            byte => byte,
        };
        if !(0x20..0x7f).contains(&byte) {
            return None;
        }
        out.push(char::from(byte));
    }
    Some(out)
}

/// Encodes as xtext; bytes beyond ASCII become `+XX` each.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (b'!'..=b'~').contains(&byte) && byte != b'+' && byte != b'=' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("+{byte:02X}"));
        }
    }
    out
}

/// One digit; RFC 3461 wants upper case only.
fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext_goes_there_and_back() {
        for (plain, coded) in [("QQ314159", "QQ314159"), ("a+b=c d", "a+2Bb+3Dc+20d")] {
            assert_eq!(encode(plain), coded);
            assert_eq!(decode(coded).as_deref(), Some(plain));
        }
        for bad in ["a+", "a+4", "a+4g", "a+2b", "a=b", "a+0D+0A", "+FF"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
