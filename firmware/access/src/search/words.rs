//! Header text as people read it: RFC 2047 words decoded, addresses written out.

use std::borrow::Cow;

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;
use message::{Addr, Field};

/// Decodes the RFC 2047 words of unfolded header text. Words that cannot be decoded stay as they are.
/// Borrowed where nothing is to be decoded.
pub(crate) fn decode_words(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if !memchr::memchr_iter(b'=', bytes).any(|at| bytes.get(at + 1) == Some(&b'?')) {
        return Cow::Borrowed(text);
    }
    let line = format!("{text}\n");
    match MessageStream::new(line.as_bytes()).parse_unstructured() {
        HeaderValue::Text(text) => Cow::Owned(text.into_owned()),
        _ => Cow::Owned(String::new()),
    }
}

/// A field's value, unfolded and decoded.
pub(crate) fn field_text(field: &Field<'_>) -> String {
    decode_words(&field.text()).into_owned()
}

/// Addresses as one reads them: `Jörg <j@x.test>, b@x.test`; a group is its name and a colon.
pub(crate) fn address_text<S: AsRef<str>>(addresses: &[Addr<S>]) -> String {
    let mut text = String::new();
    for addr in addresses {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let mailbox = addr.mailbox.as_ref().map_or("", AsRef::as_ref);
        let (name, host) =
            (addr.name.as_ref().map(AsRef::as_ref), addr.host.as_ref().map(AsRef::as_ref));
        match (name, host) {
            (Some(name), Some(host)) => {
                text.push_str(&format!("{} <{mailbox}@{host}>", decode_words(name)));
            }
            (None, Some(host)) => text.push_str(&format!("{mailbox}@{host}")),
            (_, None) if mailbox.is_empty() => text.push(';'),
            (_, None) => text.push_str(&format!("{}:", decode_words(mailbox))),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use message::{header_fields, parse_addresses};

    use super::*;

    #[test]
    fn words_are_decoded() {
        for (raw, want) in [
            ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= an\r\n alle", "Grüße an alle"),
            ("=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=", "日本語"),
            ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
            ("=?windows-1252?Q?=80_5?=", "€ 5"),
            ("=?utf-8?b?SsO2?= =?utf-8?b?cmc=?=", "Jörg"),
            ("plain  text", "plain  text"),
            ("a =?b", "a =?b"),
        ] {
            let header = format!("Subject: {raw}\r\n\r\n");
            let field = header_fields(header.as_bytes()).next().unwrap();
            assert_eq!(field_text(&field), want, "{raw}");
        }
    }

    #[test]
    fn addresses_are_written_out() {
        for (raw, want) in [
            ("=?utf-8?q?J=C3=B6rg?= <j@x.test>, b@x.test", "Jörg <j@x.test>, b@x.test"),
            ("\"Smith, John\" <js@x.test>", "Smith, John <js@x.test>"),
            ("Friends: a@x.test;", "Friends:, a@x.test, ;"),
        ] {
            assert_eq!(address_text(&parse_addresses(raw.as_bytes())), want, "{raw}");
        }
    }
}
