//! A TCP connection of a station as `Read` and `Write`, blocking as test code likes it.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp;

use super::station::Station;
use crate::client::PATIENCE;

/// The connection. Dropping it closes it.
#[derive(Debug)]
pub struct Stream {
    station: Station,
    handle: SocketHandle,
    patience: Duration,
}

impl Stream {
    pub(super) fn new(station: Station, handle: SocketHandle) -> Self {
        Self { station, handle, patience: PATIENCE }
    }

    /// How long a read or write may wait.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let until = Instant::now() + self.patience;
        let mut stack = self.station.port.lock();
        loop {
            let socket = stack.sockets.get_mut::<tcp::Socket<'_>>(self.handle);
            if socket.can_recv() {
                let n = socket.recv_slice(buffer).map_err(|_| io::ErrorKind::ConnectionReset)?;
                self.station.flush(stack);
                return Ok(n);
            }
            if !socket.may_recv() {
                return Ok(0);
            }
            let (next, in_time) = self.station.port.wait(stack, until);
            stack = next;
            if !in_time {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let until = Instant::now() + self.patience;
        let mut stack = self.station.port.lock();
        loop {
            let socket = stack.sockets.get_mut::<tcp::Socket<'_>>(self.handle);
            if !socket.may_send() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if socket.can_send() {
                let n = socket.send_slice(bytes).map_err(|_| io::ErrorKind::BrokenPipe)?;
                self.station.flush(stack);
                return Ok(n);
            }
            let (next, in_time) = self.station.port.wait(stack, until);
            stack = next;
            if !in_time {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut stack = self.station.port.lock();
        stack.leave(self.handle);
        self.station.flush(stack);
    }
}
