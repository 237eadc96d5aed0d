//! What a header section says about its entity: the Content-* fields of RFC 2045, RFC 2183 and
//! RFC 3282, and the fields of ENVELOPE.
//!
//! Limits: 200 parameters of one field, 100 language tags; the rest is passed over.

use crate::address::parse_addresses;
use crate::field::{Field, header_fields, into_text};
use crate::lexer::Lexer;
use crate::structure::{Addr, Disposition, MailHeader, Part};

const PARAMS_MAX: usize = 200;
const LANGUAGES_MAX: usize = 100;

fn lower(bytes: &[u8]) -> String {
    into_text(bytes.to_ascii_lowercase())
}

/// Names in lower case and values, in order.
type Params = Vec<(String, String)>;

/// Reads `; name=value` until the end.
fn parse_params(lexer: &mut Lexer<'_>) -> Params {
    let mut params = Vec::new();
    while params.len() < PARAMS_MAX {
        lexer.run(|b| b != b';' && b != b'(');
        lexer.skip_cfws();
        if lexer.peek().is_none() {
            break;
        }
        if !lexer.eat(b';') {
            continue;
        }
        lexer.skip_cfws();
        let name = lexer.token();
        lexer.skip_cfws();
        if !name.is_empty() && lexer.eat(b'=') {
            params.push((lower(name), into_text(lexer.parameter_value())));
        }
    }
    params
}

/// Content-Type: type, subtype, parameters; `None` if it is none (RFC 2045 §5.2).
fn parse_content_type(value: &[u8]) -> Option<(String, String, Params)> {
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    let main = lexer.token();
    lexer.skip_cfws();
    let has_slash = lexer.eat(b'/');
    lexer.skip_cfws();
    let sub = lexer.token();
    if main.is_empty() {
        return None;
    }
    if !has_slash || sub.is_empty() {
        // `Content-Type: text`, as some very old mailers write it.
        return main
            .eq_ignore_ascii_case(b"text")
            .then(|| ("text".to_owned(), "plain".to_owned(), parse_params(&mut lexer)));
    }
    Some((lower(main), lower(sub), parse_params(&mut lexer)))
}

/// RFC 2183 §2.
fn parse_disposition(value: &[u8]) -> Option<Disposition> {
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    let kind = lexer.token();
    if kind.is_empty() {
        return None;
    }
    Some(Disposition { kind: lower(kind), params: parse_params(&mut lexer) })
}

/// RFC 2045 §6.1; 7bit where there is none.
fn parse_encoding(value: &[u8]) -> String {
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    let token = lexer.token();
    if token.is_empty() { "7bit".to_owned() } else { lower(token) }
}

/// RFC 3282 §2.
fn parse_languages(value: &[u8]) -> Vec<String> {
    let mut lexer = Lexer::new(value);
    let mut tags = Vec::new();
    while tags.len() < LANGUAGES_MAX {
        lexer.skip_cfws();
        let tag = lexer.token();
        if !tag.is_empty() {
            tags.push(into_text(tag.to_vec()));
        } else if lexer.next().is_none() {
            break;
        }
    }
    tags
}

fn text_of(field: &Field<'_>) -> Option<String> {
    Some(field.text()).filter(|text| !text.is_empty())
}

/// Sets `slot` from the first field of a name; repeated fields are not looked at.
fn first<T>(slot: &mut Option<T>, value: impl FnOnce() -> Option<T>) {
    if slot.is_none() {
        *slot = value();
    }
}

/// Fills in `part` from its header section. `in_digest`: RFC 2046 §5.1.5.
pub(crate) fn describe_part(part: &mut Part, header: &[u8], in_digest: bool) {
    let mut content_type = None;
    let mut encoding = None;
    let mut language = None;
    let mut has_type = false;
    for field in header_fields(header) {
        if !field.name.get(..8).is_some_and(|n| n.eq_ignore_ascii_case(b"content-")) {
            continue;
        }
        match field.name.get(8..).unwrap_or_default().to_ascii_lowercase().as_slice() {
            b"type" => {
                has_type = true;
                first(&mut content_type, || parse_content_type(field.value));
            }
            b"transfer-encoding" => first(&mut encoding, || Some(parse_encoding(field.value))),
            b"id" => first(&mut part.id, || text_of(&field)),
            b"description" => first(&mut part.description, || text_of(&field)),
            b"md5" => first(&mut part.md5, || text_of(&field)),
            b"disposition" => first(&mut part.disposition, || parse_disposition(field.value)),
            b"language" => first(&mut language, || Some(parse_languages(field.value))),
            b"location" => first(&mut part.location, || text_of(&field)),
            _ => {}
        }
    }
    part.encoding = encoding.unwrap_or_else(|| "7bit".to_owned());
    part.language = language.unwrap_or_default();
    (part.main_type, part.sub_type, part.params) = content_type.unwrap_or_else(|| {
        if in_digest && !has_type {
            ("message".to_owned(), "rfc822".to_owned(), Vec::new())
        } else {
            // RFC 2045 §5.2.
            let charset = ("charset".to_owned(), "us-ascii".to_owned());
            ("text".to_owned(), "plain".to_owned(), vec![charset])
        }
    });
}

/// The ENVELOPE fields of a message's header section and the number of its Received fields.
pub(crate) fn describe_mail(header: &[u8]) -> (MailHeader, u32) {
    let mut mail = MailHeader::default();
    let mut received = 0;
    let append = |list: &mut Vec<Addr>, field: &Field<'_>| {
        // RFC 5322 §3.6 allows each once; who writes To twice means both.
        if list.len() < 5_000 {
            list.extend(parse_addresses(field.value));
        }
    };
    for field in header_fields(header) {
        match field.name.to_ascii_lowercase().as_slice() {
            b"date" => first(&mut mail.date, || text_of(&field)),
            b"subject" => first(&mut mail.subject, || Some(field.text())),
            b"from" => append(&mut mail.from, &field),
            b"sender" => append(&mut mail.sender, &field),
            b"reply-to" => append(&mut mail.reply_to, &field),
            b"to" => append(&mut mail.to, &field),
            b"cc" => append(&mut mail.cc, &field),
            b"bcc" => append(&mut mail.bcc, &field),
            b"in-reply-to" => first(&mut mail.in_reply_to, || text_of(&field)),
            b"message-id" => first(&mut mail.message_id, || text_of(&field)),
            b"references" => first(&mut mail.references, || text_of(&field)),
            b"received" => received += 1,
            _ => {}
        }
    }
    // RFC 9051 §7.5.2: absent or empty Sender and Reply-To are those of From.
    if mail.sender.is_empty() {
        mail.sender.clone_from(&mail.from);
    }
    if mail.reply_to.is_empty() {
        mail.reply_to.clone_from(&mail.from);
    }
    (mail, received)
}
