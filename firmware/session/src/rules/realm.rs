//! The domains that somebody administers: whose a thing is as seen from there, and which values may be
//! written. Nobody makes with it who has more rights than himself.

use std::collections::BTreeSet;

use base::{Address, DomainName};
use directory::{Dn, Rdn, schema};

use super::{Role, Target, key};

/// What the rights on a thing hang on.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// It is the entry of who asks.
    pub is_own: bool,
    /// It is a domain itself.
    pub is_base: bool,
    /// The domains it is in: by its place and by its address.
    pub domains: Vec<DomainName>,
    /// It may administer the box.
    pub is_admin: bool,
    /// Domains that it administers.
    pub manages: Vec<DomainName>,
}

/// The domains of the box, and those of them that somebody administers.
#[derive(Clone, Debug, Default)]
pub struct Realm {
    /// All domains of the box.
    pub ours: BTreeSet<DomainName>,
    /// The administered ones.
    pub manages: BTreeSet<DomainName>,
}

impl Realm {
    /// Whose `subject` is, asked by `role`.
    #[must_use]
    pub fn target(&self, role: Role, subject: &Subject) -> Target {
        let mut domains = subject.domains.iter().chain(&subject.manages);
        let is_within = role == Role::DomainAdmin
            && !subject.is_admin
            && !subject.domains.is_empty()
            && domains.all(|domain| self.manages.contains(domain));
        match subject {
            Subject { is_base: true, .. } if is_within => Target::Base,
            _ if is_within => Target::Domain,
            Subject { is_own: true, .. } => Target::Own,
            _ => Target::Other,
        }
    }

    /// The domain that an entry is in: the nearest of ours above it, or itself.
    #[must_use]
    pub fn domain_of(&self, dn: &Dn) -> Option<&DomainName> {
        let rdns = dn.rdns();
        (0..rdns.len()).find_map(|from| self.ours.get(&domain(rdns.get(from..)?)?))
    }

    /// True if the name is that of one of our domains.
    #[must_use]
    pub fn is_base(&self, dn: &Dn) -> bool {
        domain(dn.rdns()).is_some_and(|domain| self.ours.contains(&domain))
    }

    /// Whether a domain admin may write `value` into an attribute that he may write: addresses and members
    /// of other domains of the box are not his to give, nor is it to make a domain.
    #[must_use]
    pub fn may_hold(&self, role: Role, attribute: &str, value: &[u8]) -> bool {
        if role != Role::DomainAdmin {
            return true;
        }
        let text = String::from_utf8_lossy(value);
        match key(attribute).as_str() {
            "mail" | "maillocaladdress" => self.may_own(&text),
            "postroomsendas" => self.is_managed(&text),
            "member" | "uniquemember" | "owner" => {
                let dn = Dn::parse(&text).ok();
                dn.is_some_and(|dn| self.domain_of(&dn).is_some_and(|d| self.manages.contains(d)))
            }
            "objectclass" => {
                let class = schema::class(&text).map(|class| class.name().to_ascii_lowercase());
                !matches!(class.as_deref(), Some("postroomdomain" | "dcobject" | "domain"))
            }
            _ => true,
        }
    }

    /// An address in one's own domains, or in nobody's here.
    fn may_own(&self, text: &str) -> bool {
        match Address::parse(text.trim()) {
            Ok(address) => {
                let domain = address.domain();
                self.manages.contains(domain) || !self.ours.contains(domain)
            }
            // What is no address is no way in; whether it may stand there the schema says.
            Err(_) => true,
        }
    }

    /// `anna@office.test` or `@office.test` of one's own domains.
    fn is_managed(&self, text: &str) -> bool {
        let domain = text.trim().rsplit_once('@').map(|(_, domain)| DomainName::parse(domain));
        domain.is_some_and(|domain| domain.is_ok_and(|domain| self.manages.contains(&domain)))
    }
}

/// The domain that RDNs of nothing but `dc` name (RFC 2247).
fn domain(rdns: &[Rdn]) -> Option<DomainName> {
    let label = |rdn: &Rdn| match rdn.avas() {
        // `dc=office.test` is another name.
        [ava] if ava.attribute().key() == "dc" && !ava.value().contains(&b'.') => {
            String::from_utf8(ava.value().to_vec()).ok()
        }
        _ => None,
    };
    let labels: Option<Vec<String>> = rdns.iter().map(label).collect();
    DomainName::parse(&labels?.join(".")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn realm() -> Realm {
        Realm {
            ours: ["office.test", "sub.office.test", "other.test"].map(name).into(),
            manages: [name("office.test")].into(),
        }
    }

    #[test]
    fn whose_a_thing_is() {
        let (realm, office, other) = (realm(), name("office.test"), name("other.test"));
        let within = Subject { domains: vec![office.clone()], ..Default::default() };
        let target = |subject: &Subject| realm.target(Role::DomainAdmin, subject);
        assert_eq!(target(&within), Target::Domain);
        assert_eq!(realm.target(Role::Person, &within), Target::Other);
        assert_eq!(target(&Subject { is_own: true, ..within.clone() }), Target::Domain);
        assert_eq!(target(&Subject { is_base: true, ..within.clone() }), Target::Base);
        assert_eq!(target(&Subject { is_admin: true, ..within.clone() }), Target::Other);
        let peer = Subject { manages: vec![office.clone()], ..within.clone() };
        assert_eq!(target(&peer), Target::Domain);
        let more = Subject { manages: vec![office.clone(), other.clone()], ..within };
        assert_eq!(target(&more), Target::Other, "who manages more is out of reach");
        assert_eq!(target(&Subject { is_own: true, ..more }), Target::Own);
        let torn = Subject { domains: vec![office, other], ..Default::default() };
        assert_eq!(target(&torn), Target::Other);
        assert_eq!(target(&Subject::default()), Target::Other);
    }

    #[test]
    fn the_nearest_domain_counts() {
        for (dn, expected) in [
            ("uid=anna,ou=people,dc=office,dc=test", Some("office.test")),
            ("DC=Office, DC=Test", Some("office.test")),
            ("ou=x,dc=sub,dc=office,dc=test", Some("sub.office.test")),
            ("ou=x,dc=dept,dc=office,dc=test", Some("office.test")),
            ("cn=a\\,dc=office,dc=test", None),
            ("dc=test", None),
            ("ou=people,dc=office.test", None),
            ("ou=people,dc=office,dc=test.", None),
            ("", None),
        ] {
            let found = realm().domain_of(&Dn::parse(dn).unwrap()).cloned();
            assert_eq!(found, expected.map(name), "{dn}");
        }
    }

    #[test]
    fn values_that_reach_into_other_domains_are_refused() {
        let may = |attribute: &str, value: &str| {
            assert!(realm().may_hold(Role::Admin, attribute, value.as_bytes()));
            realm().may_hold(Role::DomainAdmin, attribute, value.as_bytes())
        };
        for good in [
            ("mail", "anna@office.test"),
            ("mail", "someone@elsewhere.example"),
            ("postroomSendAs", "@office.test"),
            ("member", "uid=anna,ou=people,dc=office,dc=test"),
            ("objectClass", "inetOrgPerson"),
            ("cn", "x@other.test"),
        ] {
            assert!(may(good.0, good.1), "{good:?}");
        }
        for bad in [
            ("mail", "boss@other.test"),
            ("rfc822Mailbox", "boss@OTHER.test"),
            ("mailLocalAddress", " boss@sub.office.test"),
            ("postroomSendAs", "ceo@elsewhere.example"),
            ("postroomSendAs", "@other.test"),
            ("member", "uid=boss,ou=people,dc=other,dc=test"),
            ("member", "cn=x"),
            ("objectClass", "postroomDomain"),
            ("objectClass", "2.25.293107374140241299908613545523455834333.2.2"),
            ("objectClass", "dcObject"),
        ] {
            assert!(!may(bad.0, bad.1), "{bad:?}");
        }
    }
}
