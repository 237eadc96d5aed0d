//! Assertions (RFC 4528) without what a client may not learn: a hidden attribute is asked as one that there
//! is not, so each test of it is undefined (RFC 4511 §4.5.1.7).

use directory::matching::rules as matching;
use directory::{Filter, schema};
use session::rules::{Role, Target, may_read};

/// An attribute that no schema has.
const NONE: &str = "x-hidden";

/// The filter as `role` may ask it of others' entries.
pub(crate) fn guarded(filter: Filter, role: Role) -> Filter {
    let all = |inner: Vec<Filter>| inner.into_iter().map(|filter| guarded(filter, role)).collect();
    let may = |attribute: &str| may_read(role, Target::Other, attribute);
    match filter {
        Filter::And(inner) => Filter::And(all(inner)),
        Filter::Or(inner) => Filter::Or(all(inner)),
        Filter::Not(inner) => Filter::Not(Box::new(guarded(*inner, role))),
        Filter::Equal { attribute, .. }
        | Filter::Substrings { attribute, .. }
        | Filter::AtLeast { attribute, .. }
        | Filter::AtMost { attribute, .. }
        | Filter::Approx { attribute, .. }
        | Filter::Present(attribute)
            if !may(&attribute) =>
        {
            undefined()
        }
        Filter::Extensible { attribute: Some(attribute), .. } if !may(&attribute) => undefined(),
        Filter::Extensible { attribute: None, rule, .. }
            if role != Role::Admin || reaches_secrets(rule.as_deref()) =>
        {
            undefined()
        }
        filter => filter,
    }
}

fn undefined() -> Filter {
    Filter::Equal { attribute: NONE.to_owned(), value: Vec::new() }
}

/// True if the rule, asked of all attributes, looks at passwords as well.
fn reaches_secrets(rule: Option<&str>) -> bool {
    let Some(rule) = rule.and_then(matching::named) else { return false };
    let secret = schema::attributes().filter(|known| session::rules::is_secret(known.name()));
    secret.into_iter().any(|secret| rule.applies_to(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use directory::{Attributes, Dn};

    fn ask(filter: &str, role: Role) -> Option<bool> {
        let dn = Dn::parse("cn=a").unwrap();
        let mut attributes = Attributes::new();
        for (key, value) in [("cn", "a"), ("userpassword", "secret"), ("postroomquota", "7")] {
            attributes.insert(key.to_owned(), vec![value.as_bytes().to_vec()]);
        }
        guarded(Filter::parse(filter).unwrap(), role).matches(&(&dn, &attributes))
    }

    #[test]
    fn nobody_can_search_for_a_password() {
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
    fn what_is_shown_can_be_searched_for() {
        assert_eq!(ask("(&(cn=A)(!(cn=b)))", Role::Guest), Some(true));
        assert_eq!(ask("(cn=a)", Role::Anonymous), None);
        assert_eq!(ask("(|(postroomQuota=7)(cn=b))", Role::Admin), Some(true));
        assert_eq!(ask("(|(postroomQuota=7)(cn=b))", Role::Person), None);
        assert_eq!(ask("(:caseIgnoreMatch:=a)", Role::Admin), Some(true));
    }
}
