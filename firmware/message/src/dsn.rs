//! Delivery status notifications: bounces, delay notices, success reports. RFC 3461 §6, RFC 3462,
//! RFC 3464, RFC 6533 §3.
//!
//! Bytes in, bytes out. The original is given as its header, or as a whole where it is small and RET
//! asks for it; the caller keeps [`FULL_ORIGINAL_MAX`].

use base::{Address, Timestamp};

use crate::edit::{emit_field, with_crlf};

/// Largest original that comes back whole; of a larger one only the header does.
pub const FULL_ORIGINAL_MAX: u64 = 100 * 1024;
/// Longest reply text of the other side that is reported.
const REPLY_MAX: usize = 1_000;

/// RFC 3464 §2.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not yet delivered, tried again.
    Delayed,
    /// In the recipient's mailbox.
    Delivered,
    /// Handed to a host that reports nothing more.
    Relayed,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
        }
    }

    fn subject(self) -> &'static str {
        match self {
            Self::Failed => "Mail could not be delivered",
            Self::Delayed => "Mail is delayed",
            Self::Delivered | Self::Relayed => "Mail was delivered",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::Failed => "could not deliver your message to the recipients below.",
            Self::Delayed => {
                "could not yet deliver your message to the recipients below. It keeps trying; you \
                 need not send it again."
            }
            Self::Delivered => "delivered your message to the recipients below.",
            Self::Relayed => {
                "handed your message to a mail server that does not report what it does with it."
            }
        }
    }
}

/// What became of one recipient.
#[derive(Clone, Debug)]
pub struct Report {
    /// Final-Recipient.
    pub recipient: Address,
    /// Original-Recipient as ORCPT gave it: `rfc822;…`.
    pub orcpt: Option<String>,
    /// Enhanced status code `5.1.1` (RFC 3463).
    pub status: String,
    /// The host that said it.
    pub remote_host: Option<String>,
    /// The last words of the other side, or our own reason.
    pub reply: Option<String>,
    /// True if `reply` is the other side's SMTP reply.
    pub is_smtp_reply: bool,
    /// When it was tried last.
    pub last_attempt_at: Timestamp,
    /// For delays: until when it is tried.
    pub will_retry_until: Option<Timestamp>,
}

impl Report {
    /// The report of a delivery into a mailbox.
    #[must_use]
    pub fn delivered(recipient: Address, orcpt: Option<String>, at: Timestamp) -> Self {
        Self {
            recipient,
            orcpt,
            // RFC 3463 §3.2: X.1.5, destination address valid.
            status: "2.1.5".to_owned(),
            remote_host: None,
            reply: None,
            is_smtp_reply: false,
            last_attempt_at: at,
            will_retry_until: None,
        }
    }
}

/// What comes back of the original.
#[derive(Clone, Copy, Debug)]
pub enum Original<'a> {
    /// All of it.
    Full(&'a [u8]),
    /// Its header section.
    Header(&'a [u8]),
}

/// A notification to be composed.
#[derive(Clone, Debug)]
pub struct Dsn<'a> {
    /// Our host name.
    pub hostname: &'a str,
    /// A word that no other notification of ours has: part of Message-ID and boundary.
    pub unique: &'a str,
    /// Date.
    pub now: Timestamp,
    /// To whom: the reverse-path of the original.
    pub to: &'a Address,
    /// What is reported; all reports are of this kind.
    pub action: Action,
    /// Original-Envelope-Id: ENVID as given.
    pub envid: Option<&'a str>,
    /// When the original came to us.
    pub arrived_at: Timestamp,
    /// The recipients; at least one.
    pub reports: &'a [Report],
    /// The original.
    pub original: Original<'a>,
}

impl Dsn<'_> {
    /// The whole message, lines ended by CRLF.
    #[must_use]
    pub fn compose(&self) -> Vec<u8> {
        let (kind, original) = match self.original {
            Original::Full(bytes) => ("message/rfc822", with_crlf(bytes)),
            Original::Header(bytes) => ("text/rfc822-headers", with_crlf(bytes)),
        };
        let original: Vec<u8> = original.into_iter().filter(|&b| b != 0).collect();
        let text = self.human_text();
        let boundary = self.boundary(&original);
        let is_8bit = |bytes: &[u8]| !bytes.is_ascii();
        let mut out = Vec::with_capacity(original.len() + 4096);
        self.emit_header(&mut out, &boundary, is_8bit(&original) || is_8bit(text.as_bytes()));
        open_part(&mut out, &boundary, "text/plain; charset=utf-8", is_8bit(text.as_bytes()));
        out.extend_from_slice(text.as_bytes());
        // RFC 3464 §2.1.
        open_part(&mut out, &boundary, "message/delivery-status", false);
        self.emit_status(&mut out);
        open_part(&mut out, &boundary, kind, is_8bit(&original));
        out.extend_from_slice(&original);
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }

    fn emit_header(&self, out: &mut Vec<u8>, boundary: &str, is_8bit: bool) {
        let host = self.hostname;
        emit_field(out, "Date", &self.now.rfc5322());
        emit_field(out, "From", &format!("Mail Delivery System <MAILER-DAEMON@{host}>"));
        emit_field(out, "To", &self.to.to_string());
        emit_field(out, "Subject", self.action.subject());
        emit_field(out, "Message-ID", &format!("<{}@{host}>", self.unique));
        // RFC 3834 §5: nobody's vacation answers this.
        emit_field(out, "Auto-Submitted", "auto-replied");
        emit_field(out, "MIME-Version", "1.0");
        let kind =
            format!("multipart/report; report-type=delivery-status; boundary=\"{boundary}\"");
        emit_field(out, "Content-Type", &kind);
        if is_8bit {
            emit_field(out, "Content-Transfer-Encoding", "8bit");
        }
    }

    /// A delimiter that the original does not hold.
    fn boundary(&self, original: &[u8]) -> String {
        let base: String =
            self.unique.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        let mut boundary = format!("dsn_{base}");
        while original.windows(boundary.len()).any(|w| w == boundary.as_bytes())
            && boundary.len() < 70
        {
            boundary.push('_');
        }
        boundary
    }

    fn human_text(&self) -> String {
        let mut text = format!(
            "This is the mail server {}.\r\nIt {}\r\n",
            self.hostname,
            self.action.explanation()
        );
        for report in self.reports {
            text.push_str(&format!("\r\n  <{}>\r\n", report.recipient));
            if let (Some(host), true) = (&report.remote_host, report.is_smtp_reply) {
                text.push_str(&format!("    The server {} said:\r\n", printable(host)));
            }
            if let Some(reply) = &report.reply {
                text.push_str(&format!("    {}\r\n", printable(reply)));
            }
            if let Some(until) = report.will_retry_until {
                text.push_str(&format!("    It is tried until {}.\r\n", until.rfc5322()));
            }
        }
        text
    }

    /// RFC 3464 §2.2 and §2.3.
    fn emit_status(&self, out: &mut Vec<u8>) {
        emit_field(out, "Reporting-MTA", &format!("dns; {}", self.hostname));
        if let Some(envid) = self.envid {
            emit_field(out, "Original-Envelope-Id", &printable(envid));
        }
        emit_field(out, "Arrival-Date", &self.arrived_at.rfc5322());
        for report in self.reports {
            out.extend_from_slice(b"\r\n");
            if let Some(orcpt) = &report.orcpt {
                let (kind, address) = orcpt.split_once(';').unwrap_or(("rfc822", orcpt));
                emit_field(out, "Original-Recipient", &typed_address(kind, address.trim()));
            }
            let address = report.recipient.to_string();
            emit_field(out, "Final-Recipient", &typed_address("rfc822", &address));
            emit_field(out, "Action", self.action.word());
            emit_field(out, "Status", &report.status);
            if let Some(host) = &report.remote_host {
                emit_field(out, "Remote-MTA", &format!("dns; {}", printable(host)));
            }
            if let Some(reply) = &report.reply {
                let kind = if report.is_smtp_reply { "smtp" } else { "X-Postroom" };
                emit_field(out, "Diagnostic-Code", &format!("{kind}; {}", printable(reply)));
            }
            emit_field(out, "Last-Attempt-Date", &report.last_attempt_at.rfc5322());
            if let Some(until) = report.will_retry_until {
                emit_field(out, "Will-Retry-Until", &until.rfc5322());
            }
        }
    }
}

fn open_part(out: &mut Vec<u8>, boundary: &str, kind: &str, is_8bit: bool) {
    out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
    emit_field(out, "Content-Type", kind);
    if is_8bit {
        emit_field(out, "Content-Transfer-Encoding", "8bit");
    }
    out.extend_from_slice(b"\r\n");
}

/// `text` as one line of printable US-ASCII, cut at [`REPLY_MAX`].
fn printable(text: &str) -> String {
    let one_line = text.chars().map(|c| match c {
        ' '..='~' => c,
        _ if c.is_control() => ' ',
        _ => '?',
    });
    one_line.take(REPLY_MAX).collect()
}

/// `type; address`. RFC 6533 §3: what is not US-ASCII has the type `utf-8` and goes as `\x{HEX}`.
fn typed_address(kind: &str, address: &str) -> String {
    if address.is_ascii() {
        return format!("{}; {}", printable(kind), printable(address));
    }
    let mut text = String::from("utf-8; ");
    for c in address.chars() {
        match c {
            '!'..='~' if c != '\\' && c != '+' && c != '=' => text.push(c),
            _ => text.push_str(&format!("\\x{{{:02X}}}", u32::from(c))),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PartKind, Scanner, header_fields};

    fn bounce(original: Original<'_>) -> Vec<u8> {
        let to = Address::parse("anna@office.test").unwrap();
        let report = Report {
            recipient: Address::parse("jörg@x.test").unwrap(),
            orcpt: Some("rfc822;old@y.test".to_owned()),
            status: "5.1.1".to_owned(),
            remote_host: Some("mx.x.test".to_owned()),
            reply: Some("550 5.1.1 no\r\nBcc: such user".to_owned()),
            is_smtp_reply: true,
            last_attempt_at: Timestamp::from_secs(10),
            will_retry_until: None,
        };
        Dsn {
            hostname: "mail.office.test",
            unique: "7.1",
            now: Timestamp::from_secs(20),
            to: &to,
            action: Action::Failed,
            envid: Some("id 1"),
            arrived_at: Timestamp::from_secs(0),
            reports: &[report],
            original,
        }
        .compose()
    }

    fn body<'a>(message: &'a [u8], part: &crate::Part) -> &'a [u8] {
        let at = |offset: u64| usize::try_from(offset).unwrap();
        &message[at(part.body_start)..at(part.body_end)]
    }

    #[test]
    fn a_bounce_is_a_report_as_rfc_3464_wants_it() {
        let original = b"From: anna@office.test\nSubject: \xc3\xa4 dsn_71\n\nbody\r\n";
        let message = bounce(Original::Full(original));
        let mut scanner = Scanner::new();
        scanner.feed(&message);
        let structure = scanner.finish();
        assert_eq!(structure.root.sub_type, "report");
        assert_eq!(structure.root.param("report-type"), Some("delivery-status"));
        let PartKind::Multipart(parts) = &structure.root.kind else { panic!("{structure:?}") };
        let kinds: Vec<_> = parts.iter().map(|p| p.sub_type.as_str()).collect();
        assert_eq!(kinds, ["plain", "delivery-status", "rfc822"]);
        let status = body(&message, &parts[1]);
        let at = status.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let (group, recipient) = status.split_at(at + 4);
        let shown = |bytes| -> Vec<String> {
            header_fields(bytes)
                .map(|f| format!("{}={}", String::from_utf8_lossy(f.name), f.text()))
                .collect()
        };
        assert_eq!(
            shown(group),
            [
                "Reporting-MTA=dns; mail.office.test",
                "Original-Envelope-Id=id 1",
                "Arrival-Date=Thu, 01 Jan 1970 00:00:00 +0000"
            ]
        );
        assert_eq!(
            shown(recipient),
            [
                "Original-Recipient=rfc822; old@y.test",
                "Final-Recipient=utf-8; j\\x{F6}rg@x.test",
                "Action=failed",
                "Status=5.1.1",
                "Remote-MTA=dns; mx.x.test",
                "Diagnostic-Code=smtp; 550 5.1.1 no Bcc: such user",
                "Last-Attempt-Date=Thu, 01 Jan 1970 00:00:10 +0000"
            ]
        );
        assert_eq!(
            body(&message, &parts[2]),
            with_crlf(original),
            "the original comes back whole, its delimiter look-alike included"
        );
        assert_eq!(with_crlf(&message), message);
    }

    #[test]
    fn of_a_large_original_the_header_comes_back() {
        let message = bounce(Original::Header(b"Subject: x\r\n"));
        let text = String::from_utf8(message).unwrap();
        assert!(text.contains("Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n\r\n--"));
    }
}
