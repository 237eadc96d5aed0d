//! The other direction: a message becomes the bytes after 354. RFC 5321 §4.5.2.
//!
//! Whatever comes in, what goes out holds no bare CR or LF: a lone one becomes CRLF.

/// Doubles dots at line starts and writes the end of data.
#[derive(Clone, Debug)]
pub struct DotStuffer {
    at_line_start: bool,
    after_cr: bool,
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self { at_line_start: true, after_cr: false }
    }
}

impl DotStuffer {
    /// Appends the wire form of the message's next bytes to `out`.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut rest = input;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_cr) {
                self.end_line(out);
                if first == b'\n' {
                    rest = rest.get(1..).unwrap_or_default();
                    continue;
                }
            }
            if self.at_line_start && first == b'.' {
                out.push(b'.');
            }
            let run = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            out.extend_from_slice(rest.get(..run).unwrap_or_default());
            self.at_line_start &= run == 0;
            match rest.get(run) {
                Some(b'\r') => self.after_cr = true,
                Some(_) => self.end_line(out),
                None => {}
            }
            rest = rest.get(run + 1..).unwrap_or_default();
        }
    }

    /// Ends the last line if it is open and appends the end of data.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.after_cr) || !self.at_line_start {
            self.end_line(out);
        }
        out.extend_from_slice(b".\r\n");
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.at_line_start = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_out_is_clean() {
        for (message, wire) in [
            ("", ".\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".a\r\n..\r\nb.", "..a\r\n...\r\nb.\r\n.\r\n"),
            ("a\n.\nb\r.\r", "a\r\n..\r\nb\r\n..\r\n.\r\n"),
            ("a\r\n\r\n", "a\r\n\r\n.\r\n"),
        ] {
            let (mut stuffer, mut out) = (DotStuffer::default(), Vec::new());
            for byte in message.as_bytes() {
                stuffer.push(&[*byte], &mut out);
            }
            stuffer.finish(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), wire);
        }
    }
}
