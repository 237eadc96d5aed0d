//! The acts of LDAP: add, modify, delete, rename. Each looks at what the standard and the box demand, then
//! goes the one way of [`writing`]. Refusals are result codes with words, as slapd has them.
//!
//! Limits: [`SUBTREE_MAX`] entries move with one rename.

use std::collections::BTreeSet;

use directory::schema::AttributeType;
use directory::{Attributes, Code, Dn, Filter, Modification, Rdn, Refusal};

use super::operational::Looked;
use super::place::{self, Place};
use super::tree::{self, Stored};
use super::{account, domain, domain_alias, entry, group, source, views, writing};
use crate::audit::entries::Why;
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{Entry, StoreError};

/// Entries below one that is renamed.
const SUBTREE_MAX: usize = 10_000;
/// What no assertion may ask for.
const SECRETS: [&str; 2] = [entry::PASSWORD, entry::VERIFIER];

fn refuse<V>(code: Code, text: impl Into<String>) -> Result<V, StoreError> {
    Err(StoreError::Refused(Refusal::new(code, text)))
}

/// Refusals of the box in the words of LDAP.
fn in_words(error: StoreError) -> StoreError {
    let (code, text) = match error {
        StoreError::AddressTaken(address) => {
            (Code::ConstraintViolation, format!("the address {address} is taken"))
        }
        StoreError::DomainTaken(name) => {
            let text = format!("{name} is a domain of the box, or another name of one");
            (Code::ConstraintViolation, text)
        }
        StoreError::NoSuchDomain => {
            (Code::ConstraintViolation, "an address is in no domain of the box".to_owned())
        }
        StoreError::Exists => (Code::EntryAlreadyExists, String::new()),
        StoreError::InUse => (Code::UnwillingToPerform, "the domain is in use".to_owned()),
        StoreError::LimitReached(what) => {
            (Code::AdminLimitExceeded, format!("limit reached: {what}"))
        }
        StoreError::Misuse(what) => (Code::UnwillingToPerform, what.to_owned()),
        other => return other,
    };
    StoreError::Refused(Refusal::new(code, text))
}

/// The nearest entry that is there, at or above a DN.
pub(crate) fn nearest(view: &impl View, dn: &Dn) -> Result<Option<Stored>, StoreError> {
    let mut at = Some(dn.clone());
    while let Some(dn) = at.filter(|dn| !dn.is_root()) {
        if let Some(id) = tree::id_of(view, &dn.key())? {
            return tree::existing(view, id).map(Some);
        }
        at = dn.parent();
    }
    Ok(None)
}

/// noSuchObject with the nearest entry that is there.
pub(crate) fn no_such(view: &impl View, dn: &Dn) -> Result<Refusal, StoreError> {
    let refusal = Refusal::new(Code::NoSuchObject, "");
    Ok(match nearest(view, dn)? {
        Some(stored) => refusal.with_matched(stored.entry.written_dn),
        None => refusal,
    })
}

fn existing(view: &impl View, dn: &Dn) -> Result<Stored, StoreError> {
    match tree::id_of(view, &dn.key())? {
        Some(id) => tree::existing(view, id),
        None => Err(StoreError::Refused(no_such_to_change(view, dn)?)),
    }
}

/// As [`no_such`]; outside all domains there is nothing to change, which slapd says otherwise.
fn no_such_to_change(view: &impl View, dn: &Dn) -> Result<Refusal, StoreError> {
    let refusal = no_such(view, dn)?;
    if refusal.matched.is_some() {
        return Ok(refusal);
    }
    Ok(Refusal::new(Code::UnwillingToPerform, "no global superior knowledge"))
}

/// RFC 4528: the act is done only if the entry is so.
fn check_assertion(
    view: &impl View,
    stored: &Stored,
    assertion: Option<&Filter>,
) -> Result<(), StoreError> {
    let Some(filter) = assertion else { return Ok(()) };
    let hides = |attribute: &AttributeType| SECRETS.contains(&attribute.key());
    let looked = Looked::new(view, stored, &hides)?;
    let holds = filter.matches(&looked);
    looked.outcome()?;
    match holds {
        Some(true) => Ok(()),
        _ => refuse(Code::AssertionFailed, ""),
    }
}

/// Adds an entry. The attributes have the keys of the schema and hashed passwords.
pub(crate) fn add(
    tx: &mut Tx<'_, '_>,
    dn: &Dn,
    attributes: &Attributes,
    by: &str,
) -> Result<Stored, StoreError> {
    let mut attributes = attributes.clone();
    directory::refuse_server_attributes(&attributes).map_err(StoreError::Refused)?;
    directory::add_naming_values(dn, &mut attributes);
    directory::validate(dn, &attributes).map_err(StoreError::Refused)?;
    let key = dn.key();
    if tree::id_of(&tx.tables, &key)?.is_some() {
        return refuse(Code::EntryAlreadyExists, "");
    }
    let mut entry = Entry {
        dn: dn.normalised(),
        written_dn: written(&tx.tables, dn)?.as_text(),
        uuid: entry::new_uuid()?,
        attributes,
        created_at: tx.now,
        modified_at: tx.now,
        creators_name: by.to_owned(),
        modifiers_name: by.to_owned(),
        account: None,
    };
    tidy(&mut entry);
    check_password(dn, &entry)?;
    let new_domain = entry.has_class(domain::CLASS).then(|| place::domain_of(&key)).flatten();
    if let Some(name) = new_domain {
        check_domain_dn(dn, &name)?;
        check_ours(&entry)?;
        check_mail(None, &entry)?;
        domain::add(tx, &name, entry).map_err(in_words)?;
        return existing(&tx.tables, dn);
    }
    check_parent(&tx.tables, dn, &key)?;
    check_meaning(&tx.tables, None, &entry)?;
    let id = writing::put(tx, None, entry).map_err(in_words)?;
    tree::existing(&tx.tables, id)
}

/// A password is one, has no options, and names nothing: else it would stand where nobody hashes and hides it.
fn check_password(dn: &Dn, entry: &Entry) -> Result<(), StoreError> {
    let is_secret = |key: &str| SECRETS.contains(&key.split(';').next().unwrap_or_default());
    let avas = dn.rdn().map(Rdn::avas).unwrap_or_default();
    if avas.iter().any(|ava| is_secret(ava.attribute().key())) {
        return refuse(Code::NamingViolation, "a password names nothing");
    }
    if entry.attributes.keys().any(|key| key.contains(';') && is_secret(key)) {
        return refuse(Code::ConstraintViolation, "a password has no options");
    }
    if entry.values(entry::PASSWORD).len() > 1 {
        return refuse(Code::ConstraintViolation, "one password is enough");
    }
    Ok(())
}

/// `dc=office.test` is not what mail for the domain is looked for below.
fn check_domain_dn(dn: &Dn, name: &base::DomainName) -> Result<(), StoreError> {
    let known = super::dn::of_domain(name);
    if dn.key() == place::key_of(&known)? {
        return Ok(());
    }
    refuse(Code::NamingViolation, format!("the entry of this domain is {known}"))
}

/// The RDN as it came, below the DN that the entry above has: one spelling for one entry.
fn written(view: &impl View, dn: &Dn) -> Result<Dn, StoreError> {
    let (Some(rdn), Some(above)) = (dn.rdn(), dn.parent()) else { return Ok(dn.clone()) };
    let above = match tree::id_of(view, &above.key())? {
        Some(id) => tree::existing(view, id)?.entry.written_dn,
        None => return Ok(dn.clone()),
    };
    Ok(Dn::parse(&above).map_err(StoreError::Refused)?.child(rdn.clone()))
}

/// Something stands above a new entry.
fn check_parent(view: &impl View, dn: &Dn, key: &[u8]) -> Result<(), StoreError> {
    let above = place::parent(key).unwrap_or_default();
    if tree::id_of(view, above)?.is_some() {
        return Ok(());
    }
    Err(StoreError::Refused(no_such_to_change(view, dn)?))
}

/// Classes are called by their first names, as slapd does.
fn tidy(entry: &mut Entry) {
    for class in entry.attributes.get_mut(entry::CLASS).into_iter().flatten() {
        let known = std::str::from_utf8(class).ok().and_then(directory::schema::class);
        if let Some(known) = known {
            *class = known.name().as_bytes().to_vec();
        }
    }
}

/// The values that an entry did not have before; there may be very many that it had.
fn new_values<'e>(before: Option<&Entry>, entry: &'e Entry, name: &str) -> Vec<&'e Vec<u8>> {
    let known: BTreeSet<&Vec<u8>> = before.into_iter().flat_map(|e| e.values(name)).collect();
    entry.values(name).iter().filter(|value| !known.contains(value)).collect()
}

/// What the box demands beyond the schema: members are there, addresses of the box are in its domains.
fn check_meaning(
    view: &impl View,
    before: Option<&Entry>,
    entry: &Entry,
) -> Result<(), StoreError> {
    for value in new_values(before, entry, entry::MEMBER) {
        let found = match std::str::from_utf8(value) {
            Ok(text) => tree::find(view, text)?.is_some(),
            Err(_) => false,
        };
        if !found {
            let member = String::from_utf8_lossy(value);
            return refuse(Code::ConstraintViolation, format!("member: {member} is no entry"));
        }
    }
    let is_group = entry.has_class(group::CLASS);
    if is_group && entry.values(entry::MEMBER).is_empty() && before.is_none_or(had_members) {
        let text = "object class 'groupOfNames' requires attribute 'member'";
        return refuse(Code::ObjectClassViolation, text);
    }
    check_ours(entry)?;
    check_manages(view, before, entry)?;
    check_mail(before, entry)?;
    if Place::of(view, &place::key_of(&entry.dn)?)?.is_none() {
        return Ok(());
    }
    for value in new_values(before, entry, entry::FURTHER) {
        let address = std::str::from_utf8(value).ok().and_then(|t| base::Address::parse(t).ok());
        let is_ours = match &address {
            Some(address) => domain::exists(view, address.domain())?,
            None => false,
        };
        if !is_ours {
            let value = String::from_utf8_lossy(value);
            let text = format!("mailLocalAddress: {value} is no address in a domain of the box");
            return refuse(Code::ConstraintViolation, text);
        }
    }
    Ok(())
}

/// Who administers a domain does so of one that is there.
fn check_manages(
    view: &impl View,
    before: Option<&Entry>,
    entry: &Entry,
) -> Result<(), StoreError> {
    for value in new_values(before, entry, entry::MANAGES) {
        let name = std::str::from_utf8(value).ok().and_then(|t| base::DomainName::parse(t).ok());
        let is_ours = match &name {
            Some(name) => domain::exists(view, name)?,
            None => false,
        };
        if !is_ours {
            let value = String::from_utf8_lossy(value);
            let text = format!("postroomManages: {value} is no domain of the box");
            return refuse(Code::ConstraintViolation, text);
        }
    }
    Ok(())
}

/// Values that the box would otherwise read as something else.
fn check_ours(entry: &Entry) -> Result<(), StoreError> {
    let is_one_of = |text: &str, known: &[&str]| known.contains(&text);
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    for (name, is_good) in [
        (
            entry::STATUS,
            &(|text: &str| is_one_of(text, &["active", "disabled", "suspended"]))
                as &dyn Fn(&str) -> bool,
        ),
        (entry::ROLE, &|text: &str| is_one_of(text, &["user", "admin"])),
        (entry::QUOTA, &is_number),
        (entry::QUOTA_MESSAGES, &is_number),
    ] {
        if let Some(value) = entry.texts(name).find(|value| !is_good(value)) {
            let name = directory::schema::attribute(name).map_or(name, AttributeType::name);
            return refuse(Code::ConstraintViolation, format!("{name}: {value} means nothing"));
        }
    }
    Ok(())
}

/// Addresses and domains that mail or a right would hang on: what is none is refused, and not passed over.
fn check_mail(before: Option<&Entry>, entry: &Entry) -> Result<(), StoreError> {
    let is_address = |text: &str| base::Address::parse(text).is_ok();
    let is_sender = |text: &str| crate::SendAs::parse(text).is_some();
    let is_domain = |text: &str| domain_alias::parse(text).is_some();
    for (name, most, is_good) in [
        (entry::FORWARD, account::FORWARD_MAX, &is_address as &dyn Fn(&str) -> bool),
        (entry::SEND_AS, account::SEND_AS_MAX, &is_sender),
        (entry::CATCH_ALL, 1, &is_address),
        (entry::DOMAIN_ALIAS, domain_alias::ALIASES_MAX, &is_domain),
    ] {
        refuse_values(before, entry, name, is_good)?;
        if entry.values(name).len() > most {
            let name = directory::schema::attribute(name).map_or(name, AttributeType::name);
            return refuse(Code::AdminLimitExceeded, format!("{name}: at most {most} values"));
        }
    }
    // The targets of an alias may be names without a domain.
    if entry.has_class(group::CLASS) {
        refuse_values(before, entry, entry::TARGET, &is_address)?;
    }
    Ok(())
}

/// Refuses new values that are not good.
fn refuse_values(
    before: Option<&Entry>,
    entry: &Entry,
    name: &'static str,
    is_good: &dyn Fn(&str) -> bool,
) -> Result<(), StoreError> {
    for value in new_values(before, entry, name) {
        if !std::str::from_utf8(value).is_ok_and(is_good) {
            let name = directory::schema::attribute(name).map_or(name, AttributeType::name);
            let value = String::from_utf8_lossy(value);
            return refuse(Code::ConstraintViolation, format!("{name}: {value} means nothing"));
        }
    }
    Ok(())
}

fn had_members(before: &Entry) -> bool {
    !before.values(entry::MEMBER).is_empty()
}

/// Changes an entry; returns it before and after.
pub(crate) fn modify(
    tx: &mut Tx<'_, '_>,
    dn: &Dn,
    changes: &[Modification],
    assertion: Option<&Filter>,
    by: &str,
) -> Result<(Stored, Stored), StoreError> {
    let before = existing(&tx.tables, dn)?;
    check_assertion(&tx.tables, &before, assertion)?;
    let mut entry = before.entry.clone();
    directory::modify(&mut entry.attributes, changes).map_err(StoreError::Refused)?;
    tidy(&mut entry);
    let written = Dn::parse(&entry.written_dn).map_err(StoreError::Refused)?;
    check_naming(&written, &entry.attributes)?;
    if before.entry.values(entry::PASSWORD) != entry.values(entry::PASSWORD) {
        source::refuse_password(&before.entry)?;
    }
    check_password(&written, &entry)?;
    check_meaning(&tx.tables, Some(&before.entry), &entry)?;
    check_role(&tx.tables, &before.entry, &entry)?;
    forget_verifier(&before.entry, &mut entry);
    entry.modified_at = tx.now;
    entry.modifiers_name = by.to_owned();
    let id = writing::put(tx, Some(&before), entry).map_err(in_words)?;
    let after = tree::existing(&tx.tables, id)?;
    Ok((before, after))
}

/// RFC 4511 §4.6: the values of the name stay.
fn check_naming(dn: &Dn, attributes: &Attributes) -> Result<(), StoreError> {
    for ava in dn.rdn().map(|rdn| rdn.avas()).unwrap_or_default() {
        let values = attributes.get(ava.attribute().key()).map(Vec::as_slice).unwrap_or_default();
        let is =
            |value: &Vec<u8>| directory::matching::is_equal(ava.attribute(), value, ava.value());
        if !values.iter().any(is) {
            let name = ava.attribute().name();
            let text = format!("value of naming attribute '{name}' is not present in entry");
            return refuse(Code::NotAllowedOnRdn, text);
        }
    }
    Ok(())
}

/// A domain stays one.
fn check_role(view: &impl View, before: &Entry, after: &Entry) -> Result<(), StoreError> {
    let (old, new) = (views::Meaning::of(view, before)?, views::Meaning::of(view, after)?);
    if old.domain == new.domain {
        return Ok(());
    }
    refuse(Code::UnwillingToPerform, "a domain stays one, and comes by an entry of its own")
}

/// A SCRAM verifier is of one password.
fn forget_verifier(before: &Entry, after: &mut Entry) {
    let is_other = before.values(entry::PASSWORD) != after.values(entry::PASSWORD);
    if is_other && before.values(entry::VERIFIER) == after.values(entry::VERIFIER) {
        after.attributes.remove(entry::VERIFIER);
    }
}

/// Removes an entry that nothing stands below; returns it.
pub(crate) fn delete(
    tx: &mut Tx<'_, '_>,
    dn: &Dn,
    assertion: Option<&Filter>,
) -> Result<Stored, StoreError> {
    let before = existing(&tx.tables, dn)?;
    check_assertion(&tx.tables, &before, assertion)?;
    let key = dn.key();
    if let Some(name) = views::Meaning::of(&tx.tables, &before.entry)?.domain {
        domain::delete(tx, &name).map_err(in_words)?;
        return Ok(before);
    }
    refuse_fixed(&tx.tables, &key)?;
    if tree::has_children(&tx.tables, &key)? {
        return refuse(Code::NotAllowedOnNonLeaf, "subordinate objects must be deleted first");
    }
    writing::remove(tx, &before).map_err(in_words)?;
    Ok(before)
}

fn refuse_fixed(view: &impl View, key: &[u8]) -> Result<(), StoreError> {
    if Place::of(view, key)?.is_some_and(|place| place.is_fixed()) {
        return refuse(Code::UnwillingToPerform, "a domain and its containers stay as they are");
    }
    Ok(())
}

/// A new name and perhaps another place.
#[derive(Clone, Debug)]
pub(crate) struct Rename {
    pub(crate) rdn: Rdn,
    pub(crate) deletes_old: bool,
    pub(crate) superior: Option<Dn>,
}

/// Renames an entry with all below it; members that name them follow. Returns it before and after.
pub(crate) fn rename(
    tx: &mut Tx<'_, '_>,
    dn: &Dn,
    to: &Rename,
    assertion: Option<&Filter>,
    by: &str,
) -> Result<(Stored, Stored), StoreError> {
    let before = existing(&tx.tables, dn)?;
    check_assertion(&tx.tables, &before, assertion)?;
    refuse_fixed(&tx.tables, &dn.key())?;
    let written = Dn::parse(&before.entry.written_dn).map_err(StoreError::Refused)?;
    let above = match &to.superior {
        Some(superior) => match tree::find(&tx.tables, &superior.normalised())? {
            Some(stored) => stored.entry.written_dn,
            None => return refuse(Code::NoSuchObject, "new superior not found"),
        },
        None => written.parent().unwrap_or_default().as_text(),
    };
    let above = Dn::parse(&above).map_err(StoreError::Refused)?;
    if above.is_under(dn) {
        return refuse(Code::UnwillingToPerform, "cannot place an entry below itself");
    }
    let new = above.child(to.rdn.clone());
    let new = Dn::parse(&new.as_text()).map_err(StoreError::Refused)?;
    if new != *dn && tree::id_of(&tx.tables, &new.key())?.is_some() {
        return refuse(Code::EntryAlreadyExists, "");
    }
    let mut entry = before.entry.clone();
    if let Some(old) = written.rdn() {
        directory::rename(&mut entry.attributes, old, &to.rdn, to.deletes_old);
    }
    check_password(&new, &entry)?;
    (entry.dn, entry.written_dn) = (new.normalised(), new.as_text());
    entry.modified_at = tx.now;
    entry.modifiers_name = by.to_owned();
    let is_same = new.as_text() == before.entry.written_dn;
    let below = if is_same { Vec::new() } else { subtree(&tx.tables, dn)? };
    let id = writing::put(tx, Some(&before), entry).map_err(in_words)?;
    writing::change_member(tx, &before.entry.dn, Some(&new.as_text()))?;
    for stored in below {
        move_one(tx, &stored, dn, &new)?;
    }
    let after = tree::existing(&tx.tables, id)?;
    Ok((before, after))
}

/// What stands below an entry, from above.
fn subtree(view: &impl View, dn: &Dn) -> Result<Vec<Stored>, StoreError> {
    let (key, mut ids) = (dn.key(), Vec::new());
    view.scan_prefix(T::EntryDn, &key, &mut |at, row| {
        if at != key {
            ids.push(tree::decode_link(row, "row of a DN")?);
        }
        Ok(ids.len() <= SUBTREE_MAX)
    })?;
    if ids.len() > SUBTREE_MAX {
        return refuse(Code::AdminLimitExceeded, "too many entries would move");
    }
    ids.into_iter().map(|id| tree::existing(view, id)).collect()
}

fn move_one(tx: &mut Tx<'_, '_>, stored: &Stored, from: &Dn, to: &Dn) -> Result<(), StoreError> {
    let old = Dn::parse(&stored.entry.written_dn).map_err(StoreError::Refused)?;
    let Some(new) = old.moved(from, to) else { return Ok(()) };
    // It may be too long by now.
    let new = Dn::parse(&new.as_text()).map_err(StoreError::Refused)?;
    let mut entry = stored.entry.clone();
    (entry.dn, entry.written_dn) = (new.normalised(), new.as_text());
    writing::put_as(tx, Some(stored), entry, Why::MovesAlong).map_err(in_words)?;
    writing::change_member(tx, &stored.entry.dn, Some(&new.as_text()))
}
