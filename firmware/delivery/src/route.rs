//! Which hosts take the mail of a destination, in the order in which they are asked. RFC 5321 §5.1,
//! RFC 7505.

use std::net::SocketAddr;

use base::DomainName;
use store::Outbound;

use crate::Delivery;
use crate::client::{Credentials, Patience, Peer, TlsUse, Word, needs_certificate};
use crate::dns::{DnsFailure, Exchanger};
use crate::outbound::Reason;

/// Addresses that are tried in one attempt.
const PEERS_MAX: usize = 10;
/// RFC 5321 §4.5.4.2.
const SMTP_PORT: u16 = 25;

/// Where recipients of one entry go together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Destination {
    /// A domain elsewhere, by MX.
    Domain(DomainName),
    /// The relay of the settings.
    Smarthost,
    /// Ours by now.
    Local,
}

/// Why there is no host to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoRoute {
    pub(crate) is_permanent: bool,
    pub(crate) word: Word,
    pub(crate) reason: Reason,
}

impl NoRoute {
    fn permanent(status: &str, text: String, reason: Reason) -> Self {
        Self { is_permanent: true, word: Word::ours(status, text), reason }
    }

    fn temporary(status: &str, text: String, reason: Reason) -> Self {
        Self { is_permanent: false, word: Word::ours(status, text), reason }
    }

    fn of_dns(failure: DnsFailure, name: &str) -> Self {
        match failure {
            DnsFailure::NoSuchName => {
                let text = format!("the domain {name} does not exist");
                Self::permanent("5.1.2", text, Reason::NameNotFound)
            }
            DnsFailure::NoRecord => {
                let text = format!("{name} has no mail server");
                Self::permanent("5.4.4", text, Reason::NameNotFound)
            }
            DnsFailure::Failed(err) => {
                let text = format!("the name servers did not answer for {name}: {err}");
                Self::temporary("4.4.3", text, Reason::DnsFailed)
            }
        }
    }
}

impl Delivery {
    /// The name servers to ask.
    pub(crate) fn dns_servers(&self) -> Vec<String> {
        let servers = self.store().settings().dns_servers.clone();
        if servers.is_empty() { self.network_dns() } else { servers }
    }

    /// The hosts of `domain`, best first.
    pub(crate) async fn route_domain(&self, domain: &DomainName) -> Result<Vec<Peer>, NoRoute> {
        let name = domain.as_str();
        // RFC 5321 §4.1.3: an address literal is its own host.
        if let Some(literal) = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
            let literal = literal.strip_prefix("ipv6:").unwrap_or(literal);
            let address = literal.parse().map_err(|_| {
                NoRoute::permanent("5.1.2", format!("{name} is no address"), Reason::NameNotFound)
            })?;
            return Ok(vec![self.exchanger_peer(name, SocketAddr::new(address, SMTP_PORT))]);
        }
        let servers = self.dns_servers();
        let exchangers = match self.dns().exchangers(&servers, name).await {
            Ok(exchangers) => exchangers,
            Err(DnsFailure::NoRecord) => Vec::new(),
            Err(failure) => return Err(NoRoute::of_dns(failure, name)),
        };
        let hosts = order(exchangers, name, &self.hostname(), self.clock().now().0)?;
        self.resolve_exchangers(&servers, name, &hosts).await
    }

    async fn resolve_exchangers(
        &self,
        servers: &[String],
        domain: &str,
        hosts: &[String],
    ) -> Result<Vec<Peer>, NoRoute> {
        let mut peers = Vec::new();
        let mut failure = None;
        for host in hosts {
            match self.dns().addresses(servers, host).await {
                Ok(addresses) => {
                    peers.extend(addresses.into_iter().map(|address| {
                        self.exchanger_peer(host, SocketAddr::new(address, SMTP_PORT))
                    }))
                }
                // One that may answer later is worth waiting for.
                Err(DnsFailure::Failed(err)) => failure = Some(DnsFailure::Failed(err)),
                Err(other) => {
                    failure.get_or_insert(other);
                }
            }
            if peers.len() >= PEERS_MAX {
                break;
            }
        }
        peers.truncate(PEERS_MAX);
        if peers.is_empty() {
            let failure = failure.unwrap_or(DnsFailure::NoRecord);
            return Err(NoRoute::of_dns(failure, domain));
        }
        Ok(peers)
    }

    fn exchanger_peer(&self, host: &str, address: SocketAddr) -> Peer {
        Peer {
            host: host.to_owned(),
            address,
            tls: TlsUse::Opportunistic,
            is_verified: false,
            credentials: None,
            hello: self.hostname(),
            patience: Patience::Standard,
        }
    }

    /// The addresses of the relay.
    pub(crate) async fn route_smarthost(&self, outbound: &Outbound) -> Result<Vec<Peer>, NoRoute> {
        let Outbound::Smarthost { host, port, tls, user, password } = outbound else {
            let text = "no smarthost is set".to_owned();
            return Err(NoRoute::temporary("4.3.5", text, Reason::NameNotFound));
        };
        let host = host.trim_matches(['[', ']']);
        let addresses = self.dns().addresses(&self.dns_servers(), host).await;
        let addresses = addresses.map_err(|failure| {
            // The setting may be mended: nobody's mail bounces for a typing error in it.
            let no = NoRoute::of_dns(failure, host);
            NoRoute { is_permanent: false, word: no.word.into_temporary(), reason: no.reason }
        })?;
        let credentials = user
            .clone()
            .map(|user| Credentials { user, password: password.clone().unwrap_or_default() });
        let peer = |address| Peer {
            host: host.to_owned(),
            address: SocketAddr::new(address, *port),
            tls: (*tls).into(),
            is_verified: needs_certificate(address),
            credentials: credentials.clone(),
            hello: self.hostname(),
            patience: Patience::Standard,
        };
        Ok(addresses.into_iter().take(PEERS_MAX).map(peer).collect())
    }
}

/// The hosts in the order in which they are asked; `turn` varies the order of equals.
fn order(
    mut exchangers: Vec<Exchanger>,
    domain: &str,
    hostname: &str,
    turn: i64,
) -> Result<Vec<String>, NoRoute> {
    // RFC 5321 §5.1: without MX the domain itself is the host.
    if exchangers.is_empty() {
        return Ok(vec![domain.to_owned()]);
    }
    // RFC 7505 §3.
    exchangers.retain(|exchanger| exchanger.host != ".");
    if exchangers.is_empty() {
        let text = format!("the domain {domain} takes no mail");
        return Err(NoRoute::permanent("5.1.10", text, Reason::DomainTakesNoMail));
    }
    // RFC 5321 §5.1: if we are one of them, only better ones may be asked.
    let own = exchangers.iter().filter(|e| e.host.eq_ignore_ascii_case(hostname));
    if let Some(own) = own.map(|e| e.preference).min() {
        exchangers.retain(|e| e.preference < own);
    }
    if exchangers.is_empty() {
        let text = format!("mail for {domain} comes back to this server, which does not take it");
        return Err(NoRoute::permanent("5.4.6", text, Reason::DomainTakesNoMail));
    }
    let turn = usize::try_from(turn.unsigned_abs() % 1024).unwrap_or(0);
    let turn = turn % exchangers.len();
    exchangers.rotate_left(turn);
    exchangers.sort_by_key(|exchanger| exchanger.preference);
    Ok(exchangers.into_iter().map(|exchanger| exchanger.host).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(exchangers: &[(u16, &str)], turn: i64) -> Result<Vec<String>, String> {
        let exchangers = exchangers
            .iter()
            .map(|&(preference, host)| Exchanger { preference, host: host.to_owned() })
            .collect();
        order(exchangers, "x.test", "Mail.office.test", turn).map_err(|no| no.word.status)
    }

    #[test]
    fn exchangers_are_asked_in_order_and_never_in_a_circle() {
        let hosts = |names: &[&str]| Ok(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(ordered(&[], 0), hosts(&["x.test"]));
        assert_eq!(ordered(&[(20, "b"), (10, "a"), (30, "c")], 5), hosts(&["a", "b", "c"]));
        assert_eq!(ordered(&[(10, "a"), (10, "b")], 0), hosts(&["a", "b"]));
        assert_eq!(ordered(&[(10, "a"), (10, "b")], 1), hosts(&["b", "a"]));
        assert_eq!(ordered(&[(0, ".")], 0), Err("5.1.10".to_owned()));
        let own = (20, "mail.office.test");
        assert_eq!(ordered(&[(10, "a"), own, (20, "b"), (30, "c")], 0), hosts(&["a"]));
        assert_eq!(ordered(&[own, (30, "c")], 0), Err("5.4.6".to_owned()));
    }
}
