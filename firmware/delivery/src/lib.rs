//! What happens to a message: accept, local delivery, the queue, remote delivery, bounces.
//!
//! The SMTP servers ask [`Delivery::verify_rcpt`] at RCPT and [`Delivery::accept`] at the end of the
//! data; what `accept` answered with `Ok` is durable. Never here: a server's grammar, a connection
//! that somebody opened to us.

mod accept;
mod attempt;
mod backoff;
mod client;
mod dns;
mod error;
mod notice;
pub mod outbound;
pub mod queue;
mod rest;
mod route;
mod settle;
mod verify;

use std::sync::{Arc, Mutex, PoisonError};

use base::{Clock, TierBudget};
use store::Store;

use client::TlsClient;

pub use accept::{Accepted, AcceptedMessage, Rcpt};
pub use error::AcceptError;
pub use verify::{RcptVerdict, SenderVerdict};

/// Routes and delivers. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Delivery {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    budget: Arc<TierBudget>,
    /// Name servers the network gave (DHCP); used where the settings name none.
    network_dns: Mutex<Vec<String>>,
    dns: dns::Dns,
    /// Destinations of which no host answered a moment ago.
    resting: rest::Resting,
    /// `None` where the TLS library would not start: nothing goes out then.
    tls: Option<TlsClient>,
}

impl Delivery {
    /// A delivery over `store`.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, budget: Arc<TierBudget>) -> Self {
        let tls = TlsClient::new().inspect_err(|err| {
            tracing::error!(err = %err, "TLS towards other hosts could not be set up");
        });
        let inner = Inner {
            store,
            clock,
            budget,
            network_dns: Mutex::default(),
            dns: dns::Dns::default(),
            resting: rest::Resting::default(),
            tls: tls.ok(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The name we give ourselves in EHLO, Received and notices.
    #[must_use]
    pub fn hostname(&self) -> String {
        let name = self.inner.store.settings().hostname.clone();
        if name.is_empty() { FALLBACK_HOSTNAME.to_owned() } else { name }
    }

    /// Tells the name servers that the network gave (`address` or `address:port`); they are asked
    /// where the settings name none. Without either, what the system says.
    pub fn set_network_dns(&self, servers: Vec<String>) {
        *self.inner.network_dns.lock().unwrap_or_else(PoisonError::into_inner) = servers;
    }

    /// The addresses of a host by the name servers that mail is sent with.
    ///
    /// # Errors
    /// `None`: there is no such name. Otherwise why nobody could be asked.
    pub async fn addresses(&self, host: &str) -> Result<Vec<std::net::IpAddr>, Option<String>> {
        let found = self.inner.dns.addresses(&self.dns_servers(), host).await;
        found.map_err(|failure| match failure {
            dns::DnsFailure::NoSuchName | dns::DnsFailure::NoRecord => None,
            dns::DnsFailure::Failed(why) => Some(why),
        })
    }

    /// Somebody wants mail tried now: destinations that did not answer a moment ago no longer rest.
    pub fn try_all_destinations(&self) {
        self.inner.resting.clear();
    }

    pub(crate) fn network_dns(&self) -> Vec<String> {
        self.inner.network_dns.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn tls(&self) -> Option<&TlsClient> {
        self.inner.tls.as_ref()
    }

    pub(crate) fn dns(&self) -> &dns::Dns {
        &self.inner.dns
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.inner.clock.as_ref()
    }

    pub(crate) fn budget(&self) -> &TierBudget {
        &self.inner.budget
    }
}

/// The box's name until the wizard gave it one; the one it has by mDNS.
const FALLBACK_HOSTNAME: &str = "postroom.local";

#[cfg(test)]
mod tests;
