//! Replies of the other side, read with tolerance. RFC 5321 §4.2, RFC 2034.
//!
//! Limits: 100 lines, 1,000 characters kept of each; lines beyond are read and forgotten.

use std::fmt;

const LINES_MAX: usize = 100;
const LINE_KEPT_MAX: usize = 1_000;

/// A whole reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    code: u16,
    lines: Vec<String>,
}

/// What came is no SMTP reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSmtp;

impl Reply {
    /// Takes the next line of a reply, its line end included or not; true when it was the last.
    pub(crate) fn push(&mut self, line: &[u8]) -> Result<bool, NotSmtp> {
        let (code, rest) = line.split_at_checked(3).ok_or(NotSmtp)?;
        let code = std::str::from_utf8(code).ok().filter(|c| c.bytes().all(|b| b.is_ascii_digit()));
        let code: u16 = code.and_then(|c| c.parse().ok()).ok_or(NotSmtp)?;
        if !(200..600).contains(&code) || (!self.lines.is_empty() && code != self.code) {
            return Err(NotSmtp);
        }
        let is_last = match rest.first() {
            Some(b'-') => false,
            Some(b' ' | b'\r' | b'\n') | None => true,
            Some(_) => return Err(NotSmtp),
        };
        self.code = code;
        if self.lines.len() < LINES_MAX {
            let text = String::from_utf8_lossy(rest.get(1..).unwrap_or_default());
            let text = text.trim().chars().take(LINE_KEPT_MAX);
            self.lines.push(text.map(|c| if c.is_control() { ' ' } else { c }).collect());
        }
        Ok(is_last)
    }

    pub(crate) fn code(&self) -> u16 {
        self.code
    }

    /// 2yz.
    pub(crate) fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 5yz.
    pub(crate) fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// The texts of the lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The enhanced status code, if the other side gives one that agrees with the reply code
    /// (RFC 2034 §4), else a general one.
    pub(crate) fn status(&self) -> String {
        let word = self.lines().next().and_then(|line| line.split(' ').next()).unwrap_or("");
        let parts: Vec<&str> = word.split('.').collect();
        let class = (self.code / 100).to_string();
        let is_number =
            |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        match parts.as_slice() {
            [first, second, third] if *first == class && is_number(second) && is_number(third) => {
                word.to_owned()
            }
            _ => format!("{class}.0.0"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        for line in &self.lines {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replies_are_read() {
        for (lines, code, status, shown) in [
            (&["250 OK\r\n"][..], 250, "2.0.0", "250 OK"),
            (
                &["550-5.1.1 no\r\n", "550 5.1.1 such user\r\n"],
                550,
                "5.1.1",
                "550 5.1.1 no 5.1.1 such user",
            ),
            (&["421\r\n"], 421, "4.0.0", "421 "),
            (&["451 5.1.1 wrong class\n"], 451, "4.0.0", "451 5.1.1 wrong class"),
            (&["554 5.7.1000 x"], 554, "5.0.0", "554 5.7.1000 x"),
        ] {
            let mut reply = Reply::default();
            for (n, line) in lines.iter().enumerate() {
                assert_eq!(reply.push(line.as_bytes()), Ok(n + 1 == lines.len()), "{line:?}");
            }
            assert_eq!((reply.code(), reply.status().as_str()), (code, status));
            assert_eq!(reply.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for line in ["", "2", "HTTP/1.1 400", "+OK ready", "250x", "199 a", "600 a", "2 50", "\r\n"]
        {
            assert_eq!(Reply::default().push(line.as_bytes()), Err(NotSmtp), "{line:?}");
        }
        let mut reply = Reply::default();
        assert_eq!(reply.push(b"250-a"), Ok(false));
        assert_eq!(reply.push(b"550 b"), Err(NotSmtp));
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(lines in prop::collection::vec("[2-5][0-9]{2}[- ].{0,40}|.{0,20}", 0..200)) {
            let mut reply = Reply::default();
            for line in &lines {
                if reply.push(line.as_bytes()).is_ok() {
                    prop_assert!(reply.lines().count() <= LINES_MAX);
                    prop_assert!(!reply.to_string().contains(['\r', '\n']));
                    prop_assert!(reply.status().starts_with(['2', '3', '4', '5']));
                }
            }
        }
    }
}
