//! The packet filter of the DHCP client's socket: ARP replies and UDP to port 68, nothing else.
//!
//! The kernel runs it before a packet costs PID 1 anything, so that the mail server's own traffic
//! never passes through here.

use socket2::SockFilter;

const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF_BEHIND_X: u16 = 0x48;
const LOAD_X_HEADER_LENGTH: u16 = 0xB1;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const fn step(code: u16, if_true: u8, if_false: u8, k: u32) -> SockFilter {
    SockFilter::new(code, if_true, if_false, k)
}

/// Classic BPF over an Ethernet frame.
pub(crate) fn dhcp_and_arp_replies() -> [SockFilter; 14] {
    [
        step(LOAD_HALF, 0, 0, 12),
        // ARP: only replies (RFC 826: operation 2).
        step(JUMP_EQUAL, 0, 2, 0x0806),
        step(LOAD_HALF, 0, 0, 20),
        step(JUMP_EQUAL, 8, 9, 2),
        // IPv4, UDP, first fragment, to port 68 (RFC 2131 §4.1).
        step(JUMP_EQUAL, 0, 8, 0x0800),
        step(LOAD_BYTE, 0, 0, 23),
        step(JUMP_EQUAL, 0, 6, 17),
        step(LOAD_HALF, 0, 0, 20),
        step(JUMP_ANY_BIT, 4, 0, 0x1FFF),
        step(LOAD_X_HEADER_LENGTH, 0, 0, 14),
        step(LOAD_HALF_BEHIND_X, 0, 0, 16),
        step(JUMP_EQUAL, 0, 1, 68),
        step(RETURN, 0, 0, u32::MAX),
        step(RETURN, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use socket2::{Domain, Socket, Type};

    use super::*;

    fn arp(operation: u8) -> Vec<u8> {
        let mut frame = vec![0; 42];
        frame[12..14].copy_from_slice(&[0x08, 0x06]);
        frame[21] = operation;
        frame
    }

    fn udp(port: u8, protocol: u8, options: u8, fragment: u8) -> Vec<u8> {
        let mut frame = vec![0; 300];
        frame[12..14].copy_from_slice(&[0x08, 0x00]);
        frame[14] = 0x45 + options;
        frame[21] = fragment;
        frame[23] = protocol;
        frame[14 + 20 + usize::from(options) * 4 + 3] = port;
        frame
    }

    /// The kernel itself runs the program: a filter can be attached to any socket.
    fn passes(frame: &[u8]) -> bool {
        let (mut from, mut to) = Socket::pair(Domain::UNIX, Type::DGRAM, None).unwrap();
        to.attach_filter(&dhcp_and_arp_replies()).unwrap();
        to.set_nonblocking(true).unwrap();
        // What the filter drops is refused to the sender or lost; both are fine.
        from.write_all(frame).ok();
        let mut buffer = [0; 2048];
        matches!(to.read(&mut buffer), Ok(n) if n == frame.len())
    }

    #[test]
    fn arp_replies_and_dhcp_pass_and_nothing_else() {
        assert!(passes(&arp(2)));
        assert!(passes(&udp(68, 17, 0, 0)));
        assert!(passes(&udp(68, 17, 3, 0)), "with IP options");
        assert!(!passes(&arp(1)), "ARP request");
        assert!(!passes(&udp(67, 17, 0, 0)), "another port");
        assert!(!passes(&udp(68, 6, 0, 0)), "TCP");
        assert!(!passes(&udp(68, 17, 0, 8)), "a later fragment");
        assert!(!passes(&[0x86; 60]), "IPv6 and all else");
        assert!(!passes(&[0; 10]), "too short");
    }
}
