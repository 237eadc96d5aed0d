//! ENVELOPE, BODY and BODYSTRUCTURE as they stand in a FETCH response. RFC 9051 §7.5.2 and §9, also
//! right for RFC 3501.
//!
//! Strings are quoted where that can hold them; 8-bit text and line ends go as literals; NUL, which
//! neither can hold, is left out.

use crate::structure::{Addr, Disposition, MailHeader, Part, PartKind, Structure};

/// A text beyond this length goes as a literal: some clients read lines into small buffers.
const QUOTED_MAX: usize = 1_000;

impl Structure {
    /// IMAP `envelope` text, for literal insertion into a FETCH response.
    #[must_use]
    pub fn imap_envelope(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        emit_envelope(&mut out, &self.header);
        out
    }

    /// IMAP `body` text: BODY (not extended) or BODYSTRUCTURE (extended).
    #[must_use]
    pub fn imap_body(&self, extended: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        emit_body(&mut out, &self.root, extended);
        out
    }
}

/// `string`.
fn emit_string(out: &mut Vec<u8>, text: &str) {
    let bytes: Vec<u8> = text.bytes().filter(|&b| b != 0).collect();
    let plain = bytes.iter().all(|&b| b < 0x80 && b != b'\r' && b != b'\n');
    if !plain || bytes.len() > QUOTED_MAX {
        out.extend_from_slice(format!("{{{}}}\r\n", bytes.len()).as_bytes());
        out.extend_from_slice(&bytes);
        return;
    }
    out.push(b'"');
    for byte in bytes {
        if byte == b'"' || byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// `nstring`.
fn emit_nstring(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => emit_string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// RFC 9051 §9 `envelope`.
fn emit_envelope(out: &mut Vec<u8>, mail: &MailHeader) {
    out.push(b'(');
    emit_nstring(out, mail.date.as_deref());
    out.push(b' ');
    emit_nstring(out, mail.subject.as_deref());
    for list in [&mail.from, &mail.sender, &mail.reply_to, &mail.to, &mail.cc, &mail.bcc] {
        out.push(b' ');
        emit_addresses(out, list);
    }
    out.push(b' ');
    emit_nstring(out, mail.in_reply_to.as_deref());
    out.push(b' ');
    emit_nstring(out, mail.message_id.as_deref());
    out.push(b')');
}

fn emit_addresses(out: &mut Vec<u8>, list: &[Addr]) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for addr in list {
        out.push(b'(');
        emit_nstring(out, addr.name.as_deref());
        // addr-adl: source routes are obsolete and not kept.
        out.extend_from_slice(b" NIL ");
        emit_nstring(out, addr.mailbox.as_deref());
        out.push(b' ');
        emit_nstring(out, addr.host.as_deref());
        out.push(b')');
    }
    out.push(b')');
}

/// `body-fld-param`.
fn emit_params(out: &mut Vec<u8>, params: &[(String, String)]) {
    if params.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    for (n, (name, value)) in params.iter().enumerate() {
        out.push(if n == 0 { b'(' } else { b' ' });
        emit_string(out, name);
        out.push(b' ');
        emit_string(out, value);
    }
    out.push(b')');
}

fn emit_body(out: &mut Vec<u8>, part: &Part, extended: bool) {
    out.push(b'(');
    match &part.kind {
        PartKind::Multipart(children) => emit_multipart(out, part, children, extended),
        PartKind::Message(mail, root) => {
            emit_type(out, &part.main_type, &part.sub_type);
            emit_fields(out, part);
            out.push(b' ');
            emit_envelope(out, mail);
            out.push(b' ');
            emit_body(out, root, extended);
            out.extend_from_slice(format!(" {}", part.lines).as_bytes());
        }
        PartKind::Leaf => emit_leaf(out, part),
    }
    if extended {
        if !matches!(part.kind, PartKind::Multipart(_)) {
            out.push(b' ');
            emit_nstring(out, part.md5.as_deref());
        }
        emit_extension(out, part);
    }
    out.push(b')');
}

/// `body-type-mpart`, its extension data from the disposition on left out.
fn emit_multipart(out: &mut Vec<u8>, part: &Part, children: &[Part], extended: bool) {
    for child in children {
        emit_body(out, child, extended);
    }
    if children.is_empty() {
        // The grammar wants at least one.
        out.extend_from_slice(br#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)"#);
    }
    out.push(b' ');
    emit_string(out, &part.sub_type);
    if extended {
        out.push(b' ');
        emit_params(out, &part.params);
    }
}

/// `body-type-basic` or `body-type-text`.
fn emit_leaf(out: &mut Vec<u8>, part: &Part) {
    // What is no text but would be read as a container (no delimiter, encoded as a whole, too deep)
    // must not be called one: the client would look for an envelope or for parts.
    let is_shut = part.main_type == "multipart"
        || (part.main_type == "message" && matches!(part.sub_type.as_str(), "rfc822" | "global"));
    if is_shut {
        emit_type(out, "application", "octet-stream");
    } else {
        emit_type(out, &part.main_type, &part.sub_type);
    }
    emit_fields(out, part);
    if part.main_type == "text" {
        out.extend_from_slice(format!(" {}", part.lines).as_bytes());
    }
}

fn emit_type(out: &mut Vec<u8>, main: &str, sub: &str) {
    emit_string(out, main);
    out.push(b' ');
    emit_string(out, sub);
    out.push(b' ');
}

/// `body-fields`.
fn emit_fields(out: &mut Vec<u8>, part: &Part) {
    emit_params(out, &part.params);
    out.push(b' ');
    emit_nstring(out, part.id.as_deref());
    out.push(b' ');
    emit_nstring(out, part.description.as_deref());
    out.push(b' ');
    emit_string(out, &part.encoding);
    out.extend_from_slice(format!(" {}", part.body_end - part.body_start).as_bytes());
}

/// The part of `body-ext-1part` and `body-ext-mpart` that they share.
fn emit_extension(out: &mut Vec<u8>, part: &Part) {
    out.push(b' ');
    match &part.disposition {
        Some(Disposition { kind, params }) => {
            out.push(b'(');
            emit_string(out, kind);
            out.push(b' ');
            emit_params(out, params);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    match part.language.as_slice() {
        [] => out.extend_from_slice(b"NIL"),
        [only] => emit_string(out, only),
        tags => {
            for (n, tag) in tags.iter().enumerate() {
                out.push(if n == 0 { b'(' } else { b' ' });
                emit_string(out, tag);
            }
            out.push(b')');
        }
    }
    out.push(b' ');
    emit_nstring(out, part.location.as_deref());
}
