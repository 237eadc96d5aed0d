//! An entry as a filter may look at it in the name of who asks, for compare and assertions (RFC 4528): each test
//! of an attribute that is not theirs to read is undefined (RFC 4511 §4.5.1.7), by whatever name it is asked
//! for. Searches go the same way within the store.

use directory::filter::Subject;
use directory::schema::{self, AttributeType, Description};
use directory::{Attributes, Dn};
use session::rules::{self, Role, Target};

/// An entry and who looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) dn: &'a Dn,
    /// Operational ones as well.
    pub(crate) attributes: &'a Attributes,
    pub(crate) role: Role,
    pub(crate) target: Target,
}

impl Seen<'_> {
    /// True if there are values of this description to be seen.
    pub(crate) fn has(&self, description: &Description) -> bool {
        let mut keys = self.attributes.keys().filter(|key| description.covers(key));
        keys.any(|key| schema::attribute(key).is_some_and(|attribute| !self.hides(attribute)))
    }
}

impl Subject for Seen<'_> {
    fn dn(&self) -> &Dn {
        self.dn
    }

    fn of_type(&self, attribute: &'static AttributeType, each: &mut dyn FnMut(&str, &[Vec<u8>])) {
        directory::filter::of_type(self.attributes, attribute, each);
    }

    fn all(&self, each: &mut dyn FnMut(&str, &[Vec<u8>])) {
        self.attributes.iter().for_each(|(key, values)| each(key, values));
    }

    fn hides(&self, attribute: &AttributeType) -> bool {
        !rules::may_read(self.role, self.target, attribute.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use directory::Filter;

    fn ask(filter: &str, role: Role) -> Option<bool> {
        let dn = Dn::parse("cn=a").unwrap();
        let mut attributes = Attributes::new();
        for (key, value) in
            [("cn", "a"), ("l", "b"), ("userpassword", "secret"), ("postroomquota", "7")]
        {
            attributes.insert(key.to_owned(), vec![value.as_bytes().to_vec()]);
        }
        let seen = Seen { dn: &dn, attributes: &attributes, role, target: Target::Other };
        Filter::parse(filter).unwrap().matches(&seen)
    }

    #[test]
    fn nobody_can_ask_for_a_password() {
        for filter in [
            "(userPassword=secret)",
            "(userPassword=*)",
            "(userPassword=s*)",
            "(!(userPassword=secret))",
            "(2.5.4.35=secret)",
            "(userPassword;x-a=*)",
            "(userPassword>=a)",
            "(userPassword~=secret)",
            "(userPassword:2.5.13.17:=secret)",
            "(:octetStringMatch:=secret)",
            "(:2.5.13.17:=secret)",
        ] {
            for role in [Role::Guest, Role::Person, Role::Admin] {
                assert_ne!(ask(filter, role), Some(true), "{filter} {role:?}");
            }
        }
        assert_eq!(ask("(!(userPassword=x))", Role::Admin), None);
    }

    #[test]
    fn what_is_shown_can_be_asked_for_and_nothing_else_by_a_name_above_it() {
        assert_eq!(ask("(&(cn=A)(!(cn=b)))", Role::Guest), Some(true));
        assert_eq!(ask("(cn=a)", Role::Anonymous), None);
        assert_eq!(ask("(|(postroomQuota=7)(cn=b))", Role::Admin), Some(true));
        assert_eq!(ask("(|(postroomQuota=7)(cn=b))", Role::Person), None);
        assert_eq!(ask("(:caseIgnoreMatch:=a)", Role::Admin), Some(true));
        // `l` is a kind of `name`, and no guest's.
        for filter in ["(name=b)", "(:caseIgnoreMatch:=b)"] {
            assert_eq!(ask(filter, Role::Guest), Some(false), "{filter}");
            assert_eq!(ask(filter, Role::Person), Some(true), "{filter}");
        }
    }
}
