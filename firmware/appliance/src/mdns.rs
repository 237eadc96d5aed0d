//! `postroom.local` on the office's network (RFC 6762), with the web pages as services (RFC 6763),
//! so that the box is found without anybody reading an address off a screen.
//!
//! A second box on the same network is renamed by the protocol itself (`postroom-2.local`).

use mdns_sd::{ServiceDaemon, ServiceInfo};

use crate::log::Log;

const HOST: &str = "postroom.local.";
const SERVICES: [(&str, u16); 2] = [("_https._tcp.local.", 443), ("_http._tcp.local.", 80)];

/// Starts the responder on a thread of its own. The handle keeps it.
pub(crate) fn start(log: &Log) -> Option<ServiceDaemon> {
    match announce() {
        Ok(daemon) => Some(daemon),
        Err(err) => {
            log.say(&format!("mdns: postroom.local is not announced: {err}"));
            None
        }
    }
}

fn announce() -> mdns_sd::Result<ServiceDaemon> {
    let daemon = ServiceDaemon::new()?;
    for (service, port) in SERVICES {
        let properties: [(&str, &str); 1] = [("path", "/")];
        let info = ServiceInfo::new(service, "Postroom", HOST, (), port, &properties[..])?;
        daemon.register(info.enable_addr_auto())?;
    }
    Ok(daemon)
}
