//! Grammars as functions: whatever comes is read the same in pieces, and what was read can be written.

use base::Address;
use message::{LineOctets, Lines, Part, PartKind, Scanner, Structure, header_fields};
use smtp::{ChunkCheck, DataReader, DotStuffer};

use crate::response::assert_list;

/// `bytes` in pieces whose lengths the first byte chooses.
fn pieces(bytes: &[u8]) -> (&[u8], impl Iterator<Item = &[u8]>) {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    (rest, rest.chunks(usize::from(*first) % 61 + 1))
}

/// A message's structure.
pub(crate) fn mime(bytes: &[u8]) {
    let (whole, pieces) = pieces(bytes);
    let mut scanner = Scanner::new();
    scanner.feed(whole);
    let structure = scanner.finish();
    let mut scanner = Scanner::new();
    pieces.for_each(|piece| scanner.feed(piece));
    assert_eq!(scanner.finish(), structure, "pieces make no difference");

    assert_eq!(structure.size, whole.len() as u64);
    assert_inside(&structure.root, 0, structure.size);
    assert_numbers(&structure, &structure.root, &mut Vec::new());
    assert_list(&structure.imap_envelope());
    assert_list(&structure.imap_body(false));
    assert_list(&structure.imap_body(true));
    let end = usize::try_from(structure.root.body_start).unwrap();
    for field in header_fields(whole.get(..end).unwrap()) {
        let _text = (field.text(), field.unfolded());
    }
}

/// Parts lie inside what holds them.
fn assert_inside(part: &Part, from: u64, to: u64) {
    let Part { header_start, body_start, body_end, .. } = *part;
    assert!(from <= header_start && header_start <= body_start, "{part:?}");
    assert!(body_start <= body_end && body_end <= to, "{part:?}");
    match &part.kind {
        PartKind::Leaf => {}
        PartKind::Multipart(children) => {
            let mut from = body_start;
            for child in children {
                assert_inside(child, from, body_end);
                from = child.body_end;
            }
        }
        PartKind::Message(_, root) => assert_inside(root, body_start, body_end),
    }
}

/// Every part of a multipart is found by its number.
fn assert_numbers(structure: &Structure, part: &Part, path: &mut Vec<u32>) {
    if let PartKind::Multipart(children) = &part.kind {
        for (number, child) in (1..).zip(children) {
            path.push(number);
            let found = structure.part(path).expect("a part has its number");
            assert_eq!(found.body_start, child.body_start);
            if path.len() < 20 {
                assert_numbers(structure, child, path);
            }
            path.pop();
        }
    }
}

/// A message as POP3 sends it.
pub(crate) fn lines(bytes: &[u8]) {
    let (whole, pieces) = pieces(bytes);
    let wire = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut out, mut lines) = (Vec::new(), Lines::new());
        for piece in pieces {
            lines.feed(piece, &mut |line| {
                line.push_to(&mut out);
                true
            });
        }
        lines.finish(&mut |line| {
            line.push_to(&mut out);
            true
        });
        out
    };
    let sent = wire(&mut std::iter::once(whole));
    assert_eq!(wire(&mut { pieces }), sent, "pieces make no difference");
    let mut octets = LineOctets::default();
    octets.feed(whole);
    let mut plain = 0;
    for line in sent.split_inclusive(|&byte| byte == b'\n') {
        assert!(line.ends_with(b"\r\n") && line != b".\r\n");
        assert!(!line[..line.len() - 2].contains(&b'\r'));
        plain += line.len() - usize::from(line[0] == b'.');
    }
    assert_eq!(octets.finish(), plain as u64, "the size is what is sent");
    // Another reader of the same grammar finds the same message.
    let mut message = Vec::new();
    DataReader::new().push(&[&sent, &b".\r\n"[..]].concat(), &mut message);
    assert_eq!(message.len(), plain);
}

/// Addresses of the envelope and of header fields.
pub(crate) fn address(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(address) = Address::parse(text)
    {
        let again = Address::parse(&address.to_string()).expect("an address is read again");
        assert_eq!(again, address);
        assert_eq!(again.key(), address.key());
        assert!(!address.to_string().chars().any(char::is_control));
    }
    for address in message::parse_addresses(bytes) {
        assert!(address.host.is_none() || address.mailbox.is_some(), "{address:?}");
    }
}

/// One line of an SMTP client.
pub(crate) fn smtp_command(bytes: &[u8]) {
    if let Err(refused) = smtp::Command::parse(bytes) {
        let reply = refused.reply().to_bytes();
        assert!(reply.ends_with(b"\r\n") && reply.first().is_some_and(u8::is_ascii_digit));
        let text = reply.strip_suffix(b"\r\n").unwrap();
        assert!(!text.iter().any(|byte| byte.is_ascii_control()), "one line");
    }
}

/// The bytes after 354, and those of BDAT.
pub(crate) fn smtp_data(bytes: &[u8]) {
    let (whole, pieces) = pieces(bytes);
    let (mut reader, mut message) = (DataReader::new(), Vec::new());
    let end = reader.push(whole, &mut message);
    let (mut second, mut again, mut last, mut consumed) = (DataReader::new(), Vec::new(), None, 0);
    for piece in pieces {
        let progress = second.push(piece, &mut again);
        consumed += progress.consumed;
        last = Some(progress.state);
        if progress.state != smtp::State::More {
            break;
        }
    }
    assert_eq!(again, message, "pieces make no difference");
    assert_eq!((consumed, last.unwrap_or(smtp::State::More)), (end.consumed, end.state));
    assert_eq!(second.fault(), reader.fault());
    if end.state == smtp::State::End && reader.fault().is_none() {
        let mut check = ChunkCheck::default();
        check.push(&message);
        assert_eq!(check.finish(), None, "what was taken holds no bare line end");
        let (mut stuffer, mut wire) = (DotStuffer::default(), Vec::new());
        stuffer.push(&message, &mut wire);
        stuffer.finish(&mut wire);
        let mut relayed = Vec::new();
        let (mut reader, len) = (DataReader::new(), wire.len());
        let progress = reader.push(&wire, &mut relayed);
        assert_eq!((progress.consumed, progress.state), (len, smtp::State::End));
        assert_eq!((relayed, reader.fault()), (message, None), "what is relayed is what came");
    }
}
