//! SMTP as bytes and values: commands, replies with enhanced codes, the transparency of DATA, the
//! framing of BDAT, trace fields. RFC 5321, 1870, 1891/3461, 2034, 3030, 3207, 4954, 6152, 6531.
//!
//! Never here: I/O, a clock, tokio, knowledge of accounts or of the store. Whatever comes from the wire
//! costs bounded memory: a command is one line that the caller has bounded, and the body passes through
//! push machines that hold back at most two bytes.

mod command;
mod data;
mod reply;
mod stuff;
mod trace;
mod xtext;

pub use command::{
    Body, Command, CommandError, ForwardPath, HelloKind, Mail, Notify, Rcpt, Return,
};
pub use data::{ChunkCheck, DATA_LINE_MAX, DataReader, Fault, Progress, State};
pub use reply::{Enhanced, Reply};
pub use stuff::DotStuffer;
pub use trace::{Protocol, Received, return_path};
pub use xtext::{decode as xtext_decode, encode as xtext_encode};
