//! Forwarding of the own mail: the one thing that mail hangs on which people may set for themselves, as far
//! as the admin lets them. Who may write it anyway (an admin, of somebody in an administered domain) is not
//! held by that.

use base::{Address, DomainName};
use store::OwnForwarding;

use super::{Role, Target, key, may_write};

/// Where mail goes on to.
const FORWARD: &str = "postroomforward";
/// Whether a copy stays of it.
const KEEP: &str = "postroomforwardkeep";

/// How far `role` may say where the mail of an account goes on to; `set` is what the box lets people do.
#[must_use]
pub fn forwarding(role: Role, target: Target, set: OwnForwarding) -> OwnForwarding {
    if may_write(role, target, FORWARD) {
        return OwnForwarding::Anywhere;
    }
    match (role, target) {
        (Role::Person | Role::DomainAdmin, Target::Own) => set,
        _ => OwnForwarding::No,
    }
}

/// True for the attributes that [`forwarding`] is about.
#[must_use]
pub fn is_forwarding(attribute: &str) -> bool {
    [FORWARD, KEEP].contains(&key(attribute).as_str())
}

/// Whether a value may be written there by who may forward so far; `is_ours` says if the box has a domain.
///
/// # Errors
/// Those of `is_ours`, which is asked only where it counts.
pub fn may_forward_to<E>(
    may: OwnForwarding,
    attribute: &str,
    value: &str,
    is_ours: impl FnOnce(&DomainName) -> Result<bool, E>,
) -> Result<bool, E> {
    match may {
        OwnForwarding::No => Ok(false),
        OwnForwarding::Anywhere => Ok(true),
        // Whether a copy stays.
        OwnForwarding::Office if key(attribute) != FORWARD => Ok(true),
        OwnForwarding::Office => match Address::parse(value.trim()) {
            Ok(address) => is_ours(address.domain()),
            Err(_) => Ok(false),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_forward_their_own_mail_as_far_as_they_are_let() {
        use OwnForwarding::{Anywhere, No, Office};
        for set in [No, Office, Anywhere] {
            for target in Target::ALL {
                let may = |role| forwarding(role, target, set);
                let own = if target == Target::Own { set } else { No };
                assert_eq!(may(Role::Person), own, "{target:?}");
                assert_eq!((may(Role::Anonymous), may(Role::Guest)), (No, No), "{target:?}");
                let is_theirs = target == Target::Domain;
                let expected = if is_theirs { Anywhere } else { own };
                assert_eq!(may(Role::DomainAdmin), expected, "{target:?}");
                let expected = if target == Target::Server { No } else { Anywhere };
                assert_eq!(may(Role::Admin), expected, "{target:?}");
            }
        }
    }

    #[test]
    fn the_office_ends_at_its_domains() {
        use OwnForwarding::{Anywhere, No, Office};
        let may = |may, attribute, value| {
            let is_ours = |domain: &DomainName| Ok::<_, ()>(domain.as_str() == "office.test");
            may_forward_to(may, attribute, value, is_ours).unwrap()
        };
        for (value, by_office) in [
            ("ben@office.test", true),
            (" ben@OFFICE.test ", true),
            ("ben@sub.office.test", false),
            ("ben@else.test", false),
            ("ben", false),
            ("", false),
        ] {
            let told = [No, Office, Anywhere].map(|set| may(set, "postroomForward", value));
            assert_eq!(told, [false, by_office, true], "{value:?}");
        }
        assert!(may(Office, "postroomForwardKeep", "FALSE"));
        assert!(!may(No, "postroomForwardKeep", "FALSE"));
    }

    #[test]
    fn only_what_forwarding_is_made_of() {
        for name in ["postroomForward", "POSTROOMFORWARD", "postroomForwardKeep"] {
            assert!(is_forwarding(name), "{name}");
        }
        for name in ["mail", "mailLocalAddress", "postroomSendAs", "x-postroomForward"] {
            assert!(!is_forwarding(name), "{name}");
        }
    }
}
