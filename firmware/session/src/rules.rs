//! Who may do what: one table, for LDAP, the admin API and the server utilities. No I/O; what is not in the
//! table is refused. Entries are decided here, what is no entry in [`may_use`], whose a thing is in [`Realm`].
//!
//! Passwords are nobody's to read, compare or search for, the administrator's neither: they are written and
//! checked, no more.

mod area;
mod forwarding;
mod realm;

use directory::schema;

pub use area::{Area, may_use};
pub use forwarding::{forwarding, is_forwarding, may_forward_to};
pub use realm::{Realm, Subject};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nobody said who.
    Anonymous,
    /// Nobody said who, from the office's own network, and the admin lets such look people up.
    Guest,
    /// Somebody with an account.
    Person,
    /// Somebody with an account that administers some domains.
    DomainAdmin,
    /// Who owns the box, or an account with that role.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 5] =
        [Self::Anonymous, Self::Guest, Self::Person, Self::DomainAdmin, Self::Admin];
}

/// What is asked of an entry as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To be shown it, to find it, to compare a value.
    Read,
    /// To make it.
    Add,
    /// To change it.
    Modify,
    /// To remove it.
    Delete,
    /// To name it otherwise, or to move it.
    Rename,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Add, Self::Modify, Self::Delete, Self::Rename];
}

/// Whose entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The root and the schema: what the server says of itself.
    Server,
    /// The entry of who asks.
    Own,
    /// The entry of a domain that who asks administers.
    Base,
    /// An entry below it that has no more rights than who asks; also the own one.
    Domain,
    /// Any other entry.
    Other,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Server, Self::Own, Self::Base, Self::Domain, Self::Other];
}

/// Whether `role` may do `operation` with an entry. Attributes are asked for one by one: [`may_read`],
/// [`may_write`].
#[must_use]
pub fn may(role: Role, operation: Operation, target: Target) -> bool {
    use Operation::{Modify, Read};
    match (role, target) {
        // RFC 4512 §5.1: who has not said yet who it is must learn how to.
        (_, Target::Server) => operation == Read,
        (Role::Admin, _) => true,
        (Role::DomainAdmin, Target::Domain) => true,
        (Role::DomainAdmin, Target::Base | Target::Own) | (Role::Person, Target::Own) => {
            matches!(operation, Read | Modify)
        }
        (Role::DomainAdmin | Role::Person | Role::Guest, _) => operation == Read,
        (Role::Anonymous, _) => false,
    }
}

/// Passwords in any form.
const SECRET: &[&str] = &["userpassword", "authpassword"];

/// The address book, and what a directory client cannot do without.
const PUBLIC: &[&str] = &[
    "associateddomain",
    "businesscategory",
    "c",
    "cn",
    "co",
    "createtimestamp",
    "dc",
    "departmentnumber",
    "description",
    "destinationindicator",
    "displayname",
    "employeetype",
    "entrydn",
    "entryuuid",
    "facsimiletelephonenumber",
    "givenname",
    "hassubordinates",
    "initials",
    "jpegphoto",
    "l",
    "labeleduri",
    "mail",
    "manager",
    "member",
    "memberof",
    "mobile",
    "modifytimestamp",
    "name",
    "o",
    "objectclass",
    "ou",
    "owner",
    "pager",
    "photo",
    "physicaldeliveryofficename",
    "postaladdress",
    "postalcode",
    "postofficebox",
    "preferredlanguage",
    "roomnumber",
    "secretary",
    "seealso",
    "sn",
    "st",
    "street",
    "structuralobjectclass",
    "subschemasubentry",
    "telephonenumber",
    "title",
    "uid",
    "usercertificate",
    "usersmimecertificate",
];

/// What an unnamed guest is shown: names, mail addresses and telephone numbers, and what the tree is made of.
const GUEST: &[&str] = &[
    "cn",
    "dc",
    "displayname",
    "entrydn",
    "facsimiletelephonenumber",
    "givenname",
    "hassubordinates",
    "mail",
    "mobile",
    "name",
    "objectclass",
    "ou",
    "sn",
    "structuralobjectclass",
    "subschemasubentry",
    "telephonenumber",
    "uid",
];

/// What people may change of themselves: nothing that mail, a name or a right hangs on. Forwarding is apart:
/// [`forwarding`].
const OWN: &[&str] = &[
    "carlicense",
    "description",
    "facsimiletelephonenumber",
    "homephone",
    "homepostaladdress",
    "jpegphoto",
    "l",
    "labeleduri",
    "mobile",
    "pager",
    "photo",
    "physicaldeliveryofficename",
    "postaladdress",
    "postalcode",
    "postofficebox",
    "preferredlanguage",
    "roomnumber",
    "st",
    "street",
    "telephonenumber",
    "usercertificate",
    "userpassword",
    "usersmimecertificate",
];

/// What makes rights and domains: not for who administers some domains.
const RIGHTS: &[&str] = &[
    "associateddomain",
    "dc",
    "postroomdomainalias",
    "postroomid",
    "postroommanages",
    "postroomrole",
    "postroomsource",
    "postroomsourcechecked",
    "postroomsourcedn",
    "postroomsourceid",
    "postroomsourcestate",
];

/// What the admin of a domain may change of the domain itself.
const BASE: &[&str] = &[
    "businesscategory",
    "description",
    "facsimiletelephonenumber",
    "l",
    "physicaldeliveryofficename",
    "postaladdress",
    "postalcode",
    "postofficebox",
    "postroomcatchall",
    "postroomquota",
    "postroomquotamessages",
    "st",
    "street",
    "telephonenumber",
];

/// The key of an attribute without its options; what no schema knows stays as it was called.
fn key(attribute: &str) -> String {
    match schema::attribute(attribute) {
        Some(attribute) => attribute.key().to_owned(),
        None => attribute.split(';').next().unwrap_or_default().to_ascii_lowercase(),
    }
}

/// True for passwords in any form, by any name of the attribute.
#[must_use]
pub fn is_secret(attribute: &str) -> bool {
    SECRET.contains(&key(attribute).as_str())
}

/// Whether `role` may learn the values of an attribute (a name or OID, with or without options) of an entry:
/// be shown them, compare them, sort by them, have them in a filter.
#[must_use]
pub fn may_read(role: Role, target: Target, attribute: &str) -> bool {
    let key = key(attribute);
    if SECRET.contains(&key.as_str()) {
        return false;
    }
    match (role, target) {
        (_, Target::Server)
        | (Role::Admin, _)
        | (Role::DomainAdmin, Target::Own | Target::Base | Target::Domain)
        | (Role::Person, Target::Own) => true,
        (Role::DomainAdmin | Role::Person, _) => PUBLIC.contains(&key.as_str()),
        (Role::Guest, _) => GUEST.contains(&key.as_str()),
        (Role::Anonymous, _) => false,
    }
}

/// Whether `role` may change an attribute of an entry that it may change. Which values it may write there is
/// asked of [`Realm::may_hold`].
#[must_use]
pub fn may_write(role: Role, target: Target, attribute: &str) -> bool {
    match (role, target) {
        (_, Target::Server) => false,
        (Role::Admin, _) => true,
        (Role::DomainAdmin, Target::Domain) => !RIGHTS.contains(&key(attribute).as_str()),
        (Role::DomainAdmin, Target::Base) => BASE.contains(&key(attribute).as_str()),
        (Role::DomainAdmin | Role::Person, Target::Own) => OWN.contains(&key(attribute).as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_nobodys_to_read_by_any_name() {
        for name in ["userPassword", "USERPASSWORD", "2.5.4.35", "userPassword;x-a", "authPassword"]
        {
            assert!(is_secret(name), "{name}");
            for role in Role::ALL {
                for target in Target::ALL {
                    assert!(!may_read(role, target, name), "{role:?} {target:?} {name}");
                }
            }
        }
        assert!(may_write(Role::Person, Target::Own, "userPassword"));
        assert!(!may_write(Role::Person, Target::Own, "authPassword"));
        assert!(!may_write(Role::Person, Target::Other, "userPassword"));
    }

    #[test]
    fn every_name_in_the_tables_is_a_key_of_the_schema() {
        for name in [SECRET, PUBLIC, GUEST, OWN].concat() {
            let known = schema::attribute(name);
            // Outlook's; the schema need not have it.
            assert!(known.is_some_and(|known| known.key() == name), "{name}");
        }
        for name in GUEST {
            assert!(PUBLIC.contains(name), "{name}");
        }
        for name in OWN {
            assert!(!name.starts_with("postroom"), "{name}");
        }
        for name in BASE {
            assert!(!RIGHTS.contains(name), "{name}");
        }
    }

    #[test]
    fn the_table_of_operations_holds() {
        use Operation::{Add, Delete, Modify, Read, Rename};
        let allowed = |role, target| {
            Operation::ALL
                .into_iter()
                .filter(|operation| may(role, *operation, target))
                .collect::<Vec<_>>()
        };
        for role in Role::ALL {
            assert_eq!(allowed(role, Target::Server), [Read], "{role:?}");
        }
        assert_eq!(allowed(Role::Anonymous, Target::Other), []);
        assert_eq!(allowed(Role::Guest, Target::Other), [Read]);
        assert_eq!(allowed(Role::Person, Target::Other), [Read]);
        assert_eq!(allowed(Role::Person, Target::Own), [Read, Modify]);
        assert_eq!(allowed(Role::DomainAdmin, Target::Other), [Read]);
        assert_eq!(allowed(Role::DomainAdmin, Target::Own), [Read, Modify]);
        assert_eq!(allowed(Role::DomainAdmin, Target::Base), [Read, Modify]);
        assert_eq!(allowed(Role::DomainAdmin, Target::Domain), Operation::ALL);
        assert_eq!(allowed(Role::Admin, Target::Other), [Read, Add, Modify, Delete, Rename]);
    }

    #[test]
    fn people_see_the_address_book_and_all_of_themselves() {
        for hidden in
            ["postroomQuota", "postroomRole", "postroomStatus", "mailLocalAddress", "x-new"]
        {
            assert!(!may_read(Role::Person, Target::Other, hidden), "{hidden}");
            assert!(may_read(Role::Person, Target::Own, hidden), "{hidden}");
            assert!(may_read(Role::Admin, Target::Other, hidden), "{hidden}");
            assert!(!may_write(Role::Person, Target::Own, hidden), "{hidden}");
        }
        for shown in ["cn", "commonName", "surname", "mail", "rfc822Mailbox", "telephoneNumber"] {
            assert!(may_read(Role::Guest, Target::Other, shown), "{shown}");
            assert!(!may_read(Role::Anonymous, Target::Other, shown), "{shown}");
        }
    }

    #[test]
    fn who_administers_a_domain_makes_no_rights() {
        use Target::{Base, Domain, Other, Own};
        for kept in [
            "postroomRole",
            "postroomManages",
            "postroomDomainAlias",
            "associatedDomain",
            "dc",
            "domainComponent",
        ] {
            for target in Target::ALL {
                assert!(!may_write(Role::DomainAdmin, target, kept), "{kept} {target:?}");
            }
        }
        for given in ["cn", "mail", "userPassword", "postroomQuota", "postroomStatus", "x-new"] {
            assert!(may_write(Role::DomainAdmin, Domain, given), "{given}");
            assert!(!may_write(Role::DomainAdmin, Other, given), "{given}");
        }
        for (name, own, base) in
            [("mobile", true, false), ("postroomQuota", false, true), ("objectClass", false, false)]
        {
            assert_eq!(may_write(Role::DomainAdmin, Own, name), own, "{name}");
            assert_eq!(may_write(Role::DomainAdmin, Base, name), base, "{name}");
        }
        assert!(may_read(Role::DomainAdmin, Domain, "postroomQuota"));
        assert!(!may_read(Role::DomainAdmin, Other, "postroomQuota"));
    }
}
