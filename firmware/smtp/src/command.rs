//! Commands: one line in, one value or one refusal out. RFC 5321 §4.1 and the extensions we offer.
//!
//! smtp-proto reads the parameters of MAIL and RCPT; around it stands what must be strict: the line end
//! (CRLF and nothing else), control characters, arguments where none belong, numbers that could overflow,
//! paths (the null path, address literals, source routes), decoded text that later stands in a header
//! field. The caller bounds the line.

use std::str;

use base::Address;
use smtp_proto::Request;

use crate::reply::{Enhanced, Reply};
use crate::xtext;

/// EHLO, HELO or LHLO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloKind {
    /// RFC 5321 §4.1.1.1.
    Ehlo,
    /// RFC 5321 §4.1.1.1, without extensions.
    Helo,
    /// RFC 2033 §4.1.
    Lhlo,
}

/// BODY= of RFC 6152.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// 7BIT.
    #[default]
    SevenBit,
    /// 8BITMIME.
    EightBitMime,
}

/// RET= of RFC 3461 §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// FULL.
    Full,
    /// HDRS.
    Headers,
}

/// NOTIFY= of RFC 3461 §4.1. All false: NEVER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify {
    /// SUCCESS.
    pub success: bool,
    /// FAILURE.
    pub failure: bool,
    /// DELAY.
    pub delay: bool,
}

/// MAIL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// `None` is the null reverse-path.
    pub reverse_path: Option<Address>,
    /// SIZE= of RFC 1870.
    pub size: Option<u64>,
    /// BODY=.
    pub body: Body,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RET=.
    pub ret: Option<Return>,
    /// ENVID=, decoded.
    pub envid: Option<String>,
}

/// The path of RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardPath {
    /// `<postmaster>` without a domain (RFC 5321 §4.5.1).
    Postmaster,
    /// An address.
    Address(Address),
}

/// RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    /// Forward-path.
    pub path: ForwardPath,
    /// NOTIFY=.
    pub notify: Option<Notify>,
    /// ORCPT= as `rfc822;` and the address, decoded from xtext.
    pub orcpt: Option<String>,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// EHLO, HELO, LHLO with the client's name.
    Hello(HelloKind, String),
    /// MAIL.
    Mail(Mail),
    /// RCPT.
    Rcpt(Rcpt),
    /// DATA.
    Data,
    /// BDAT of RFC 3030.
    Bdat {
        /// Octets that follow.
        size: u64,
        /// No chunk comes after it.
        is_last: bool,
    },
    /// AUTH of RFC 4954.
    Auth {
        /// In upper case; whether it is known is for who answers.
        mechanism: String,
        /// The initial response, still in base64; `=` is an empty one.
        initial: Option<String>,
    },
    /// STARTTLS of RFC 3207.
    StartTls,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY.
    Vrfy,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
    /// Known, but not implemented here: EXPN, ETRN, ATRN, BURL, TURN, SEND, SOML, SAML.
    NotImplemented,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It does not end with CRLF, or holds a CR or LF elsewhere.
    #[error("bare CR or LF in a command")]
    BareLineEnd,
    /// Octets that cannot stand in a command.
    #[error("control characters or malformed UTF-8 in a command")]
    Octets,
    /// No such command.
    #[error("unknown command")]
    Unknown,
    /// The syntax is wrong; the text is the right one.
    #[error("syntax error, expected {0}")]
    Syntax(&'static str),
    /// Arguments where none belong.
    #[error("unexpected arguments")]
    Arguments,
    /// BDAT without a size that can be read: where the next command starts is not known.
    #[error("unreadable chunk size")]
    ChunkSize,
    /// The reverse-path is no address.
    #[error("malformed reverse-path")]
    ReversePath,
    /// The forward-path is no address.
    #[error("malformed forward-path")]
    ForwardPath,
    /// A parameter has a value that cannot be.
    #[error("bad value of parameter {0}")]
    Parameter(&'static str),
    /// A parameter that we do not offer.
    #[error("unsupported parameter")]
    Unsupported,
    /// SIZE= beyond all measure.
    #[error("size too large")]
    Size,
}

impl CommandError {
    /// What the client is told.
    #[must_use]
    pub fn reply(self) -> Reply {
        let fixed = Reply::fixed;
        match self {
            Self::BareLineEnd => fixed(
                500,
                Enhanced(5, 5, 2),
                "Bare CR or LF: a line ends with CRLF and nothing else",
            ),
            Self::Octets => fixed(500, Enhanced(5, 5, 2), "Control characters or malformed UTF-8"),
            Self::Unknown => fixed(500, Enhanced(5, 5, 1), "Command not recognized"),
            Self::Syntax(syntax) => Reply::new(501, Enhanced(5, 5, 2), format!("Syntax: {syntax}")),
            Self::Arguments => fixed(501, Enhanced(5, 5, 4), "This command takes no argument"),
            Self::ChunkSize => fixed(501, Enhanced(5, 5, 4), "Unreadable chunk size, closing"),
            Self::ReversePath => fixed(553, Enhanced(5, 1, 7), "Malformed sender address"),
            Self::ForwardPath => fixed(553, Enhanced(5, 1, 3), "Malformed recipient address"),
            Self::Parameter(name) => {
                Reply::new(501, Enhanced(5, 5, 4), format!("Bad value of parameter {name}"))
            }
            // RFC 5321 §4.1.1.11.
            Self::Unsupported => fixed(555, Enhanced(5, 5, 4), "Parameter not supported"),
            Self::Size => fixed(552, Enhanced(5, 3, 4), "Message too large"),
        }
    }
}

const MAIL_SYNTAX: &str = "MAIL FROM:<address> [parameters]";
const RCPT_SYNTAX: &str = "RCPT TO:<address> [parameters]";

impl Command {
    /// Reads one line, its line end included.
    ///
    /// # Errors
    /// Says what is wrong; [`CommandError::reply`] is the answer.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let text = checked(line)?;
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim_matches(' ');
        let alone = |command| {
            if rest.is_empty() { Ok(command) } else { Err(CommandError::Arguments) }
        };
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => hello(HelloKind::Ehlo, rest),
            "HELO" => hello(HelloKind::Helo, rest),
            "LHLO" => hello(HelloKind::Lhlo, rest),
            "MAIL" => mail(rest),
            "RCPT" => rcpt(rest),
            "DATA" => alone(Self::Data),
            "BDAT" => bdat(rest),
            "AUTH" => auth(rest),
            "STARTTLS" => alone(Self::StartTls),
            "RSET" => alone(Self::Rset),
            "QUIT" => alone(Self::Quit),
            "NOOP" => Ok(Self::Noop),
            "HELP" => Ok(Self::Help),
            "VRFY" if rest.is_empty() => Err(CommandError::Syntax("VRFY address")),
            "VRFY" => Ok(Self::Vrfy),
            "EXPN" | "ETRN" | "ATRN" | "BURL" | "TURN" | "SEND" | "SOML" | "SAML" => {
                Ok(Self::NotImplemented)
            }
            _ => Err(CommandError::Unknown),
        }
    }
}

/// The line without its CRLF, if it is text and nothing but text.
fn checked(line: &[u8]) -> Result<&str, CommandError> {
    // RFC 5321 §2.3.8: a line ends with CRLF; the two characters stand nowhere else.
    let line = line.strip_suffix(b"\r\n").ok_or(CommandError::BareLineEnd)?;
    if line.iter().any(|&b| b == b'\r' || b == b'\n') {
        return Err(CommandError::BareLineEnd);
    }
    if line.iter().any(u8::is_ascii_control) {
        return Err(CommandError::Octets);
    }
    // RFC 6531 §3.3: beyond ASCII there is UTF-8 and nothing else.
    str::from_utf8(line).map_err(|_| CommandError::Octets)
}

fn hello(kind: HelloKind, rest: &str) -> Result<Command, CommandError> {
    let name = rest.split(' ').next().unwrap_or_default();
    if name.is_empty() || name.len() > base::address::DOMAIN_MAX {
        return Err(CommandError::Syntax(match kind {
            HelloKind::Ehlo => "EHLO domain",
            HelloKind::Helo => "HELO domain",
            HelloKind::Lhlo => "LHLO domain",
        }));
    }
    Ok(Command::Hello(kind, name.to_owned()))
}

fn bdat(rest: &str) -> Result<Command, CommandError> {
    let (size, last) = rest.split_once(' ').unwrap_or((rest, ""));
    // RFC 3030 §2: 1*DIGIT. What does not fit 18 digits is no chunk that anybody could send.
    if size.is_empty() || size.len() > 18 || !size.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CommandError::ChunkSize);
    }
    let size = size.parse().map_err(|_| CommandError::ChunkSize)?;
    match last.trim_matches(' ') {
        "" => Ok(Command::Bdat { size, is_last: false }),
        last if last.eq_ignore_ascii_case("LAST") => Ok(Command::Bdat { size, is_last: true }),
        _ => Err(CommandError::ChunkSize),
    }
}

fn auth(rest: &str) -> Result<Command, CommandError> {
    let (name, initial) = rest.split_once(' ').unwrap_or((rest, ""));
    let initial = initial.trim_matches(' ');
    if name.is_empty() || initial.contains(' ') {
        return Err(CommandError::Syntax("AUTH mechanism [initial-response]"));
    }
    let mechanism = name.to_ascii_uppercase();
    Ok(Command::Auth { mechanism, initial: (!initial.is_empty()).then(|| initial.to_owned()) })
}

fn mail(rest: &str) -> Result<Command, CommandError> {
    let (path, parameters) = path_of(rest, "FROM").ok_or(CommandError::Syntax(MAIL_SYNTAX))?;
    check_parameters(parameters)?;
    let line = format!("MAIL FROM:<>{parameters}\r\n");
    let Request::Mail { from } = parse(&line, MAIL_SYNTAX)? else {
        return Err(CommandError::Syntax(MAIL_SYNTAX));
    };
    let known = smtp_proto::MAIL_BODY_7BIT
        | smtp_proto::MAIL_BODY_8BITMIME
        | smtp_proto::MAIL_SMTPUTF8
        | smtp_proto::MAIL_RET_FULL
        | smtp_proto::MAIL_RET_HDRS;
    let others = from.hold_for != 0
        || from.hold_until != 0
        || from.by != 0
        || from.mt_priority != 0
        || from.mtrk.is_some()
        || from.solicit.is_some()
        || from.trans_id.is_some();
    if from.flags & !known != 0 || others {
        return Err(CommandError::Unsupported);
    }
    let reverse_path = match path {
        "<>" => None,
        path => Some(address(path).ok_or(CommandError::ReversePath)?),
    };
    let smtputf8 = from.flags & smtp_proto::MAIL_SMTPUTF8 != 0;
    if reverse_path.as_ref().is_some_and(Address::needs_smtputf8) && !smtputf8 {
        return Err(CommandError::ReversePath);
    }
    let eight_bit = from.flags & smtp_proto::MAIL_BODY_8BITMIME != 0;
    let ret = match from.flags & (smtp_proto::MAIL_RET_FULL | smtp_proto::MAIL_RET_HDRS) {
        0 => None,
        smtp_proto::MAIL_RET_FULL => Some(Return::Full),
        _ => Some(Return::Headers),
    };
    let envid = match value_of(parameters, "ENVID") {
        // RFC 3461 §4.4: at most 100 characters, and of xtext.
        Some(text) if text.len() <= 100 => {
            Some(xtext::decode(text).ok_or(CommandError::Parameter("ENVID"))?)
        }
        Some(_) => return Err(CommandError::Parameter("ENVID")),
        None => None,
    };
    Ok(Command::Mail(Mail {
        reverse_path,
        size: value_of(parameters, "SIZE").and_then(|size| size.parse().ok()),
        body: if eight_bit { Body::EightBitMime } else { Body::SevenBit },
        smtputf8,
        ret,
        envid,
    }))
}

fn rcpt(rest: &str) -> Result<Command, CommandError> {
    let (path, parameters) = path_of(rest, "TO").ok_or(CommandError::Syntax(RCPT_SYNTAX))?;
    check_parameters(parameters)?;
    let line = format!("RCPT TO:<a@b.test>{parameters}\r\n");
    let Request::Rcpt { to } = parse(&line, RCPT_SYNTAX)? else {
        return Err(CommandError::Syntax(RCPT_SYNTAX));
    };
    let never = smtp_proto::RCPT_NOTIFY_NEVER;
    let some = smtp_proto::RCPT_NOTIFY_SUCCESS
        | smtp_proto::RCPT_NOTIFY_FAILURE
        | smtp_proto::RCPT_NOTIFY_DELAY;
    if to.flags & !(never | some) != 0 || to.rrvs != 0 {
        return Err(CommandError::Unsupported);
    }
    // RFC 3461 §4.1: NEVER stands alone.
    if to.flags & never != 0 && to.flags & some != 0 {
        return Err(CommandError::Parameter("NOTIFY"));
    }
    let notify = (to.flags != 0).then_some(Notify {
        success: to.flags & smtp_proto::RCPT_NOTIFY_SUCCESS != 0,
        failure: to.flags & smtp_proto::RCPT_NOTIFY_FAILURE != 0,
        delay: to.flags & smtp_proto::RCPT_NOTIFY_DELAY != 0,
    });
    let orcpt = match value_of(parameters, "ORCPT") {
        Some(text) => Some(original_recipient(text).ok_or(CommandError::Parameter("ORCPT"))?),
        None => None,
    };
    let path = if path.eq_ignore_ascii_case("<postmaster>") {
        ForwardPath::Postmaster
    } else {
        ForwardPath::Address(address(path).ok_or(CommandError::ForwardPath)?)
    };
    Ok(Command::Rcpt(Rcpt { path, notify, orcpt }))
}

/// smtp-proto's word on the parameters, behind a path that is in order.
fn parse<'a>(
    line: &'a str,
    syntax: &'static str,
) -> Result<Request<std::borrow::Cow<'a, str>>, CommandError> {
    use smtp_proto::Error;
    Request::parse(&mut line.as_bytes().iter()).map_err(|err| match err {
        Error::InvalidParameter { param } => CommandError::Parameter(param),
        Error::UnsupportedParameter { .. } => CommandError::Unsupported,
        _ => CommandError::Syntax(syntax),
    })
}

/// Splits `FROM:<path> parameters` into the path with its brackets and the parameters.
fn path_of<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (head, rest) = rest.split_once(':')?;
    if !head.trim_end_matches(' ').eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest.trim_start_matches(' ');
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return rest.split_at_checked(at + 1),
            _ => {}
        }
    }
    None
}

/// What smtp-proto lets pass: a parameter given twice, a number that overflows.
fn check_parameters(parameters: &str) -> Result<(), CommandError> {
    if !parameters.is_empty() && !parameters.starts_with(' ') {
        return Err(CommandError::Syntax("a space before the parameters"));
    }
    let mut seen: Vec<String> = Vec::new();
    for word in parameters.split(' ').filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let key = key.to_ascii_uppercase();
        if key == "SIZE" && value.len() > 18 && value.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CommandError::Size);
        }
        // RFC 5321 §4.1.1.11: each keyword at most once. Sixteen are more than there are.
        if seen.len() >= 16 || seen.contains(&key) {
            return Err(CommandError::Parameter("given twice"));
        }
        seen.push(key);
    }
    Ok(())
}

/// The value of a parameter.
fn value_of<'a>(parameters: &'a str, key: &str) -> Option<&'a str> {
    parameters
        .split(' ')
        .filter_map(|word| word.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|(_, value)| value)
}

/// ORCPT of RFC 3461 §4.2 in the form in which it is kept.
fn original_recipient(text: &str) -> Option<String> {
    let (kind, address) = text.split_once(';')?;
    let decoded = xtext::decode(address)?;
    // RFC 3461 §4.2: at most 500 characters.
    let ok = kind.eq_ignore_ascii_case("rfc822") && !decoded.is_empty() && text.len() <= 500;
    ok.then(|| format!("rfc822;{decoded}"))
}

/// The address in a path with its brackets.
fn address(path: &str) -> Option<Address> {
    let inner = path.strip_prefix('<')?.strip_suffix('>')?;
    // RFC 5321 §4.1.1.3, appendix C: a source route is accepted and thrown away.
    let mailbox = if inner.starts_with('@') { inner.split_once(':')?.1 } else { inner };
    Address::parse(mailbox).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Command, CommandError> {
        Command::parse(format!("{line}\r\n").as_bytes())
    }

    fn mail(line: &str) -> Mail {
        match parse(line) {
            Ok(Command::Mail(mail)) => mail,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn rcpt(line: &str) -> Rcpt {
        match parse(line) {
            Ok(Command::Rcpt(rcpt)) => rcpt,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn simple_commands() {
        for (line, command) in [
            ("EHLO bar.com", Command::Hello(HelloKind::Ehlo, "bar.com".into())),
            ("helo [192.0.2.1]", Command::Hello(HelloKind::Helo, "[192.0.2.1]".into())),
            ("LHLO x", Command::Hello(HelloKind::Lhlo, "x".into())),
            ("DATA", Command::Data),
            ("quit ", Command::Quit),
            ("NOOP whatever", Command::Noop),
            ("BDAT 1000", Command::Bdat { size: 1000, is_last: false }),
            ("bdat 0 last", Command::Bdat { size: 0, is_last: true }),
            ("AUTH LOGIN", Command::Auth { mechanism: "LOGIN".into(), initial: None }),
            (
                "auth plain =",
                Command::Auth { mechanism: "PLAIN".into(), initial: Some("=".into()) },
            ),
            ("auth gssapi", Command::Auth { mechanism: "GSSAPI".into(), initial: None }),
            ("ETRN x", Command::NotImplemented),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn mail_and_rcpt_with_all_parameters() {
        let got = mail(
            "MAIL FROM:<Joe.Doe@Foo.com> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B1 AUTH=<>",
        );
        assert_eq!(got.reverse_path.unwrap().to_string(), "Joe.Doe@foo.com");
        assert_eq!((got.size, got.body, got.smtputf8), (Some(1000), Body::EightBitMime, true));
        assert_eq!((got.ret, got.envid.as_deref()), (Some(Return::Headers), Some("QQ+1")));
        assert_eq!(mail("MAIL FROM:<>").reverse_path, None);
        assert_eq!(mail("mail from: <a@b.test>").reverse_path.unwrap().to_string(), "a@b.test");
        let got = rcpt("RCPT TO:<a@b.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A+2Bb@b.test");
        assert_eq!(got.notify, Some(Notify { success: true, failure: false, delay: true }));
        assert_eq!(got.orcpt.as_deref(), Some("rfc822;A+b@b.test"));
        let never = Notify { success: false, failure: false, delay: false };
        assert_eq!(rcpt("RCPT TO:<a@b.test> NOTIFY=NEVER").notify, Some(never));
        assert_eq!(rcpt("RCPT TO:<PostMaster>").path, ForwardPath::Postmaster);
        for (line, address) in [
            ("RCPT TO:<\"a b>c\"@x.test>", "\"a b>c\"@x.test"),
            ("RCPT TO:<@hosta.test,@jkl.test:userc@d.test>", "userc@d.test"),
            ("RCPT TO:<\"a@b\"@x.test>", "\"a@b\"@x.test"),
            ("RCPT TO:<jörg@müller.test>", "jörg@xn--mller-kva.test"),
            ("RCPT TO:<u@[192.0.2.1]>", "u@[192.0.2.1]"),
            ("RCPT TO:<u@[IPv6:2001:db8::1]>", "u@[ipv6:2001:db8::1]"),
        ] {
            assert_eq!(
                rcpt(line).path,
                ForwardPath::Address(Address::parse(address).unwrap()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        use CommandError as E;
        for (line, error) in [
            ("", E::Unknown),
            ("FOO", E::Unknown),
            (" NOOP", E::Unknown),
            ("EHLO", E::Syntax("EHLO domain")),
            ("DATA now", E::Arguments),
            ("QUIT x", E::Arguments),
            ("BDAT", E::ChunkSize),
            ("BDAT x", E::ChunkSize),
            ("BDAT -1", E::ChunkSize),
            ("BDAT 9223372036854775808", E::ChunkSize),
            ("BDAT 184467440737095516150", E::ChunkSize),
            ("BDAT 5 LAST X", E::ChunkSize),
            ("MAIL FROM:a@b.test", E::Syntax(MAIL_SYNTAX)),
            ("MAIL FROM:<a@b.test", E::Syntax(MAIL_SYNTAX)),
            ("MAIL TO:<a@b.test>", E::Syntax(MAIL_SYNTAX)),
            ("MAIL FROM:<a@b.test>SIZE=1", E::Syntax("a space before the parameters")),
            ("MAIL FROM:<a@b.test> SIZE=1 SIZE=2", E::Parameter("given twice")),
            ("MAIL FROM:<a@b.test> SIZE=184467440737095516159", E::Size),
            ("MAIL FROM:<a@b.test> SIZE=x", E::Parameter("SIZE")),
            ("MAIL FROM:<a@b.test> BODY=BINARYMIME", E::Unsupported),
            ("MAIL FROM:<a@b.test> REQUIRETLS", E::Unsupported),
            ("MAIL FROM:<a@b.test> HOLDFOR=10", E::Unsupported),
            ("MAIL FROM:<a@b.test> X-FOO=10", E::Unsupported),
            ("MAIL FROM:<a@b.test> ENVID=a+0D+0AX", E::Parameter("ENVID")),
            ("MAIL FROM:<postmaster>", E::ReversePath),
            ("MAIL FROM:<a>", E::ReversePath),
            ("MAIL FROM:<jörg@x.test>", E::ReversePath),
            ("RCPT TO:<>", E::ForwardPath),
            ("RCPT TO:<a@-b>", E::ForwardPath),
            ("RCPT TO:<a@b.test@c.test>", E::ForwardPath),
            ("RCPT TO:<@b.test>", E::ForwardPath),
            ("RCPT TO:<a b@c.test>", E::ForwardPath),
            ("RCPT TO:<a@b.test> NOTIFY=NEVER,SUCCESS", E::Parameter("NOTIFY")),
            ("RCPT TO:<a@b.test> ORCPT=x400;a", E::Parameter("ORCPT")),
            ("NOOP \0", E::Octets),
            ("NOOP a\rb", E::BareLineEnd),
        ] {
            assert_eq!(parse(line), Err(error), "{line:?}");
            assert!(error.reply().is_refusal());
        }
        assert_eq!(Command::parse(b"NOOP\n"), Err(E::BareLineEnd));
        assert_eq!(Command::parse(b"NOOP\r"), Err(E::BareLineEnd));
        assert_eq!(Command::parse(b"NOOP\nNOOP\r\n"), Err(E::BareLineEnd));
        assert_eq!(Command::parse(b"NOOP \xff\r\n"), Err(E::Octets));
    }

    fn line() -> impl Strategy<Value = String> {
        let words = proptest::sample::select(vec![
            "MAIL",
            "FROM:",
            "RCPT",
            "TO:",
            "<a@b.test>",
            "<>",
            "<\"a \\\" b\"@c.test>",
            "<@a:b@c>",
            "SIZE=",
            "SIZE=99",
            "BODY=8BITMIME",
            "RET=FULL",
            "ENVID=",
            "+41",
            "+",
            "NOTIFY=",
            "NEVER",
            ",",
            "SUCCESS",
            "ORCPT=rfc822;",
            "AUTH=",
            "BY=1;R",
            "HOLDUNTIL=2026-01-01T00:00:00Z",
            "MTRK=a:1",
            "TRANSID=<a>",
            "BDAT",
            "LAST",
            "EHLO",
            " ",
            " ",
            "é",
            "\"",
            "\\",
            "<",
            ">",
            "@",
            ":",
            ".",
            "[1.2.3.4]",
            "18446744073709551616",
            "-",
            "=",
        ]);
        let any = "\\PC{0,6}";
        let piece = prop_oneof![4 => words.prop_map(str::to_owned), 1 => any.prop_map(|s| s)];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn no_line_makes_the_parser_fall(line in line()) {
            let command = parse(&line);
            if let Ok(Command::Mail(mail)) = &command {
                let text = mail.reverse_path.as_ref().map_or(String::new(), ToString::to_string);
                prop_assert!(!text.contains(['\r', '\n', '\0']));
                let again = parse(&format!("MAIL FROM:<{text}> SMTPUTF8"));
                prop_assert!(matches!(again, Ok(Command::Mail(m)) if m.reverse_path == mail.reverse_path));
            }
        }

        #[test]
        fn no_octets_make_the_parser_fall(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            for line in [
                line.clone(),
                [b"MAIL FROM:<".as_slice(), &line, b"\r\n"].concat(),
                [b"RCPT TO:<a@b.test> ".as_slice(), &line, b"\r\n"].concat(),
            ] {
                if let Err(err) = Command::parse(&line) {
                    prop_assert!(err.reply().is_refusal());
                }
            }
        }
    }
}
