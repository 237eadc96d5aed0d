//! A station: a smoltcp stack with one address, and blocking TCP for test code on top.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{tcp, udp};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};

use super::stream::Stream;
use super::switch::{Fabric, Mac, Switch};
use super::{PREFIX, ROUTER};
use crate::client::{Connector, PATIENCE, Wire};

/// Frames that wait for a station.
const QUEUE_MAX: usize = 512;
const MTU: usize = 1514;
/// Receive and send buffer of a connection.
const TCP_BYTES: usize = 32 * 1024;
const EPHEMERAL: std::ops::Range<u16> = 49_152..65_000;

/// The frames of a station's card.
#[derive(Debug, Default)]
struct Card {
    received: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Received(Vec<u8>);
struct Sending<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push(frame);
        result
    }
}

impl Device for Card {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: smoltcp::time::Instant) -> Option<(Received, Sending<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Received(frame), Sending(&mut self.sent)))
    }

    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<Sending<'_>> {
        Some(Sending(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

/// The stack of a station.
pub(super) struct Stack {
    interface: Interface,
    pub(super) sockets: SocketSet<'static>,
    card: Card,
    mac: Mac,
    fabric: Arc<Fabric>,
    /// Connections that nobody holds any more and that are still saying goodbye.
    leaving: Vec<SocketHandle>,
    next_port: u16,
    started: Instant,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stack")
    }
}

impl Stack {
    fn now(&self) -> smoltcp::time::Instant {
        let micros = self.started.elapsed().as_micros();
        smoltcp::time::Instant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// Works off what has come, and sends into the fabric what there is to send.
    fn poll(&mut self) {
        let now = self.now();
        while self.interface.poll(now, &mut self.card, &mut self.sockets)
            == PollResult::SocketStateChanged
            && !self.card.received.is_empty()
        {}
        let (sockets, leaving) = (&mut self.sockets, &mut self.leaving);
        leaving.retain(|handle| {
            let is_open = sockets.get::<tcp::Socket<'_>>(*handle).is_open();
            if !is_open {
                sockets.remove(*handle);
            }
            is_open
        });
        self.fabric.send(Some(self.mac), self.card.sent.drain(..));
    }

    pub(super) fn leave(&mut self, handle: SocketHandle) {
        self.sockets.get_mut::<tcp::Socket<'_>>(handle).close();
        self.leaving.push(handle);
    }

    fn tcp_socket() -> tcp::Socket<'static> {
        let buffer = || tcp::SocketBuffer::new(vec![0; TCP_BYTES]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        socket
    }
}

/// What the switch sees of a station.
#[derive(Debug)]
pub(super) struct Port {
    stack: Mutex<Stack>,
    changed: Condvar,
}

impl Port {
    pub(super) fn lock(&self) -> MutexGuard<'_, Stack> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change of the stack; false when the time is up.
    pub(super) fn wait<'a>(
        &self,
        stack: MutexGuard<'a, Stack>,
        until: Instant,
    ) -> (MutexGuard<'a, Stack>, bool) {
        let left = until.saturating_duration_since(Instant::now());
        let (stack, _) =
            self.changed.wait_timeout(stack, left).unwrap_or_else(PoisonError::into_inner);
        (stack, Instant::now() < until)
    }

    /// A frame comes in; what answers it goes into the fabric.
    pub(super) fn receive(&self, frame: Vec<u8>) {
        let mut stack = self.lock();
        if stack.card.received.len() >= QUEUE_MAX {
            return;
        }
        stack.card.received.push_back(frame);
        stack.poll();
        drop(stack);
        self.changed.notify_all();
    }

    pub(super) fn poll_if_due(&self) {
        let mut stack = self.lock();
        let now = stack.now();
        let Stack { interface, sockets, .. } = &mut *stack;
        if interface.poll_at(now, sockets).is_none_or(|at| at > now) {
            return;
        }
        stack.poll();
        drop(stack);
        self.changed.notify_all();
    }
}

/// A station's handle; clones are the same station.
#[derive(Clone, Debug)]
pub struct Station {
    pub(super) port: Arc<Port>,
    pub(super) switch: Arc<Switch>,
    ip: Ipv4Addr,
}

impl Station {
    /// The card's address of the station with an address of the office.
    #[must_use]
    pub(super) fn mac_of(ip: Ipv4Addr) -> Mac {
        let [.., c, d] = ip.octets();
        [0x02, 0x50, 0x52, 0x00, c, d]
    }

    pub(super) fn plug(switch: &Arc<Switch>, ip: Ipv4Addr, mac: Mac) -> Self {
        let mut card = Card::default();
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(mac)));
        config.random_seed = u64::from(u32::from(ip)) << 16 | 0x5052;
        let epoch = smoltcp::time::Instant::from_micros(0);
        let mut interface = Interface::new(config, &mut card, epoch);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(IpAddress::Ipv4(ip), PREFIX)).ok();
        });
        if ip != ROUTER {
            interface.routes_mut().add_default_ipv4_route(ROUTER).ok();
        }
        let stack = Stack {
            interface,
            sockets: SocketSet::new(Vec::new()),
            card,
            mac,
            fabric: Arc::clone(&switch.fabric),
            leaving: Vec::new(),
            next_port: EPHEMERAL.start,
            started: switch.started,
        };
        let port = Arc::new(Port { stack: Mutex::new(stack), changed: Condvar::new() });
        switch.plug(mac, &port);
        Self { port, switch: Arc::clone(switch), ip }
    }

    /// Its address.
    #[must_use]
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// Sends what the stack wants to send.
    pub(super) fn flush(&self, mut stack: MutexGuard<'_, Stack>) {
        stack.poll();
        drop(stack);
        self.switch.forward();
    }

    /// Connects to `to`.
    ///
    /// # Errors
    /// Refused, or no answer in `limit`.
    pub fn connect(&self, to: SocketAddrV4, limit: Duration) -> io::Result<Stream> {
        let until = Instant::now() + limit;
        let mut stack = self.port.lock();
        let port = stack.next_port;
        stack.next_port = if port + 1 < EPHEMERAL.end { port + 1 } else { EPHEMERAL.start };
        let mut socket = Stack::tcp_socket();
        let remote = (IpAddress::Ipv4(*to.ip()), to.port());
        socket
            .connect(stack.interface.context(), remote, port)
            .map_err(|err| io::Error::other(format!("{err:?}")))?;
        let handle = stack.sockets.add(socket);
        self.flush(stack);
        let stream = Stream::new(self.clone(), handle);
        let mut stack = self.port.lock();
        loop {
            let socket = stack.sockets.get::<tcp::Socket<'_>>(handle);
            match socket.state() {
                tcp::State::SynSent | tcp::State::SynReceived => {}
                tcp::State::Closed => {
                    drop(stack);
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                _ => {
                    drop(stack);
                    return Ok(stream);
                }
            }
            let (next, in_time) = self.port.wait(stack, until);
            stack = next;
            if !in_time {
                drop(stack);
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// Listens on a port; `backlog` connections may come at once.
    ///
    /// # Errors
    /// The port is 0.
    pub fn listen(&self, port: u16, backlog: usize) -> Result<Listener> {
        let mut waiting = Vec::new();
        for _ in 0..backlog {
            waiting.push(self.listening_socket(port)?);
        }
        Ok(Listener { station: self.clone(), port, waiting })
    }

    fn listening_socket(&self, port: u16) -> Result<SocketHandle> {
        let mut socket = Stack::tcp_socket();
        socket.listen(port).map_err(|err| anyhow::anyhow!("listening on {port}: {err:?}"))?;
        Ok(self.port.lock().sockets.add(socket))
    }

    /// A socket for datagrams.
    pub(super) fn bind_udp(&self, port: u16) -> Result<SocketHandle> {
        let buffer =
            || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 32], vec![0; 32 * 1024]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).map_err(|err| anyhow::anyhow!("binding {port}: {err:?}"))?;
        Ok(self.port.lock().sockets.add(socket))
    }

    /// A connector to the standard ports of the box at `address`.
    #[must_use]
    pub fn to(&self, address: Ipv4Addr) -> Box<dyn Connector> {
        Box::new(Towards { station: self.clone(), address })
    }
}

struct Towards {
    station: Station,
    address: Ipv4Addr,
}

impl Connector for Towards {
    fn connect(&self, port: u16) -> Result<Box<dyn Wire>> {
        let to = SocketAddrV4::new(self.address, port);
        let stream = self.station.connect(to, PATIENCE).with_context(|| format!("{to}"))?;
        Ok(Box::new(stream))
    }
}

/// A listening port of a station.
#[derive(Debug)]
pub struct Listener {
    station: Station,
    port: u16,
    waiting: Vec<SocketHandle>,
}

impl Listener {
    /// Where it listens.
    #[must_use]
    pub fn at(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.station.ip, self.port)
    }

    /// Takes the next connection.
    ///
    /// # Errors
    /// None came within `limit`.
    pub fn accept(&mut self, limit: Duration) -> Result<Stream> {
        let until = Instant::now() + limit;
        let port = Arc::clone(&self.station.port);
        let mut stack = port.lock();
        loop {
            let ready = self
                .waiting
                .iter()
                .position(|handle| stack.sockets.get::<tcp::Socket<'_>>(*handle).may_send());
            if let Some(at) = ready {
                drop(stack);
                let fresh = self.station.listening_socket(self.port)?;
                let handle = std::mem::replace(&mut self.waiting[at], fresh);
                return Ok(Stream::new(self.station.clone(), handle));
            }
            let (next, in_time) = port.wait(stack, until);
            stack = next;
            if !in_time {
                anyhow::bail!("nobody connected to {}:{}", self.station.ip, self.port);
            }
        }
    }
}
