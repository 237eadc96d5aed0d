//! A message as bytes and as structure: RFC 5322 and MIME. No I/O, no clock.
//!
//! The whole message is never needed in memory: [`Scanner`] is fed pieces and keeps only header
//! sections (bounded), offsets and counts. What comes from outside is never refused and never makes
//! anything here fail: malformed mail has a structure too.

mod address;
pub mod dsn;
mod edit;
mod field;
mod imap;
#[cfg(test)]
mod kept_messages;
mod lexer;
mod lines;
mod mime;
mod scanner;
mod structure;

pub use address::parse_addresses;
pub use edit::{CrlfWriter, emit_field, with_crlf};
pub use field::{Field, HeaderFields, header_fields};
pub use lines::{LineOctets, LinePiece, Lines};
pub use scanner::Scanner;
pub use structure::{Addr, Disposition, MailHeader, Part, PartKind, Structure};
