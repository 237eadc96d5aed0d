//! What tells the four ports apart.

use std::net::IpAddr;

/// A kind of port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// 25: mail from other hosts; a login is possible and allows relaying.
    Smtp,
    /// 465: submission with TLS from the first byte (RFC 8314 §3.3).
    Submissions,
    /// 587: submission with STARTTLS (RFC 6409).
    Submission,
    /// 24: LMTP from hosts of the local network (RFC 2033).
    Lmtp,
}

impl Role {
    /// The service's name in logs and in the list of listeners.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submissions => "submissions",
            Self::Submission => "submission",
            Self::Lmtp => "lmtp",
        }
    }

    /// Nothing is taken without a login (RFC 6409 §4.3).
    pub(crate) fn requires_login(self) -> bool {
        matches!(self, Self::Submissions | Self::Submission)
    }

    /// AUTH exists here.
    pub(crate) fn offers_auth(self) -> bool {
        self != Self::Lmtp
    }

    /// True if a client at `peer` may speak here at all.
    pub(crate) fn admits(self, peer: IpAddr) -> bool {
        self != Self::Lmtp || is_local_network(peer)
    }
}

/// Loopback, private (RFC 1918, RFC 4193) and link-local addresses.
fn is_local_network(peer: IpAddr) -> bool {
    match peer.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lmtp_is_for_the_local_network() {
        for (peer, admitted) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("192.168.7.7", true),
            ("::ffff:192.168.7.7", true),
            ("fe80::1", true),
            ("fd00::1", true),
            ("192.0.2.1", false),
            ("172.32.0.1", false),
            ("2001:db8::1", false),
        ] {
            let peer = peer.parse().unwrap();
            assert_eq!(Role::Lmtp.admits(peer), admitted, "{peer}");
            assert!(Role::Smtp.admits(peer));
        }
    }
}
