//! Add, modify, delete and modify DN. RFC 4511 §4.6 to §4.9; pre-read and post-read, RFC 4527; assertion,
//! RFC 4528.
//!
//! What an entry must be is decided by `directory` and the store's acts, who may write it by
//! `session::rules`. The answer is sent after the act returned.

use base::AccountId;
use directory::{Attributes, Code, Dn, Filter, Modification, Rdn, schema};
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapAddRequest, LdapModify, LdapModifyDNRequest, LdapModifyRequest, LdapModifyType,
};
use session::rules::Operation;
use store::{DirectorySearch, Entry, Origin, Scope, Store, StoreError, Via};

use crate::asker::Asker;
use crate::ber;
use crate::controls::{self, Controls};
use crate::message::Control;
use crate::reply::{self, Fail, Kind, refused};
use crate::search::shown_to;
use crate::select::Selection;
use crate::session::{Session, Who, dn};
use crate::view::{self, Shown};

/// The attributes of a request, by their keys. RFC 4511 §4.7.
fn attributes_of(request: LdapAddRequest) -> Result<Attributes, Fail> {
    let mut attributes = Attributes::new();
    for attribute in request.attributes {
        let Some(key) = schema::key(&attribute.atype) else {
            let text = format!("{}: attribute type undefined", attribute.atype);
            return Err(refused(Code::UndefinedAttributeType, text));
        };
        if attribute.vals.is_empty() {
            let text = format!("{}: no values", attribute.atype);
            return Err(refused(Code::ProtocolError, text));
        }
        // The same attribute by two names is one attribute.
        attributes.entry(key).or_default().extend(attribute.vals);
    }
    Ok(attributes)
}

fn change_of(change: LdapModify) -> Modification {
    let (name, values) = (change.modification.atype, change.modification.vals);
    match change.operation {
        LdapModifyType::Add => Modification::Add { name, values },
        LdapModifyType::Delete => Modification::Delete { name, values },
        LdapModifyType::Replace => Modification::Replace { name, values },
        LdapModifyType::Increment => Modification::Increment { name, values },
    }
}

impl Session {
    /// The store for acts in the name of who is bound.
    pub(crate) fn store(&self) -> Store {
        let who = match &self.who {
            Who::Anonymous => String::new(),
            Who::Admin(_) => match self.conn.peer_uid() {
                Some(uid) => format!("uid {uid}"),
                None => crate::bind::ADMIN.to_owned(),
            },
            Who::Person(id, dn) => {
                let account = self.conn.ctx().store.account(*id).ok().flatten();
                account.map_or_else(|| dn.clone(), |account| account.address.to_string())
            }
        };
        let origin = Origin::new(who, Via::Ldap, Some(self.conn.peer()));
        self.conn.ctx().store.by(origin)
    }

    /// What an act of the store says.
    pub(crate) fn outcome<T>(&self, done: Result<T, StoreError>) -> Result<T, Fail> {
        done.map_err(|err| reply::of_store(self.conn.session(), &err))
    }

    pub(crate) async fn add(
        &mut self,
        id: i32,
        request: LdapAddRequest,
        controls: Vec<Control>,
    ) -> Result<(), Fail> {
        let asker = self.asker()?;
        asker.must_be_somebody()?;
        let controls = Controls::read(controls, Kind::Add)?;
        let name = dn(&request.dn)?;
        refuse_own(&name)?;
        let mut attributes = attributes_of(request)?;
        let (at, asked) = (name.clone(), attributes.clone());
        let store = self.store_if(&asker, move |asker, _| asker.must_add(&at, &asked))?;
        self.hash_in(&mut attributes, asker.role).await?;
        let by = self.who.dn().to_owned();
        let added = self.outcome(store.add_entry(name, attributes, by).await)?;
        let answers = self.read_answers(None, Some(added), &controls, &asker)?;
        self.say(id, Kind::Add.says(reply::success()), answers);
        Ok(())
    }

    pub(crate) async fn modify(
        &mut self,
        id: i32,
        request: LdapModifyRequest,
        controls: Vec<Control>,
    ) -> Result<(), Fail> {
        let name = dn(&request.dn)?;
        let asker = self.asker()?;
        let role = asker.role;
        let controls = Controls::read(controls, Kind::Modify)?;
        asker.must_be_somebody()?;
        refuse_own(&name)?;
        let entry = self.entry_of(&name)?.entry;
        let mut changes: Vec<Modification> = request.changes.into_iter().map(change_of).collect();
        let (at, asked) = (name.clone(), changes.clone());
        let store = self.store_if(&asker, move |asker, state| match state.entry(&at)? {
            Some(entry) => asker.must_modify(&entry, &asked, state),
            None => Ok(()),
        })?;
        let account = match entry.account {
            Some(account) => self.outcome(store.account(account))?,
            None => None,
        };
        let has_password = self.hash_changes(&mut changes, account.as_ref(), role).await?;
        let assertion = controls.assertion.clone();
        let by = self.who.dn().to_owned();
        let done = store.modify_entry(name, changes, assertion, by).await;
        let (before, after) = self.outcome(done)?;
        let answers =
            self.read_answers(Some(before.clone()), Some(after.clone()), &controls, &asker)?;
        self.say(id, Kind::Modify.says(reply::success()), answers);
        let status = |entry: &Entry| entry.attributes.get("postroomstatus").cloned();
        if let Some(account) = before.account
            && (has_password || status(&before) != status(&after) || after.account.is_none())
        {
            let told = self.conn.flush().await;
            self.log_out(Some(account))?;
            told?;
        }
        Ok(())
    }

    pub(crate) async fn delete(
        &mut self,
        id: i32,
        name: &str,
        controls: Vec<Control>,
    ) -> Result<(), Fail> {
        let asker = self.asker()?;
        asker.must_be_somebody()?;
        let controls = Controls::read(controls, Kind::Delete)?;
        let name = dn(name)?;
        refuse_own(&name)?;
        let assertion = controls.assertion.clone();
        // What the server computes of it is gone with it.
        let shown = self.entry_of(&name)?;
        let at = name.clone();
        let store = self.store_if(&asker, move |asker, state| match state.entry(&at)? {
            Some(entry) => asker.must(Operation::Delete, asker.target(&entry)),
            None => Ok(()),
        })?;
        let before = self.outcome(store.delete_entry(name, assertion).await)?;
        let account = before.account;
        let shown = Shown { entry: before, operational: shown.operational };
        let answers = match &controls.pre_read {
            Some(names) => vec![read_answer(controls::PRE_READ, names, &shown, &asker)],
            None => Vec::new(),
        };
        self.say(id, Kind::Delete.says(reply::success()), answers);
        self.end_logins(account.as_slice()).await
    }

    /// Ends the logins of accounts that are none any more, after the client was told (one of them may be its
    /// own). One that is gone before it was told changes nothing of that.
    async fn end_logins(&mut self, accounts: &[AccountId]) -> Result<(), Fail> {
        if accounts.is_empty() {
            return Ok(());
        }
        let told = self.conn.flush().await;
        for account in accounts {
            self.conn.ctx().admission.close_account(*account);
        }
        Ok(told?)
    }

    pub(crate) async fn rename(
        &mut self,
        id: i32,
        request: LdapModifyDNRequest,
        controls: Vec<Control>,
    ) -> Result<(), Fail> {
        let asker = self.asker()?;
        asker.must_be_somebody()?;
        let controls = Controls::read(controls, Kind::ModifyDn)?;
        let name = dn(&request.dn)?;
        refuse_own(&name)?;
        let rdn = Rdn::parse(&request.newrdn)?;
        let superior = request.new_superior.as_deref().map(dn).transpose()?;
        self.entry_of(&name)?;
        let (at, to, above) = (name.clone(), rdn.clone(), superior.clone());
        let store = self.store_if(&asker, move |asker, state| match state.entry(&at)? {
            Some(entry) => asker.must_rename(&entry, &to, above.as_ref(), state.has_children(&at)?),
            None => Ok(()),
        })?;
        let assertion = controls.assertion.clone();
        let by = self.who.dn().to_owned();
        // Somewhere else they may be accounts no more.
        let moved = if superior.is_some() { self.accounts_below(&name).await? } else { Vec::new() };
        let done = store.rename_entry(name, rdn, request.deleteoldrdn, superior, assertion, by);
        let (before, after) = self.outcome(done.await)?;
        let answers = self.read_answers(Some(before), Some(after), &controls, &asker)?;
        self.say(id, Kind::ModifyDn.says(reply::success()), answers);
        let mut ended = Vec::new();
        for account in moved {
            if self.outcome(store.account(account))?.is_none() {
                ended.push(account);
            }
        }
        self.end_logins(&ended).await
    }

    /// The accounts of an entry and of all below it.
    async fn accounts_below(&mut self, name: &Dn) -> Result<Vec<AccountId>, Fail> {
        let (store, name) = (self.conn.ctx().store.clone(), name.clone());
        let work = self.finding.run(move || {
            let view = store.directory()?;
            let found = view.search(&DirectorySearch {
                base: &name,
                scope: Scope::Subtree,
                filter: &Filter::Present("objectClass".to_owned()),
                size_limit: None,
                work_max: None,
                shows: &|entry| entry.account.is_some(),
                hides: &|_, _| false,
                goes_on: &|| true,
            })?;
            let mut accounts = Vec::new();
            for id in found.ids {
                accounts.extend(view.entry(id)?.and_then(|entry| entry.account));
            }
            Ok::<_, StoreError>(accounts)
        });
        let found = self.wait_for(work).await?;
        self.outcome(found)
    }

    /// The entries that the read controls ask for.
    fn read_answers(
        &self,
        before: Option<Entry>,
        after: Option<Entry>,
        controls: &Controls,
        asker: &Asker,
    ) -> Result<Vec<LdapControl>, Fail> {
        let mut answers = Vec::new();
        let asked = [
            (controls::PRE_READ, &controls.pre_read, before),
            (controls::POST_READ, &controls.post_read, after),
        ];
        for (oid, names, entry) in asked {
            let (Some(names), Some(entry)) = (names, entry) else { continue };
            let view = self.outcome(self.conn.ctx().store.directory())?;
            let shown = self.outcome(view::of_entry(&view, entry))?;
            answers.push(read_answer(oid, names, &shown, asker));
        }
        Ok(answers)
    }
}

/// RFC 4527 §3: the value is a SearchResultEntry.
fn read_answer(oid: &str, names: &[String], shown: &Shown, asker: &Asker) -> LdapControl {
    let entry = shown_to(shown, asker, &Selection::of(names, false));
    let op = ldap3_proto::proto::LdapOp::SearchResultEntry(entry);
    let tag: ldap3_lber::structures::Tag = op.into();
    use ldap3_lber::structures::ASNTag as _;
    reply::control(oid, ber::encode(tag.into_structure()))
}

/// The root and the schema are the server's own.
fn refuse_own(name: &Dn) -> Result<(), Fail> {
    if name.is_root() || crate::root::is_subschema(name) {
        return Err(refused(Code::UnwillingToPerform, "the server's own entries stay as they are"));
    }
    Ok(())
}
