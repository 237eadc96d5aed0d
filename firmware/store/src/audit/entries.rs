//! What became of an entry of the directory, as an event: of accounts, aliases, groups and domains by their
//! addresses, of others by their DNs. Only values that went or came are told.

use std::collections::BTreeSet;

use directory::schema;

use super::{AuditChange, AuditEvent, SECRET, note, note_consequence, secrets, shown};
use crate::Entry;
use crate::StoreError;
use crate::directory::entry;
use crate::directory::views::Meaning;
use crate::writer::Tx;

/// What an entry is for who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Account,
    Alias,
    Group,
    Domain,
    Entry,
}

impl Kind {
    fn of(entry: &Entry, meaning: &Meaning) -> Self {
        if meaning.domain.is_some() {
            Self::Domain
        } else if entry.account.is_some() {
            Self::Account
        } else if meaning.group.is_some() {
            Self::Group
        } else if !meaning.alias.is_empty() {
            Self::Alias
        } else {
            Self::Entry
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Alias => "alias",
            Self::Group => "group",
            Self::Domain => "domain",
            Self::Entry => "entry",
        }
    }
}

/// An entry and what the box makes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'e> {
    pub(crate) entry: &'e Entry,
    pub(crate) meaning: &'e Meaning,
}

impl Known<'_> {
    fn kind(&self) -> Kind {
        Kind::of(self.entry, self.meaning)
    }

    fn target(&self) -> String {
        let meaning = self.meaning;
        let named = match self.kind() {
            Kind::Account => meaning.account.as_ref().map(|claims| claims.primary.to_string()),
            Kind::Alias => meaning.alias.first().map(ToString::to_string),
            Kind::Group => meaning.group.as_ref().map(|key| key.0.clone()),
            Kind::Domain => meaning.domain.as_ref().map(ToString::to_string),
            Kind::Entry => None,
        };
        named.unwrap_or_else(|| self.entry.written_dn.clone())
    }

    fn event(&self, verb: &str, changes: Vec<AuditChange>) -> AuditEvent {
        let action = format!("{}.{verb}", self.kind().word());
        AuditEvent { action, target: self.target(), changes }
    }
}

/// Why an entry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Somebody wants it so.
    Act,
    /// A deleted account comes back.
    Restore,
    /// It follows from what was done to another entry.
    Consequence,
    /// It moves along with the entry above it, or names another that does: told only where the box makes
    /// something else of it.
    MovesAlong,
    /// The box keeps its house: nothing is told.
    Silent,
}

/// Writes the rows of an entry that comes, changes or goes.
pub(crate) fn tell(
    tx: &mut Tx<'_, '_>,
    before: Option<Known<'_>>,
    after: Option<Known<'_>>,
    why: Why,
) -> Result<(), StoreError> {
    for event in events(before, after, why) {
        if why == Why::Consequence { note_consequence(tx, event)? } else { note(tx, event)? }
    }
    Ok(())
}

fn events(before: Option<Known<'_>>, after: Option<Known<'_>>, why: Why) -> Vec<AuditEvent> {
    let is_same = |old: &Known<'_>, new: &Known<'_>| old.kind() == new.kind();
    match (before, after) {
        _ if why == Why::Silent => Vec::new(),
        (None, None) => Vec::new(),
        (None, Some(new)) => {
            let verb = if why == Why::Restore { "restore" } else { "create" };
            vec![new.event(verb, changes(None, Some(new.entry)))]
        }
        (Some(old), None) => vec![old.event("delete", changes(Some(old.entry), None))],
        (Some(old), Some(new)) if is_same(&old, &new) => {
            if why == Why::MovesAlong {
                Vec::new()
            } else {
                changed(old, new)
            }
        }
        // It is something else now: gone as what it was, come as what it is.
        (Some(old), Some(new)) => {
            let changes = || {
                let mut all = moved(old.entry, new.entry);
                all.extend(changes(Some(old.entry), Some(new.entry)));
                all
            };
            let mut all = Vec::new();
            if old.kind() != Kind::Entry {
                all.push(old.event("delete", changes()));
            }
            if new.kind() != Kind::Entry {
                all.push(new.event("create", changes()));
            }
            all
        }
    }
}

/// A password is an event of its own, so that a hook can be told of it.
fn changed(old: Known<'_>, new: Known<'_>) -> Vec<AuditEvent> {
    let place = moved(old.entry, new.entry);
    let is_moved = !place.is_empty();
    let all = changes(Some(old.entry), Some(new.entry));
    let is_secret =
        |change: &AuditChange| secrets::is_secret_attribute(&change.name.to_lowercase());
    let (passwords, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_secret);
    let changes: Vec<_> = place.into_iter().chain(others).collect();
    let mut events = Vec::new();
    if !changes.is_empty() {
        let verb = if is_moved && new.kind() == Kind::Entry { "rename" } else { "change" };
        events.push(new.event(verb, changes));
    }
    if !passwords.is_empty() {
        let verb = if new.kind() == Kind::Account { "password" } else { "change" };
        events.push(new.event(verb, passwords));
    }
    events
}

fn moved(old: &Entry, new: &Entry) -> Vec<AuditChange> {
    if old.written_dn == new.written_dn {
        return Vec::new();
    }
    let (before, after) = (vec![old.written_dn.clone()], vec![new.written_dn.clone()]);
    vec![AuditChange { name: "dn".to_owned(), before, after }]
}

fn changes(old: Option<&Entry>, new: Option<&Entry>) -> Vec<AuditChange> {
    let attributes = |entry: Option<&Entry>| entry.map(|entry| entry.attributes.clone());
    let (old, new) = (attributes(old).unwrap_or_default(), attributes(new).unwrap_or_default());
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut all = Vec::new();
    for name in names {
        let values = |of: &directory::Attributes| -> BTreeSet<Vec<u8>> {
            of.get(name).into_iter().flatten().cloned().collect()
        };
        let (before, after) = (values(&old), values(&new));
        // The verifier follows the password.
        if before == after || name == entry::VERIFIER {
            continue;
        }
        let told = |mine: &BTreeSet<Vec<u8>>, other: &BTreeSet<Vec<u8>>| -> Vec<String> {
            let only = mine.difference(other);
            if secrets::is_secret_attribute(name) {
                return only.take(1).map(|_| SECRET.to_owned()).collect();
            }
            // One more than fits, and as many empty ones as there are: the row says how many it leaves out.
            let cut = |(n, value): (usize, &Vec<u8>)| {
                if n < super::VALUES_MAX { shown(value) } else { String::new() }
            };
            only.enumerate().map(cut).collect()
        };
        all.push(AuditChange {
            name: schema::attribute(name).map_or(name.as_str(), |known| known.name()).to_owned(),
            before: told(&before, &after),
            after: told(&after, &before),
        });
    }
    all
}
