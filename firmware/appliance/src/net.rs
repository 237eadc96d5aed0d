//! The network: one interface, its address by DHCP or by setting, the name servers for the daemon.
//!
//! IPv6 is the kernel's own (router advertisement); IPv4 is set here. The interface is the first
//! with a cable; it is kept until another has one and it has none. Runs on a thread of its own and
//! never ends: no network is a state, not an error.
//!
//! Limits: 3 name servers and 4 time servers; a look at the cable each second.

mod bpf;
mod dhcp;
mod interface;
mod netlink;
mod packet;

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use base::box_link::Network;

use crate::log::Log;
use crate::machine::Machine;
use crate::wait::pause;

pub(crate) use dhcp::Lease;
use interface::Interface;
use netlink::Route;

const RESOLV: &str = "/run/resolv.conf";
const SYS: &str = "/sys";

/// A checked static configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fixed {
    address: Ipv4Addr,
    prefix: u8,
    gateway: Ipv4Addr,
    dns: Vec<IpAddr>,
}

impl Fixed {
    fn parse(address: &str, gateway: &str, dns: &[String]) -> Result<Self, String> {
        let bad = |what: &str, value: &str| format!("{value:?} is no {what}");
        let (ip, prefix) = address
            .split_once('/')
            .ok_or_else(|| bad("address with prefix length (192.168.1.10/24)", address))?;
        let ip: Ipv4Addr = ip.parse().map_err(|_| bad("IPv4 address", ip))?;
        let prefix: u8 = prefix.parse().map_err(|_| bad("prefix length", prefix))?;
        if !(1..=30).contains(&prefix) {
            return Err("the prefix length must be from 1 to 30".to_owned());
        }
        if ip.is_loopback() || ip.is_multicast() || ip.is_unspecified() || ip.is_broadcast() {
            return Err(format!("{ip} can not be the address of a box"));
        }
        let gateway: Ipv4Addr = gateway.parse().map_err(|_| bad("gateway", gateway))?;
        let mask = u32::MAX << (32 - u32::from(prefix));
        if gateway == ip || u32::from(gateway) & mask != u32::from(ip) & mask {
            return Err(format!("the gateway {gateway} is not in the network of {address}"));
        }
        if dns.is_empty() || dns.len() > 3 {
            return Err("one to three name servers are needed".to_owned());
        }
        let dns = dns
            .iter()
            .map(|text| text.parse().map_err(|_| bad("name server's address", text)))
            .collect::<Result<_, String>>()?;
        Ok(Self { address: ip, prefix, gateway, dns })
    }
}

/// Checks a configuration before it is kept. The reason is for the admin.
pub(crate) fn check(network: &Network) -> Result<(), String> {
    match network {
        Network::Dhcp => Ok(()),
        Network::Static { address, gateway, dns } => {
            Fixed::parse(address, gateway, dns).map(|_| ())
        }
    }
}

/// Switches the loopback and every network card on, early, so that the cards find their speed while
/// the disk is being checked.
pub(crate) fn raise_links() -> io::Result<usize> {
    let route = Route::open()?;
    route.set_up(1)?;
    let mut raised = 0;
    for interface in interface::all(Path::new(SYS)) {
        route.set_up(interface.index)?;
        raised += 1;
    }
    Ok(raised)
}

/// Keeps the network up for ever.
pub(crate) fn follow(machine: &Machine, log: &Log) {
    let mut has_told = false;
    loop {
        let Some(interface) = interface::choose(&interface::all(Path::new(SYS))) else {
            if !has_told {
                log.say("network: no network cable; going on without");
                has_told = true;
            }
            machine.change_if(|facts| std::mem::replace(&mut facts.has_carrier, false));
            pause(1000);
            continue;
        };
        has_told = false;
        machine.change(|facts| {
            facts.status.interface.clone_from(&interface.name);
            facts.has_carrier = true;
        });
        log.say(&format!("network: using {} ({})", interface.name, interface.mac_text()));
        let mut session = match Session::new(machine, log, &interface) {
            Ok(session) => session,
            Err(err) => {
                log.say(&format!("network: {}: {err}", interface.name));
                pause(5000);
                continue;
            }
        };
        if let Err(err) = session.run() {
            session.release();
            log.say(&format!("network: {}: {err}", interface.name));
            pause(2000);
        }
    }
}

/// One interface with one configuration.
pub(crate) struct Session<'a> {
    machine: &'a Machine,
    log: &'a Log,
    interface: &'a Interface,
    route: Route,
    /// What is set on the interface.
    held: Option<Lease>,
    network: Network,
}

impl<'a> Session<'a> {
    fn new(machine: &'a Machine, log: &'a Log, interface: &'a Interface) -> io::Result<Self> {
        let route = Route::open()?;
        route.set_up(interface.index)?;
        Ok(Self { machine, log, interface, route, held: None, network: machine.network() })
    }

    fn run(&mut self) -> io::Result<()> {
        match self.network.clone() {
            Network::Dhcp => dhcp::run(self),
            Network::Static { address, gateway, dns } => {
                let fixed = Fixed::parse(&address, &gateway, &dns).map_err(io::Error::other)?;
                let (address, prefix) = (fixed.address, fixed.prefix);
                let lease = Lease {
                    address,
                    prefix,
                    router: Some(fixed.gateway),
                    dns: fixed.dns,
                    ntp: Vec::new(),
                };
                self.apply(lease)?;
                while !self.is_over() {
                    pause(1000);
                }
                Ok(())
            }
        }
    }

    /// True when the configuration was changed, or another card has to be used.
    fn is_over(&mut self) -> bool {
        let all = interface::all(Path::new(SYS));
        let has_carrier = interface::has_carrier(Path::new(SYS), &self.interface.name);
        self.machine.change_if(|facts| {
            let ipv6 = interface::ipv6_addresses(&self.interface.name);
            let mut addresses: Vec<String> = self.held.iter().map(Lease::cidr).collect();
            addresses.extend(ipv6);
            let is_new = facts.has_carrier != has_carrier || facts.status.addresses != addresses;
            facts.has_carrier = has_carrier;
            facts.status.addresses = addresses;
            is_new
        });
        let is_lost = !has_carrier
            && interface::choose(&all).is_some_and(|other| other.name != self.interface.name);
        let is_over = is_lost || self.machine.network() != self.network;
        if is_over {
            self.release();
        }
        is_over
    }

    /// Sets address, route and name servers; what was set before and differs goes.
    fn apply(&mut self, lease: Lease) -> io::Result<()> {
        let index = self.interface.index;
        if self.held.as_ref() == Some(&lease) {
            return Ok(());
        }
        if let Some(old) = self.held.take()
            && (old.address, old.prefix) != (lease.address, lease.prefix)
        {
            self.route.remove_address(index, old.address, old.prefix)?;
        }
        self.route.add_address(index, lease.address, lease.prefix)?;
        if let Some(router) = lease.router {
            self.route.set_default(index, router)?;
        }
        write_resolv(&lease.dns)?;
        self.log.say(&format!(
            "network: {} is {}{}",
            self.interface.name,
            lease.cidr(),
            lease.router.map(|r| format!(", gateway {r}")).unwrap_or_default()
        ));
        self.machine.change(|facts| {
            facts.status.addresses = vec![lease.cidr()];
            facts.status.gateway = lease.router.map(|r| r.to_string()).unwrap_or_default();
            facts.status.dns = lease.dns.iter().map(ToString::to_string).collect();
            facts.ntp.clone_from(&lease.ntp);
        });
        self.held = Some(lease);
        Ok(())
    }

    /// Takes the address away: the lease ended, or another configuration comes.
    fn release(&mut self) {
        let Some(old) = self.held.take() else { return };
        if let Err(err) = self.route.remove_address(self.interface.index, old.address, old.prefix) {
            self.log.say(&format!("network: removing {}: {err}", old.cidr()));
        }
        self.log.say(&format!("network: {} is no longer ours", old.cidr()));
        self.machine.change(|facts| {
            facts.status.addresses.clear();
            facts.status.gateway.clear();
        });
    }
}

/// Writes the name servers where the daemon's resolver reads them.
fn write_resolv(dns: &[IpAddr]) -> io::Result<()> {
    use std::fmt::Write as _;
    let mut text = String::new();
    for server in dns.iter().take(3) {
        writeln!(text, "nameserver {server}").map_err(io::Error::other)?;
    }
    fs::write("/run/resolv.conf.new", text)?;
    fs::rename("/run/resolv.conf.new", RESOLV)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(address: &str, gateway: &str, dns: &str) -> Network {
        let dns = dns.split(' ').filter(|d| !d.is_empty()).map(str::to_owned).collect();
        Network::Static { address: address.into(), gateway: gateway.into(), dns }
    }

    #[test]
    fn a_static_configuration_is_checked_before_it_is_kept() {
        assert_eq!(check(&Network::Dhcp), Ok(()));
        assert_eq!(check(&fixed("192.168.1.10/24", "192.168.1.1", "192.168.1.1 ::1")), Ok(()));
        for (address, gateway, dns) in [
            ("192.168.1.10", "192.168.1.1", "192.168.1.1"),
            ("192.168.1.10/33", "192.168.1.1", "192.168.1.1"),
            ("192.168.1.10/0", "192.168.1.1", "192.168.1.1"),
            ("192.168.1.10/24", "192.168.2.1", "192.168.1.1"),
            ("192.168.1.10/24", "192.168.1.10", "192.168.1.1"),
            ("192.168.1.10/24", "192.168.1.1", ""),
            ("192.168.1.10/24", "192.168.1.1", "dns.example"),
            ("127.0.0.1/8", "127.0.0.2", "127.0.0.2"),
        ] {
            assert!(check(&fixed(address, gateway, dns)).is_err(), "{address} {gateway} {dns}");
        }
    }
}
