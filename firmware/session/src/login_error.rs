//! Why a login is refused.

use std::time::Duration;

use store::StoreError;

/// Why a login was refused. What the client hears never tells an unknown name from a wrong password.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown name or wrong password.
    #[error("wrong name or password")]
    Wrong,
    /// Too many wrong tries; the next may be made after this time.
    #[error("too many wrong tries")]
    Throttled(Duration),
    /// The account may not log in.
    #[error("the account is disabled")]
    Disabled,
    /// The password is right, but the account has a second factor, which this protocol cannot ask for.
    #[error("an app password is needed")]
    AppPasswordNeeded,
    /// A right app password, but not for this protocol.
    #[error("the app password is for other protocols")]
    OtherProtocol,
    /// The password is right, and the second factor is still to come.
    #[error("the second factor is needed")]
    CodeNeeded,
    /// The password is right, the second factor is not.
    #[error("wrong code")]
    WrongCode,
    /// The client's message is none of the mechanism.
    #[error("not a message of the mechanism")]
    Malformed,
    /// Right, but nobody may act as somebody else.
    #[error("acting as another is not allowed")]
    NotAllowed,
    /// Too many logins at once.
    #[error("too busy")]
    Busy,
    /// Who keeps the password cannot be asked, and has not been for too long.
    #[error("the external directory does not answer")]
    Unavailable,
    /// The directory could not be asked.
    #[error("the directory cannot be read")]
    Store(#[from] StoreError),
}

impl LoginError {
    /// What its owner is told to do, in the protocols that cannot ask for a code; for the refusals that have such
    /// words.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::AppPasswordNeeded => Some(
                "This account is protected by a second factor: make an app password in the web \
                 pages and use it here",
            ),
            Self::OtherProtocol => Some("This app password is for other protocols"),
            _ => None,
        }
    }
}
