//! Makes the store what the source says: people and groups come, change, are disabled and go.
//!
//! An entry that is not from the source is never touched; one that cannot be is told and the rest goes on. A
//! source that says nothing new causes no act.
//!
//! Who is not shown any more may not log in, and is deleted after [`GRACE_DAYS`], which can be undone for the
//! retention time. A source that suddenly shows less than half of its people is not believed ([`is_too_few`]):
//! more likely somebody changed a filter or a right there.

use std::collections::{BTreeMap, BTreeSet};

use base::{AccountId, Address, DomainName, Timestamp};
use serde::{Deserialize, Serialize};
use store::{FromSource, SourceEntry, SourceKind, SourceOutcome, Store, StoreError};

use crate::failure::{Failure, Reason, Stage};
use crate::group;
use crate::person::{self, Unfit};
use crate::read::Found;
use crate::settings::Effective;

/// Days that a person is not shown by the source before he is deleted here: a week of holidays of whoever
/// moved him to the wrong place.
pub(crate) const GRACE_DAYS: i64 = 7;
/// Of so many people less than half may be left by intent.
const FEW: usize = 3;
/// Errors that are kept.
const ERRORS_MAX: usize = 100;
/// Characters that are kept of a name there, and of what is said of it.
const TEXT_MAX: usize = 300;
const DAY_SECS: i64 = 24 * 60 * 60;

/// Why an entry could not come. Each is one word of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// Somebody else here has the address.
    AddressTaken,
    /// Another entry here has the name.
    NameTaken,
    /// The directory here takes no such entry.
    Refused,
    /// It has no lasting id, or no name.
    NoId,
    /// Another one has the same id.
    DuplicateId,
    /// There is no room.
    Limit,
    /// A webhook that is asked before refused it; the detail is its text.
    RefusedByWebhook,
}

/// An entry that could not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryError {
    /// Its name there.
    pub dn: String,
    /// Why.
    pub error: Problem,
    /// English.
    pub detail: String,
}

/// What a sync did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// People there.
    pub people: usize,
    /// Groups there.
    pub groups: usize,
    /// Entries made.
    pub created: usize,
    /// Entries changed.
    pub changed: usize,
    /// People who may not log in any more.
    pub disabled: usize,
    /// People and groups that are gone.
    pub deleted: usize,
    /// People without an address in a domain of the box.
    pub skipped: usize,
    /// The first hundred.
    pub errors: Vec<EntryError>,
}

impl Report {
    fn error(&mut self, dn: &str, error: Problem, detail: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            let cut = |text: &str| text.chars().take(TEXT_MAX).collect();
            let (dn, detail) = (cut(dn), cut(&detail.into()));
            self.errors.push(EntryError { dn, error, detail });
        }
    }
}

/// True if so few are left of those who were there that the source is not believed.
#[must_use]
pub(crate) fn is_too_few(known: usize, still_there: usize) -> bool {
    still_there == 0 && known > 0 || known > FEW && still_there * 2 < known
}

/// One sync of one source.
pub(crate) struct Sync<'s> {
    /// In the name of the sync.
    pub(crate) store: &'s Store,
    pub(crate) domain: &'s DomainName,
    pub(crate) effective: &'s Effective,
    pub(crate) now: Timestamp,
    /// An admin said that there are so few by intent.
    pub(crate) is_forced: bool,
    /// Called for who may not log in any more.
    pub(crate) lock_out: &'s (dyn Fn(AccountId) + Send + std::marker::Sync),
}

impl Sync<'_> {
    /// Makes the store what was found.
    pub(crate) async fn run(&self, found: &Found) -> Result<Report, Failure> {
        let domains: Vec<DomainName> =
            self.store.domains()?.into_iter().map(|domain| domain.name).collect();
        let mut report =
            Report { people: found.people.len(), groups: found.groups.len(), ..Report::default() };
        let people = self.people_of(found, &domains, &mut report);
        let (known, known_groups) = self.known().await?;
        let ids: BTreeSet<&str> = people.iter().map(|person| person.id.as_str()).collect();
        self.brake(&known, &ids)?;
        self.put_all(&people, &known, &mut report).await?;
        self.lose(&known, &ids, &mut report).await?;
        self.groups(found, &people, &domains, known_groups, &mut report).await?;
        Ok(report)
    }

    fn people_of(
        &self,
        found: &Found,
        domains: &[DomainName],
        report: &mut Report,
    ) -> Vec<FromSource> {
        let (mut people, mut seen) = (Vec::new(), BTreeSet::new());
        for raw in &found.people {
            match person::person(raw, self.effective, self.domain, domains) {
                Ok(person) if seen.insert(person.id.clone()) => people.push(person),
                Ok(person) => report.error(&raw.dn, Problem::DuplicateId, person.id),
                Err(Unfit::NoId) => {
                    report.error(&raw.dn, Problem::NoId, "the entry has no lasting id")
                }
                Err(Unfit::NoAddress) => report.skipped += 1,
            }
        }
        people
    }

    /// What came from the source before: people and groups, by their ids.
    async fn known(
        &self,
    ) -> Result<(BTreeMap<String, SourceEntry>, BTreeMap<String, SourceEntry>), Failure> {
        let (store, domain) = (self.store.clone(), self.domain.clone());
        // It looks at every entry of the box.
        let all = tokio::task::spawn_blocking(move || store.source_entries(&domain)).await;
        let all = all.map_err(|_| StoreError::Closed)??;
        let all = all.into_iter().map(|entry| (entry.id.clone(), entry));
        Ok(all.partition(|(_, entry)| entry.kind() == SourceKind::Person))
    }

    fn brake(
        &self,
        known: &BTreeMap<String, SourceEntry>,
        ids: &BTreeSet<&str>,
    ) -> Result<(), Failure> {
        let there = known.values().filter(|entry| entry.gone_since().is_none());
        let (all, left) = there.fold((0, 0), |(all, left), entry| {
            (all + 1, left + usize::from(ids.contains(entry.id.as_str())))
        });
        if self.is_forced || !is_too_few(all, left) {
            return Ok(());
        }
        let detail = format!("of {all} people the source shows {left}; nothing was changed");
        Err(Failure::new(Stage::Attributes, Reason::TooFewPeople, detail))
    }

    /// Puts what is new or changed; an address that somebody else gives up in the same sync is free at the
    /// second try.
    async fn put_all(
        &self,
        all: &[FromSource],
        known: &BTreeMap<String, SourceEntry>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let mut later = Vec::new();
        for from in all {
            match self.put(from, known.get(&from.id), report).await {
                Err(StoreError::AddressTaken(_)) => later.push(from),
                done => self.told(from, done, report)?,
            }
        }
        for from in later {
            let done = self.put(from, known.get(&from.id), report).await;
            self.told(from, done, report)?;
        }
        Ok(())
    }

    async fn put(
        &self,
        from: &FromSource,
        known: Option<&SourceEntry>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        if let Some(known) = known
            && from.over(&known.entry)? == known.entry
        {
            return Ok(());
        }
        match self.store.put_from_source(from.clone()).await? {
            SourceOutcome::Created => report.created += 1,
            SourceOutcome::Changed => report.changed += 1,
            SourceOutcome::Same => {}
        }
        if from.state.is_some() && known.is_some_and(|known| !known.is_locked_out()) {
            report.disabled += 1;
            known.and_then(|known| known.entry.account).into_iter().for_each(self.lock_out);
        }
        Ok(())
    }

    /// The primary address of a person, if somebody has it: the better word for a name that is taken.
    fn holder(&self, from: &FromSource) -> Result<Option<String>, StoreError> {
        let mail = from.attributes.get("mail").and_then(|values| values.first());
        let mail = mail.and_then(|mail| std::str::from_utf8(mail).ok());
        let Some(address) = mail.and_then(|mail| Address::parse(mail).ok()) else {
            return Ok(None);
        };
        Ok(self.store.account_by_address(&address)?.map(|_| address.to_string()))
    }

    /// What is wrong with one entry is told; what is wrong with the store ends the sync.
    fn told(
        &self,
        from: &FromSource,
        done: Result<(), StoreError>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let Err(error) = done else { return Ok(()) };
        let (word, detail) = match error {
            StoreError::AddressTaken(address) => (Problem::AddressTaken, address),
            StoreError::Exists => match self.holder(from)? {
                Some(address) => (Problem::AddressTaken, address),
                None => (Problem::NameTaken, format!("{} is an entry of the box's own", from.name)),
            },
            StoreError::LimitReached(what) => (Problem::Limit, what.to_owned()),
            StoreError::Refused(_) => (Problem::Refused, error.to_string()),
            StoreError::Vetoed(text) => (Problem::RefusedByWebhook, text),
            error => return Err(error.into()),
        };
        report.error(&from.dn, word, detail);
        Ok(())
    }

    /// People whom the source does not show any more.
    async fn lose(
        &self,
        known: &BTreeMap<String, SourceEntry>,
        ids: &BTreeSet<&str>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        for entry in known.values().filter(|entry| !ids.contains(entry.id.as_str())) {
            match (entry.gone_since(), entry.entry.account) {
                (None, account) => {
                    self.store.lose_from_source(entry.entry.clone()).await?;
                    report.disabled += usize::from(!entry.is_locked_out());
                    account.into_iter().for_each(self.lock_out);
                }
                (Some(since), Some(account)) if is_over(since, self.now) => {
                    let dn = entry.source_dn().to_owned();
                    self.gone(&dn, self.store.delete_account(account).await, report)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn groups(
        &self,
        found: &Found,
        people: &[FromSource],
        domains: &[DomainName],
        known: BTreeMap<String, SourceEntry>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        // As they stand here by now.
        let (here, _) = self.known().await?;
        let there: Vec<(String, Vec<String>)> = people
            .iter()
            .map(|person| {
                let logins = person.attributes.get("uid").map(Vec::as_slice).unwrap_or_default();
                let logins = logins.iter().map(|v| String::from_utf8_lossy(v).into_owned());
                (person.dn.clone(), logins.collect())
            })
            .collect();
        let members = group::members(&found.groups, &there, self.effective);
        let (mut groups, mut seen) = (Vec::new(), BTreeSet::new());
        for (raw, members) in found.groups.iter().zip(members) {
            let dns = members.into_iter().filter_map(|at| {
                let person = here.get(&people.get(at)?.id)?;
                Some(person.entry.written_dn.clone())
            });
            match group::group(raw, self.effective, self.domain, domains, dns.collect()) {
                Ok(group) if seen.insert(group.id.clone()) => groups.push(group),
                Ok(group) => report.error(&raw.dn, Problem::DuplicateId, group.id),
                Err(_) => {
                    report.error(&raw.dn, Problem::NoId, "the group has no lasting id or no name")
                }
            }
        }
        self.put_all(&groups, &known, report).await?;
        for entry in known.into_values().filter(|entry| !seen.contains(&entry.id)) {
            let dn = directory::Dn::parse(&entry.entry.written_dn).map_err(StoreError::Refused)?;
            let there = entry.source_dn().to_owned();
            let done = self.store.delete_entry(dn, None).await.map(drop);
            self.gone(&there, done, report)?;
        }
        Ok(())
    }

    /// What is gone there is gone here, unless a webhook keeps it. Who may not log in does not because of that.
    fn gone(
        &self,
        dn: &str,
        done: Result<(), StoreError>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        match done {
            Ok(()) => report.deleted += 1,
            Err(StoreError::Vetoed(text)) => report.error(dn, Problem::RefusedByWebhook, text),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

fn is_over(since: Timestamp, now: Timestamp) -> bool {
    now.secs() - since.secs() > GRACE_DAYS * DAY_SECS
}
