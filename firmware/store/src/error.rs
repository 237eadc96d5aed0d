//! What can go wrong in the store.

use base::Kind;

/// An operating error or a refusal of an act. Display never holds the source; log the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The data directory could not be opened, or another process holds it.
    #[error("the store cannot be opened: {0}")]
    Open(String),
    /// The disk said no.
    #[error("input/output error while {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The disk's word.
        #[source]
        source: std::io::Error,
    },
    /// The index said no.
    #[error("index error while {doing}: {reason}")]
    Index {
        /// What was being done.
        doing: &'static str,
        /// redb's word.
        reason: String,
    },
    /// Free space is under the low-water mark.
    #[error("the disk is full")]
    DiskFull,
    /// Stored bytes are not what was written.
    #[error("damaged data: {0}")]
    Damaged(String),
    /// The message is larger than the budget allows.
    #[error("the message is too large")]
    TooLarge,
    /// The account is over its quota.
    #[error("over quota")]
    OverQuota,
    /// The spool is full.
    #[error("the queue is full")]
    QueueFull,
    /// No such mailbox.
    #[error("no such mailbox")]
    NoSuchMailbox,
    /// The message is not there (any more).
    #[error("no such message")]
    NoSuchMessage,
    /// A mailbox of that name exists.
    #[error("a mailbox of that name exists")]
    NameTaken,
    /// The name cannot be a mailbox name.
    #[error("not a valid mailbox name")]
    BadName,
    /// The mailbox has children.
    #[error("the mailbox has children")]
    HasChildren,
    /// No such account.
    #[error("no such account")]
    NoSuchAccount,
    /// No such domain.
    #[error("no such domain")]
    NoSuchDomain,
    /// No such alias.
    #[error("no such alias")]
    NoSuchAlias,
    /// No such group.
    #[error("no such group")]
    NoSuchGroup,
    /// The address belongs to somebody.
    #[error("the address {0} is taken")]
    AddressTaken(String),
    /// The name is a mail domain, or another name of one.
    #[error("the domain name {0} is taken")]
    DomainTaken(String),
    /// The object is in use.
    #[error("in use")]
    InUse,
    /// It exists already.
    #[error("it exists already")]
    Exists,
    /// The writer has stopped; the outcome of the act is unknown.
    #[error("the store is closed")]
    Closed,
    /// A stated limit is reached.
    #[error("limit reached: {0}")]
    LimitReached(&'static str),
    /// An act of LDAP is refused.
    #[error("refused: {}", .0.text)]
    Refused(directory::Refusal),
    /// The judge did not let it be done; the field or attribute, or words, for whoever asked.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// The gate refused the act; the text is for whoever asked.
    #[error("refused before the act: {0}")]
    Vetoed(String),
    /// The caller broke the contract of the act.
    #[error("misuse: {0}")]
    Misuse(&'static str),
}

impl StoreError {
    /// What the one who asked can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Io { .. }
            | Self::Index { .. }
            | Self::DiskFull
            | Self::OverQuota
            | Self::QueueFull
            | Self::Closed => Kind::Temporary,
            Self::Misuse(_) => Kind::Misuse,
            _ => Kind::Permanent,
        }
    }

    /// For `map_err`: an error of the disk.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| {
            if source.raw_os_error() == Some(rustix::io::Errno::NOSPC.raw_os_error()) {
                return Self::DiskFull;
            }
            Self::Io { doing, source }
        }
    }

    /// For `map_err`: an error of redb.
    pub(crate) fn index<E: Into<redb::Error>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Index { doing, reason: error.into().to_string() }
    }

    /// The same refusal once more, for another act of a group that failed as one.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Io { doing, source } => {
                Self::Io { doing, source: std::io::Error::from(source.kind()) }
            }
            Self::Index { doing, reason } => Self::Index { doing, reason: reason.clone() },
            Self::DiskFull => Self::DiskFull,
            Self::Damaged(what) => Self::Damaged(what.clone()),
            _ => Self::Closed,
        }
    }
}
