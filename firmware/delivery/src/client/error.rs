//! Why a session with another host ended early.

use std::io;

use crate::client::Reply;
use crate::outbound::{Reason, Stage};

/// How far the session came and what stopped it.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct ClientError {
    pub(crate) stage: Stage,
    #[source]
    pub(crate) cause: Cause,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error("the connection failed: {0}")]
    Io(io::Error),
    #[error("no answer in time")]
    Timeout,
    #[error("the other side closed the connection")]
    Closed,
    #[error("the other side does not speak SMTP")]
    NotSmtp,
    #[error("{0}")]
    Refused(Reply),
    #[error("the other side offers no STARTTLS")]
    TlsNotOffered,
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    #[error("the certificate is not trusted: {0}")]
    Certificate(io::Error),
    #[error("the other side offers no login that we know")]
    AuthNotOffered,
    #[error("a password needs TLS")]
    PasswordNeedsTls,
    #[error("the message could not be read: {0}")]
    Content(String),
}

impl ClientError {
    /// The code for the wizard.
    pub(crate) fn reason(&self) -> Reason {
        match &self.cause {
            Cause::Io(err) => match err.kind() {
                io::ErrorKind::ConnectionRefused => Reason::ConnectionRefused,
                io::ErrorKind::TimedOut => Reason::Timeout,
                _ if self.stage == Stage::Connect => Reason::Unreachable,
                _ => Reason::ConnectionLost,
            },
            Cause::Timeout => Reason::Timeout,
            Cause::Closed if self.stage == Stage::Greeting => Reason::NotSmtp,
            Cause::Closed | Cause::Content(_) => Reason::ConnectionLost,
            Cause::NotSmtp => Reason::NotSmtp,
            Cause::TlsNotOffered => Reason::TlsNotOffered,
            Cause::Tls(_) => Reason::TlsFailed,
            Cause::Certificate(_) => Reason::CertificateNotTrusted,
            Cause::AuthNotOffered => Reason::AuthNotOffered,
            Cause::PasswordNeedsTls => Reason::PasswordNeedsTls,
            Cause::Refused(reply) => match (self.stage, reply.code()) {
                // RFC 4954 §4: 530 says that a login is needed.
                (_, 530) => Reason::LoginRequired,
                (Stage::Login, 534 | 535 | 501 | 550..=559) => Reason::WrongPassword,
                (Stage::Sender, _) => Reason::SenderRefused,
                (Stage::Tls, _) => Reason::TlsFailed,
                _ => Reason::Rejected,
            },
        }
    }
}
