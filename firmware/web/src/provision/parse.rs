//! Reading and checking a provisioning file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use base::box_link::Network;
use base::{Address, DomainName};
use store::{Outbound, SmarthostTls};
use toml::de::DeTable;

use super::mail::{self, DomainMail, UserMail};
use super::table::{Faults, Found, Table};
use super::{FILE_MAX, Provision, ProvisionError, User};
use crate::rules::Problem;
use crate::{network, outbound, rules};

/// Most users of a file.
const USERS_MAX: usize = 5_000;
/// Most name servers.
const SERVERS_MAX: usize = 8;

/// Reads a file.
///
/// # Errors
/// All that is wrong in it, by line.
pub fn parse(text: &str) -> Result<Provision, Vec<ProvisionError>> {
    let mut faults = Faults::new(text);
    if text.len() > FILE_MAX {
        faults.add(1, "", format!("the file is larger than {FILE_MAX} bytes"));
        return Err(faults.found);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = faults.line_at(error.span().map_or(0, |span| span.start));
        faults.add(line, "", format!("this is not TOML: {}", error.message()));
    }
    if !faults.found.is_empty() {
        return Err(faults.found);
    }
    let root = Table::new(document.get_ref(), "", 1, &faults);
    let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
    let provision = read(root, hash, &mut faults);
    if faults.found.is_empty() {
        return Ok(provision);
    }
    faults.found.sort_by_key(|fault| fault.line);
    Err(faults.found)
}

fn read(mut root: Table<'_, '_>, hash: String, faults: &mut Faults<'_>) -> Provision {
    let hostname =
        root.text(faults, "hostname").and_then(|f| f.check(faults, reason(rules::hostname)));
    let language =
        root.text(faults, "language").and_then(|f| f.check(faults, reason(rules::language)));
    let admin = root.table(faults, "admin");
    let admin_password = admin.and_then(|table| admin_password(table, faults, hostname.as_deref()));
    let domains = domains(&mut root, faults);
    let names = domains.keys().cloned().collect();
    let mut seen = BTreeSet::new();
    let users = users(&mut root, faults, &names, &mut seen);
    let groups = mail::groups(&mut root, faults, &names, &mut seen);
    let outbound = root.table(faults, "outbound").and_then(|table| read_outbound(table, faults));
    let dns_servers = root.table(faults, "dns").and_then(|table| dns_servers(table, faults));
    let network = root.table(faults, "network").and_then(|table| read_network(table, faults));
    root.finish(faults);
    Provision {
        hash,
        hostname,
        language,
        admin_password,
        domains,
        users,
        groups,
        outbound,
        dns_servers,
        network,
    }
}

/// A rule with its problem's English only.
pub(super) fn reason<R>(
    rule: impl Fn(&str) -> Result<R, Problem>,
) -> impl Fn(&str) -> Result<R, String> {
    move |text| rule(text).map_err(|problem| problem.detail)
}

fn admin_password(
    mut table: Table<'_, '_>,
    faults: &mut Faults<'_>,
    hostname: Option<&str>,
) -> Option<String> {
    let names = ["admin", hostname.unwrap_or_default()];
    let rule = |text: &str| {
        let checked = rules::password(text, rules::Holder::Admin, &names);
        checked.map(|()| text.to_owned()).map_err(|problem| problem.detail)
    };
    let password = table.needed(faults, "password").and_then(|found| found.check(faults, rule));
    table.finish(faults);
    password
}

fn domains(root: &mut Table<'_, '_>, faults: &mut Faults<'_>) -> BTreeMap<DomainName, DomainMail> {
    let mut domains = BTreeMap::new();
    let mut lines = BTreeMap::new();
    for mut table in root.tables(faults, "domain") {
        let start = table.line;
        let mail = DomainMail::read(&mut table, faults);
        if let Some(found) = table.needed(faults, "name") {
            let (line, key) = (found.line, found.key.clone());
            if let Some(name) = found.check(faults, reason(rules::domain)) {
                if domains.contains_key(&name) {
                    faults.add(line, &key, format!("{name} is named twice"));
                }
                lines.insert(name.clone(), start);
                domains.insert(name, mail);
            }
        }
        table.finish(faults);
    }
    mail::check_names(&domains, &lines, faults);
    domains
}

fn users(
    root: &mut Table<'_, '_>,
    faults: &mut Faults<'_>,
    domains: &BTreeSet<DomainName>,
    seen: &mut BTreeSet<String>,
) -> Vec<User> {
    let tables = root.tables(faults, "user");
    if tables.len() > USERS_MAX {
        let line = tables.first().map_or(1, |table| table.line);
        faults.add(line, "user", format!("there are more than {USERS_MAX} users"));
        return Vec::new();
    }
    tables.into_iter().filter_map(|table| user(table, faults, domains, seen)).collect()
}

fn user(
    mut table: Table<'_, '_>,
    faults: &mut Faults<'_>,
    domains: &BTreeSet<DomainName>,
    seen: &mut BTreeSet<String>,
) -> Option<User> {
    let mut own = |text: &str| own_address(text, domains, seen);
    let address = table.needed(faults, "address").and_then(|f| f.check(faults, &mut own));
    let aliases = table.texts(faults, "aliases").unwrap_or_default();
    if aliases.len() > rules::ALIASES_MAX {
        let most = format!("there are more than {}", rules::ALIASES_MAX);
        faults.add(table.line, &table.key("aliases"), most);
    }
    let aliases = aliases.into_iter().filter_map(|f| f.check(faults, &mut own)).collect();
    let name = table.text(faults, "name").and_then(|f| f.check(faults, reason(rules::name)));
    let quota = table.number(faults, "quota_mb");
    let quota = quota.and_then(|f| f.check(faults, |mb| rules::quota(mb).map_err(|p| p.detail)));
    let mail = UserMail::read(&mut table, faults);
    let is_admin = table.yes_or_no(faults, "admin").is_some_and(|found| found.value);
    let holder = rules::Holder::of(is_admin);
    let login = address.as_ref().map(ToString::to_string).unwrap_or_default();
    let local = address.as_ref().map(Address::local).unwrap_or_default();
    let rule = |text: &str| {
        let checked = rules::password(text, holder, &[login.as_str(), local]);
        checked.map(|()| text.to_owned()).map_err(|problem| problem.detail)
    };
    let password = table.needed(faults, "password").and_then(|found| found.check(faults, rule));
    table.finish(faults);
    Some(User {
        name: name.unwrap_or_default(),
        password: password?,
        quota_bytes: quota,
        aliases,
        is_admin,
        mail,
        address: address?,
    })
}

/// An address in a domain of the file that stands in it once.
pub(super) fn own_address(
    text: &str,
    domains: &BTreeSet<DomainName>,
    seen: &mut BTreeSet<String>,
) -> Result<Address, String> {
    let address = rules::address(text).map_err(|problem| problem.detail)?;
    if !domains.contains(address.domain()) {
        return Err(format!("the domain of \"{address}\" is in no [[domain]] of this file"));
    }
    if !seen.insert(address.key()) {
        return Err(format!("\"{address}\" is given to two users, or twice"));
    }
    Ok(address)
}

fn read_outbound(mut table: Table<'_, '_>, faults: &mut Faults<'_>) -> Option<Outbound> {
    let line = table.line;
    let mode = table.needed(faults, "mode");
    let host = table.text(faults, "smarthost");
    let user = table.text(faults, "user").map(|found| found.value.to_owned());
    let password = table.text(faults, "password").map(|found| found.value.to_owned());
    let tls = table.text(faults, "tls").and_then(|found| found.check(faults, tls_mode));
    let smarthost_key = table.key("smarthost");
    let path = table.key("");
    table.finish(faults);
    let mode = mode?;
    match (mode.value, host) {
        ("direct", None) if user.is_none() && password.is_none() && tls.is_none() => {
            Some(Outbound::Direct)
        }
        ("direct", _) => {
            faults.add(mode.line, &mode.key, "with mode direct there is no smarthost");
            None
        }
        ("smarthost", None) => {
            faults.add(line, &smarthost_key, "is missing");
            None
        }
        ("smarthost", Some(host)) => {
            let line = host.line;
            let (name, port) = host.check(faults, host_and_port)?;
            // Without a login there is nothing to protect on the way to a relay of one's own; with one, or
            // on its port, there is TLS.
            let tls = tls.unwrap_or(match (port, &user) {
                (Some(465), _) => SmarthostTls::Implicit,
                (_, Some(_)) => SmarthostTls::Starttls,
                _ => SmarthostTls::None,
            });
            let port = port.unwrap_or_else(|| outbound::default_port(tls));
            let smarthost = Outbound::Smarthost { host: name, port, tls, user, password };
            if let Err((key, problem)) = outbound::check(&smarthost) {
                faults.add(line, &format!("{path}{key}"), problem.detail);
                return None;
            }
            Some(smarthost)
        }
        (other, _) => {
            let why = format!("\"{other}\" is neither \"direct\" nor \"smarthost\"");
            faults.add(mode.line, &mode.key, why);
            None
        }
    }
}

fn tls_mode(text: &str) -> Result<SmarthostTls, String> {
    match text {
        "none" => Ok(SmarthostTls::None),
        "starttls" => Ok(SmarthostTls::Starttls),
        "implicit" => Ok(SmarthostTls::Implicit),
        other => Err(format!("\"{other}\" is none of \"none\", \"starttls\", \"implicit\"")),
    }
}

/// `relay.test`, `relay.test:2525`, `192.0.2.1:25`, `[2001:db8::1]:25`, `2001:db8::1`.
fn host_and_port(text: &str) -> Result<(String, Option<u16>), String> {
    let name = |host: &str| outbound::smarthost_name(host).map_err(|problem| problem.detail);
    if text.parse::<IpAddr>().is_ok() {
        return Ok((name(text)?, None));
    }
    let Some((host, port)) = text.rsplit_once(':') else { return Ok((name(text)?, None)) };
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((name(host)?, Some(port))),
        _ => Err(format!("\"{port}\" is not a port")),
    }
}

fn dns_servers(mut table: Table<'_, '_>, faults: &mut Faults<'_>) -> Option<Vec<String>> {
    let line = table.line;
    let servers = table.texts(faults, "servers");
    let key = table.key("servers");
    table.finish(faults);
    let Some(servers) = servers else {
        faults.add(line, &key, "is missing");
        return None;
    };
    if servers.is_empty() || servers.len() > SERVERS_MAX {
        faults.add(line, &key, format!("one to {SERVERS_MAX} name servers are needed"));
    }
    let server = |text: &str| {
        let fits = text.parse::<IpAddr>().is_ok()
            || text.parse::<SocketAddr>().is_ok_and(|address| address.port() > 0);
        if fits { Ok(text.to_owned()) } else { Err(format!("\"{text}\" is not address[:port]")) }
    };
    Some(servers.into_iter().filter_map(|found| found.check(faults, server)).collect())
}

fn read_network(mut table: Table<'_, '_>, faults: &mut Faults<'_>) -> Option<Network> {
    let line = table.line;
    let mode = table.needed(faults, "mode");
    let path = table.key("");
    let is_static = mode.as_ref().is_some_and(|mode| mode.value == "static");
    let network = if is_static {
        let address = table.needed(faults, "address");
        let gateway = table.needed(faults, "gateway");
        let dns = table.texts(faults, "dns").unwrap_or_default();
        let text = |found: Found<&str>| found.value.to_owned();
        let dns = dns.into_iter().map(text).collect();
        match (address.map(text), gateway.map(text)) {
            (Some(address), Some(gateway)) => Some(Network::Static { address, gateway, dns }),
            _ => None,
        }
    } else {
        let rule = |mode: &str| match mode {
            "dhcp" => Ok(Network::Dhcp),
            other => Err(format!("\"{other}\" is neither \"dhcp\" nor \"static\"")),
        };
        mode.and_then(|found| found.check(faults, rule))
    };
    table.finish(faults);
    if let Some(Err((key, problem))) = network.as_ref().map(network::check) {
        faults.add(line, &format!("{path}{key}"), problem.detail);
    }
    network
}
