//! Answers: results with their codes, and how they go onto the wire. RFC 4511 §4.1.9.

use directory::{Code, Refusal};
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindResponse, LdapExtendedResponse, LdapMsg, LdapOp, LdapResult, LdapResultCode,
};
use session::ConnError;
use store::StoreError;

use crate::ber;

/// RFC 4511 §4.4.1.
pub(crate) const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";

/// Why a session does not go on as usual.
#[derive(Debug)]
pub(crate) enum Fail {
    /// The operation is answered with this; the session goes on.
    Refused(Refusal),
    /// The connection is over.
    Conn(ConnError),
    /// The client is told why, and the session ends.
    Bye(Code, &'static str),
    /// The client said goodbye.
    End,
}

impl From<ConnError> for Fail {
    fn from(err: ConnError) -> Self {
        Self::Conn(err)
    }
}

impl From<Refusal> for Fail {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A refusal to be returned.
pub(crate) fn refused(code: Code, text: impl Into<String>) -> Fail {
    Fail::Refused(Refusal::new(code, text))
}

/// The kinds of answers, by the request's tag number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bind,
    Search,
    Modify,
    Add,
    Delete,
    ModifyDn,
    Compare,
    Extended,
}

impl Kind {
    /// `None`: the request has no answer.
    pub(crate) fn of_request(tag: u64) -> Option<Self> {
        Some(match tag {
            0 => Self::Bind,
            3 => Self::Search,
            6 => Self::Modify,
            8 => Self::Add,
            10 => Self::Delete,
            12 => Self::ModifyDn,
            14 => Self::Compare,
            23 => Self::Extended,
            _ => return None,
        })
    }

    /// The operation that says a result.
    pub(crate) fn says(self, result: LdapResult) -> LdapOp {
        match self {
            Self::Bind => LdapOp::BindResponse(LdapBindResponse { res: result, saslcreds: None }),
            Self::Search => LdapOp::SearchResultDone(result),
            Self::Modify => LdapOp::ModifyResponse(result),
            Self::Add => LdapOp::AddResponse(result),
            Self::Delete => LdapOp::DelResponse(result),
            Self::ModifyDn => LdapOp::ModifyDNResponse(result),
            Self::Compare => LdapOp::CompareResult(result),
            Self::Extended => LdapOp::ExtendedResponse(LdapExtendedResponse {
                res: result,
                name: None,
                value: None,
            }),
        }
    }
}

pub(crate) fn result(code: Code, text: &str) -> LdapResult {
    let code = LdapResultCode::try_from(i64::from(code.number())).unwrap_or(LdapResultCode::Other);
    LdapResult { code, matcheddn: String::new(), message: text.to_owned(), referral: Vec::new() }
}

pub(crate) fn success() -> LdapResult {
    result(Code::Success, "")
}

pub(crate) fn of_refusal(refusal: &Refusal) -> LdapResult {
    let mut result = result(refusal.code, &refusal.text);
    result.matcheddn = refusal.matched.clone().unwrap_or_default();
    result
}

/// A control of an answer.
pub(crate) fn control(oid: &str, value: Vec<u8>) -> LdapControl {
    LdapControl::Unknown { oid: oid.to_owned(), criticality: false, value: Some(value) }
}

/// The bytes of an answer.
pub(crate) fn encode(id: i32, op: LdapOp, controls: Vec<LdapControl>) -> Vec<u8> {
    ber::encode(LdapMsg { msgid: id, op, ctrl: controls }.into())
}

/// RFC 4511 §4.4.1: what ends a connection that did not ask for it.
pub(crate) fn notice(code: Code, text: &str) -> Vec<u8> {
    let op = LdapOp::ExtendedResponse(LdapExtendedResponse {
        res: result(code, text),
        name: Some(NOTICE_OF_DISCONNECTION.to_owned()),
        value: None,
    });
    encode(0, op, Vec::new())
}

/// What a client hears of the store's trouble; what an admin needs is in the log.
pub(crate) fn of_store(session: &str, err: &StoreError) -> Fail {
    let (code, text) = match err {
        StoreError::Refused(refusal) => return Fail::Refused(refusal.clone()),
        StoreError::Forbidden(text) => {
            return refused(Code::InsufficientAccessRights, text.clone());
        }
        StoreError::Vetoed(text) => return refused(Code::UnwillingToPerform, text.clone()),
        StoreError::DiskFull => (Code::Unavailable, "the disk is full"),
        err if err.kind() == base::Kind::Temporary => {
            (Code::Unavailable, "this cannot be done now, try again later")
        }
        _ => (Code::Other, "the directory cannot do this"),
    };
    tracing::warn!(session, %err, "ldap");
    refused(code, text)
}
