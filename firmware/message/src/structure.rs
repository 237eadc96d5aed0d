//! The MIME structure of a message, found in one pass over its bytes.
//!
//! Limits: nesting 100 levels, 1,000 parts, 1 MB of header kept per message; what goes beyond is
//! treated as opaque body of the part that holds it, never refused.
//!
//! `S` is what a text is kept as: `String`, or `&str` where a stored structure is looked at where it stands.

use serde::{Deserialize, Serialize};

/// An address of a header field, decoded for ENVELOPE (RFC 9051 §7.5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addr<S = String> {
    /// Display name as raw header text (still RFC 2047 encoded) or `None`.
    pub name: Option<S>,
    /// Local part; `None` with `host` `Some` never happens; a group start has `host == None`.
    pub mailbox: Option<S>,
    /// Domain; `None` marks group syntax.
    pub host: Option<S>,
}

/// The fields of ENVELOPE, of the message itself or of an embedded message/rfc822.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailHeader<S = String> {
    /// Raw Date field, unfolded.
    pub date: Option<S>,
    /// Raw Subject field, unfolded, RFC 2047 words left as they are.
    pub subject: Option<S>,
    /// From.
    pub from: Vec<Addr<S>>,
    /// Sender; same as From where absent.
    pub sender: Vec<Addr<S>>,
    /// Reply-To; same as From where absent.
    pub reply_to: Vec<Addr<S>>,
    /// To.
    pub to: Vec<Addr<S>>,
    /// Cc.
    pub cc: Vec<Addr<S>>,
    /// Bcc.
    pub bcc: Vec<Addr<S>>,
    /// In-Reply-To, raw.
    pub in_reply_to: Option<S>,
    /// Message-ID, raw with angle brackets.
    pub message_id: Option<S>,
    /// References, raw.
    pub references: Option<S>,
}

/// Content-Disposition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition<S = String> {
    /// `inline`, `attachment`, … lower case.
    pub kind: S,
    /// Parameters in order, names lower case.
    pub params: Vec<(S, S)>,
}

/// What a part holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartKind<S = String> {
    /// A leaf.
    Leaf,
    /// multipart/*: the parts in order.
    Multipart(Vec<Part<S>>),
    /// message/rfc822 or message/global: the embedded message's header and its own root part.
    Message(Box<MailHeader<S>>, Box<Part<S>>),
}

/// One MIME part; offsets are in bytes from the start of the whole message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part<S = String> {
    /// Type, lower case; `text` where absent.
    pub main_type: S,
    /// Subtype, lower case; `plain` where absent.
    pub sub_type: S,
    /// Content-Type parameters in order, names lower case.
    pub params: Vec<(S, S)>,
    /// Content-ID.
    pub id: Option<S>,
    /// Content-Description.
    pub description: Option<S>,
    /// Content-Transfer-Encoding, lower case; `7bit` where absent.
    pub encoding: S,
    /// Content-MD5.
    pub md5: Option<S>,
    /// Content-Disposition.
    pub disposition: Option<Disposition<S>>,
    /// Content-Language tags.
    pub language: Vec<S>,
    /// Content-Location.
    pub location: Option<S>,
    /// Where the part's header begins.
    pub header_start: u64,
    /// Where its body begins (behind the empty line).
    pub body_start: u64,
    /// Where its body ends (before the CRLF that belongs to the boundary).
    pub body_end: u64,
    /// Lines in the body.
    pub lines: u32,
    /// What it holds.
    pub kind: PartKind<S>,
}

/// What [`Scanner`] found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Structure<S = String> {
    /// Bytes of the whole message.
    pub size: u64,
    /// `Received` fields in the message's own header, for loop detection (RFC 5321 §6.3).
    pub received: u32,
    /// The message's own header.
    pub header: MailHeader<S>,
    /// The message's root part.
    pub root: Part<S>,
}

impl Structure {
    /// The part of an IMAP section part number (RFC 9051 §6.4.5.1): `[1, 2]` for `1.2`. The empty
    /// path is the root.
    #[must_use]
    pub fn part(&self, path: &[u32]) -> Option<&Part> {
        let Some((&first, rest)) = path.split_first() else {
            return Some(&self.root);
        };
        let mut part = self.root.of_message(first)?;
        for &number in rest {
            part = match &part.kind {
                PartKind::Multipart(children) => child(children, number)?,
                PartKind::Message(_, root) => root.of_message(number)?,
                PartKind::Leaf => return None,
            };
        }
        Some(part)
    }
}

fn child(children: &[Part], number: u32) -> Option<&Part> {
    children.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

impl Part {
    /// Part `number` of the message whose root this part is: part 1 of a message that is no
    /// multipart is its body (RFC 9051 §6.4.5.1).
    fn of_message(&self, number: u32) -> Option<&Self> {
        match &self.kind {
            PartKind::Multipart(children) => child(children, number),
            _ => (number == 1).then_some(self),
        }
    }
}

impl<S: AsRef<str>> Part<S> {
    /// A parameter of Content-Type.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n.as_ref() == name).map(|(_, value)| value.as_ref())
    }
}
