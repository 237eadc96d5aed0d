//! What happens to a message's header on its way into the staging: next to nothing.
//!
//! The first line is looked at: where it is no header field, an empty line goes in between, or else the
//! body would become header under our trace fields. For submissions the header is held back (at most
//! [`HELD_HEADER_MAX`](crate::limits::HELD_HEADER_MAX)) until it is known which of Date, Message-ID and From
//! it lacks (RFC 6409 §8). Everything else passes as it is.

use base::{Address, Timestamp};

use crate::limits::HELD_HEADER_MAX;

/// What a submission's missing fields are made of.
#[derive(Clone, Debug)]
pub(crate) struct Completion {
    pub(crate) at: Timestamp,
    /// Without the angle brackets.
    pub(crate) message_id: String,
    pub(crate) from: Address,
}

/// The start of a message, until what to put before it is known.
#[derive(Debug)]
pub(crate) struct Head {
    held: Vec<u8>,
    completion: Option<Completion>,
    is_open: bool,
    /// Bytes of `held` in which the empty line was looked for.
    searched: usize,
}

impl Head {
    pub(crate) fn new(completion: Option<Completion>) -> Self {
        Self { held: Vec::new(), completion, is_open: true, searched: 0 }
    }

    /// Takes the next bytes; gives what can go on.
    pub(crate) fn push<'a>(&mut self, bytes: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        if !self.is_open {
            return bytes.into();
        }
        self.held.extend_from_slice(bytes);
        if self.is_whole() { self.finish().into() } else { Vec::new().into() }
    }

    /// Gives what is held back, at the end of the message or before.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        if !std::mem::take(&mut self.is_open) {
            return Vec::new();
        }
        let held = std::mem::take(&mut self.held);
        let mut out = Vec::with_capacity(held.len() + 256);
        if let Some(completion) = self.completion.take() {
            // Of a header that is not whole we cannot know what it lacks.
            if held.len() < HELD_HEADER_MAX {
                completion.emit(&held, &mut out);
            }
        }
        if is_mbox_line(&held) {
            // Programs that copy from an mbox leave its line on top; the header goes on behind it.
            out.extend_from_slice(b"X-Mailbox-Line: ");
        } else if !held.is_empty() && !held.starts_with(b"\r\n") && field_name(&held).is_none() {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&held);
        out
    }

    fn is_whole(&mut self) -> bool {
        if self.completion.is_none() {
            return self.held.len() >= 2 && self.held.contains(&b'\n') || self.held.len() >= 1024;
        }
        let fresh = self.held.get(self.searched.saturating_sub(3)..).unwrap_or_default();
        let ended = fresh.windows(4).any(|four| four == b"\r\n\r\n");
        self.searched = self.held.len();
        ended
            || self.held.len() >= HELD_HEADER_MAX
            || self.held.starts_with(b"\r\n")
            || field_name(&self.held).is_none()
                && !is_mbox_line(&self.held)
                && self.held.contains(&b'\n')
    }
}

impl Completion {
    fn emit(&self, header: &[u8], out: &mut Vec<u8>) {
        let has = |name: &str| {
            lines(header).any(|line| {
                field_name(line).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
            })
        };
        if !has("Date") {
            out.extend_from_slice(format!("Date: {}\r\n", self.at.rfc5322()).as_bytes());
        }
        if !has("From") {
            out.extend_from_slice(format!("From: <{}>\r\n", self.from).as_bytes());
        }
        if !has("Message-ID") {
            out.extend_from_slice(format!("Message-ID: <{}>\r\n", self.message_id).as_bytes());
        }
    }
}

/// The line that stands before each message in an mbox (RFC 4155).
fn is_mbox_line(header: &[u8]) -> bool {
    header.starts_with(b"From ") || header.starts_with(b">From ")
}

/// The lines of a header section, up to the empty one.
fn lines(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split_inclusive(|&b| b == b'\n').take_while(|line| *line != b"\r\n")
}

/// The name of the field that a line begins. RFC 5322 §2.2; §4.5 lets blanks stand before the colon.
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|&b| b == b':' || b == b'\n')?;
    let name = line.get(..colon)?.trim_ascii_end();
    let ok = line.get(colon) == Some(&b':')
        && !name.is_empty()
        && name.iter().all(|b| (b'!'..=b'~').contains(b));
    ok.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(message: &str, completion: Option<&Completion>) -> String {
        let mut whole = None;
        // Whole, and byte by byte: the cut must not matter.
        for size in [message.len().max(1), 1] {
            let mut head = Head::new(completion.cloned());
            let mut out = Vec::new();
            for piece in message.as_bytes().chunks(size) {
                out.extend_from_slice(&head.push(piece));
            }
            out.extend(head.finish());
            let out = String::from_utf8(out).unwrap();
            assert_eq!(whole.get_or_insert_with(|| out.clone()), &out);
        }
        whole.unwrap()
    }

    #[test]
    fn a_body_without_header_does_not_become_header() {
        for (message, passed) in [
            ("", ""),
            ("Subject: x\r\n\r\nbody\r\n", "Subject: x\r\n\r\nbody\r\n"),
            ("Subject : x\r\n", "Subject : x\r\n"),
            ("\r\nbody\r\n", "\r\nbody\r\n"),
            ("body\r\n", "\r\nbody\r\n"),
            ("two words: x\r\n", "\r\ntwo words: x\r\n"),
            ("body", "\r\nbody"),
            ("From a Mon\r\nSubject: x\r\n", "X-Mailbox-Line: From a Mon\r\nSubject: x\r\n"),
        ] {
            assert_eq!(pass(message, None), passed);
        }
    }

    #[test]
    fn submissions_get_what_they_lack() {
        let completion = Completion {
            at: Timestamp::from_secs(1_795_338_000),
            message_id: "1.s1@mail.office.test".to_owned(),
            from: Address::parse("anna@office.test").unwrap(),
        };
        let (date, from, id) = (
            "Date: Sun, 22 Nov 2026 09:00:00 +0000\r\n",
            "From: <anna@office.test>\r\n",
            "Message-ID: <1.s1@mail.office.test>\r\n",
        );
        for (message, added) in [
            ("Subject: x\r\n\r\nDate: in the body\r\n", format!("{date}{from}{id}")),
            ("date: d\r\nFROM: f\r\nMessage-Id: i\r\n\r\nb\r\n", String::new()),
            ("From: f\r\n x\r\nDate: d\r\n\r\n", id.to_owned()),
            ("\r\nbody\r\n", format!("{date}{from}{id}")),
            ("Subject: no body", format!("{date}{from}{id}")),
            ("From: f\r\nDATE:d\r\n\r\n", id.to_owned()),
        ] {
            assert_eq!(pass(message, Some(&completion)), format!("{added}{message}"));
        }
        let mbox = "From a Mon\r\nDate: d\r\nFrom: f\r\nMessage-ID: i\r\n\r\n";
        assert_eq!(pass(mbox, Some(&completion)), format!("X-Mailbox-Line: {mbox}"));
        let long = format!("X: {}\r\n\r\n", "y".repeat(HELD_HEADER_MAX));
        assert_eq!(pass(&long, Some(&completion)), long);
    }
}
