//! Replies: code, enhanced code, text. RFC 5321 §4.2, RFC 2034, RFC 3463.
//!
//! The text of a reply is ours and generic; what a client sent is never echoed without being made
//! printable first, so that a reply cannot be split.

use std::borrow::Cow;

/// Class, subject and detail of RFC 3463 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced(pub u8, pub u16, pub u16);

/// One reply, possibly of several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    text: Cow<'static, str>,
}

impl Reply {
    /// A reply of the tables: fixed text.
    #[must_use]
    pub const fn fixed(code: u16, enhanced: Enhanced, text: &'static str) -> Self {
        Self { code, enhanced: Some(enhanced), text: Cow::Borrowed(text) }
    }

    /// A reply with a text made on the spot; `\n` separates lines.
    #[must_use]
    pub fn new(code: u16, enhanced: Enhanced, text: String) -> Self {
        Self { code, enhanced: Some(enhanced), text: Cow::Owned(text) }
    }

    /// A reply without enhanced code: the greeting, the answer to EHLO, 3yz (RFC 2034 §4).
    #[must_use]
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, text: text.into() }
    }

    /// The three-digit code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code.
    #[must_use]
    pub fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// 4yz or 5yz.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// Appends the reply as it stands on the wire.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            // RFC 5321 §4.2.1: a hyphen after the code of all lines but the last.
            let mark = if lines.peek().is_some() { '-' } else { ' ' };
            out.extend_from_slice(self.code.to_string().as_bytes());
            out.push(mark as u8);
            // RFC 2034 §4: the code stands on each line.
            if let Some(Enhanced(class, subject, detail)) = self.enhanced {
                out.extend_from_slice(format!("{class}.{subject}.{detail} ").as_bytes());
            }
            out.extend(line.bytes().map(printable));
            out.extend_from_slice(b"\r\n");
        }
    }

    /// The reply as it stands on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len() + 16);
        self.emit(&mut out);
        out
    }
}

/// `byte`, or `?` where it would be a control character.
fn printable(byte: u8) -> u8 {
    if byte < 0x20 || byte == 0x7f { b'?' } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_written_line_by_line() {
        let reply = Reply::new(250, Enhanced(2, 1, 5), "one\ntwo\rthree".to_owned());
        assert_eq!(reply.to_bytes(), b"250-2.1.5 one\r\n250 2.1.5 two?three\r\n");
        assert_eq!(Reply::plain(354, "go").to_bytes(), b"354 go\r\n");
    }
}
