//! Tagged answers, and the one table that turns the store's errors into them. RFC 5530, RFC 9051 §7.1.

use std::borrow::Cow;

use base::Kind;
use session::ConnError;
use store::StoreError;

use super::parse::Bad;

/// How a command ends: the text behind `OK`, `NO` or `BAD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Ok(Cow<'static, str>),
    No(Cow<'static, str>),
    Bad(Cow<'static, str>),
    /// `Ok` to what expunged messages: who turned QRESYNC on is told how far its knowledge reaches now.
    Expunged(&'static str),
    /// The command has answered by itself.
    Given,
}

/// Why a command cannot go on.
#[derive(Debug)]
pub(crate) enum Fail {
    /// The store said no: the table below.
    Store(StoreError),
    /// The command is answered so; the session goes on.
    Answer(Answer),
    /// The connection is over.
    Conn(ConnError),
    /// We end the session with this `BYE`.
    Bye(&'static str),
    /// All is said.
    End,
}

impl From<StoreError> for Fail {
    fn from(err: StoreError) -> Self {
        Self::Store(err)
    }
}

impl From<ConnError> for Fail {
    fn from(err: ConnError) -> Self {
        Self::Conn(err)
    }
}

impl From<Bad> for Fail {
    fn from(bad: Bad) -> Self {
        Self::Answer(Answer::Bad(bad.0.into()))
    }
}

/// What a command gives.
pub(crate) type Outcome = Result<Answer, Fail>;

/// `OK` with a text that stands fast.
pub(crate) fn ok(text: &'static str) -> Outcome {
    Ok(Answer::Ok(Cow::Borrowed(text)))
}

/// `NO` with a text that stands fast.
pub(crate) fn no(text: impl Into<Cow<'static, str>>) -> Fail {
    Fail::Answer(Answer::No(text.into()))
}

/// A mailbox name on the wire is not one.
pub(crate) fn bad_name() -> Fail {
    no("[CANNOT] This is not a valid mailbox name")
}

/// The mailbox does not exist.
pub(crate) fn no_mailbox() -> Fail {
    no("[NONEXISTENT] There is no such mailbox")
}

/// RFC 5530: a sequence number stands for a message that another session expunged.
pub(crate) const GONE: &str = "[EXPUNGEISSUED] Some messages are gone";

/// RFC 9051 §6.3.12 and §6.4.7: the target does not exist, but could be made.
pub(crate) fn try_create() -> Fail {
    no("[TRYCREATE] There is no such mailbox")
}

/// RFC 5530: what is stored is not what was.
pub(crate) const CORRUPTION: &str = "[CORRUPTION] What is stored there is damaged";

/// The table: what the client hears of a store's error. Never a path or an inner state.
fn no_text(err: &StoreError) -> &'static str {
    match err {
        StoreError::OverQuota => "[OVERQUOTA] The mailbox is full",
        StoreError::TooLarge => "[TOOBIG] The message is too large",
        StoreError::DiskFull => "[UNAVAILABLE] The disk is full",
        StoreError::NoSuchMailbox => "[NONEXISTENT] There is no such mailbox",
        StoreError::NameTaken | StoreError::Exists => {
            "[ALREADYEXISTS] A mailbox of that name exists"
        }
        StoreError::BadName => "[CANNOT] This is not a valid mailbox name",
        StoreError::HasChildren => "[HASCHILDREN] The mailbox has children",
        StoreError::InUse => "[INUSE] The mailbox is in use",
        StoreError::LimitReached(_) => "[LIMIT] No more of these can be kept",
        StoreError::Damaged(_) => CORRUPTION,
        StoreError::NoSuchAccount => "[UNAVAILABLE] The account is gone",
        other => match other.kind() {
            Kind::Temporary => "[UNAVAILABLE] Not possible now, try again later",
            Kind::Permanent | Kind::Misuse => "[SERVERBUG] Internal error",
        },
    }
}

/// True if an admin should hear of it.
fn is_trouble(err: &StoreError) -> bool {
    matches!(
        err,
        StoreError::Io { .. }
            | StoreError::Index { .. }
            | StoreError::Damaged(_)
            | StoreError::Misuse(_)
            | StoreError::DiskFull
    )
}

/// The answer to a command that the store refused.
pub(crate) fn of_store(session: &str, err: &StoreError) -> Answer {
    if is_trouble(err) {
        let source = std::error::Error::source(err).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(session, %err, source, "the store refused an IMAP command");
    }
    Answer::No(Cow::Borrowed(no_text(err)))
}
