//! A packet socket on one interface as smoltcp's device, filtered by [`super::bpf`].

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use socket2::{Domain, Socket, Type};

use super::bpf::dhcp_and_arp_replies;

const FRAME_BYTES_MAX: usize = 1514;

/// The device.
#[derive(Debug)]
pub(crate) struct Packets(Socket);

impl Packets {
    /// Opens it. The filter is there before the socket is bound, so nothing else ever comes in.
    pub(crate) fn open(interface: u32) -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.attach_filter(&dhcp_and_arp_replies())?;
        socket.set_nonblocking(true)?;
        crate::kernel_calls::bind_packet(socket.as_fd(), interface)?;
        Ok(Self(socket))
    }
}

impl AsFd for Packets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A frame that came in.
#[derive(Debug)]
pub(crate) struct Received(Vec<u8>);

/// Leave to send one.
#[derive(Debug)]
pub(crate) struct Sending<'a>(&'a Socket);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        // A frame that the card does not take is lost, as on the wire; DHCP and ARP repeat.
        let mut socket = self.0;
        drop(socket.write(&frame));
        result
    }
}

impl Device for Packets {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Received, Sending<'_>)> {
        let mut frame = vec![0; FRAME_BYTES_MAX];
        let n = (&self.0).read(&mut frame).ok()?;
        frame.truncate(n);
        Some((Received(frame), Sending(&self.0)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sending<'_>> {
        Some(Sending(&self.0))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES_MAX;
        capabilities
    }
}
