//! The three kinds of operating error. One table per protocol turns them into replies.

/// What the one who asked can do about an operating error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It may work later: disk full, too busy, network away. SMTP 4yz, IMAP `NO [UNAVAILABLE]`.
    Temporary,
    /// It will not work: damaged data, missing object. SMTP 5yz, IMAP `NO [SERVERBUG]`.
    Permanent,
    /// The caller broke the contract of the act; a bug of ours.
    Misuse,
}
