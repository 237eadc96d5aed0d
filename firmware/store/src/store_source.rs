//! The face for the external directories of domains: their settings, and the entries that come from them.

use std::collections::BTreeMap;

use base::{AccountId, DomainName, Timestamp};
use directory::Attributes;
use serde::{Deserialize, Serialize};

use crate::codec::{In, Out};
use crate::directory::{domain, entry, operational, source};
use crate::index::{T, View};
use crate::{AuditEvent, Entry, Store, StoreError, audit};

/// What the keys of the settings begin with; the domain follows.
const KEY: &str = "source/";
/// What the keys of how the last syncs went begin with; the domain follows.
const RESULT_KEY: &str = "source-result/";
/// Bytes of the settings of one source, and of how its last sync went.
const BYTES_MAX: usize = 256 * 1024;

/// How the connection to an external directory is kept from others' eyes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceTls {
    /// TLS from the first byte.
    #[default]
    Tls,
    /// StartTLS: RFC 4511 §4.14.
    Starttls,
    /// Plain text; only to loopback and private addresses.
    None,
}

/// What kind of directory it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourcePreset {
    /// Microsoft's, and Samba's.
    ActiveDirectory,
    /// inetOrgPerson.
    #[default]
    Ldap,
}

/// The external directory that a domain takes people from.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceSettings {
    /// It is asked.
    pub enabled: bool,
    /// What is meant where nothing is said.
    pub preset: SourcePreset,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS.
    pub tls: SourceTls,
    /// Certificates of the CA in PEM; `None`: the public ones.
    pub ca_pem: Option<String>,
    /// SHA-256 of the one certificate that is trusted, hex in lower case.
    pub fingerprint: Option<String>,
    /// Who we are there; empty is nobody.
    pub bind_dn: String,
    /// Never logged, never in an API's answer.
    pub bind_password: Option<String>,
    /// Where people and groups are looked for.
    pub base: String,
    /// Filter of people; `None`: the preset's.
    pub filter: Option<String>,
    /// Filter of groups; `None`: the preset's; empty: no groups.
    pub group_filter: Option<String>,
    /// What is called otherwise than in the preset.
    pub attributes: BTreeMap<String, String>,
    /// Minutes between two syncs.
    pub interval_minutes: u32,
    /// Days that a password counts while the directory cannot be asked.
    pub cache_days: u16,
}

impl std::fmt::Debug for SourceSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("SourceSettings");
        shown.field("host", &self.host).field("base", &self.base).finish_non_exhaustive()
    }
}

/// What an entry of a source is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// An account.
    Person,
    /// A group.
    Group,
}

/// An entry as its external directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromSource {
    /// Whose source it is.
    pub domain: DomainName,
    /// What it is.
    pub kind: SourceKind,
    /// Its lasting id there.
    pub id: String,
    /// Its DN there.
    pub dn: String,
    /// What it is called in the DN here; a known entry keeps its own.
    pub name: String,
    /// Why the person may not log in there.
    pub state: Option<String>,
    /// What the source owns, by the keys of the schema; one without values is taken away.
    pub attributes: Attributes,
}

/// An entry here that comes from a source.
#[derive(Clone, Debug)]
pub struct SourceEntry {
    /// Its lasting id there.
    pub id: String,
    /// The entry.
    pub entry: Entry,
}

impl SourceEntry {
    /// Since when the source does not show it: the later one of that and the last change of the entry.
    #[must_use]
    pub fn gone_since(&self) -> Option<Timestamp> {
        let since = self.entry.first(entry::SOURCE_STATE)?.strip_prefix("gone ")?;
        operational::read_time(since).map(|since| since.max(self.entry.modified_at))
    }

    /// What it is here.
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        let is_group = self.entry.has_class(crate::directory::group::CLASS);
        if is_group { SourceKind::Group } else { SourceKind::Person }
    }

    /// Its name there, when it was last seen.
    #[must_use]
    pub fn source_dn(&self) -> &str {
        self.entry.first(entry::SOURCE_DN).unwrap_or_default()
    }

    /// True if the person may not log in, by the source's word.
    #[must_use]
    pub fn is_locked_out(&self) -> bool {
        source::is_locked_out(&self.entry)
    }
}

/// What [`Store::put_from_source`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceOutcome {
    /// The entry is new.
    Created,
    /// It is another one now.
    Changed,
    /// Nothing was to do.
    Same,
}

fn key(domain: &DomainName) -> Vec<u8> {
    format!("{KEY}{}", domain.as_str()).into_bytes()
}

fn result_key(domain: &DomainName) -> Vec<u8> {
    format!("{RESULT_KEY}{}", domain.as_str()).into_bytes()
}

fn decode(row: &[u8]) -> Result<SourceSettings, StoreError> {
    let text = In::versioned(row, "source")?.rest();
    serde_json::from_slice(text).map_err(|e| StoreError::Damaged(format!("source: {e}")))
}

/// # Errors
/// Each method says which refusals are its own; all may fail with `Io`, `Index`, `Damaged` or (acts)
/// `Closed`, after which the outcome is unknown.
impl Store {
    /// The external directory of a domain.
    pub fn source(&self, domain: &DomainName) -> Result<Option<SourceSettings>, StoreError> {
        self.snapshot()?.get(T::Setting, &key(domain))?.map(|row| decode(&row)).transpose()
    }

    /// All of them, by domain.
    pub fn sources(&self) -> Result<Vec<(DomainName, SourceSettings)>, StoreError> {
        let mut found = Vec::new();
        self.snapshot()?.scan_prefix(T::Setting, KEY.as_bytes(), &mut |key, row| {
            let name = key.get(KEY.len()..).and_then(|name| std::str::from_utf8(name).ok());
            if let Some(name) = name.and_then(|name| DomainName::parse(name).ok()) {
                found.push((name, decode(row)?));
            }
            Ok(true)
        })?;
        Ok(found)
    }

    /// Sets it. `NoSuchDomain`, `LimitReached`.
    pub async fn set_source(
        &self,
        domain: DomainName,
        settings: SourceSettings,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_vec(&settings)
            .map_err(|_| StoreError::Misuse("a source that cannot be written"))?;
        if text.len() > BYTES_MAX {
            return Err(StoreError::LimitReached("bytes of a source"));
        }
        self.act(move |tx| {
            if !domain::exists(&tx.tables, &domain)? {
                return Err(StoreError::NoSuchDomain);
            }
            let before = tx.get(T::Setting, &key(&domain))?.map(|row| decode(&row)).transpose()?;
            tx.put(T::Setting, &key(&domain), &Out::versioned().bytes(&text).0)?;
            note(tx, &domain, before.as_ref(), Some(&settings))
        })
        .await
    }

    /// Forgets it. The entries that came from it are [`Store::release_from_source`]'s.
    pub async fn delete_source(&self, domain: DomainName) -> Result<(), StoreError> {
        self.act(move |tx| forget(tx, &domain)).await
    }

    /// How the last sync of a domain's source went, as [`Store::keep_source_result`] was told.
    pub fn source_result(&self, domain: &DomainName) -> Result<Option<String>, StoreError> {
        let row = self.snapshot()?.get(T::Setting, &result_key(domain))?;
        row.map(|row| In::versioned(&row, "result of a sync")?.text()).transpose()
    }

    /// Keeps how a sync went: text of who syncs, of no meaning here. Of a source that is gone nothing is kept.
    /// `LimitReached`.
    pub async fn keep_source_result(
        &self,
        domain: DomainName,
        text: String,
    ) -> Result<(), StoreError> {
        if text.len() > BYTES_MAX {
            return Err(StoreError::LimitReached("bytes of the result of a sync"));
        }
        self.act(move |tx| {
            if tx.get(T::Setting, &key(&domain))?.is_none() {
                return Ok(());
            }
            let row = Out::versioned().bytes(text.as_bytes()).0;
            tx.put(T::Setting, &result_key(&domain), &row)
        })
        .await
    }

    /// All entries of the source of a domain. Looks at every entry of the box.
    pub fn source_entries(&self, domain: &DomainName) -> Result<Vec<SourceEntry>, StoreError> {
        source::entries(&self.snapshot()?, domain.as_str())
    }

    /// Makes an entry what the source says. `Exists` where a local one stands in its place, `AddressTaken`,
    /// `LimitReached`, `Refused`; `Vetoed`.
    pub async fn put_from_source(&self, from: FromSource) -> Result<SourceOutcome, StoreError> {
        self.act_asked(move |tx| source::put(tx, &from)).await
    }

    /// The source does not show the entry any more: a person may not log in from now on. Nobody is asked:
    /// whom the source does not know nobody else lets in.
    pub async fn lose_from_source(&self, entry: Entry) -> Result<(), StoreError> {
        self.act(move |tx| source::lose(tx, &entry)).await
    }

    /// Makes an entry of a source a local one; the last right password is its own.
    pub async fn release_from_source(&self, entry: Entry) -> Result<(), StoreError> {
        self.act(move |tx| source::release(tx, &entry)).await
    }

    /// The source said that a password is right: its record (PHC string, and behind a space the SCRAM
    /// verifier), or `None` if it is the one that stands here. `NoSuchAccount`.
    pub async fn cache_password(
        &self,
        id: AccountId,
        record: Option<String>,
    ) -> Result<(), StoreError> {
        self.act(move |tx| source::cache_password(tx, id, record.as_ref())).await
    }
}

/// The settings of a domain's source go with it.
pub(crate) fn forget(
    tx: &mut crate::writer::Tx<'_, '_>,
    domain: &DomainName,
) -> Result<(), StoreError> {
    let Some(row) = tx.get(T::Setting, &key(domain))? else { return Ok(()) };
    tx.remove(T::Setting, &key(domain))?;
    tx.remove(T::Setting, &result_key(domain))?;
    note(tx, domain, decode(&row).ok().as_ref(), None)
}

/// The row of the audit log.
fn note(
    tx: &mut crate::writer::Tx<'_, '_>,
    domain: &DomainName,
    before: Option<&SourceSettings>,
    after: Option<&SourceSettings>,
) -> Result<(), StoreError> {
    let action = match (before, after) {
        (None, _) => "source.create",
        (Some(_), Some(_)) => "source.change",
        (Some(_), None) => "source.delete",
    };
    let mut event = AuditEvent::new(action, domain.to_string());
    event.changes = audit::settings::differences(before, after, &audit::secrets::is_open_in_source);
    if event.changes.is_empty() { Ok(()) } else { audit::note(tx, event) }
}
