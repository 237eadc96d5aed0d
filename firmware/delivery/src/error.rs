//! Why a message was not accepted.

use base::Kind;
use store::StoreError;

/// What [`crate::Delivery::accept`] says instead of `Ok`; nothing was kept then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// Too many `Received` fields: the message goes in a circle. 554 5.4.6 (RFC 5321 §6.3).
    #[error("the message goes in a circle")]
    MailLoop,
    /// The account may not send with the reverse-path. 553 5.7.1.
    #[error("the account may not send with this address")]
    SenderNotYours,
    /// There is no recipient; a bug of the caller.
    #[error("the message has no recipient")]
    NoRecipient,
    /// The store could not keep it. By [`AcceptError::kind`]: 452/451 or 554.
    #[error("the message could not be stored")]
    Store(#[from] StoreError),
}

impl AcceptError {
    /// What the one who asked can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::MailLoop | Self::SenderNotYours => Kind::Permanent,
            Self::NoRecipient => Kind::Misuse,
            Self::Store(error) => error.kind(),
        }
    }
}
