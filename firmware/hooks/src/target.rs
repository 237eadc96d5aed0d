//! Where a hook is: its URL, taken apart and checked.

use std::net::IpAddr;

use hyper::Uri;

/// Bytes of a URL.
const URL_MAX: usize = 2_000;

/// Why a hook cannot be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// It is no URL of HTTP or HTTPS with a host and without a user.
    Invalid,
    /// Plain HTTP to an address of the open network.
    NeedsHttps,
    /// Our own admin pages.
    Own,
}

/// A URL taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) is_tls: bool,
    /// Host name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// `host[:port]` as it stands in the URL.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, TargetError> {
        let uri: Uri = url.trim().parse().map_err(|_| TargetError::Invalid)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(TargetError::Invalid),
        };
        let authority = uri.authority().ok_or(TargetError::Invalid)?;
        // A password in a URL is one in every log.
        if url.len() > URL_MAX || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(TargetError::Invalid);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let digits = authority.as_str().rsplit_once(':').filter(|(_, port)| !port.contains(']'));
        let port = match digits {
            Some((_, digits)) => digits.parse().map_err(|_| TargetError::Invalid)?,
            None if is_tls => 443,
            None => 80,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let target = Self { is_tls, host, port, authority: authority.to_string(), path };
        match target.host.parse::<IpAddr>() {
            Ok(address) if !is_tls && !is_private(address) => Err(TargetError::NeedsHttps),
            _ => Ok(target),
        }
    }

    /// True if this address of the host may be called.
    pub(crate) fn may_be_at(&self, address: IpAddr, own_ports: &[u16]) -> Result<(), TargetError> {
        let address = address.to_canonical();
        if !self.is_tls && !is_private(address) {
            return Err(TargetError::NeedsHttps);
        }
        let is_here = address.is_loopback() || address.is_unspecified();
        if is_here && own_ports.contains(&self.port) { Err(TargetError::Own) } else { Ok(()) }
    }
}

/// Loopback, private and link-local addresses: the office's own network.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_checked() {
        let target = Target::parse("https://hr.office.test/new?x=1").unwrap();
        assert_eq!((target.port, target.path.as_str()), (443, "/new?x=1"));
        let target = Target::parse("http://[::1]:8080").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("::1", 8080, "/"));
        for url in [
            "",
            "ftp://x.test/",
            "https://",
            "/path",
            "https://user:pw@x.test/",
            "x.test",
            "https://x.test:99999/",
            "http://\u{7}",
        ] {
            assert_eq!(Target::parse(url), Err(TargetError::Invalid), "{url}");
        }
        assert_eq!(Target::parse("http://192.0.2.1/"), Err(TargetError::NeedsHttps));
        assert!(Target::parse("http://10.0.0.7/").is_ok());
    }

    #[test]
    fn our_own_admin_pages_are_no_target() {
        let at = |url: &str, address: &str| {
            Target::parse(url).unwrap().may_be_at(address.parse().unwrap(), &[80, 443])
        };
        assert_eq!(at("https://x.test/", "127.0.0.1"), Err(TargetError::Own));
        assert_eq!(at("http://x.test/", "::ffff:127.0.0.1"), Err(TargetError::Own));
        assert_eq!(at("http://x.test/", "192.0.2.1"), Err(TargetError::NeedsHttps));
        assert_eq!(at("http://x.test:8080/", "127.0.0.1"), Ok(()));
        assert_eq!(at("https://x.test/", "192.0.2.1"), Ok(()));
    }
}
