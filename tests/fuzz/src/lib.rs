//! The fuzz targets: one for each grammar that reads what comes from outside or from the disk, and one
//! for each mail server as a whole, over a pipe and a store of its own.
//!
//! A target panics where something does not hold: with it libFuzzer ends and keeps the input.
//! `corpus/TARGET.txt` is a minimised corpus, `regressions/TARGET.txt` what once failed; both hold an
//! input a line, escaped as in the transcripts. The test `corpus` replays them without a fuzzer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a target says so by failing"
)]

mod directory_grammars;
mod grammars;
mod response;
mod servers;
mod text;

pub use text::{escape, inputs, unescape};

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As on the command line.
    pub name: &'static str,
    /// Runs one input.
    pub run: fn(&[u8]),
    /// Longest input, bytes.
    pub len_max: usize,
}

const fn target(name: &'static str, run: fn(&[u8]), len_max: usize) -> Target {
    Target { name, run, len_max }
}

/// All targets.
pub const TARGETS: [Target; 19] = [
    target("imap_command", access::fuzzing::imap_command, 2_000),
    target("pop3_command", access::fuzzing::pop3_command, 300),
    target("segment", store::fuzzing::segment, 2_000),
    target("log", store::fuzzing::log, 2_000),
    target("mime", grammars::mime, 4_000),
    target("lines", grammars::lines, 500),
    target("address", grammars::address, 500),
    target("ldap_dn", directory_grammars::dn, 500),
    target("ldap_filter", directory_grammars::filter, 500),
    target("ldif", directory_grammars::ldif, 1_000),
    target("people_table", web::fuzzing::people_table, 1_000),
    target("people_cards", web::fuzzing::people_cards, 1_000),
    target("ldap_message", ldapd::fuzzing::message, 2_000),
    target("ldap_session", servers::ldap, 1_000),
    target("smtp_command", grammars::smtp_command, 600),
    target("smtp_data", grammars::smtp_data, 500),
    target("imap_session", servers::imap, 1_500),
    target("pop3_session", servers::pop3, 500),
    target("smtp_session", servers::smtp, 1_000),
];

/// The target of that name.
#[must_use]
pub fn find(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
