//! Which addresses are of the office's own network. No I/O: the box does not ask which network that is.

use std::net::IpAddr;

/// True for addresses that no router of the Internet passes on: private (RFC 1918, RFC 4193), link-local, the
/// box itself. An IPv4 address that comes as IPv6 is what it stands for.
#[must_use]
pub fn is_lan(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_office_is_not_the_internet() {
        for (text, is_ours) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.9", true),
            ("169.254.1.1", true),
            ("100.64.0.1", false),
            ("8.8.8.8", false),
            ("::1", true),
            ("fe80::1", true),
            ("fd00::1", true),
            ("2001:db8::1", false),
            ("::ffff:192.168.1.9", true),
            ("::ffff:8.8.8.8", false),
        ] {
            assert_eq!(is_lan(text.parse().unwrap()), is_ours, "{text}");
        }
    }
}
