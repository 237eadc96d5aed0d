//! PID 1 of the box: brings the machine up, keeps the daemon running, takes it down in order.
//!
//! Owns what needs privilege: mounts, the partition table, the network interface, the clock, the
//! watchdog, reboot. The daemon runs as a child without any of it and asks over a socket pair
//! ([`base::box_link`]).
//!
//! Never here: a protocol of the mail server, a look into the store, anything that is kept outside
//! `/data/box`. Never a reformat of a partition that held data. PID 1 must not panic: the kernel
//! would follow it.
//!
//! Rooms: [`boot`] the literal list of phases; [`disk`] partition table and data file system;
//! [`net`] DHCP and addresses; [`supervise`] the daemon and the event loop; [`console`] the screen;
//! [`sandbox`] what the daemon shuts itself into; [`kernel_calls`] the few calls no safe crate has.

mod backoff;
mod boot;
mod button;
mod clock;
mod console;
mod data;
mod disk;
mod esp;
mod kernel_calls;
mod kernel_line;
mod link;
mod listeners;
mod log;
mod machine;
mod mdns;
mod mounts;
mod net;
mod power;
mod root;
pub mod sandbox;
mod sntp;
mod supervise;
mod swap;
mod tuning;
mod wait;
mod watchdog;

/// Where the data partition is mounted.
const DATA: &str = "/data";
/// The daemon's directory on it.
const STORE: &str = "/data/store";
/// PID 1's own directory on it.
const BOX: &str = "/data/box";
/// User and group of the daemon; no name stands behind the number, there are no accounts.
const DAEMON_ID: u32 = 1000;

/// Runs as PID 1: boots the box, supervises the daemon and ends in a reboot or power off.
///
/// Called by any other process it says so and exits with status 2.
pub fn init() -> ! {
    if !rustix::process::getpid().is_init() {
        use std::io::Write as _;
        let told = writeln!(std::io::stderr(), "postroomd init is for PID 1 of the box only");
        std::process::exit(if told.is_ok() { 2 } else { 3 });
    }
    let log = log::Log::new();
    log.catch_panics();
    match boot::boot(&log) {
        Ok(supervisor) => supervisor.run(),
        Err(halt) => boot::halted(&log, &halt),
    }
}
