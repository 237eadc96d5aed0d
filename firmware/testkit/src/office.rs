//! The virtual office: a LAN in this process that an emulated box is plugged into.
//!
//! QEMU's network card (`-netdev stream` on a unix socket) is one port of an Ethernet switch; the other
//! ports are stations, each a smoltcp stack with its own MAC and IP address. One station is the router
//! of the office: it answers DHCP, DNS and NTP. Nothing leaves the process: no root, no host network.
//!
//! The network is 192.168.77.0/24, the router is .1, the box gets .10 and up by DHCP, stations have
//! what the test gives them.
//!
//! Limits: 1,024 frames wait for the box and 512 for a station; what comes on top is lost, as in any
//! switch.

mod router;
mod station;
mod stream;
mod switch;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, Result};

pub use router::{Lease, Record, Zone};
pub use station::{Listener, Station};
pub use stream::Stream;
use switch::Switch;

/// The router: gateway, DHCP, DNS and NTP server.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
/// The first address that DHCP gives.
pub const FIRST_LEASE: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 10);
/// Length of the network's prefix.
pub const PREFIX: u8 = 24;

/// The office. Dropping it pulls all cables.
#[derive(Debug)]
pub struct Office {
    switch: Arc<Switch>,
    leases: Receiver<Lease>,
}

impl Office {
    /// Opens an office whose switch listens on a unix socket at `path` (there must be no file). DNS
    /// answers from `zone`.
    ///
    /// # Errors
    /// The socket can not be opened.
    pub fn open(path: &Path, zone: Zone) -> Result<Self> {
        let switch = Switch::open(path).with_context(|| format!("{}", path.display()))?;
        let (told, leases) = sync_channel(64);
        let station = Station::plug(&switch, ROUTER, Station::mac_of(ROUTER));
        router::start(station, zone, told)?;
        Ok(Self { switch, leases })
    }

    /// The value of QEMU's `-netdev` without its id.
    #[must_use]
    pub fn netdev(path: &Path) -> String {
        format!("stream,server=off,addr.type=unix,addr.path={}", path.display())
    }

    /// A new station with the address 192.168.77.`last`.
    #[must_use]
    pub fn station(&self, last: u8) -> Station {
        let [a, b, c, _] = ROUTER.octets();
        let ip = Ipv4Addr::new(a, b, c, last);
        Station::plug(&self.switch, ip, Station::mac_of(ip))
    }

    /// The next lease that DHCP confirms.
    ///
    /// # Errors
    /// None within `limit`.
    pub fn wait_for_lease(&self, limit: Duration) -> Result<Lease> {
        self.leases.recv_timeout(limit).context("nobody took a lease")
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.switch.close();
    }
}

#[cfg(test)]
mod tests;
