//! The store's directory as this server looks at it: the only place that knows how the store is asked.

use directory::schema::AttributeType;
use directory::{Attributes, Code, Dn, Refusal, schema};
use ldap3_proto::proto::LdapSearchScope;
use session::Conn;
use session::rules::{self, Role, Target};
use store::{
    Account, DirectoryFound, DirectorySearch, DirectoryView, Entry, EntryId, Scope, SearchEnd,
    Store, StoreError,
};

use crate::controls::SortKey;
use crate::finding::List;
use crate::reply::{self, Fail};
use crate::search::Quest;
use crate::session::Session;

/// What a search found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) ids: Vec<EntryId>,
    /// Why there may be more.
    pub(crate) code: Option<Code>,
}

/// An entry, with what the server computes of it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) entry: Entry,
    pub(crate) operational: Attributes,
}

fn broken(conn: &Conn, err: &StoreError) -> Fail {
    reply::of_store(conn.session(), err)
}

/// The bases of the mail domains.
pub(crate) fn contexts(conn: &Conn) -> Result<Vec<String>, Fail> {
    let contexts = conn.ctx().store.directory().and_then(|view| view.contexts());
    let contexts = contexts.map_err(|err| broken(conn, &err))?;
    Ok(contexts.iter().map(Dn::as_text).collect())
}

/// The entry with what is computed of it.
pub(crate) fn shown(
    view: &DirectoryView,
    id: EntryId,
    with_operational: bool,
) -> Result<Option<Shown>, StoreError> {
    let Some(entry) = view.entry(id)? else { return Ok(None) };
    let operational =
        if with_operational { view.operational(id, &entry)? } else { Attributes::new() };
    Ok(Some(Shown { entry, operational }))
}

/// The same of an entry that an act returned.
pub(crate) fn of_entry(view: &DirectoryView, entry: Entry) -> Result<Shown, StoreError> {
    let id = match Dn::parse(&entry.dn) {
        Ok(dn) => view.find(&dn)?,
        Err(_) => None,
    };
    let operational = match id {
        Some(id) => view.operational(id, &entry)?,
        None => Attributes::new(),
    };
    Ok(Shown { entry, operational })
}

impl Session {
    /// The entry of a DN.
    ///
    /// # Errors
    /// noSuchObject, with the nearest entry above that there is.
    pub(crate) fn entry_of(&self, dn: &Dn) -> Result<Shown, Fail> {
        let found = || -> Result<Result<Shown, Refusal>, StoreError> {
            let view = self.conn.ctx().store.directory()?;
            let shown = match view.find(dn)? {
                Some(id) => shown(&view, id, true)?,
                None => None,
            };
            match shown {
                Some(shown) => Ok(Ok(shown)),
                None => view.no_such(dn).map(Err),
            }
        };
        Ok(found().map_err(|err| broken(&self.conn, &err))??)
    }

    /// The account of an entry's DN.
    pub(crate) fn account_of(&self, dn: &Dn) -> Result<Option<Account>, Fail> {
        let store = &self.conn.ctx().store;
        let found = || -> Result<Option<Account>, StoreError> {
            let view = store.directory()?;
            let Some(id) = view.find(dn)? else { return Ok(None) };
            match view.entry(id)?.and_then(|entry| entry.account) {
                Some(account) => store.account(account),
                None => Ok(None),
            }
        };
        found().map_err(|err| broken(&self.conn, &err))
    }

    /// The DN of an account's entry.
    pub(crate) fn dn_of(&self, account: &Account) -> Result<String, Fail> {
        let entry = self.conn.ctx().store.account_entry(account.id);
        let entry = entry.map_err(|err| broken(&self.conn, &err))?;
        Ok(entry.map(|entry| entry.written_dn).unwrap_or_default())
    }
}

/// Why entries cannot be sorted by these keys (RFC 2891 §1.2), with the attribute.
pub(crate) fn unsortable(keys: &[SortKey], role: Role) -> Option<(Code, String)> {
    keys.iter().find_map(|key| {
        let name = || key.attribute.clone();
        let Some(attribute) = schema::attribute(&key.attribute) else {
            return Some((Code::NoSuchAttribute, name()));
        };
        if !rules::may_read(role, Target::Other, &key.attribute) {
            return Some((Code::InsufficientAccessRights, name()));
        }
        let rule = match &key.rule {
            Some(rule) => directory::matching::rules::named(rule),
            None => attribute.ordering.or(attribute.equality),
        };
        let is_ordered = rule.is_some_and(|rule| rule.applies_to(attribute));
        (!is_ordered).then(|| (Code::InappropriateMatching, name()))
    })
}

/// Finds what little work finds; `None`: it takes more than `work_max` rows and entries, or is to be sorted.
pub(crate) fn find_little(
    store: &Store,
    quest: &Quest,
    work_max: usize,
) -> Result<Option<List>, StoreError> {
    if !quest.keys.is_empty() {
        return Ok(None);
    }
    let found = search(&store.directory()?, quest, Some(work_max))?;
    let list = |code| List { found: Found { ids: found.ids, code }, sorted: None };
    Ok(match found.end {
        SearchEnd::TooMuch => None,
        end => Some(list(code_of(end))),
    })
}

fn code_of(end: SearchEnd) -> Option<Code> {
    match end {
        SearchEnd::Complete => None,
        SearchEnd::SizeLimit => Some(Code::SizeLimitExceeded),
        SearchEnd::Stopped | SearchEnd::TooMuch => Some(Code::TimeLimitExceeded),
    }
}

/// Finds, and sorts if that was asked for; the sorted list knows the places of values.
pub(crate) fn find(store: &Store, quest: &Quest) -> Result<List, StoreError> {
    let view = store.directory()?;
    let found = search(&view, quest, None)?;
    let code = code_of(found.end);
    let keys: Vec<store::SortKey> = quest.keys.iter().filter_map(sort_key).collect();
    if keys.is_empty() || found.end == SearchEnd::Stopped {
        return Ok(List { found: Found { ids: found.ids, code }, sorted: None });
    }
    let sorted = view.sorted(&found.ids, &keys)?;
    let found = Found { ids: sorted.ids.clone(), code };
    Ok(List { found, sorted: Some(sorted) })
}

fn search(
    view: &DirectoryView,
    quest: &Quest,
    work_max: Option<usize>,
) -> Result<DirectoryFound, StoreError> {
    let hides = |entry: &Entry, attribute: &AttributeType| {
        !rules::may_read(quest.asker.role, quest.asker.target(entry), attribute.key())
    };
    view.search(&DirectorySearch {
        base: &quest.base,
        scope: match quest.scope {
            LdapSearchScope::Base => Scope::Base,
            LdapSearchScope::OneLevel => Scope::OneLevel,
            LdapSearchScope::Subtree => Scope::Subtree,
            LdapSearchScope::Children => Scope::Children,
        },
        filter: &quest.filter,
        size_limit: Some(quest.limit),
        work_max,
        shows: &|_| true,
        hides: &hides,
        goes_on: &|| quest.may_go_on(),
    })
}

fn sort_key(key: &SortKey) -> Option<store::SortKey> {
    Some(store::SortKey {
        attribute: schema::attribute(&key.attribute)?,
        rule: key.rule.as_deref().and_then(directory::matching::rules::named),
        is_reversed: key.is_reverse,
    })
}
