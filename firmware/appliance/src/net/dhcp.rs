//! The DHCP client (RFC 2131): smoltcp's state machine on a filtered packet socket, with renewals.
//!
//! A cable that was out and is in again starts a new discovery; the address is kept meanwhile, so
//! that a switch's restart does not end the connections of a hundred phones. Only an expired or
//! refused lease takes it away.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use smoltcp::iface::{Config, Interface as Stack, SocketSet};
use smoltcp::socket::dhcpv4::{self, Event};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{DhcpOption, DhcpPacket, EthernetAddress, HardwareAddress, IpCidr, Ipv4Cidr};

use super::Session;
use super::interface::has_carrier;
use super::packet::Packets;
use crate::wait::{timeout, uptime_ms};

/// RFC 2132: subnet mask, router, name servers, time servers.
const WANTED: [u8; 4] = [1, 3, 6, 42];
const OPTION_HOST_NAME: u8 = 12;
const OPTION_NTP: u8 = 42;
const LOOK_MS: u64 = 1000;

/// What the network gives us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix: u8,
    pub(crate) router: Option<Ipv4Addr>,
    pub(crate) dns: Vec<IpAddr>,
    pub(crate) ntp: Vec<IpAddr>,
}

impl Lease {
    /// `192.168.1.10/24`.
    pub(crate) fn cidr(&self) -> String {
        format!("{}/{}", self.address, self.prefix)
    }

    fn of(config: &dhcpv4::Config<'_>) -> Self {
        Self {
            address: config.address.address(),
            prefix: config.address.prefix_len(),
            router: config.router,
            dns: config.dns_servers.iter().map(|dns| (*dns).into()).collect(),
            ntp: config.packet.as_ref().map(ntp_of).unwrap_or_default(),
        }
    }
}

/// RFC 2132 §8.3: a list of addresses; the first four.
fn ntp_of(packet: &DhcpPacket<&[u8]>) -> Vec<IpAddr> {
    packet
        .options()
        .find(|option| option.kind == OPTION_NTP)
        .map(|option| {
            let words = option.data.chunks_exact(4).take(4);
            words.map(|ip| Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]).into()).collect()
        })
        .unwrap_or_default()
}

fn now() -> Instant {
    Instant::from_millis(i64::try_from(uptime_ms()).unwrap_or(i64::MAX))
}

/// Runs until the session is over.
pub(crate) fn run(session: &mut Session<'_>) -> io::Result<()> {
    let mut device = Packets::open(session.interface.index)?;
    let mac = HardwareAddress::Ethernet(EthernetAddress(session.interface.mac));
    let mut config = Config::new(mac);
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    config.random_seed = u64::from_ne_bytes(seed);
    let mut stack = Stack::new(config, &mut device, now());

    let host_name = session.machine.facts().console.host_name;
    let label = host_name.split('.').next().filter(|l| !l.is_empty()).unwrap_or("postroom");
    let options = [DhcpOption { kind: OPTION_HOST_NAME, data: label.as_bytes() }];
    let mut packet = [0; 1500];
    let mut client = dhcpv4::Socket::new();
    let mut retry = client.get_retry_config();
    retry.discover_timeout = Duration::from_secs(3);
    retry.initial_request_timeout = Duration::from_secs(2);
    client.set_retry_config(retry);
    client.set_outgoing_options(&options);
    client.set_parameter_request_list(&WANTED);
    client.set_receive_packet_buffer(&mut packet);
    let mut sockets = SocketSet::new(Vec::with_capacity(1));
    let handle = sockets.add(client);

    let mut had_carrier = true;
    let mut is_renewing = false;
    let mut look_at = 0;
    loop {
        stack.poll(now(), &mut device, &mut sockets);
        match sockets.get_mut::<dhcpv4::Socket<'_>>(handle).poll() {
            Some(Event::Configured(config)) => {
                is_renewing = false;
                set_stack(&mut stack, config.address, config.router);
                let lease = Lease::of(&config);
                session.apply(lease)?;
            }
            Some(Event::Deconfigured) if !is_renewing => session.release(),
            Some(Event::Deconfigured) | None => {}
        }
        if uptime_ms() >= look_at {
            look_at = uptime_ms() + LOOK_MS;
            if session.is_over() {
                return Ok(());
            }
            let has = has_carrier(Path::new(super::SYS), &session.interface.name);
            if has && !had_carrier {
                is_renewing = true;
                sockets.get_mut::<dhcpv4::Socket<'_>>(handle).reset();
            }
            had_carrier = has;
        }
        let delay = stack.poll_delay(now(), &sockets).map_or(LOOK_MS, |d| d.total_millis());
        let mut fds = [PollFd::from_borrowed_fd(device.as_fd(), PollFlags::IN)];
        match poll(&mut fds, Some(&timeout(delay.min(LOOK_MS)))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(err) => return Err(err.into()),
        }
    }
}

/// smoltcp's own idea of the address: for renewals, which go straight to the server (§4.4.5).
fn set_stack(stack: &mut Stack, address: Ipv4Cidr, router: Option<Ipv4Addr>) {
    stack.update_ip_addrs(|addresses| {
        addresses.clear();
        // The list has room for one: it was just emptied.
        addresses.push(IpCidr::Ipv4(address)).ok();
    });
    match router {
        Some(router) => drop(stack.routes_mut().add_default_ipv4_route(router)),
        None => drop(stack.routes_mut().remove_default_ipv4_route()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_servers_come_from_option_42() {
        let mut bytes = vec![0; 300];
        bytes[236..240].copy_from_slice(&[99, 130, 83, 99]);
        bytes[240..251].copy_from_slice(&[42, 8, 192, 0, 2, 1, 192, 0, 2, 2, 255]);
        let packet = DhcpPacket::new_checked(bytes.as_slice()).unwrap();
        let want: Vec<IpAddr> = vec![[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        assert_eq!(ntp_of(&packet), want);
    }
}
