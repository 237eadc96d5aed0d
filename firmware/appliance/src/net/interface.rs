//! The network cards, as sysfs tells.

use std::fs;
use std::path::Path;

/// A card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) mac: [u8; 6],
    pub(crate) has_carrier: bool,
}

impl Interface {
    /// `52:54:00:12:34:56`.
    pub(crate) fn mac_text(&self) -> String {
        self.mac.map(|byte| format!("{byte:02x}")).join(":")
    }
}

/// All Ethernet cards with a device behind them (no loopback, no bond, no dummy), by name.
pub(crate) fn all(sys: &Path) -> Vec<Interface> {
    let Ok(entries) = fs::read_dir(sys.join("class/net")) else { return Vec::new() };
    let mut found: Vec<_> = entries.flatten().filter_map(|entry| read(&entry.path())).collect();
    found.sort_by_key(|interface| interface.index);
    found
}

fn read(path: &Path) -> Option<Interface> {
    let text = |name: &str| fs::read_to_string(path.join(name)).unwrap_or_default();
    if !path.join("device").exists() || text("type").trim() != "1" {
        return None;
    }
    let mut mac = [0; 6];
    for (byte, part) in mac.iter_mut().zip(text("address").trim().split(':')) {
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    Some(Interface {
        name: path.file_name()?.to_string_lossy().into_owned(),
        index: text("ifindex").trim().parse().ok()?,
        mac,
        has_carrier: text("carrier").trim() == "1",
    })
}

/// The first with a cable.
pub(crate) fn choose(all: &[Interface]) -> Option<Interface> {
    all.iter().find(|interface| interface.has_carrier).cloned()
}

/// True if the card has a cable. Reading `carrier` of a card that is down fails.
pub(crate) fn has_carrier(sys: &Path, name: &str) -> bool {
    fs::read_to_string(sys.join("class/net").join(name).join("carrier"))
        .is_ok_and(|text| text.trim() == "1")
}

/// The IPv6 addresses beyond the link's own, with prefix length.
pub(crate) fn ipv6_addresses(name: &str) -> Vec<String> {
    let text = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    parse_inet6(&text, name)
}

/// Lines of `address index prefix scope flags name`, all but the name hexadecimal.
fn parse_inet6(text: &str, name: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let address = u128::from_str_radix(words.next()?, 16).ok()?;
            let prefix = u8::from_str_radix(words.nth(1)?, 16).ok()?;
            let scope = words.next()?;
            (scope == "00" && words.nth(1)? == name)
                .then(|| format!("{}/{prefix}", std::net::Ipv6Addr::from(address)))
        })
        .take(8)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_with_a_device_are_found_and_the_one_with_a_cable_is_chosen() {
        let dir = tempfile::tempdir().unwrap();
        for (name, index, carrier, is_card) in
            [("lo", 1, "1", false), ("eth0", 2, "0", true), ("eth1", 3, "1", true)]
        {
            let path = dir.path().join("class/net").join(name);
            fs::create_dir_all(&path).unwrap();
            for (file, text) in [
                ("type", "1".to_owned()),
                ("address", "52:54:00:12:34:5a".to_owned()),
                ("ifindex", format!("{index}\n")),
                ("carrier", format!("{carrier}\n")),
            ] {
                fs::write(path.join(file), text).unwrap();
            }
            if is_card {
                fs::create_dir(path.join("device")).unwrap();
            }
        }
        let all = all(dir.path());
        assert_eq!(all.len(), 2);
        let chosen = choose(&all).unwrap();
        assert_eq!(chosen.name, "eth1");
        assert_eq!(chosen.mac_text(), "52:54:00:12:34:5a");
        assert!(!has_carrier(dir.path(), "eth0"));
    }

    #[test]
    fn global_ipv6_addresses_are_read() {
        let text = "fe800000000000005054 00 bad\n\
            20010db8000000005054000000123456 02 40 00 80     eth0\n\
            fe80000000000000505400fffe123456 02 40 20 80     eth0\n";
        assert_eq!(parse_inet6(text, "eth0"), ["2001:db8::5054:0:12:3456/64"]);
        assert!(parse_inet6(text, "eth1").is_empty());
    }
}
