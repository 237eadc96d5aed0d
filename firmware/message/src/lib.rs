//! A message as bytes and as structure: RFC 5322 and MIME over mail-parser. No I/O.
//!
//! The whole message is never needed in memory: [`Scanner`] is fed pieces and keeps only header
//! sections (bounded), offsets and counts.

mod structure;

pub use structure::{Addr, Disposition, MailHeader, Part, PartKind, Scanner, Structure};
