//! How far it went and why not further: what the test button tells, and the status of a sync.
//!
//! The words are stable; the pages translate them. `detail` is English, and never holds a password.

use serde::{Deserialize, Serialize};
use store::StoreError;

/// A step on the way to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The host's addresses.
    Lookup,
    /// TCP.
    Connect,
    /// The handshake and the certificate.
    Tls,
    /// Who we are there.
    Bind,
    /// The base of the search.
    Base,
    /// The search.
    Search,
    /// What the entries have.
    Attributes,
}

/// What was wrong. Each is one word of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words say what they say")]
pub enum Reason {
    Ok,
    HostUnknown,
    NameServerSilent,
    ConnectionRefused,
    Timeout,
    Unreachable,
    ConnectionLost,
    PlainNotAllowed,
    StarttlsRefused,
    CertificateUnknownIssuer,
    CertificateExpired,
    CertificateWrongName,
    CertificateNotPinned,
    TlsFailed,
    BindRefused,
    BindNeedsTls,
    AnonymousRefused,
    BaseNotFound,
    BaseInvalid,
    NotAllowed,
    Referral,
    SearchFailed,
    TooManyEntries,
    NoEntries,
    NoId,
    NoAddress,
    ProtocolError,
    /// Less than half of the people are left: nothing was changed.
    TooFewPeople,
    /// The store said no.
    Store,
    /// The source is not enabled any more.
    Disabled,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which.
    pub stage: Stage,
    /// Why.
    pub reason: Reason,
    /// English.
    pub detail: String,
    /// The result code of LDAP, if the other side sent one.
    pub code: Option<i64>,
}

impl Failure {
    pub(crate) fn new(stage: Stage, reason: Reason, detail: impl Into<String>) -> Self {
        Self { stage, reason, detail: detail.into(), code: None }
    }

    pub(crate) fn malformed(stage: Stage) -> Self {
        Self::new(stage, Reason::ProtocolError, "the answer is no message of LDAP")
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let shown: &dyn std::error::Error = &error;
        tracing::error!(error = shown, "the store failed for a source");
        Self::new(Stage::Attributes, Reason::Store, "the store failed; the log says how")
    }
}
