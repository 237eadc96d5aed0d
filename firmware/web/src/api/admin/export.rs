//! People and entries as a file: made while it is sent, some entries at a time. Passwords leave the box only as
//! hashes, only in LDIF and only for its admin, who moves house.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base::DomainName;
use directory::{Dn, Filter, Rdn, ldif};
use serde::Deserialize;
use session::rules::{Realm, Role, is_secret};
use store::{Account, AccountState, DirectorySearch, Entry, EntryId, Scope, Store, StoreError};

use crate::Web;
use crate::error::ApiError;
use crate::exchange::table::{self, Separator};
use crate::exchange::{Format, cards};
use crate::guard::{Identity, Person};
use crate::input::Params;
use crate::rules::{self, MB};
use crate::streamed;

/// Entries read and written at once.
const CHUNK: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    format: Format,
    /// Of a table.
    #[serde(default)]
    separator: Separator,
    #[serde(default)]
    domain: String,
    #[serde(default)]
    hashes: bool,
}

pub(super) async fn run(
    State(web): State<Web>,
    Person(by): Person,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let format = query.format;
    if query.hashes && by.role() != Role::Admin {
        return Err(ApiError::forbidden("forbidden").field("hashes"));
    }
    if query.hashes && format != Format::Ldif {
        return Err(ApiError::invalid("hashes-in-ldif-only").field("hashes"));
    }
    let wanted = Wanted::of(&web, &by, &query.domain)?;
    let store = web.store().clone();
    let (with_hashes, separator) = (query.hashes, query.separator);
    let writing = Writing { wanted, format, separator, with_hashes };
    let body = streamed::body(move |pieces| {
        if !pieces.send(writing.head()) {
            return Ok(());
        }
        let mut ids: Vec<EntryId> = Vec::new();
        for base in writing.wanted.bases()? {
            ids.extend(all_below(&store, &base)?);
        }
        // A domain may stand below another one.
        ids.sort_unstable();
        ids.dedup();
        for chunk in ids.chunks(CHUNK) {
            let mut text = Vec::new();
            for id in chunk {
                text.extend(writing.one(&store, *id)?);
            }
            if !text.is_empty() && !pieces.send(text) {
                return Ok(());
            }
        }
        Ok(())
    });
    tracing::info!(by = by.login(), ?format, with_hashes, "people exported");
    let (kind, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "people.csv"),
        Format::Ldif => ("text/ldif; charset=utf-8", "directory.ldif"),
        Format::Vcard => ("text/vcard; charset=utf-8", "people.vcf"),
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers =
        [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, body).into_response())
}

/// What goes into the export: what is in one domain, or in all that who asks may see.
struct Wanted {
    /// The domains of the box, and those that are wanted.
    realm: Realm,
    /// All entries, also those of no domain.
    is_all: bool,
}

impl Wanted {
    fn of(web: &Web, by: &Identity, domain: &str) -> Result<Self, ApiError> {
        let ours: BTreeSet<DomainName> =
            web.store().domains()?.into_iter().map(|domain| domain.name).collect();
        let manages = if domain.is_empty() {
            by.seen_domains().unwrap_or_default().into_iter().collect()
        } else {
            let name = rules::domain(domain).map_err(|problem| problem.at("domain"))?;
            by.must_manage(&name).map_err(|err| ApiError::from(err).field("domain"))?;
            if !ours.contains(&name) {
                let detail = format!("{name} is no domain of this server");
                return Err(ApiError::invalid("domain-unknown").field("domain").detail(detail));
            }
            [name].into()
        };
        let is_all = domain.is_empty() && by.seen_domains().is_none();
        Ok(Self { realm: Realm { ours, manages }, is_all })
    }

    /// Where the export begins.
    fn bases(&self) -> Result<Vec<Dn>, StoreError> {
        if self.is_all {
            return Ok(vec![Dn::root()]);
        }
        let base = |name: &DomainName| {
            let mut labels = name.as_str().rsplit('.');
            labels.try_fold(Dn::root(), |dn, label| Ok(dn.child(Rdn::new("dc", label)?)))
        };
        self.realm.manages.iter().map(base).collect::<Result<_, _>>().map_err(StoreError::Refused)
    }

    /// Whether an entry below one of them is in a wanted domain: another one may stand there.
    fn takes(&self, dn: &Dn) -> bool {
        let domain = || self.realm.domain_of(dn);
        self.is_all || domain().is_some_and(|domain| self.realm.manages.contains(domain))
    }
}

/// All entries at and below a name, those above before those below.
fn all_below(store: &Store, base: &Dn) -> Result<Vec<EntryId>, StoreError> {
    let found = store.directory()?.search(&DirectorySearch {
        base,
        scope: Scope::Subtree,
        filter: &Filter::Present("objectClass".to_owned()),
        size_limit: None,
        work_max: None,
        shows: &|_| true,
        hides: &|_, _| false,
        goes_on: &|| true,
    })?;
    Ok(found.ids)
}

/// The columns of a table: what is typed, and attributes as they are.
const COLUMNS: [&str; 8] =
    ["address", "name", "aliases", "quota_mb", "status", "role", "language", "given name"];
const ATTRIBUTES: [(&str, &str); 13] = [
    ("surname", "sn"),
    ("telephone", "telephonenumber"),
    ("mobile", "mobile"),
    ("fax", "facsimiletelephonenumber"),
    ("home phone", "homephone"),
    ("title", "title"),
    ("department", "ou"),
    ("company", "o"),
    ("office", "physicaldeliveryofficename"),
    ("street", "street"),
    ("postal code", "postalcode"),
    ("city", "l"),
    ("description", "description"),
];

/// What is written, and how.
struct Writing {
    wanted: Wanted,
    format: Format,
    separator: Separator,
    with_hashes: bool,
}

impl Writing {
    fn head(&self) -> Vec<u8> {
        match self.format {
            Format::Csv => {
                let names = COLUMNS.iter().chain(ATTRIBUTES.iter().map(|(name, _)| name));
                let names: Vec<String> = names.map(|name| (*name).to_owned()).collect();
                [table::MARK, &table::line(&names, self.separator)].concat()
            }
            Format::Ldif => b"version: 1\n\n".to_vec(),
            Format::Vcard => Vec::new(),
        }
    }

    fn one(&self, store: &Store, id: EntryId) -> Result<Vec<u8>, StoreError> {
        let Some(entry) = store.directory()?.entry(id)? else { return Ok(Vec::new()) };
        let dn = Dn::parse(&entry.written_dn).map_err(StoreError::Refused)?;
        if !self.wanted.takes(&dn) {
            return Ok(Vec::new());
        }
        Ok(match (self.format, entry.account) {
            (Format::Ldif, _) => record(&entry, &dn, self.with_hashes),
            (Format::Csv, Some(account)) => {
                let account = store.account(account)?;
                let row = |account| table::line(&row(&account, &entry), self.separator);
                account.map(row).unwrap_or_default()
            }
            (Format::Csv, None) => Vec::new(),
            (Format::Vcard, account) if account.is_some() || is_contact(&entry) => {
                cards::card(&entry.attributes)
            }
            (Format::Vcard, _) => Vec::new(),
        })
    }
}

fn is_contact(entry: &Entry) -> bool {
    let classes = entry.attributes.get("objectclass").into_iter().flatten();
    entry.dn.contains(",ou=contacts,")
        && classes.into_iter().any(|class| class.eq_ignore_ascii_case(b"inetOrgPerson"))
}

fn record(entry: &Entry, dn: &Dn, with_hashes: bool) -> Vec<u8> {
    let mut attributes = entry.attributes.clone();
    let is_hash = |name: &str| with_hashes && name == "userpassword";
    attributes.retain(|name, _| {
        let is_ours = directory::schema::attribute(name).is_some_and(|known| known.is_fixed);
        (!is_secret(name) || is_hash(name)) && !is_ours
    });
    let mut text = String::new();
    ldif::write_entry(&mut text, dn, &attributes);
    text.into_bytes()
}

fn row(account: &Account, entry: &Entry) -> Vec<String> {
    let first = |key: &str| {
        let value = entry.attributes.get(key).and_then(|values| values.first());
        value.map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    };
    let aliases: Vec<String> = account.aliases.iter().map(ToString::to_string).collect();
    let state = match account.state {
        AccountState::Active => "active",
        AccountState::Disabled => "disabled",
        AccountState::Suspended => "suspended",
    };
    let mut cells = vec![
        account.address.to_string(),
        account.name.clone(),
        aliases.join(" "),
        account.quota_bytes.map(|bytes| (bytes / MB).to_string()).unwrap_or_default(),
        state.to_owned(),
        if account.is_admin { "admin" } else { "user" }.to_owned(),
        account.language.clone().unwrap_or_default(),
        first("givenname"),
    ];
    cells.extend(ATTRIBUTES.iter().map(|(_, key)| first(key)));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::columns;

    #[test]
    fn every_column_that_is_written_is_known_when_it_is_read() {
        let names: Vec<String> = COLUMNS
            .iter()
            .chain(ATTRIBUTES.iter().map(|(name, _)| name))
            .map(|name| (*name).to_owned())
            .collect();
        for (name, field) in names.iter().zip(columns::fields(&names)) {
            assert!(field.is_some(), "{name}");
        }
    }
}
