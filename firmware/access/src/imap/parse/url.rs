//! The IMAP URLs of CATENATE: messages and parts of them in the user's own mailboxes. RFC 5092, RFC 4469.

use super::{Bad, Input, Parsed, Section};

const URL_BYTES_MAX: usize = 4 * 1024;

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageUrl {
    /// UTF-8; empty is the selected mailbox.
    pub(crate) mailbox: String,
    pub(crate) uid_validity: Option<u32>,
    pub(crate) uid: u32,
    /// The whole message where absent.
    pub(crate) section: Option<Section>,
    /// `;PARTIAL=offset.length`
    pub(crate) partial: Option<(u64, Option<u64>)>,
}

const WHY: Bad = Bad("not the URL of a message");

fn unescaped(text: &str) -> Parsed<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2).ok_or(WHY)?;
        let digits = std::str::from_utf8(digits).map_err(|_| WHY)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| WHY)?);
        rest = behind;
    }
    String::from_utf8(bytes).map_err(|_| WHY)
}

/// The parameter `name` of a piece of the path: `;UID=20` or `Drafts;UIDVALIDITY=1`.
fn split_parameter<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let lower = text.to_ascii_lowercase();
    let at = lower.find(name)?;
    Some((text.get(..at)?, text.get(at + name.len()..)?))
}

fn partial(text: &str) -> Parsed<(u64, Option<u64>)> {
    let (offset, length) = match text.split_once('.') {
        Some((offset, length)) => (offset, Some(length.parse().map_err(|_| WHY)?)),
        None => (text, None),
    };
    Ok((offset.parse().map_err(|_| WHY)?, length))
}

/// `"/" enc-mailbox [";UIDVALIDITY=" nz-number] "/;UID=" nz-number ["/;SECTION=" enc-section]
/// ["/;PARTIAL=" partial-range]`
pub(crate) fn message_url(url: &[u8]) -> Parsed<MessageUrl> {
    if url.len() > URL_BYTES_MAX {
        return Err(WHY);
    }
    let text = std::str::from_utf8(url).map_err(|_| WHY)?;
    let (mailbox, rest) = split_parameter(text, ";uid=").ok_or(WHY)?;
    let (rest, partial_text) = match split_parameter(rest, "/;partial=") {
        Some((rest, text)) => (rest, Some(text)),
        None => (rest, None),
    };
    let (uid, section) = match split_parameter(rest, "/;section=") {
        Some((uid, section)) => (uid, Some(unescaped(section)?)),
        None => (rest, None),
    };
    let mailbox = mailbox.strip_suffix('/').unwrap_or(mailbox);
    let (mailbox, uid_validity) = match split_parameter(mailbox, ";uidvalidity=") {
        Some((mailbox, value)) => (mailbox, Some(value.parse().map_err(|_| WHY)?)),
        None => (mailbox, None),
    };
    // What names another server has `//` in it, which no mailbox name has.
    if mailbox.contains("//") || mailbox.contains(':') && !mailbox.starts_with('/') {
        return Err(WHY);
    }
    let mailbox = mailbox.strip_prefix('/').unwrap_or(mailbox);
    let uid = uid.parse().ok().filter(|uid| *uid > 0).ok_or(WHY)?;
    let section = section.map(|text| {
        let text = format!("{text}]");
        let mut input = Input::new(text.as_bytes());
        let section = input.section()?;
        if input.rest.is_empty() { Ok(section) } else { Err(WHY) }
    });
    Ok(MessageUrl {
        mailbox: unescaped(mailbox)?,
        uid_validity,
        uid,
        section: section.transpose()?,
        partial: partial_text.map(partial).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The URLs of RFC 4469's and RFC 8508's examples.
    #[test]
    fn urls_are_read() {
        let url = |text: &str| message_url(text.as_bytes()).unwrap();
        let full = url("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME");
        assert_eq!((full.mailbox.as_str(), full.uid), ("Drafts", 20));
        assert_eq!(full.uid_validity, Some(385_759_045));
        assert_eq!(full.section.unwrap().label, "BODY[1.MIME]");
        let plain = url("/Drafts/;UID=3002");
        assert_eq!((plain.mailbox.as_str(), plain.uid, plain.section), ("Drafts", 3002, None));
        assert_eq!(url("/Entw%C3%BCrfe/2026/;uid=1").mailbox, "Entwürfe/2026");
        assert_eq!((url(";UID=7").mailbox, url("/;UID=7").mailbox), (String::new(), String::new()));
        let fields = url("/a/;UID=1/;section=HEADER.FIELDS%20(To%20From)/;partial=5.10");
        assert_eq!(fields.section.unwrap().label, "BODY[HEADER.FIELDS (To From)]");
        assert_eq!(fields.partial, Some((5, Some(10))));
        assert_eq!(url("/a/;UID=1/;PARTIAL=5").partial, Some((5, None)));
    }

    #[test]
    fn other_urls_are_refused() {
        for text in [
            "",
            "/Drafts",
            "/Drafts/;UID=0",
            "/Drafts/;UID=x",
            "/Drafts;UIDVALIDITY=x/;UID=1",
            "/Drafts/;UID=1/;section=FOO",
            "/Drafts/;UID=1/;section=1]",
            "/Dr%zz/;UID=1",
            "/Dr%ff/;UID=1",
            "imap://other.test/INBOX/;UID=1",
            "//other.test/INBOX/;UID=1",
            "/a/;UID=1/;partial=x",
        ] {
            assert!(message_url(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn urls_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            words in proptest::collection::vec(prop_oneof![
                Just("/"), Just(";UID="), Just("1"), Just("%41"), Just("%"), Just("/;section="),
                Just("HEADER"), Just("]"), Just("/;partial="), Just("."), Just(";uidvalidity="),
                Just("é"),
            ], 0..16),
        ) {
            drop(message_url(&bytes));
            drop(message_url(words.concat().as_bytes()));
        }
    }
}
