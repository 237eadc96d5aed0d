//! Whose a thing is, as seen by who is signed in: what the handlers of domain-wide areas ask before they show
//! or change something. The rights themselves stand in `session::rules`.

use base::{Address, DomainName};
use session::rules::{self, Operation, Realm, Role, Subject, Target};
use store::{Account, AccountChange, NewAccount, OwnForwarding, SendAs};

use crate::Web;
use crate::error::ApiError;
use crate::guard::Identity;
use crate::sessions::Who;

fn forbidden() -> ApiError {
    ApiError::forbidden("forbidden")
}

impl Identity {
    /// Whether what belongs to a domain as a whole is theirs to see.
    pub(crate) fn sees(&self, domain: &DomainName) -> bool {
        self.role() == Role::Admin
            || self.role() == Role::DomainAdmin && self.manages.contains(domain)
    }

    /// The domains that lists are about; `None` for all of them.
    pub(crate) fn seen_domains(&self) -> Option<Vec<DomainName>> {
        (self.role() != Role::Admin).then(|| self.manages.iter().cloned().collect())
    }

    /// Refuses with `forbidden` what belongs to a domain that they do not administer.
    pub(crate) fn must_manage(&self, domain: &DomainName) -> Result<(), ApiError> {
        if self.sees(domain) { Ok(()) } else { Err(forbidden()) }
    }

    /// The same for each of these addresses.
    pub(crate) fn must_manage_all<'a>(
        &self,
        field: &str,
        addresses: impl IntoIterator<Item = &'a Address>,
    ) -> Result<(), ApiError> {
        for address in addresses {
            self.must_manage(address.domain()).map_err(|err| err.field(field))?;
        }
        Ok(())
    }

    /// Whose an account is.
    pub(crate) fn target(&self, account: &Account) -> Target {
        let realm = Realm { manages: self.manages.clone(), ..Realm::default() };
        let subject = Subject {
            is_own: self.who == Who::Account(account.id),
            is_base: false,
            domains: vec![account.address.domain().clone()],
            is_admin: account.is_admin,
            manages: account.manages.clone(),
        };
        realm.target(self.role(), &subject)
    }

    /// Refuses with `forbidden` an account with more rights than their own, or outside their domains.
    pub(crate) fn must_reach(
        &self,
        account: &Account,
        operation: Operation,
    ) -> Result<(), ApiError> {
        // Who administers a domain sees all its people, the admins among them as well.
        if operation == Operation::Read && self.sees(account.address.domain()) {
            return Ok(());
        }
        let (role, target) = (self.role(), self.target(account));
        let is_theirs = role == Role::Admin || target == Target::Domain;
        if is_theirs && rules::may(role, operation, target) { Ok(()) } else { Err(forbidden()) }
    }

    /// How far they may say where their own mail goes on to.
    pub(crate) fn own_forwarding(&self, web: &Web) -> OwnForwarding {
        let Some(account) = &self.account else { return OwnForwarding::No };
        rules::forwarding(self.role(), self.target(account), web.settings().own_forwarding)
    }

    /// Refuses forwarding of the own mail that is not theirs to set.
    pub(crate) fn must_forward(
        &self,
        web: &Web,
        account: &Account,
        forward: &[Address],
    ) -> Result<(), ApiError> {
        let may = self.own_forwarding(web);
        if may == OwnForwarding::No {
            return Err(forbidden());
        }
        let new = forward.iter().enumerate();
        for (n, address) in new.filter(|(_, address)| !account.forward.contains(address)) {
            let is_ours = |domain: &DomainName| web.store().is_ours(domain);
            if !rules::may_forward_to(may, "postroomForward", &address.to_string(), is_ours)? {
                return Err(ApiError::forbidden("forward-elsewhere").field(format!("forward.{n}")));
            }
        }
        Ok(())
    }

    /// Refuses a new account outside their domains, or with rights that are not theirs to give.
    pub(crate) fn must_add(&self, account: &NewAccount) -> Result<(), ApiError> {
        self.must_manage(account.address.domain()).map_err(|err| err.field("address"))?;
        self.must_manage_all("aliases", &account.aliases)?;
        if account.is_admin && self.role() != Role::Admin {
            return Err(forbidden().field("is_admin"));
        }
        Ok(())
    }

    /// Refuses a change of an account that gives rights which are not theirs to give.
    pub(crate) fn must_change(
        &self,
        account: &Account,
        change: &AccountChange,
    ) -> Result<(), ApiError> {
        let (role, target) = (self.role(), self.target(account));
        for (field, is_changed) in
            [("is_admin", change.is_admin.is_some()), ("manages", change.manages.is_some())]
        {
            let attribute = if field == "is_admin" { "postroomRole" } else { "postroomManages" };
            if is_changed && !rules::may_write(role, target, attribute) {
                return Err(forbidden().field(field));
            }
        }
        // Mail in the name of another domain's people.
        let senders = change.send_as.iter().flatten();
        for sender in senders.filter(|sender| !account.send_as.contains(sender)) {
            let domain = match sender {
                SendAs::Address(address) => address.domain(),
                SendAs::Domain(domain) => domain,
            };
            self.must_manage(domain).map_err(|err| err.field("send_as"))?;
        }
        let aliases = change.aliases.iter().flatten();
        self.must_manage_all("aliases", aliases.filter(|alias| !account.aliases.contains(alias)))
    }
}
