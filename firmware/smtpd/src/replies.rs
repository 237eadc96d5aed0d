//! The words of the servers, and the table from errors to replies. RFC 5321 §4.2.3, RFC 3463.
//!
//! Texts are generic: they tell a person what to do and never reveal configuration.

use delivery::{AcceptError, RcptVerdict};
use smtp::{Enhanced, Fault, Reply};
use store::StoreError;

const fn fixed(code: u16, class: u8, subject: u16, detail: u16, text: &'static str) -> Reply {
    Reply::fixed(code, Enhanced(class, subject, detail), text)
}

pub(crate) const OK: Reply = fixed(250, 2, 0, 0, "Ok");
pub(crate) const SENDER_OK: Reply = fixed(250, 2, 1, 0, "Sender ok");
pub(crate) const RECIPIENT_OK: Reply = fixed(250, 2, 1, 5, "Recipient ok");
pub(crate) const BYE: Reply = fixed(221, 2, 0, 0, "Goodbye");
pub(crate) const HELP: Reply =
    fixed(214, 2, 0, 0, "The commands of RFC 5321 and of the EHLO reply");
// RFC 5321 §3.5.3: neither confirms nor denies.
pub(crate) const VRFY: Reply =
    fixed(252, 2, 5, 0, "Cannot verify, but will take mail for delivery");
pub(crate) const LOGGED_IN: Reply = fixed(235, 2, 7, 0, "Authentication succeeded");
pub(crate) const READY_FOR_TLS: Reply = fixed(220, 2, 0, 0, "Ready to start TLS");

pub(crate) const LINE_TOO_LONG: Reply = fixed(500, 5, 5, 2, "Line too long");
pub(crate) const NOT_IMPLEMENTED: Reply = fixed(502, 5, 5, 1, "Command not implemented");
pub(crate) const NOT_HERE: Reply = fixed(500, 5, 5, 1, "Not a command of this server");
pub(crate) const TLS_ON_PLAIN_PORT: Reply =
    fixed(500, 5, 5, 1, "TLS does not start here: say STARTTLS first, or use port 465");
pub(crate) const NOT_A_WEB_SERVER: Reply = fixed(554, 5, 5, 1, "This is a mail server, closing");
pub(crate) const EARLY_TALKER: Reply = fixed(554, 5, 5, 0, "Spoke before the greeting, closing");
pub(crate) const LOCAL_NETWORK_ONLY: Reply =
    fixed(554, 5, 7, 1, "LMTP is for hosts of the local network, closing");

pub(crate) const HELLO_FIRST: Reply = fixed(503, 5, 5, 1, "Say EHLO first");
pub(crate) const LHLO_FIRST: Reply = fixed(503, 5, 5, 1, "Say LHLO first");
pub(crate) const MAIL_FIRST: Reply = fixed(503, 5, 5, 1, "MAIL first");
pub(crate) const RCPT_FIRST: Reply = fixed(503, 5, 5, 1, "No valid recipient, RCPT first");
pub(crate) const NESTED_MAIL: Reply = fixed(503, 5, 5, 1, "A mail transaction is open already");
pub(crate) const IN_BDAT: Reply = fixed(503, 5, 5, 1, "BDAT has begun: BDAT or RSET now");
pub(crate) const TLS_ALREADY: Reply = fixed(503, 5, 5, 1, "TLS is on already");
pub(crate) const TLS_AFTER_LOGIN: Reply = fixed(503, 5, 5, 1, "STARTTLS comes before AUTH");
pub(crate) const AUTH_ALREADY: Reply = fixed(503, 5, 5, 1, "Logged in already");
pub(crate) const AUTH_IN_MAIL: Reply = fixed(503, 5, 5, 1, "Not during a mail transaction");

// RFC 3207 §4.
pub(crate) const STARTTLS_FIRST: Reply = fixed(530, 5, 7, 0, "Say STARTTLS first");
pub(crate) const LOGIN_REQUIRED: Reply = fixed(530, 5, 7, 0, "Authentication required");
// RFC 4954 §6.
pub(crate) const ENCRYPTION_REQUIRED: Reply =
    fixed(538, 5, 7, 11, "Encryption required: say STARTTLS first");
pub(crate) const UNKNOWN_MECHANISM: Reply =
    fixed(504, 5, 5, 4, "Mechanism not known; EHLO names those that are");
pub(crate) const BAD_BASE64: Reply = fixed(501, 5, 5, 2, "Cannot decode the response");
pub(crate) const CANCELLED: Reply = fixed(501, 5, 7, 0, "Authentication cancelled");
pub(crate) const SASL_TOO_LONG: Reply =
    fixed(500, 5, 5, 6, "Authentication exchange line too long");
pub(crate) const WRONG_PASSWORD: Reply = fixed(535, 5, 7, 8, "Name or password is wrong");
pub(crate) const LOGIN_DISABLED: Reply = fixed(525, 5, 7, 13, "This account may not log in");
// As the large providers say it.
pub(crate) const APP_PASSWORD_NEEDED: Reply =
    fixed(535, 5, 7, 9, "A second factor protects this account: use an app password here");
pub(crate) const OTHER_PROTOCOL: Reply =
    fixed(535, 5, 7, 8, "This app password is for other protocols");
pub(crate) const LOGIN_LATER: Reply = fixed(454, 4, 7, 0, "Cannot check this now, try again later");
pub(crate) const TOO_MANY_OF_ACCOUNT: Reply =
    fixed(421, 4, 7, 0, "Too many connections of this account");

pub(crate) const TOO_LARGE: Reply = fixed(552, 5, 3, 4, "Message too large");
pub(crate) const DISK_FULL: Reply = fixed(452, 4, 3, 1, "Out of space, try again later");
pub(crate) const LATER: Reply = fixed(451, 4, 3, 0, "Cannot do this now, try again later");
pub(crate) const NOT_YOUR_ADDRESS: Reply =
    fixed(553, 5, 7, 1, "You may not send with this address: it is not yours, and not lent to you");
pub(crate) const TOO_MANY_RCPT: Reply = fixed(452, 4, 5, 3, "Too many recipients");
pub(crate) const RCPT_NEEDS_UTF8: Reply = fixed(553, 5, 6, 7, "This address needs SMTPUTF8");
pub(crate) const UNKNOWN_USER: Reply = fixed(550, 5, 1, 1, "No such user here");
pub(crate) const RELAY_DENIED: Reply =
    fixed(550, 5, 7, 1, "Not a mailbox of this server; to relay, log in");
pub(crate) const SUSPENDED: Reply =
    fixed(450, 4, 2, 1, "The mailbox is suspended and takes no mail now, try again later");
pub(crate) const OVER_QUOTA: Reply = fixed(452, 4, 2, 2, "The mailbox is full");

pub(crate) const TOO_MANY_ERRORS: Reply = fixed(421, 4, 7, 0, "Too many errors, closing");
pub(crate) const TOO_MANY_COMMANDS: Reply =
    fixed(421, 4, 7, 0, "Too many commands without a message, closing");
pub(crate) const TOO_MANY_MESSAGES: Reply =
    fixed(421, 4, 7, 0, "Enough messages for one connection, connect again");
pub(crate) const TIMED_OUT: Reply = fixed(421, 4, 4, 2, "Waited too long, closing");
pub(crate) const LOGIN_TIMED_OUT: Reply = fixed(421, 4, 7, 0, "No login in time, closing");
pub(crate) const LOGIN_ENDED: Reply = fixed(421, 4, 7, 0, "This login was ended");
pub(crate) const STOPPING: Reply = fixed(421, 4, 3, 2, "The server is stopping, try again later");

/// 354; RFC 2034 §4 knows no enhanced code of class 3.
pub(crate) fn go_ahead() -> Reply {
    Reply::plain(354, "End the data with <CRLF>.<CRLF>")
}

/// 334 with a challenge in base64.
pub(crate) fn challenge(base64: String) -> Reply {
    Reply::plain(334, base64)
}

/// What is said to a recipient.
pub(crate) fn of_verdict(verdict: RcptVerdict) -> Reply {
    match verdict {
        RcptVerdict::Local | RcptVerdict::Relay => RECIPIENT_OK,
        RcptVerdict::RelayDenied => RELAY_DENIED,
        RcptVerdict::UnknownUser => UNKNOWN_USER,
        RcptVerdict::OverQuota => OVER_QUOTA,
        RcptVerdict::Suspended => SUSPENDED,
        RcptVerdict::TryLater => LATER,
    }
}

/// What is said to a body that is no text of lines.
pub(crate) fn of_fault(fault: Fault) -> Reply {
    match fault {
        // RFC 5321 §2.3.8.
        Fault::BareCr => fixed(550, 5, 5, 2, "Message refused: it holds a bare CR"),
        Fault::BareLf => fixed(550, 5, 5, 2, "Message refused: it holds a bare LF"),
        // RFC 5321 §2.4, RFC 6152 §3.
        Fault::Nul => fixed(550, 5, 6, 0, "Message refused: it holds a NUL"),
        Fault::LineTooLong => fixed(550, 5, 6, 0, "Message refused: it holds an endless line"),
    }
}

/// What is said when the store said no.
pub(crate) fn of_store(err: &StoreError) -> Reply {
    match err {
        StoreError::TooLarge => TOO_LARGE,
        StoreError::DiskFull | StoreError::QueueFull => DISK_FULL,
        StoreError::OverQuota => OVER_QUOTA,
        // Also where the store calls its trouble permanent: the sender keeps the message, and a person
        // may mend what is broken before it gives up.
        _ => LATER,
    }
}

/// What is said when `delivery` did not take the message.
pub(crate) fn of_accept(err: &AcceptError) -> Reply {
    match err {
        AcceptError::MailLoop => fixed(554, 5, 4, 6, "Too many hops, this is a mail loop"),
        AcceptError::SenderNotYours => NOT_YOUR_ADDRESS,
        AcceptError::Store(err) => of_store(err),
        _ => LATER,
    }
}
