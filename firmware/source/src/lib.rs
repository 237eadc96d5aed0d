//! People from elsewhere: a domain takes its people and groups from an Active Directory or LDAP server, and
//! asks that server for their passwords.
//!
//! `client` speaks LDAP over a connection that `connect` opened, `read` brings what stands there, `person`
//! and `group` say what it means here, `sync` makes the store so, `password` asks by bind, `test` tells how
//! far one comes. [`Sources`] is what others hold.
//!
//! Limits: [`settings`] has those of what is set; 20,000 people and 5,000 groups of one source, messages of
//! 4 MB, 20 seconds an answer, 10 minutes a sync, 8 seconds a password, 32 passwords at once.
//!
//! Never here: a referral that is followed, a password in a log, a change of an entry that does not come from
//! a source.

mod client;
mod connect;
mod failure;
mod filter;
mod group;
mod password;
mod person;
mod read;
pub mod settings;
mod sources;
mod sync;
mod test;
mod tls;

pub use connect::LookupFailure;
pub use failure::{Failure, Reason, Stage};
pub use password::PasswordAnswer;
pub use sources::{Hooks, Lookup, Sources, Status};
pub use sync::{EntryError, Problem, Report};
pub use test::{Sample, TestReport};

#[cfg(test)]
mod tests;
