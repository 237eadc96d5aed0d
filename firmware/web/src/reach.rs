//! Whose a thing is, as seen by who is signed in: what the handlers of domain-wide areas ask before they show
//! or change something. The rights themselves stand in `session::rules`.

use std::sync::Arc;

use base::{AccountId, Address, DomainName};
use session::rules::{self, Operation, Realm, Role, Subject, Target};
use store::{
    Account, AccountChange, AccountState, DirectoryState, Group, Members, NewAccount,
    OwnForwarding, SendAs, Store, StoreError,
};

use crate::Web;
use crate::error::ApiError;
use crate::guard::Identity;
use crate::sessions::Who;

fn forbidden() -> StoreError {
    StoreError::Forbidden(String::new())
}

fn forbidden_in(field: &str) -> StoreError {
    StoreError::Forbidden(field.to_owned())
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
    pub(crate) fn must_manage(&self, domain: &DomainName) -> Result<(), StoreError> {
        if self.sees(domain) { Ok(()) } else { Err(forbidden()) }
    }

    /// The same for each of these addresses.
    pub(crate) fn must_manage_all<'a>(
        &self,
        field: &str,
        addresses: impl IntoIterator<Item = &'a Address>,
    ) -> Result<(), StoreError> {
        let mut domains = addresses.into_iter().map(Address::domain);
        if domains.all(|domain| self.sees(domain)) { Ok(()) } else { Err(forbidden_in(field)) }
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
    ) -> Result<(), StoreError> {
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
            return Err(forbidden().into());
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
    pub(crate) fn must_add(&self, account: &NewAccount) -> Result<(), StoreError> {
        self.must_manage_all("address", [&account.address])?;
        self.must_manage_all("aliases", &account.aliases)?;
        if account.is_admin && self.role() != Role::Admin {
            return Err(forbidden_in("is_admin"));
        }
        Ok(())
    }

    /// Refuses a change of an account that gives rights which are not theirs to give.
    pub(crate) fn must_change(
        &self,
        account: &Account,
        change: &AccountChange,
    ) -> Result<(), StoreError> {
        let (role, target) = (self.role(), self.target(account));
        for (field, is_changed) in
            [("is_admin", change.is_admin.is_some()), ("manages", change.manages.is_some())]
        {
            let attribute = if field == "is_admin" { "postroomRole" } else { "postroomManages" };
            if is_changed && !rules::may_write(role, target, attribute) {
                return Err(forbidden_in(field));
            }
        }
        // Mail in the name of another domain's people.
        let senders = change.send_as.iter().flatten();
        for sender in senders.filter(|sender| !account.send_as.contains(sender)) {
            let domain = match sender {
                SendAs::Address(address) => address.domain(),
                SendAs::Domain(domain) => domain,
            };
            self.must_manage(domain).map_err(|_| forbidden_in("send_as"))?;
        }
        let aliases = change.aliases.iter().flatten();
        self.must_manage_all("aliases", aliases.filter(|alias| !account.aliases.contains(alias)))
    }

    /// Refuses an address or members of a group outside their domains; who is in it may stay, whoever may
    /// add him.
    pub(crate) fn must_group<'a>(
        &self,
        state: &DirectoryState<'_>,
        domain: &DomainName,
        known: Option<&Group>,
        address: Option<&Address>,
        members: impl IntoIterator<Item = &'a Members>,
    ) -> Result<(), StoreError> {
        self.must_manage(domain)?;
        if self.role() == Role::Admin {
            return Ok(());
        }
        self.must_manage_all("address", address)?;
        for Members { accounts, groups, outside: _ } in members {
            for id in accounts {
                if known.is_some_and(|group| group.members.contains(id)) {
                    continue;
                }
                let account = state.account(*id)?.ok_or(StoreError::NoSuchAccount)?;
                self.must_manage(account.address.domain()).map_err(|_| forbidden_in("members"))?;
            }
            for key in groups {
                let is_known = known.is_some_and(|group| group.groups.contains(key));
                let domain = key.rsplit_once('@').and_then(|(_, d)| DomainName::parse(d).ok());
                if !is_known && !domain.is_some_and(|domain| self.sees(&domain)) {
                    return Err(forbidden_in("members"));
                }
            }
        }
        Ok(())
    }

    /// The same with the rights of now; `None` for who may not sign in any more.
    pub(crate) fn renewed(&self, state: &DirectoryState<'_>) -> Result<Option<Self>, StoreError> {
        Ok(match self.who {
            Who::Setup | Who::Admin | Who::Socket(_) => Some(self.clone()),
            Who::Token(id) => state.token(id)?.map(|token| self.as_token(token)),
            Who::Account(id) => {
                let account = state.account(id)?;
                let account = account.filter(|account| account.state == AccountState::Active);
                account.map(|account| self.as_account(account))
            }
        })
    }

    /// The same, if it still is somebody who may do what was asked.
    fn again(&self, state: &DirectoryState<'_>) -> Result<Self, StoreError> {
        self.renewed(state)?.filter(Self::is_admitted).ok_or_else(forbidden)
    }

    /// The store for acts in this name. Whatever changes something goes through it, so that the audit log
    /// has who did it, and each act is done only if who asks is still let in when the writer comes to it.
    pub(crate) fn store(&self, web: &Web) -> Store {
        self.judged(web, |_, _| Ok(()))
    }

    /// As [`Identity::store`], for an act that needs more: `may` is asked at once and again inside the act,
    /// each time of who asks and of the directory as they are by then.
    pub(crate) fn store_if(
        &self,
        web: &Web,
        may: impl Fn(&Self, &DirectoryState<'_>) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Result<Store, StoreError> {
        may(self, &web.store().directory()?.state())?;
        Ok(self.judged(web, may))
    }

    /// The store for an act on an account that they must reach.
    pub(crate) fn store_reaching(
        &self,
        web: &Web,
        id: AccountId,
        operation: Operation,
    ) -> Result<Store, StoreError> {
        self.store_if(web, move |by, state| {
            let account = state.account(id)?.ok_or(StoreError::NoSuchAccount)?;
            by.must_reach(&account, operation)
        })
    }

    /// The store for an act on what belongs to a domain as a whole.
    pub(crate) fn store_managing(
        &self,
        web: &Web,
        domain: &DomainName,
    ) -> Result<Store, StoreError> {
        let domain = domain.clone();
        self.store_if(web, move |by, _| by.must_manage(&domain))
    }

    /// As [`Identity::store_if`], for who has asked already.
    pub(crate) fn judged(
        &self,
        web: &Web,
        may: impl Fn(&Self, &DirectoryState<'_>) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Store {
        let before = self.clone();
        let judge = move |state: &DirectoryState<'_>| may(&before.again(state)?, state);
        web.store().by(self.origin()).judged(Arc::new(judge))
    }
}
