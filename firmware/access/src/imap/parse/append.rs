//! APPEND up to its message literal. RFC 9051 §6.3.12.
//!
//! The message never comes through the parser: the framing streams it. What is parsed here is the
//! text up to the `{` that announces it.

use base::Timestamp;
use store::Flags;

use super::command::tag;
use super::{Bad, Input, Parsed};

/// What stands before the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppendHead {
    pub(crate) tag: String,
    pub(crate) mailbox: Vec<u8>,
    pub(crate) flags: Flags,
    pub(crate) internal_date: Option<Timestamp>,
}

impl Input<'_> {
    /// `append = "APPEND" SP mailbox SP [flag-list SP] [date-time SP] literal`, behind its name.
    fn append(&mut self, tag: String) -> Parsed<AppendHead> {
        let mailbox = self.astring()?;
        self.space()?;
        let mut head = AppendHead { tag, mailbox, flags: Flags::default(), internal_date: None };
        if self.peek() == Some(b'(') {
            head.flags = self.flag_list()?;
            self.space()?;
        }
        if self.peek() == Some(b'"') {
            head.internal_date = Some(self.date_time()?);
            self.space()?;
        }
        if self.rest.is_empty() { Ok(head) } else { Err(Bad("a message literal is missing")) }
    }
}

/// Reads the text before a literal mark. `None`: this is no APPEND, or the literal is the name of the
/// mailbox, and the command is to be read on as any other.
pub(crate) fn append_head(before: &[u8]) -> Option<Result<AppendHead, (String, Bad)>> {
    let mut input = Input::new(before);
    let tag = tag(&mut input).ok()?;
    input.space().ok()?;
    if !input.word("APPEND") {
        return None;
    }
    if let Err(bad) = input.space() {
        return Some(Err((tag, bad)));
    }
    if input.rest.is_empty() {
        return None;
    }
    Some(input.append(tag.clone()).map_err(|bad| (tag, bad)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let head = append_head(b"a1 append \"Sent\" (\\Seen) \"22-Nov-2026 09:00:00 +0100\" ")
            .unwrap()
            .unwrap();
        assert_eq!((head.tag.as_str(), head.mailbox.as_slice()), ("a1", &b"Sent"[..]));
        assert_eq!(head.flags.system, Flags::SEEN);
        assert_eq!(head.internal_date, Some(Timestamp::from_secs(1_795_334_400)));
        assert!(append_head(b"a1 APPEND {4}\r\nSent ").unwrap().is_ok());
        assert!(append_head(b"a1 APPEND Sent ").unwrap().is_ok());
    }

    #[test]
    fn other_literals_are_left_to_the_command() {
        assert_eq!(append_head(b"a1 APPEND "), None);
        assert_eq!(append_head(b"a1 LOGIN "), None);
        assert_eq!(append_head(b"a1 APPENDX Sent "), None);
        assert!(append_head(b"a1 APPEND Sent (\\Seen").unwrap().is_err());
        assert!(append_head(b"a1 APPEND Sent x ").unwrap().is_err());
    }
}
