//! What is no entry: the areas of the admin API, and who may use them.

use super::{Role, Target};

/// A part of the server that somebody may look at or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// What belongs to who is signed in: the own account, its password, its sessions.
    Own,
    /// Accounts, their passwords, quotas and states.
    Accounts,
    /// Addresses that stand for others.
    Aliases,
    /// Groups and distribution lists.
    Groups,
    /// Mail domains and what is set for each.
    Domains,
    /// What was deleted and can be restored.
    Deleted,
    /// Reading in people from files, and writing them out.
    Exchange,
    /// App passwords and second factors of accounts.
    Credentials,
    /// Who is logged in, by any protocol.
    Sessions,
    /// Which domains there are, and by what further names.
    DomainSet,
    /// External directories that domains take their people from.
    Sources,
    /// What holds for the directory as a whole.
    Directory,
    /// Mail on its way.
    Queue,
    /// The log and the wire trace.
    Log,
    /// The audit log.
    Audit,
    /// Who is told of, and asked about, changes.
    Webhooks,
    /// Tokens of the API.
    Tokens,
    /// How mail leaves the box.
    Outbound,
    /// The box: name, network, storage, power, state.
    Machine,
}

impl Area {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Own,
        Self::Accounts,
        Self::Aliases,
        Self::Groups,
        Self::Domains,
        Self::Deleted,
        Self::Exchange,
        Self::Credentials,
        Self::Sessions,
        Self::DomainSet,
        Self::Sources,
        Self::Directory,
        Self::Queue,
        Self::Log,
        Self::Audit,
        Self::Webhooks,
        Self::Tokens,
        Self::Outbound,
        Self::Machine,
    ];
}

/// Whether `role` may look at (or, with `is_write`, change) what of an area belongs to `target`: [`Target::Own`]
/// to oneself, [`Target::Domain`] to a domain that one administers, [`Target::Other`] to another one or to
/// the server as a whole.
#[must_use]
pub fn may_use(role: Role, area: Area, is_write: bool, target: Target) -> bool {
    match (role, area) {
        (Role::Anonymous | Role::Guest, _) => false,
        (Role::Person | Role::DomainAdmin, Area::Own) => target == Target::Own,
        (Role::Person, _) => false,
        (
            Role::DomainAdmin,
            Area::Accounts
            | Area::Aliases
            | Area::Groups
            | Area::Domains
            | Area::Deleted
            | Area::Exchange
            | Area::Credentials
            | Area::Sessions,
        ) => target == Target::Domain,
        // To see that a domain has one; how it is asked is the admin's.
        (Role::DomainAdmin, Area::Sources) => !is_write && target == Target::Domain,
        (Role::DomainAdmin, _) => false,
        (Role::Admin, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_is_the_admins() {
        for area in Area::ALL {
            for is_write in [false, true] {
                for target in Target::ALL {
                    let may = |role| may_use(role, area, is_write, target);
                    assert!(!may(Role::Anonymous) && !may(Role::Guest), "{area:?}");
                    assert!(may(Role::Admin), "{area:?}");
                    assert_eq!(may(Role::Person), area == Area::Own && target == Target::Own);
                    if target == Target::Other {
                        assert!(!may(Role::DomainAdmin), "{area:?}");
                    }
                }
            }
        }
        for area in [Area::Tokens, Area::Audit, Area::DomainSet, Area::Queue, Area::Machine] {
            assert!(!may_use(Role::DomainAdmin, area, false, Target::Domain), "{area:?}");
        }
        assert!(may_use(Role::DomainAdmin, Area::Accounts, true, Target::Domain));
    }
}
