//! How users reach their mail: the IMAP server (RFC 9051, RFC 3501) and the POP3 server (RFC 1939).
//!
//! Never here: a decision about who gets mail, a byte on disk. What is stored is `store`'s, what a
//! connection may do is `session`'s.

#[doc(hidden)]
pub mod fuzzing;
pub mod imap;
pub mod pop3;
mod search;
