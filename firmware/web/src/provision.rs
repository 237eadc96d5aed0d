//! The provisioning file: what a reseller puts on the boot partition so that a box sets itself up.
//!
//! Read as a whole and checked as a whole: every unknown key and bad value is told with its line, and then
//! nothing is applied. Applied once: the same file again does nothing; a changed file adds and updates what it
//! names and takes nothing away. The format is in DESIGN and in the README.
//!
//! Limits: 1 MB, 5,000 users. Never here: a password in an error or a log line.

mod apply;
mod mail;
mod parse;
mod table;

use std::collections::BTreeMap;
use std::fmt;

use base::box_link::Network;
use base::{Address, DomainName};
use store::Outbound;

pub use apply::{Applied, ApplyError, apply};
pub use parse::parse;

use mail::{DomainMail, FileGroup, UserMail};

/// Largest file, bytes.
pub const FILE_MAX: usize = 1024 * 1024;

/// What a file asks for; all of it was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Provision {
    /// BLAKE3 of the file, hexadecimal.
    pub(crate) hash: String,
    pub(crate) hostname: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) admin_password: Option<String>,
    pub(crate) domains: BTreeMap<DomainName, DomainMail>,
    pub(crate) users: Vec<User>,
    pub(crate) groups: Vec<FileGroup>,
    pub(crate) outbound: Option<Outbound>,
    pub(crate) dns_servers: Option<Vec<String>>,
    pub(crate) network: Option<Network>,
}

impl fmt::Debug for Provision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provision")
            .field("hostname", &self.hostname)
            .field("domains", &self.domains.keys())
            .field("users", &self.users.len())
            .finish_non_exhaustive()
    }
}

/// One `[[user]]`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) address: Address,
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) quota_bytes: Option<u64>,
    pub(crate) aliases: Vec<Address>,
    pub(crate) is_admin: bool,
    pub(crate) mail: UserMail,
}

impl User {
    fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.aliases.iter().chain([&self.address])
    }
}

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {key}: {reason}")]
pub struct ProvisionError {
    /// Line, from 1.
    pub line: usize,
    /// The key: `user.address`; empty where the file is no TOML.
    pub key: String,
    /// Why, in English.
    pub reason: String,
}
