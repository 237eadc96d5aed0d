//! Who may do what in the directory: one table, for every protocol that shows entries. No I/O; what is not
//! in the table is refused.
//!
//! Passwords are nobody's to read, compare or search for, the administrator's neither: they are written and
//! checked, no more.

use directory::schema;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nobody said who.
    Anonymous,
    /// Nobody said who, from the office's own network, and the admin lets such look people up.
    Guest,
    /// Somebody with an account.
    Person,
    /// Who owns the box, or an account with that role.
    Admin,
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

/// Whose entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The root and the schema: what the server says of itself.
    Server,
    /// The entry of who asks.
    Own,
    /// Any other entry.
    Other,
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
        (Role::Person, Target::Own) => matches!(operation, Read | Modify),
        (Role::Person | Role::Guest, _) => operation == Read,
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

/// What an unnamed guest is shown: who is there and how to reach them by mail or telephone.
const GUEST: &[&str] = &[
    "c",
    "cn",
    "dc",
    "displayname",
    "entrydn",
    "facsimiletelephonenumber",
    "givenname",
    "hassubordinates",
    "l",
    "mail",
    "mobile",
    "name",
    "o",
    "objectclass",
    "ou",
    "physicaldeliveryofficename",
    "sn",
    "structuralobjectclass",
    "subschemasubentry",
    "telephonenumber",
    "title",
    "uid",
];

/// What people may change of themselves: nothing that mail, a name or a right hangs on.
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
        (_, Target::Server) | (Role::Admin, _) | (Role::Person, Target::Own) => true,
        (Role::Person, Target::Other) => PUBLIC.contains(&key.as_str()),
        (Role::Guest, _) => GUEST.contains(&key.as_str()),
        (Role::Anonymous, _) => false,
    }
}

/// Whether `role` may change an attribute of an entry that it may change.
#[must_use]
pub fn may_write(role: Role, target: Target, attribute: &str) -> bool {
    match (role, target) {
        (Role::Admin, Target::Own | Target::Other) => true,
        (Role::Person, Target::Own) => OWN.contains(&key(attribute).as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 4] = [Role::Anonymous, Role::Guest, Role::Person, Role::Admin];
    const TARGETS: [Target; 3] = [Target::Server, Target::Own, Target::Other];

    #[test]
    fn passwords_are_nobodys_to_read_by_any_name() {
        for name in ["userPassword", "USERPASSWORD", "2.5.4.35", "userPassword;x-a", "authPassword"]
        {
            assert!(is_secret(name), "{name}");
            for role in ROLES {
                for target in TARGETS {
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
    }

    #[test]
    fn the_table_of_operations_holds() {
        use Operation::{Add, Delete, Modify, Read, Rename};
        let allowed = |role, target| {
            let all = [Read, Add, Modify, Delete, Rename];
            all.into_iter().filter(|operation| may(role, *operation, target)).collect::<Vec<_>>()
        };
        for role in ROLES {
            assert_eq!(allowed(role, Target::Server), [Read], "{role:?}");
        }
        assert_eq!(allowed(Role::Anonymous, Target::Other), []);
        assert_eq!(allowed(Role::Guest, Target::Other), [Read]);
        assert_eq!(allowed(Role::Person, Target::Other), [Read]);
        assert_eq!(allowed(Role::Person, Target::Own), [Read, Modify]);
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
}
