//! Distinguished names of our entries. RFC 4514.

use base::{Address, DomainName};

/// A value as it stands in a DN: RFC 4514 §2.4.
pub(crate) fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        let at_edge = at == 0 || at + c.len_utf8() == value.len();
        if "\"+,;<>\\=".contains(c) || (c == ' ' && at_edge) || (c == '#' && at == 0) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// `dc=office,dc=test`. RFC 2247.
pub(crate) fn of_domain(domain: &DomainName) -> String {
    let labels: Vec<String> =
        domain.as_str().split('.').map(|label| format!("dc={}", escape(label))).collect();
    labels.join(",")
}

/// `uid=anna,ou=people,dc=office,dc=test`
pub(crate) fn of_account(address: &Address) -> String {
    let uid = escape(&address.local().to_lowercase());
    format!("uid={uid},ou=people,{}", of_domain(address.domain()))
}

/// The address that [`of_account`] made the DN of.
pub(crate) fn address_of_account(dn: &str) -> Option<Address> {
    let mut parts = vec![String::new()];
    let mut chars = dn.chars();
    while let Some(c) = chars.next() {
        match (c, parts.last_mut()) {
            (',', _) => parts.push(String::new()),
            ('\\', Some(part)) => part.push(chars.next()?),
            (c, Some(part)) => part.push(c),
            (_, None) => return None,
        }
    }
    let (uid, people, domain) = match parts.as_slice() {
        [uid, people, domain @ ..] => (uid.strip_prefix("uid=")?, people.as_str(), domain),
        _ => return None,
    };
    let labels: Option<Vec<&str>> = domain.iter().map(|part| part.strip_prefix("dc=")).collect();
    let address = Address::new(uid, DomainName::parse(&labels?.join(".")).ok()?).ok()?;
    (people == "ou=people" && of_account(&address) == dn).then_some(address)
}

/// `cn=info,ou=aliases,dc=office,dc=test`
pub(crate) fn of_alias(address: &Address) -> String {
    let cn = escape(&address.local().to_lowercase());
    format!("cn={cn},ou=aliases,{}", of_domain(address.domain()))
}

/// `ou=people,dc=office,dc=test`
pub(crate) fn of_container(name: &str, domain: &DomainName) -> String {
    format!("ou={name},{}", of_domain(domain))
}

/// `cn=sales,ou=groups,dc=office,dc=test`
pub(crate) fn of_group(name: &str, domain: &DomainName) -> String {
    format!("cn={},ou=groups,{}", escape(name), of_domain(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_from_its_dn() {
        for text in ["anna@office.test", "a+b@x.test", "\"a, b\"@x.test", "#x=y@a.b.test"] {
            let address = Address::parse(text).unwrap();
            let dn = of_account(&address);
            assert_eq!(address_of_account(&dn), Some(address), "{dn}");
        }
        for dn in ["", "uid=a", "cn=a,ou=aliases,dc=x", "uid=a,ou=people,cn=x", "uid=a\\"] {
            assert_eq!(address_of_account(dn), None, "{dn}");
        }
    }

    #[test]
    fn special_characters_are_escaped() {
        for (address, dn) in [
            ("Anna@Office.test", "uid=anna,ou=people,dc=office,dc=test"),
            ("a+b=c@x.test", "uid=a\\+b\\=c,ou=people,dc=x,dc=test"),
            ("\" #,\"@x.test", "uid=\\ #\\,,ou=people,dc=x,dc=test"),
            ("#1@x.test", "uid=\\#1,ou=people,dc=x,dc=test"),
        ] {
            assert_eq!(of_account(&Address::parse(address).unwrap()), dn);
        }
    }
}
