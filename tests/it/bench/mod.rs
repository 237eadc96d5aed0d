//! `cargo xtask bench NAME`: measurements against named peers, side by side. Each test here is a bench; it
//! prints its figures and fails only when the work itself goes wrong, never for being slow.
//!
//! Servers and client are processes of their own: the limit of open files is one per process.

mod corpus;
mod crowd;
mod cyrus;
#[path = "delivery.rs"]
mod deliveries;
mod dovecot;
mod figures;
#[path = "idle.rs"]
mod idle_connections;
#[path = "imap.rs"]
mod imap_work;
#[path = "ldap.rs"]
mod ldap_work;
#[path = "limit.rs"]
mod limited_memory;
mod postfix;
mod processes;
mod server;
#[path = "start.rs"]
mod start_after_kill;

/// A number that `cargo xtask bench` passes on.
fn number(name: &str, default: usize) -> usize {
    let given = std::env::var(format!("POSTROOM_BENCH_{name}")).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// As many open files as this process may have; its children inherit the limit.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, wanted).unwrap();
}

#[test]
#[ignore = "a bench: cargo xtask bench idle"]
fn idle() {
    raise_file_limit();
    idle_connections::run().unwrap();
}

#[test]
#[ignore = "a bench: cargo xtask bench imap"]
fn imap() {
    raise_file_limit();
    imap_work::run().unwrap();
}

#[test]
#[ignore = "a bench: cargo xtask bench ldap"]
fn ldap() {
    ldap_work::run().unwrap();
}

#[test]
#[ignore = "a bench: cargo xtask bench delivery"]
fn delivery() {
    raise_file_limit();
    deliveries::run().unwrap();
}

#[test]
#[ignore = "a bench: cargo xtask bench start"]
fn start() {
    start_after_kill::run().unwrap();
}

#[test]
#[ignore = "a bench: cargo xtask bench limit"]
fn limit() {
    limited_memory::run().unwrap();
}
