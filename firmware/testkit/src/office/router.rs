//! The office's router: DHCP, DNS and NTP, each as small as a test needs and no smaller.
//!
//! DHCP (RFC 2131) gives 192.168.77.10 and up, one address for a card, for an hour. DNS (RFC 1035)
//! answers A and MX from a [`Zone`], NXDOMAIN for the rest. NTP (RFC 4330) tells this machine's time.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use anyhow::Result;
use base::{Clock as _, SystemClock};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::udp;
use smoltcp::wire::{DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr, IpAddress, IpEndpoint};

use super::station::{Port, Station};
use super::{FIRST_LEASE, PREFIX, ROUTER};

const LEASE_SECS: u32 = 3600;
const OPTION_HOST_NAME: u8 = 12;
const OPTION_NTP: u8 = 42;
/// The router's thread looks at least this often whether the office still stands.
const LOOK: Duration = Duration::from_millis(200);

/// What DHCP gave to a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The card.
    pub mac: [u8; 6],
    /// Its address.
    pub ip: Ipv4Addr,
    /// The name that the box told.
    pub host_name: String,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An address.
    A(Ipv4Addr),
    /// A mail exchanger with its preference.
    Mx(u16, String),
}

/// What DNS knows: names in lower case without the last dot.
pub type Zone = BTreeMap<String, Vec<Record>>;

struct Router {
    station: Station,
    zone: Zone,
    leases: BTreeMap<[u8; 6], Ipv4Addr>,
    told: SyncSender<Lease>,
    dhcp: SocketHandle,
    dns: SocketHandle,
    ntp: SocketHandle,
}

/// Starts the router on a thread of its own; it ends with the office.
pub(super) fn start(station: Station, zone: Zone, told: SyncSender<Lease>) -> Result<()> {
    let (dhcp, dns, ntp) = (station.bind_udp(67)?, station.bind_udp(53)?, station.bind_udp(123)?);
    let port = Arc::clone(&station.port);
    let mut router = Router { station, zone, leases: BTreeMap::new(), told, dhcp, dns, ntp };
    std::thread::Builder::new().name("office router".into()).spawn(move || {
        while !router.station.switch.is_closed() {
            router.serve(&port);
        }
    })?;
    Ok(())
}

impl Router {
    fn serve(&mut self, port: &Port) {
        let mut answered = false;
        for handle in [self.dhcp, self.dns, self.ntp] {
            while let Some((request, from)) = receive(port, handle) {
                let answer = if handle == self.dhcp {
                    self.dhcp(&request)
                } else if handle == self.dns {
                    dns(&self.zone, &request).map(|answer| (answer, from))
                } else {
                    ntp(&request).map(|answer| (answer, from))
                };
                if let Some((answer, to)) = answer {
                    let mut stack = port.lock();
                    let socket = stack.sockets.get_mut::<udp::Socket<'_>>(handle);
                    // A full buffer loses a datagram, as networks do; who asked asks again.
                    socket.send_slice(&answer, to).ok();
                    self.station.flush(stack);
                    answered = true;
                }
            }
        }
        if !answered {
            drop(port.wait(port.lock(), Instant::now() + LOOK));
        }
    }

    /// Answers a client; to all, since it may have no address yet.
    fn dhcp(&mut self, request: &[u8]) -> Option<(Vec<u8>, IpEndpoint)> {
        let packet = DhcpPacket::new_checked(request).ok()?;
        let asked = DhcpRepr::parse(&packet).ok()?;
        let mac = asked.client_hardware_address.0;
        let host_name = packet.options().find(|option| option.kind == OPTION_HOST_NAME);
        let host_name = host_name
            .map(|option| String::from_utf8_lossy(option.data).into_owned())
            .unwrap_or_default();
        let next = u32::from(FIRST_LEASE) + u32::try_from(self.leases.len()).ok()?;
        let ip = *self.leases.entry(mac).or_insert_with(|| next.into());
        let wanted = asked.requested_ip.unwrap_or(asked.client_ip);
        let message_type = match asked.message_type {
            DhcpMessageType::Discover => DhcpMessageType::Offer,
            DhcpMessageType::Request if wanted == ip => DhcpMessageType::Ack,
            DhcpMessageType::Request => DhcpMessageType::Nak,
            _ => return None,
        };
        let is_ack = message_type == DhcpMessageType::Ack;
        let ntp = [DhcpOption { kind: OPTION_NTP, data: &ROUTER.octets() }];
        let mut dns = asked.dns_servers.clone().unwrap_or_default();
        dns.clear();
        dns.push(ROUTER).ok()?;
        let mask = Ipv4Addr::from(u32::MAX << (32 - u32::from(PREFIX)));
        let answer = DhcpRepr {
            message_type,
            your_ip: ip,
            server_ip: ROUTER,
            router: Some(ROUTER),
            subnet_mask: Some(mask),
            server_identifier: Some(ROUTER),
            dns_servers: Some(dns),
            lease_duration: Some(LEASE_SECS),
            requested_ip: None,
            client_identifier: None,
            parameter_request_list: None,
            max_size: None,
            additional_options: &ntp,
            ..asked
        };
        let mut bytes = vec![0; answer.buffer_len()];
        answer.emit(&mut DhcpPacket::new_unchecked(bytes.as_mut_slice())).ok()?;
        if is_ack {
            // Nobody may be listening; the channel holds more leases than a test makes.
            self.told.try_send(Lease { mac, ip, host_name }).ok();
        }
        Some((bytes, IpEndpoint::new(IpAddress::Ipv4(Ipv4Addr::BROADCAST), 68)))
    }
}

fn receive(port: &Port, handle: SocketHandle) -> Option<(Vec<u8>, IpEndpoint)> {
    let mut stack = port.lock();
    let socket = stack.sockets.get_mut::<udp::Socket<'_>>(handle);
    let (bytes, meta) = socket.recv().ok()?;
    Some((bytes.to_vec(), meta.endpoint))
}

/// RFC 1035 §4.1: the question comes back, then the answers, each with a pointer to the question's
/// name.
fn dns(zone: &Zone, request: &[u8]) -> Option<Vec<u8>> {
    let header = request.get(..12)?;
    let is_query = header[2] & 0xF8 == 0 && header[4..6] == [0, 1];
    if !is_query {
        return None;
    }
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*request.get(at)?);
        if length == 0 {
            break;
        }
        let label = request.get(at + 1..at + 1 + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += 1 + length;
    }
    let question = request.get(12..at + 5)?;
    let kind = u16::from_be_bytes([question[at - 12 + 1], question[at - 12 + 2]]);
    let name = labels.join(".");
    let known = zone.get(&name);
    let answers: Vec<Vec<u8>> =
        known.into_iter().flatten().filter_map(|record| rdata(record, kind)).collect();
    let code = if known.is_some() { 0 } else { 3 };
    let mut answer = header.get(..2)?.to_vec();
    answer.extend([0x85, 0x80 | code, 0, 1, 0, u8::try_from(answers.len()).ok()?, 0, 0, 0, 0]);
    answer.extend(question);
    for data in answers {
        answer.extend([0xC0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60]);
        answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

fn rdata(record: &Record, kind: u16) -> Option<Vec<u8>> {
    match (record, kind) {
        (Record::A(ip), 1) => Some(ip.octets().to_vec()),
        (Record::Mx(preference, host), 15) => {
            let mut data = preference.to_be_bytes().to_vec();
            for label in host.split('.') {
                data.push(u8::try_from(label.len()).ok()?);
                data.extend(label.bytes());
            }
            data.push(0);
            Some(data)
        }
        _ => None,
    }
}

/// RFC 4330 §6: what a server says.
fn ntp(request: &[u8]) -> Option<Vec<u8>> {
    let transmit = request.get(40..48)?;
    let millis = u64::try_from(SystemClock.now().0).ok()?;
    let secs = (millis / 1000 + 2_208_988_800) & 0xFFFF_FFFF;
    let stamp = ((secs << 32) | (((millis % 1000) << 32) / 1000)).to_be_bytes();
    let mut answer = vec![0; 48];
    answer[0] = 0b00_100_100;
    answer[1] = 2;
    answer[24..32].copy_from_slice(transmit);
    answer[16..24].copy_from_slice(&stamp);
    answer[32..40].copy_from_slice(&stamp);
    answer[40..48].copy_from_slice(&stamp);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u8) -> Vec<u8> {
        let mut packet = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            packet.push(u8::try_from(label.len()).unwrap());
            packet.extend(label.bytes());
        }
        packet.extend([0, 0, kind, 0, 1]);
        packet
    }

    #[test]
    fn the_zone_answers_and_unknown_names_do_not_exist() {
        let mx = Record::Mx(10, "mx.far.test".into());
        let zone = Zone::from([("far.test".into(), vec![mx])]);
        let answer = dns(&zone, &question("FAR.test", 15)).unwrap();
        assert_eq!(answer[3] & 15, 0);
        assert_eq!(answer[7], 1);
        assert!(answer.ends_with(b"\x02mx\x03far\x04test\x00"));
        let none = dns(&zone, &question("far.test", 1)).unwrap();
        assert_eq!((none[3] & 15, none[7]), (0, 0));
        assert_eq!(dns(&zone, &question("near.test", 1)).unwrap()[3] & 15, 3);
        assert_eq!(dns(&zone, &question("far.test", 1)[..20]), None);
    }
}
