//! Replies, and the one table that turns the store's errors into them. RFC 2449 §8, RFC 3206.

use std::borrow::Cow;

use base::Kind;
use session::ConnError;
use store::StoreError;

use super::parse::Bad;

/// How a command ends: the text behind `+OK` or `-ERR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Ok(Cow<'static, str>),
    Err(Cow<'static, str>),
    /// As `Err`, and counted: not a command, or not here.
    Bad(Cow<'static, str>),
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
    /// We end the session with this `-ERR`.
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

/// `+OK` with a text that stands fast.
pub(crate) fn ok(text: &'static str) -> Outcome {
    Ok(Answer::Ok(Cow::Borrowed(text)))
}

/// `-ERR` with a text that stands fast.
pub(crate) fn err(text: impl Into<Cow<'static, str>>) -> Fail {
    Fail::Answer(Answer::Err(text.into()))
}

/// `-ERR` that counts as a bad command.
pub(crate) fn bad(text: &'static str) -> Fail {
    Fail::Answer(Answer::Bad(Cow::Borrowed(text)))
}

/// The table: what the client hears of a store's error. Never a path or an inner state.
pub(crate) fn text_of(err: &StoreError) -> &'static str {
    match err.kind() {
        Kind::Temporary => "[SYS/TEMP] Not possible now, try again later",
        Kind::Permanent | Kind::Misuse => "[SYS/PERM] Internal error",
    }
}

/// The answer to a command that the store refused.
pub(crate) fn of_store(session: &str, err: &StoreError) -> Answer {
    let source = std::error::Error::source(err).map(ToString::to_string).unwrap_or_default();
    tracing::warn!(session, %err, source, "the store refused a POP3 command");
    Answer::Err(Cow::Borrowed(text_of(err)))
}
