//! Entries that come from the external directory of a domain: what it owns of them, and that it keeps the
//! password. What stands there is somebody else's to ask; here is only what the store makes of it.
//!
//! Never here: an entry that does not come from there.

use directory::{Code, Dn, Refusal};

use super::tree::{self, Stored};
use super::{account, dn, entry, indexed, operational, writing};
use crate::audit::entries::Why;
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{AccountSource, Entry, FromSource, SourceEntry, SourceKind, SourceOutcome, StoreError};

/// What only a source writes.
const OWN: [&str; 5] =
    [entry::SOURCE, entry::SOURCE_ID, entry::SOURCE_STATE, entry::SOURCE_DN, entry::SOURCE_CHECKED];
const PERSON: [&str; 6] = [
    "top",
    "person",
    "organizationalPerson",
    "inetOrgPerson",
    "inetLocalMailRecipient",
    "postroomAccount",
];
const GROUP: [&str; 3] = ["top", "groupOfNames", "postroomGroup"];

/// True if the source says that the person may not log in, or does not show the entry any more.
pub(crate) fn is_locked_out(entry: &Entry) -> bool {
    entry.first(entry::SOURCE_STATE).is_some()
}

/// Where an account comes from.
pub(crate) fn of_account(entry: &Entry) -> Option<AccountSource> {
    let checked = entry.first(entry::SOURCE_CHECKED);
    Some(AccountSource {
        domain: entry.first(entry::SOURCE)?.to_owned(),
        id: entry.first(entry::SOURCE_ID).unwrap_or_default().to_owned(),
        dn: entry.first(entry::SOURCE_DN).unwrap_or_default().to_owned(),
        checked_at: checked.and_then(operational::read_time),
    })
}

/// A password that is kept elsewhere cannot be set here.
pub(crate) fn refuse_password(entry: &Entry) -> Result<(), StoreError> {
    let Some(source) = entry.first(entry::SOURCE) else { return Ok(()) };
    let text = format!("the password is kept by the external directory of {source}");
    Err(StoreError::Refused(Refusal::new(Code::UnwillingToPerform, text)))
}

/// All entries of the source of a domain.
pub(crate) fn entries(view: &impl View, domain: &str) -> Result<Vec<SourceEntry>, StoreError> {
    let mut found = Vec::new();
    view.scan(T::Entry, &[], &[], &mut |_, row| {
        let entry = entry::decode(row)?;
        if entry.first(entry::SOURCE) == Some(domain)
            && let Some(id) = entry.first(entry::SOURCE_ID)
        {
            found.push(SourceEntry { id: id.to_owned(), entry });
        }
        Ok(true)
    })?;
    Ok(found)
}

/// RFC 9562 §5.8: the same for the same id, so that who was deleted and comes back gets his mail again.
fn uuid(domain: &str, id: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("postroom entry of an external directory");
    hasher.update(domain.as_bytes()).update(&[0]).update(id.as_bytes());
    let mut uuid = [0; 16];
    hasher.finalize_xof().fill(&mut uuid);
    uuid[6] = uuid[6] & 0x0F | 0x80;
    uuid[8] = uuid[8] & 0x3F | 0x80;
    uuid
}

impl FromSource {
    /// The entry with what the source says of it; the same again if it says nothing new.
    ///
    /// # Errors
    /// `Refused` for a DN that is none.
    pub fn over(&self, before: &Entry) -> Result<Entry, StoreError> {
        let mut entry = before.clone();
        let classes: &[&str] = match self.kind {
            SourceKind::Person => &PERSON,
            SourceKind::Group => &GROUP,
        };
        classes.iter().for_each(|class| entry.add_class(class));
        for (key, values) in &self.attributes {
            if values.is_empty() {
                entry.attributes.remove(key);
            } else {
                entry.attributes.insert(key.clone(), values.clone());
            }
        }
        entry.set(entry::SOURCE, [self.domain.as_str()]);
        entry.set(entry::SOURCE_ID, [&self.id]);
        entry.set(entry::SOURCE_DN, [&self.dn]);
        entry.set(entry::SOURCE_STATE, self.state.as_ref());
        let dn = Dn::parse(&entry.written_dn).map_err(StoreError::Refused)?;
        directory::add_naming_values(&dn, &mut entry.attributes);
        Ok(entry)
    }

    fn new_entry(&self, tx: &Tx<'_, '_>) -> Result<Entry, StoreError> {
        let (naming, container) = match self.kind {
            SourceKind::Person => ("uid", "people"),
            SourceKind::Group => ("cn", "groups"),
        };
        let container = dn::of_container(container, &self.domain);
        let name = format!("{naming}={},{container}", dn::escape(&self.name));
        let mut entry = entry::new(name, &[], tx.now)?;
        entry.uuid = uuid(self.domain.as_str(), &self.id);
        if self.kind == SourceKind::Person {
            entry.set(entry::STATUS, ["active"]);
            entry.set(entry::ROLE, ["user"]);
        }
        Ok(entry)
    }
}

/// The entry that has this UUID.
fn of_uuid(view: &impl View, uuid: &[u8; 16]) -> Result<Option<Stored>, StoreError> {
    let found = indexed::equal(view, indexed::UUID, uuid)?;
    found.first().map(|id| tree::existing(view, *id)).transpose()
}

/// Makes or changes the entry of a source. A local one in its place is `Exists`.
pub(crate) fn put(tx: &mut Tx<'_, '_>, from: &FromSource) -> Result<SourceOutcome, StoreError> {
    let Some(before) = of_uuid(&tx.tables, &uuid(from.domain.as_str(), &from.id))? else {
        let entry = from.over(&from.new_entry(tx)?)?;
        writing::put(tx, None, entry)?;
        return Ok(SourceOutcome::Created);
    };
    let mut entry = from.over(&before.entry)?;
    if entry == before.entry {
        return Ok(SourceOutcome::Same);
    }
    entry.modified_at = tx.now;
    writing::put(tx, Some(&before), entry)?;
    Ok(SourceOutcome::Changed)
}

/// Says that the source does not show an entry any more, and since when.
pub(crate) fn lose(tx: &mut Tx<'_, '_>, entry: &Entry) -> Result<(), StoreError> {
    let Some(before) = of_uuid(&tx.tables, &entry.uuid)? else { return Ok(()) };
    let mut entry = before.entry.clone();
    entry.set(entry::SOURCE_STATE, [format!("gone {}", operational::time(tx.now))]);
    entry.modified_at = tx.now;
    writing::put(tx, Some(&before), entry).map(drop)
}

/// Makes an entry a local one. Who may not log in there stays disabled.
pub(crate) fn release(tx: &mut Tx<'_, '_>, entry: &Entry) -> Result<(), StoreError> {
    let Some(before) = of_uuid(&tx.tables, &entry.uuid)? else { return Ok(()) };
    let mut entry = before.entry.clone();
    if is_locked_out(&entry) && entry.account.is_some() {
        entry.set(entry::STATUS, ["disabled"]);
    }
    for name in OWN {
        entry.attributes.remove(name);
    }
    entry.modified_at = tx.now;
    writing::put(tx, Some(&before), entry).map(drop)
}

/// Keeps what the source called right a moment ago: a new record, or the known one. The entry does not
/// count as changed.
pub(crate) fn cache_password(
    tx: &mut Tx<'_, '_>,
    id: base::AccountId,
    record: Option<&String>,
) -> Result<(), StoreError> {
    let before = account::stored(&tx.tables, id)?.ok_or(StoreError::NoSuchAccount)?;
    let mut entry = before.entry.clone();
    if entry.first(entry::SOURCE).is_none() {
        return Ok(());
    }
    if record.is_some() {
        account::set_password(&mut entry, record);
    }
    entry.set(entry::SOURCE_CHECKED, [operational::time(tx.now)]);
    // A login is no change that somebody made.
    writing::put_as(tx, Some(&before), entry, Why::Silent).map(drop)
}
