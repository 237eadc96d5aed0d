//! Who asks, and whose an entry is to them: what an operation needs to ask the table of rights.
//!
//! Read of the directory anew for each operation, and once more inside each act. Never here: what somebody may do with which entry; that is
//! `session::rules`.

use std::sync::Arc;

use base::{Address, DomainName};
use directory::{Attributes, Code, Dn, Modification, Rdn, Refusal};
use session::rules::{self, Operation, Realm, Role, Subject, Target};
use store::{AccountState, DirectoryState, Entry, OwnForwarding, Store, StoreError};

use crate::reply::{Fail, refused};
use crate::session::{Session, Who};

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) role: Role,
    own: Option<base::AccountId>,
    /// Of a domain admin; of the others nothing hangs on it.
    realm: Arc<Realm>,
    /// What the box lets people do.
    own_forwarding: OwnForwarding,
}

fn no_rights(text: impl Into<String>) -> StoreError {
    StoreError::Refused(Refusal::new(Code::InsufficientAccessRights, text))
}

fn texts<'a>(attributes: &'a Attributes, key: &str) -> impl Iterator<Item = &'a str> {
    let values = attributes.get(key).into_iter().flatten();
    values.filter_map(|value| std::str::from_utf8(value).ok()).map(str::trim)
}

impl Asker {
    /// Whose the entry is.
    pub(crate) fn target(&self, entry: &Entry) -> Target {
        let is_own = self.own.is_some() && self.own == entry.account;
        if self.role != Role::DomainAdmin {
            return if is_own { Target::Own } else { Target::Other };
        }
        match Dn::parse(&entry.dn) {
            Ok(dn) => self.target_at(&dn, &entry.attributes, is_own),
            Err(_) => Target::Other,
        }
    }

    /// Whose an entry with that name and these attributes is.
    fn target_at(&self, dn: &Dn, attributes: &Attributes, is_own: bool) -> Target {
        let realm = &self.realm;
        let mut domains: Vec<DomainName> = realm.domain_of(dn).into_iter().cloned().collect();
        if domains.is_empty() {
            return if is_own { Target::Own } else { Target::Other };
        }
        let addresses = texts(attributes, "mail").filter_map(|text| Address::parse(text).ok());
        let mut ours = addresses.filter(|address| realm.ours.contains(address.domain()));
        domains.extend(ours.next().map(|address| address.domain().clone()));
        let manages: Result<Vec<_>, _> =
            texts(attributes, "postroommanages").map(DomainName::parse).collect();
        let has_role = |text: &str| text.eq_ignore_ascii_case("admin");
        let subject = Subject {
            is_own,
            is_base: realm.is_base(dn),
            domains,
            // What cannot be read may be any right.
            is_admin: manages.is_err() || texts(attributes, "postroomrole").any(has_role),
            manages: manages.unwrap_or_default(),
        };
        realm.target(self.role, &subject)
    }

    /// Refuses who may not do this.
    pub(crate) fn must(&self, operation: Operation, target: Target) -> Result<(), StoreError> {
        if rules::may(self.role, operation, target) {
            return Ok(());
        }
        let text = if self.is_nobody() { "bind first" } else { "this is the admin's to do" };
        Err(no_rights(text))
    }

    /// Refuses who did not say who it is.
    pub(crate) fn must_be_somebody(&self) -> Result<(), Fail> {
        if self.is_nobody() {
            return Err(refused(Code::InsufficientAccessRights, "bind first"));
        }
        Ok(())
    }

    /// True for who did not say who it is.
    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self.role, Role::Anonymous | Role::Guest)
    }

    fn must_write(&self, target: Target, attribute: &str) -> Result<(), StoreError> {
        if rules::may_write(self.role, target, attribute) {
            return Ok(());
        }
        Err(no_rights(format!("{attribute}: not yours to change")))
    }

    fn must_hold(&self, attribute: &str, value: &[u8]) -> Result<(), StoreError> {
        if self.realm.may_hold(self.role, attribute, value) {
            return Ok(());
        }
        Err(no_rights(format!("{attribute}: this value is not yours to give")))
    }

    /// Whether this entry is theirs to make.
    pub(crate) fn must_add(&self, dn: &Dn, attributes: &Attributes) -> Result<(), StoreError> {
        let target = match self.role {
            Role::DomainAdmin => self.target_at(dn, attributes, false),
            _ => Target::Other,
        };
        self.must(Operation::Add, target)?;
        for (key, values) in attributes {
            self.must_write(target, key)?;
            values.iter().try_for_each(|value| self.must_hold(key, value))?;
        }
        self.must_name(target, dn.rdn())
    }

    /// Whether these changes of an entry are theirs to make.
    pub(crate) fn must_modify(
        &self,
        entry: &Entry,
        changes: &[Modification],
        state: &DirectoryState<'_>,
    ) -> Result<(), StoreError> {
        let target = self.target(entry);
        self.must(Operation::Modify, target)?;
        for change in changes {
            let name = change.name();
            let forwarding = rules::is_forwarding(name)
                .then(|| rules::forwarding(self.role, target, self.own_forwarding));
            if forwarding.is_none_or(|may| may == OwnForwarding::No) {
                self.must_write(target, name)?;
            }
            let (Modification::Add { values, .. } | Modification::Replace { values, .. }) = change
            else {
                continue;
            };
            let key = directory::schema::key(name).unwrap_or_default();
            let had = entry.attributes.get(&key);
            let is_new = |value: &&Vec<u8>| !had.is_some_and(|had| had.contains(value));
            for value in values.iter().filter(is_new) {
                self.must_hold(name, value)?;
                let text = String::from_utf8_lossy(value);
                if let Some(may) = forwarding
                    && !rules::may_forward_to(may, name, &text, |domain| state.is_ours(domain))?
                {
                    return Err(no_rights("mail may go on to addresses of this server only"));
                }
            }
        }
        Ok(())
    }

    /// Whether the entry is theirs to name so, and to have there.
    pub(crate) fn must_rename(
        &self,
        entry: &Entry,
        rdn: &Rdn,
        superior: Option<&Dn>,
        has_children: bool,
    ) -> Result<(), StoreError> {
        let target = self.target(entry);
        self.must(Operation::Rename, target)?;
        if self.role != Role::DomainAdmin {
            return Ok(());
        }
        // What stands below may be another's.
        if has_children {
            return Err(no_rights("entries below it: this is the admin's to do"));
        }
        let old = Dn::parse(&entry.dn).map_err(StoreError::Refused)?;
        let above = superior.cloned().or_else(|| old.parent()).unwrap_or_default();
        let there = self.target_at(&above.child(rdn.clone()), &entry.attributes, false);
        self.must(Operation::Add, there)?;
        self.must_name(target, old.rdn())?;
        self.must_name(target, Some(rdn))
    }

    fn must_name(&self, target: Target, rdn: Option<&Rdn>) -> Result<(), StoreError> {
        for ava in rdn.into_iter().flat_map(Rdn::avas) {
            self.must_write(target, ava.attribute().key())?;
            self.must_hold(ava.attribute().key(), ava.value())?;
        }
        Ok(())
    }
}

/// Why somebody who was let in is nobody any more.
pub(crate) type Gone = &'static str;

impl Asker {
    /// Who asks, as the directory knows it; `by_network` is what those are who did not say who they are.
    pub(crate) fn of(
        who: &Who,
        by_network: Role,
        state: &DirectoryState<'_>,
    ) -> Result<Result<Self, Gone>, StoreError> {
        let own_forwarding = OwnForwarding::No;
        let nobody = |role| Self { role, own: None, realm: Arc::default(), own_forwarding };
        let id = match who {
            Who::Anonymous => return Ok(Ok(nobody(by_network))),
            Who::Admin(_) => return Ok(Ok(nobody(Role::Admin))),
            Who::Person(id, _) => *id,
        };
        let Some(account) = state.account(id)? else { return Ok(Err("the account is gone")) };
        if account.state != AccountState::Active {
            return Ok(Err("the account may not log in"));
        }
        let role = match &account {
            account if account.is_admin => Role::Admin,
            account if !account.manages.is_empty() => Role::DomainAdmin,
            _ => Role::Person,
        };
        let mut asker = Self { own: Some(id), ..nobody(role) };
        if role != Role::Admin {
            asker.own_forwarding = state.settings()?.own_forwarding;
        }
        if role == Role::DomainAdmin {
            let ours = state.domain_names()?.into_iter().collect();
            let manages = account.manages.into_iter().collect();
            asker.realm = Arc::new(Realm { ours, manages });
        }
        Ok(Ok(asker))
    }
}

impl Session {
    /// Who asks, as the directory knows it now: a role that was taken away is gone at once.
    pub(crate) fn asker(&self) -> Result<Asker, Fail> {
        let view = self.outcome(self.conn.ctx().store.directory())?;
        let asker = self.outcome(Asker::of(&self.who, self.by_network(), &view.state()))?;
        asker.map_err(|gone| Fail::Bye(Code::StrongerAuthRequired, gone))
    }

    /// What those are who did not say who they are.
    fn by_network(&self) -> Role {
        let is_let = self.conn.ctx().store.settings().lan_lookup;
        let is_near = is_let && base::is_lan(self.conn.peer());
        if is_near { Role::Guest } else { Role::Anonymous }
    }

    /// The store for an act that who is bound may do: `may` is asked at once, so that nothing is hashed in
    /// vain, and again inside the act, of the directory as it is by then. Who has become somebody else on
    /// the way is told to try again: what was read before the act was read with other rights.
    pub(crate) fn store_if(
        &self,
        asker: &Asker,
        may: impl Fn(&Asker, &DirectoryState<'_>) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Result<Store, Fail> {
        let view = self.outcome(self.conn.ctx().store.directory())?;
        self.outcome(may(asker, &view.state()))?;
        let (who, by_network, role) = (self.who.clone(), self.by_network(), asker.role);
        let judge = move |state: &DirectoryState<'_>| {
            let asker = Asker::of(&who, by_network, state)?;
            let asker = asker.map_err(|gone| StoreError::Forbidden(gone.to_owned()))?;
            may(&asker, state)?;
            if asker.role == role {
                return Ok(());
            }
            let text = "your rights have just changed, try again";
            Err(StoreError::Refused(Refusal::new(Code::Busy, text)))
        };
        Ok(self.store().judged(Arc::new(judge)))
    }
}
