//! Who asks, and whose an entry is to them: what an operation needs to ask the table of rights.
//!
//! Read of the directory anew for each operation. Never here: what somebody may do with which entry; that is
//! `session::rules`.

use std::sync::Arc;

use base::{Address, DomainName};
use directory::{Attributes, Code, Dn, Modification, Rdn};
use session::rules::{self, Operation, Realm, Role, Subject, Target};
use store::{Entry, OwnForwarding, StoreError};

use crate::reply::{self, Fail, refused};
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

fn no_rights(text: impl Into<String>) -> Fail {
    refused(Code::InsufficientAccessRights, text)
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
    pub(crate) fn must(&self, operation: Operation, target: Target) -> Result<(), Fail> {
        if rules::may(self.role, operation, target) {
            return Ok(());
        }
        let text = if self.is_nobody() { "bind first" } else { "this is the admin's to do" };
        Err(no_rights(text))
    }

    /// Refuses who did not say who it is.
    pub(crate) fn must_be_somebody(&self) -> Result<(), Fail> {
        if self.is_nobody() { Err(no_rights("bind first")) } else { Ok(()) }
    }

    /// True for who did not say who it is.
    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self.role, Role::Anonymous | Role::Guest)
    }

    fn must_write(&self, target: Target, attribute: &str) -> Result<(), Fail> {
        if rules::may_write(self.role, target, attribute) {
            return Ok(());
        }
        Err(no_rights(format!("{attribute}: not yours to change")))
    }

    fn must_hold(&self, attribute: &str, value: &[u8]) -> Result<(), Fail> {
        if self.realm.may_hold(self.role, attribute, value) {
            return Ok(());
        }
        Err(no_rights(format!("{attribute}: this value is not yours to give")))
    }

    /// Whether this entry is theirs to make.
    pub(crate) fn must_add(&self, dn: &Dn, attributes: &Attributes) -> Result<(), Fail> {
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
        is_ours: &dyn Fn(&DomainName) -> Result<bool, Fail>,
    ) -> Result<(), Fail> {
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
                    && !rules::may_forward_to(may, name, &text, is_ours)?
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
    ) -> Result<(), Fail> {
        let target = self.target(entry);
        self.must(Operation::Rename, target)?;
        if self.role != Role::DomainAdmin {
            return Ok(());
        }
        // What stands below may be another's.
        if has_children {
            return Err(no_rights("entries below it: this is the admin's to do"));
        }
        let old = Dn::parse(&entry.dn)?;
        let above = superior.cloned().or_else(|| old.parent()).unwrap_or_default();
        let there = self.target_at(&above.child(rdn.clone()), &entry.attributes, false);
        self.must(Operation::Add, there)?;
        self.must_name(target, old.rdn())?;
        self.must_name(target, Some(rdn))
    }

    fn must_name(&self, target: Target, rdn: Option<&Rdn>) -> Result<(), Fail> {
        for ava in rdn.into_iter().flat_map(Rdn::avas) {
            self.must_write(target, ava.attribute().key())?;
            self.must_hold(ava.attribute().key(), ava.value())?;
        }
        Ok(())
    }
}

impl Session {
    /// Who asks, as the directory knows it now: a role that was taken away is gone at once.
    pub(crate) fn asker(&self) -> Result<Asker, Fail> {
        let broken = |err: StoreError| reply::of_store(self.conn.session(), &err);
        let own_forwarding = self.conn.ctx().store.settings().own_forwarding;
        let nobody = |role| Asker { role, own: None, realm: Arc::default(), own_forwarding };
        let Who::Person(id, _) = &self.who else {
            return self.role().map(nobody);
        };
        let role = self.role()?;
        let mut asker = Asker { own: Some(*id), ..nobody(role) };
        if role == Role::DomainAdmin {
            let store = &self.conn.ctx().store;
            let account = store.account(*id).map_err(broken)?;
            // All of them: a domain below another is one of its own.
            let ours = store.domain_names().map_err(broken)?.into_iter().collect();
            let manages = account.into_iter().flat_map(|account| account.manages).collect();
            asker.realm = Arc::new(Realm { ours, manages });
        }
        Ok(asker)
    }
}
