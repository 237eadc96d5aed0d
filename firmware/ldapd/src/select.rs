//! Which attributes of an entry a client is shown: what it asked for, of what it may read. RFC 4511
//! §4.5.1.8, RFC 3673, RFC 4529.

use directory::Attributes;
use directory::schema::{self, Description};
use ldap3_proto::proto::{LdapPartialAttribute, LdapSearchResultEntry};
use session::rules::{self, Role, Target};

/// What a client asked for. Names that no schema knows are passed over: Outlook asks for a dozen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// `*`, or nothing at all.
    all_user: bool,
    /// `+`.
    all_operational: bool,
    named: Vec<Description>,
    types_only: bool,
}

impl Selection {
    pub(crate) fn of(names: &[String], types_only: bool) -> Self {
        let mut selection = Self { types_only, all_user: names.is_empty(), ..Self::default() };
        let mut classes = Vec::new();
        for name in names {
            match name.as_str() {
                "*" => selection.all_user = true,
                "+" => selection.all_operational = true,
                // RFC 4529: all that a class may have.
                name if name.starts_with('@') => {
                    let class = schema::class(name.trim_start_matches('@'));
                    let chain = class.map(|class| class.chain()).unwrap_or_default();
                    let news: Vec<_> =
                        chain.into_iter().filter(|class| !classes.contains(class)).collect();
                    let names = news.iter().flat_map(|class| class.must.iter().chain(class.may));
                    names.for_each(|name| selection.name(name));
                    classes.extend(news);
                }
                // `1.1`, nothing, is no attribute either.
                name => selection.name(name),
            }
        }
        selection
    }

    /// Each attribute once: all of them are looked at for each value that is shown.
    fn name(&mut self, name: &str) {
        let named = Description::parse(name).filter(|named| !self.named.contains(named));
        self.named.extend(named);
    }

    /// True if something is wanted that the server computes.
    pub(crate) fn wants_operational(&self) -> bool {
        self.all_operational || self.named.iter().any(|wanted| wanted.attribute.is_operational())
    }

    fn wants(&self, key: &str) -> bool {
        let Some(attribute) = schema::attribute(key) else { return self.all_user };
        let of_kind = if attribute.is_operational() { self.all_operational } else { self.all_user };
        of_kind || self.named.iter().any(|wanted| wanted.covers(key))
    }

    /// The entry as this client is shown it.
    pub(crate) fn show(
        &self,
        dn: &str,
        attributes: &[&Attributes],
        role: Role,
        target: Target,
    ) -> LdapSearchResultEntry {
        let all = attributes.iter().flat_map(|attributes| attributes.iter());
        let shown = all.filter(|(key, _)| self.wants(key) && rules::may_read(role, target, key));
        let attributes = shown.map(|(key, values)| LdapPartialAttribute {
            atype: Description::parse(key).map_or_else(|| key.clone(), |shown| shown.name()),
            vals: if self.types_only { Vec::new() } else { values.clone() },
        });
        LdapSearchResultEntry { dn: dn.to_owned(), attributes: attributes.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(names: &[&str], role: Role) -> Vec<String> {
        let values = |value: &str| vec![value.as_bytes().to_vec()];
        let mut attributes = Attributes::new();
        for (key, value) in [
            ("objectclass", "inetOrgPerson"),
            ("cn", "Anna"),
            ("cn;lang-de", "Anna"),
            ("sn", "Berg"),
            ("userpassword", "{ARGON2}x"),
            ("postroomquota", "7"),
            ("createtimestamp", "20261122000000Z"),
        ] {
            attributes.insert(key.to_owned(), values(value));
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let selection = Selection::of(&names, false);
        let entry = selection.show("cn=a", &[&attributes], role, Target::Other);
        entry.attributes.into_iter().map(|attribute| attribute.atype).collect()
    }

    #[test]
    fn what_was_asked_for_is_shown_by_the_names_of_the_schema() {
        let all = ["cn", "cn;lang-de", "objectClass", "postroomQuota", "sn"];
        assert_eq!(shown(&[], Role::Admin), all);
        assert_eq!(shown(&["*"], Role::Admin), all);
        assert_eq!(shown(&["+"], Role::Admin), ["createTimestamp"]);
        assert_eq!(shown(&["1.1"], Role::Admin), [""; 0]);
        assert_eq!(shown(&["commonName", "no-such"], Role::Admin), ["cn", "cn;lang-de"]);
        assert_eq!(shown(&["cn;lang-de"], Role::Admin), ["cn;lang-de"]);
        assert_eq!(shown(&["2.5.4.4", "createTimestamp"], Role::Admin), ["createTimestamp", "sn"]);
        assert_eq!(shown(&["name"], Role::Admin), ["cn", "cn;lang-de", "sn"]);
        let twice =
            Selection::of(&["@person", "@person", "CN", "2.5.4.3"].map(String::from), false);
        assert_eq!(twice.named.len(), Selection::of(&["@person".to_owned()], false).named.len());
        assert_eq!(shown(&["@person"], Role::Admin), ["cn", "cn;lang-de", "objectClass", "sn"]);
    }

    #[test]
    fn nobody_is_shown_a_password_and_people_only_the_address_book() {
        assert_eq!(shown(&["userPassword", "2.5.4.35"], Role::Admin), [""; 0]);
        assert_eq!(shown(&["*", "+"], Role::Anonymous), [""; 0]);
        let seen = ["cn", "cn;lang-de", "createTimestamp", "objectClass", "sn"];
        assert_eq!(shown(&["*", "+"], Role::Person), seen);
    }
}
