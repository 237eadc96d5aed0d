//! The network of an appliance: what may be set, and handing it to PID 1.

use std::net::{IpAddr, Ipv4Addr};

use base::box_link::{BoxStatus, Network, Request};

use crate::Web;
use crate::box_link::LinkError;
use crate::error::ApiError;
use crate::guard::Identity;
use crate::rules::Problem;

/// Most name servers.
const DNS_MAX: usize = 3;

/// Checks a configuration; the key that is wrong comes with the problem.
pub(crate) fn check(network: &Network) -> Result<(), (&'static str, Problem)> {
    let Network::Static { address, gateway, dns } = network else { return Ok(()) };
    let bad_address = || {
        let detail = format!("\"{address}\" is not an IPv4 address with prefix: 192.168.1.10/24");
        ("address", Problem::new("address-invalid", detail))
    };
    let (own, prefix) = parse_cidr(address).ok_or_else(bad_address)?;
    let bad_gateway = |code, why: &str| {
        ("gateway", Problem::new(code, format!("the gateway \"{gateway}\" {why}")))
    };
    let Ok(router) = gateway.parse::<Ipv4Addr>() else {
        return Err(bad_gateway("gateway-invalid", "is not an IPv4 address"));
    };
    let mask = u32::MAX << (32 - u32::from(prefix));
    let same_network = (own.to_bits() ^ router.to_bits()) & mask == 0;
    if !same_network || own == router {
        let why = "is not another address of the same network";
        return Err(bad_gateway("gateway-outside", why));
    }
    let readable = dns.iter().all(|server| server.parse::<IpAddr>().is_ok());
    if dns.is_empty() || dns.len() > DNS_MAX || !readable {
        let detail = format!("one to {DNS_MAX} addresses of name servers are needed");
        return Err(("dns", Problem::new("dns-invalid", detail)));
    }
    Ok(())
}

/// An address that a host can have, with a prefix of 1 to 30.
fn parse_cidr(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let (address, prefix) = (address.parse::<Ipv4Addr>().ok()?, prefix.parse::<u8>().ok()?);
    let host = u32::MAX.checked_shr(u32::from(prefix))?;
    let number = address.to_bits() & host;
    let usable = (1..=30).contains(&prefix) && number != 0 && number != host;
    let special = address.is_loopback() || address.is_multicast() || address.is_unspecified();
    (usable && !special).then_some((address, prefix))
}

fn no_appliance() -> ApiError {
    ApiError::conflict("no-appliance").detail("this daemon does not own its machine")
}

fn link_error(err: &LinkError) -> ApiError {
    match err {
        LinkError::Refused(reason) => ApiError::invalid("box-refused").detail(reason.clone()),
        err => {
            tracing::error!(%err, "PID 1 could not be asked");
            ApiError::busy().detail(err.to_string())
        }
    }
}

/// The state of the box.
pub(crate) async fn status(web: &Web) -> Result<BoxStatus, ApiError> {
    let link = web.link().ok_or_else(no_appliance)?;
    link.status().await.map_err(|err| link_error(&err))
}

/// Asks PID 1 for something.
pub(crate) async fn ask(web: &Web, request: &Request) -> Result<(), ApiError> {
    let link = web.link().ok_or_else(no_appliance)?;
    link.request(request).await.map_err(|err| link_error(&err))
}

/// Sets the network. It is stored first: PID 1 may change the address before it answers, and the answer
/// must not be the last thing that knew of the change.
pub(crate) async fn set(web: &Web, by: &Identity, network: Network) -> Result<(), ApiError> {
    if web.link().is_none() {
        return Err(no_appliance());
    }
    check(&network).map_err(|(field, problem)| problem.at(field))?;
    let before = web.settings().network.clone();
    store(web, by, network.clone()).await?;
    let asked = ask(web, &Request::SetNetwork { network }).await;
    if asked.is_err() {
        store(web, by, before).await?;
    }
    asked
}

async fn store(web: &Web, by: &Identity, network: Network) -> Result<(), ApiError> {
    let change = move |settings: &mut store::Settings| settings.network = network;
    by.store(web).update_settings(Box::new(change)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_network_must_make_sense() {
        let set = |address: &str, gateway: &str, dns: &[&str]| {
            let dns = dns.iter().map(ToString::to_string).collect();
            let network = Network::Static { address: address.into(), gateway: gateway.into(), dns };
            check(&network).map_err(|(field, problem)| (field, problem.code))
        };
        assert_eq!(set("192.168.1.10/24", "192.168.1.1", &["192.168.1.1", "2001:db8::1"]), Ok(()));
        for (address, gateway, dns, problem) in [
            ("192.168.1.10", "192.168.1.1", &["9.9.9.9"][..], ("address", "address-invalid")),
            ("192.168.1.0/24", "192.168.1.1", &["9.9.9.9"], ("address", "address-invalid")),
            ("192.168.1.255/24", "192.168.1.1", &["9.9.9.9"], ("address", "address-invalid")),
            ("192.168.1.10/33", "192.168.1.1", &["9.9.9.9"], ("address", "address-invalid")),
            ("127.0.0.1/8", "127.0.0.2", &["9.9.9.9"], ("address", "address-invalid")),
            ("192.168.1.10/24", "router", &["9.9.9.9"], ("gateway", "gateway-invalid")),
            ("192.168.1.10/24", "192.168.2.1", &["9.9.9.9"], ("gateway", "gateway-outside")),
            ("192.168.1.10/24", "192.168.1.10", &["9.9.9.9"], ("gateway", "gateway-outside")),
            ("192.168.1.10/24", "192.168.1.1", &[], ("dns", "dns-invalid")),
            ("192.168.1.10/24", "192.168.1.1", &["dns.test"], ("dns", "dns-invalid")),
        ] {
            assert_eq!(set(address, gateway, dns), Err(problem), "{address} {gateway} {dns:?}");
        }
        assert_eq!(check(&Network::Dhcp), Ok(()));
    }
}
