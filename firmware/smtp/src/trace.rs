//! Trace fields: Return-Path and Received. RFC 5321 §4.4, RFC 3848 and 6531 §4.3 for `with`.

use std::net::IpAddr;

use base::{Address, Timestamp};

/// The facts that make up the `with` keyword.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// LMTP rather than SMTP.
    pub lmtp: bool,
    /// EHLO rather than HELO.
    pub extended: bool,
    /// Over TLS.
    pub tls: bool,
    /// The client has logged in.
    pub authenticated: bool,
    /// MAIL came with SMTPUTF8.
    pub utf8: bool,
}

impl Protocol {
    /// `ESMTPSA` and its sisters.
    #[must_use]
    pub fn keyword(self) -> String {
        let base = match (self.lmtp, self.utf8, self.extended) {
            (true, true, _) => "UTF8LMTP",
            (true, false, _) => "LMTP",
            (false, true, _) => "UTF8SMTP",
            (false, false, true) => "ESMTP",
            // RFC 3848 has no name for HELO with TLS or AUTH.
            (false, false, false) => return "SMTP".to_owned(),
        };
        let tls = if self.tls { "S" } else { "" };
        let auth = if self.authenticated { "A" } else { "" };
        format!("{base}{tls}{auth}")
    }
}

/// What a Received field says.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// What the client called itself.
    pub hello: &'a str,
    /// Where it came from.
    pub peer: IpAddr,
    /// Our name.
    pub by: &'a str,
    /// How it came.
    pub protocol: Protocol,
    /// `TLSv1.3 TLS_AES_256_GCM_SHA384`.
    pub tls: Option<&'a str>,
    /// Our id for the transaction.
    pub id: &'a str,
    /// The recipient, if there is exactly one: with more, one would learn of the other.
    pub only_recipient: Option<&'a Address>,
    /// When.
    pub at: Timestamp,
}

impl Received<'_> {
    /// The field with its line ends, folded.
    #[must_use]
    pub fn emit(&self) -> String {
        // RFC 5321 §4.1.3: an IPv6 address literal carries its tag.
        let peer = match self.peer.to_canonical() {
            IpAddr::V4(v4) => format!("[{v4}]"),
            IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
        };
        let mut field = format!(
            "Received: from {} ({peer})\r\n\tby {} with {}",
            clean(self.hello),
            clean(self.by),
            self.protocol.keyword()
        );
        if let Some(tls) = self.tls {
            field.push_str(&format!("\r\n\t({})", clean_words(tls)));
        }
        field.push_str(&format!("\r\n\tid {}", clean(self.id)));
        if let Some(recipient) = self.only_recipient {
            field.push_str(&format!("\r\n\tfor <{recipient}>"));
        }
        field.push_str(&format!(";\r\n\t{}\r\n", self.at.rfc5322()));
        field
    }
}

/// `Return-Path: <…>` with its line end.
#[must_use]
pub fn return_path(reverse_path: Option<&Address>) -> String {
    match reverse_path {
        Some(address) => format!("Return-Path: <{address}>\r\n"),
        None => "Return-Path: <>\r\n".to_owned(),
    }
}

/// A word of a header field: what could end it, open a comment or start a field becomes `?`.
fn clean(word: &str) -> String {
    let ok = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    let word: String = word.chars().take(255).map(|c| if ok(c) { c } else { '?' }).collect();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

/// As [`clean`], and spaces stay.
fn clean_words(text: &str) -> String {
    text.split(' ').map(clean).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_received_field_is_well_formed_whatever_the_client_called_itself() {
        let to = Address::parse("anna@office.test").unwrap();
        let mut received = Received {
            hello: "evil)\r\nX: y",
            peer: "2001:db8::1".parse().unwrap(),
            by: "mail.office.test",
            protocol: Protocol { extended: true, tls: true, ..Protocol::default() },
            tls: Some("TLSv1.3 TLS_AES_256_GCM_SHA384"),
            id: "ab12.1",
            only_recipient: Some(&to),
            at: Timestamp::from_secs(1_795_338_000),
        };
        assert_eq!(
            received.emit(),
            "Received: from evil???X:?y ([IPv6:2001:db8::1])\r\n\tby mail.office.test with ESMTPS\r\n\
             \t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n\tid ab12.1\r\n\tfor <anna@office.test>;\r\n\
             \tSun, 22 Nov 2026 09:00:00 +0000\r\n"
        );
        received.only_recipient = None;
        received.peer = "::ffff:192.0.2.1".parse().unwrap();
        assert!(received.emit().contains("([192.0.2.1])"));
        assert!(!received.emit().contains("for <"));
    }

    #[test]
    fn the_with_keyword_tells_how_it_came() {
        let name = |lmtp, extended, tls, authenticated, utf8| {
            Protocol { lmtp, extended, tls, authenticated, utf8 }.keyword()
        };
        assert_eq!(name(false, false, false, false, false), "SMTP");
        assert_eq!(name(false, true, true, true, false), "ESMTPSA");
        assert_eq!(name(false, true, false, true, false), "ESMTPA");
        assert_eq!(name(false, true, true, false, true), "UTF8SMTPS");
        assert_eq!(name(true, true, false, false, false), "LMTP");
        assert_eq!(return_path(None), "Return-Path: <>\r\n");
    }
}
