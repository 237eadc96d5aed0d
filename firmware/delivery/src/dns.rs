//! Questions to the name servers: MX, A, AAAA.
//!
//! The servers of the settings, else those the network gave, else the system's. Limits: 5 s a try,
//! two tries, 512 answers cached.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{ResolverBuilder, TokioResolver};

const TRY_TIMEOUT: Duration = Duration::from_secs(5);
const TRIES: usize = 2;
const CACHE_ENTRIES: u64 = 512;
/// Mail exchangers of one domain that are looked at.
const EXCHANGERS_MAX: usize = 20;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DnsFailure {
    /// There is no such name.
    NoSuchName,
    /// The name has no record of this type.
    NoRecord,
    /// It could not be asked.
    Failed(String),
}

impl From<NetError> for DnsFailure {
    fn from(error: NetError) -> Self {
        if error.is_nx_domain() {
            Self::NoSuchName
        } else if error.is_no_records_found() {
            Self::NoRecord
        } else {
            Self::Failed(error.to_string())
        }
    }
}

/// A mail exchanger; host `.` says that the domain takes no mail (RFC 7505).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchanger {
    pub(crate) preference: u16,
    /// Without final dot, lower case.
    pub(crate) host: String,
}

/// The resolver for the servers that were named last.
#[derive(Default)]
pub(crate) struct Dns {
    current: Mutex<Option<(Vec<String>, Arc<TokioResolver>)>>,
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dns")
    }
}

/// `address` or `address:port`.
fn parse_server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse().ok()?, 53)))
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    let connections = connections.into_iter().map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.collect())
}

fn build(servers: &[String]) -> Result<TokioResolver, DnsFailure> {
    let mut builder: ResolverBuilder<TokioRuntimeProvider> = if servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let addresses: Vec<SocketAddr> = servers.iter().filter_map(|s| parse_server(s)).collect();
        if addresses.is_empty() {
            return Err(DnsFailure::Failed("no valid name server is set".to_owned()));
        }
        let servers = addresses.into_iter().map(name_server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = TRY_TIMEOUT;
    options.attempts = TRIES;
    options.cache_size = CACHE_ENTRIES;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    Ok(builder.build()?)
}

impl Dns {
    fn resolver(&self, servers: &[String]) -> Result<Arc<TokioResolver>, DnsFailure> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((named, resolver)) = current.as_ref()
            && named == servers
        {
            return Ok(resolver.clone());
        }
        let resolver = Arc::new(build(servers)?);
        *current = Some((servers.to_vec(), resolver.clone()));
        Ok(resolver)
    }

    /// The mail exchangers of `domain` as the name servers give them.
    pub(crate) async fn exchangers(
        &self,
        servers: &[String],
        domain: &str,
    ) -> Result<Vec<Exchanger>, DnsFailure> {
        let resolver = self.resolver(servers)?;
        let lookup = Box::pin(resolver.mx_lookup(format!("{domain}."))).await?;
        let exchangers = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::MX(mx) => Some(Exchanger {
                preference: mx.preference,
                host: plain_name(&mx.exchange.to_ascii()),
            }),
            _ => None,
        });
        Ok(exchangers.take(EXCHANGERS_MAX).collect())
    }

    /// The addresses of `host`, IPv4 first: many an office has IPv6 without a way out.
    pub(crate) async fn addresses(
        &self,
        servers: &[String],
        host: &str,
    ) -> Result<Vec<IpAddr>, DnsFailure> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        // RFC 6761 §6.3: not a question for name servers.
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into()]);
        }
        let resolver = self.resolver(servers)?;
        let lookup =
            Box::pin(resolver.lookup_ip(format!("{}.", host.trim_end_matches('.')))).await?;
        let mut addresses: Vec<IpAddr> = lookup.iter().collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        if addresses.is_empty() { Err(DnsFailure::NoRecord) } else { Ok(addresses) }
    }
}

/// Lower case, without the final dot; the root stays `.`.
fn plain_name(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_suffix('.') {
        Some("") | None if name == "." || name.is_empty() => ".".to_owned(),
        Some(stripped) => stripped.to_owned(),
        None => name,
    }
}
