//! The listening sockets. PID 1 opens them once (ports below 1024 need privilege) and keeps them, so
//! that a client that comes while the daemon restarts waits in the queue in place of being refused.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use base::box_link::{LINK_NAME, LISTEN_FDNAMES, LISTEN_FDS, SERVICES};
use command_fds::FdMapping;
use socket2::{Domain, Protocol, Socket, Type};

const FIRST_FD: i32 = 3;
const BACKLOG: i32 = 4096;

/// Environment variables.
type Variables = [(&'static str, String); 2];

/// The sockets with their services' names.
#[derive(Debug)]
pub(crate) struct Listeners(Vec<(&'static str, OwnedFd)>);

fn listen(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Listeners {
    /// Opens all services on all addresses, `port_offset` above their standard ports. A kernel
    /// without IPv6 is no obstacle.
    pub(crate) fn open(port_offset: u16) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for (name, port) in SERVICES {
            let port = port + port_offset;
            sockets.push((name, listen((Ipv4Addr::UNSPECIFIED, port).into())?));
            match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
                Ok(socket) => sockets.push((name, socket)),
                Err(err) if err.raw_os_error() == Some(97) => {}
                Err(err) => return Err(err),
            }
        }
        Ok(Self(sockets))
    }

    /// What the daemon gets: the descriptors from 3 on, its end of the link last, and the variables
    /// that name them.
    pub(crate) fn pass(&self, link: OwnedFd) -> io::Result<(Vec<FdMapping>, Variables)> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| *name).collect();
        let mut fds = Vec::with_capacity(self.0.len() + 1);
        for (_, socket) in &self.0 {
            fds.push(socket.try_clone()?);
        }
        names.push(LINK_NAME);
        fds.push(link);
        let variables = [(LISTEN_FDS, fds.len().to_string()), (LISTEN_FDNAMES, names.join(":"))];
        let mappings = (FIRST_FD..)
            .zip(fds)
            .map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd })
            .collect();
        Ok((mappings, variables))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn descriptors_and_names_go_together() {
        let listeners = Listeners::open(17_000).unwrap();
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let (mappings, [fds, names]) = listeners.pass(theirs.into()).unwrap();
        assert_eq!(fds, (LISTEN_FDS, mappings.len().to_string()));
        let names: Vec<&str> = names.1.split(':').collect();
        assert_eq!(names.len(), mappings.len());
        assert_eq!(names.last(), Some(&LINK_NAME));
        for (service, _) in SERVICES {
            assert!(names.contains(&service), "{service}");
        }
        assert_eq!(mappings[0].child_fd, 3);
    }
}
