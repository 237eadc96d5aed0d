//! The four route messages that the box needs (RFC 3549; linux/rtnetlink.h), written by hand: link
//! up, address there and gone, default route.
//!
//! Each request asks for an acknowledgement and waits for it; the socket is the thread's own.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const ERROR: u16 = 2;
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const REPLACE: u16 = 0x100;
const CREATE: u16 = 0x400;
const INET: u8 = 2;

/// A route socket.
#[derive(Debug)]
pub(crate) struct Route(OwnedFd);

/// A message: header, body, attributes. Everything is in the machine's byte order.
fn message(kind: u16, flags: u16, body: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((REQUEST | ACK | flags).to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(body);
    for (kind, value) in attributes {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        bytes.extend(length.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(*value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes
}

/// The error number of an acknowledgement; 0 is success.
fn acknowledged(reply: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(reply.get(4..6)?.try_into().ok()?);
    let code = i32::from_ne_bytes(reply.get(16..20)?.try_into().ok()?);
    (kind == ERROR).then_some(-code)
}

impl Route {
    /// A socket to the kernel's routing.
    pub(crate) fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self(socket))
    }

    fn ask(&self, message: &[u8]) -> io::Result<()> {
        rustix::net::send(&self.0, message, SendFlags::empty())?;
        let mut reply = [0_u8; 4096];
        let (n, _) = rustix::net::recv(&self.0, &mut reply, RecvFlags::empty())?;
        match acknowledged(reply.get(..n).unwrap_or_default()) {
            Some(0) => Ok(()),
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Switches an interface on.
    pub(crate) fn set_up(&self, index: u32) -> io::Result<()> {
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        // IFF_UP in flags and in the mask of what to change.
        body.extend(1_u32.to_ne_bytes());
        body.extend(1_u32.to_ne_bytes());
        self.ask(&message(NEW_LINK, 0, &body, &[]))
    }

    /// Gives an interface an address.
    pub(crate) fn add_address(&self, index: u32, ip: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let broadcast = u32::from(ip) | u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
        let broadcast = broadcast.to_be_bytes();
        // IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST.
        let attributes: [(u16, &[u8]); 3] = [(1, &ip.octets()), (2, &ip.octets()), (4, &broadcast)];
        self.ask(&message(NEW_ADDRESS, CREATE | REPLACE, &address_body(index, prefix), &attributes))
    }

    /// Takes it away.
    pub(crate) fn remove_address(&self, index: u32, ip: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let attributes: [(u16, &[u8]); 2] = [(1, &ip.octets()), (2, &ip.octets())];
        self.ask(&message(DELETE_ADDRESS, 0, &address_body(index, prefix), &attributes))
    }

    /// Sets the default route.
    pub(crate) fn set_default(&self, index: u32, gateway: Ipv4Addr) -> io::Result<()> {
        // family, dst_len, src_len, tos, table main, protocol static, scope universe, unicast.
        let body = [INET, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0];
        let index = index.to_ne_bytes();
        // RTA_GATEWAY, RTA_OIF.
        let attributes: [(u16, &[u8]); 2] = [(5, &gateway.octets()), (4, &index)];
        self.ask(&message(NEW_ROUTE, CREATE | REPLACE, &body, &attributes))
    }
}

fn address_body(index: u32, prefix: u8) -> Vec<u8> {
    let mut body = vec![INET, prefix, 0, 0];
    body.extend(index.to_ne_bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_understands_our_messages() {
        // Any user may ask; only the answer "not permitted" or "no such device" tells that it was
        // read as meant. A malformed message would be refused as invalid.
        let route = Route::open().unwrap();
        let nowhere = 0x7FFF_FFF0;
        let refusal = |result: io::Result<()>| result.unwrap_err().raw_os_error().unwrap();
        for code in [
            refusal(route.set_up(nowhere)),
            refusal(route.add_address(nowhere, [192, 0, 2, 1].into(), 24)),
            refusal(route.remove_address(nowhere, [192, 0, 2, 1].into(), 24)),
            refusal(route.set_default(nowhere, [192, 0, 2, 1].into())),
        ] {
            assert!([1, 19, 101].contains(&code), "EPERM, ENODEV or ENETUNREACH, not {code}");
        }
    }

    #[test]
    fn attributes_are_padded_and_counted() {
        let bytes = message(NEW_ROUTE, 0, &[0; 12], &[(5, &[1, 2, 3])]);
        assert_eq!(bytes.len(), 16 + 12 + 8);
        assert_eq!(bytes[..4], 36_u32.to_ne_bytes());
        assert_eq!(bytes[28..30], 7_u16.to_ne_bytes());
    }
}
