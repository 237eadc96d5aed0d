//! Inputs as lines of text: `\r \n \t \\ \xHH`, as in the transcripts. Lines with `#` are comments.

/// An input as a line.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut line = String::new();
    for (n, &byte) in bytes.iter().enumerate() {
        match byte {
            b'\r' => line.push_str("\\r"),
            b'\n' => line.push_str("\\n"),
            b'\t' => line.push_str("\\t"),
            b'\\' => line.push_str("\\\\"),
            // No line begins as a comment or ends with a blank that an editor takes away.
            b'#' | b' ' if n == 0 || n + 1 == bytes.len() => {
                line.push_str(&hex(byte));
            }
            b' '..=b'~' => line.push(char::from(byte)),
            _ => line.push_str(&hex(byte)),
        }
    }
    line
}

fn hex(byte: u8) -> String {
    format!("\\x{byte:02x}")
}

/// The input of a line; `None` if it is no such line.
#[must_use]
pub fn unescape(line: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => {
                let hex = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

/// All inputs of a file's text; the error is the number of the line that is none.
///
/// # Errors
/// A line is not well formed.
pub fn inputs(text: &str) -> Result<Vec<Vec<u8>>, usize> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
    lines
        .filter(|(_, line)| !line.starts_with('#'))
        .map(|(n, line)| unescape(line).ok_or(n + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_is_a_line_and_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        for input in [&all[..], b"# x ", b" ", b"", b"a b\\\r\n\t"] {
            let line = escape(input);
            assert!(!line.contains('\n') && !line.starts_with('#') && !line.ends_with(' '));
            assert_eq!(unescape(&line).unwrap(), input);
        }
        assert_eq!(inputs("# no\na\\x00\n\nb\n"), Ok(vec![b"a\0".to_vec(), b"b".to_vec()]));
        assert_eq!(inputs("a\n\\q\n"), Err(2));
    }
}
