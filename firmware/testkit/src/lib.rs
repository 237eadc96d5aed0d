//! Tools of the tests: the daemon as a child process, scripted clients, transcripts, the virtual office.
//!
//! Dev only: nothing of the firmware depends on it. Traffic goes to loopback addresses or through the virtual
//! office, never elsewhere. Only processes started here are ended.

mod accept;
pub mod callee;
pub mod client;
pub mod daemon;
pub mod office;
pub mod sink;
pub mod transcript;

pub use client::{Client, Connector, Loopback, peer_certificate};
pub use daemon::Daemon;
pub use sink::Sink;
