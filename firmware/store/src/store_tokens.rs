//! The face for tokens of the admin API: what is kept of them. Of the secret only its hash.
//!
//! Limits: 100 tokens, 64 KB a record.

use base::{DomainName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::codec::{In, Out};
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{AuditEvent, Store, StoreError, audit};

/// What the keys of the records begin with; the number follows in eight hex digits.
const KEY: &str = "token/";
/// Tokens of a box.
const TOKENS_MAX: usize = 100;
/// Bytes of one record.
const BYTES_MAX: usize = 64 * 1024;

/// A token of the admin API.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its number. It may have been that of one that is gone: nothing but the hash of the secret lets in.
    pub id: u32,
    /// What it is called; unique.
    pub name: String,
    /// BLAKE3 of the secret.
    pub hash: [u8; 32],
    /// The domains it administers; `None`: the box.
    pub domains: Option<Vec<DomainName>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is of no use.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the hour.
    pub last_used_at: Option<Timestamp>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn key(id: u32) -> Vec<u8> {
    format!("{KEY}{id:08x}").into_bytes()
}

fn decode(row: &[u8]) -> Result<Token, StoreError> {
    let text = In::versioned(row, "token")?.rest();
    serde_json::from_slice(text).map_err(|err| StoreError::Damaged(format!("token: {err}")))
}

pub(crate) fn find(view: &impl View, id: u32) -> Result<Option<Token>, StoreError> {
    view.get(T::Setting, &key(id))?.map(|row| decode(&row)).transpose()
}

fn list(view: &impl View) -> Result<Vec<Token>, StoreError> {
    let mut found = Vec::new();
    view.scan_prefix(T::Setting, KEY.as_bytes(), &mut |_, row| {
        found.push(decode(row)?);
        Ok(true)
    })?;
    Ok(found)
}

fn put(tx: &mut Tx<'_, '_>, token: &Token) -> Result<(), StoreError> {
    let text = serde_json::to_vec(token)
        .map_err(|_| StoreError::Misuse("a token that cannot be written"))?;
    if text.len() > BYTES_MAX {
        return Err(StoreError::LimitReached("bytes of a token"));
    }
    tx.put(T::Setting, &key(token.id), &Out::versioned().bytes(&text).0)
}

/// A domain that goes takes its name out of the tokens; one that has none left goes as well.
pub(crate) fn forget_domain(tx: &mut Tx<'_, '_>, domain: &DomainName) -> Result<(), StoreError> {
    for mut token in list(&tx.tables)? {
        let Some(domains) = token.domains.as_mut().filter(|all| all.contains(domain)) else {
            continue;
        };
        domains.retain(|other| other != domain);
        if domains.is_empty() {
            tx.remove(T::Setting, &key(token.id))?;
        } else {
            put(tx, &token)?;
        }
    }
    Ok(())
}

/// # Errors
/// Each method says which refusals are its own; all may fail with `Io`, `Index`, `Damaged` or (acts)
/// `Closed`, after which the outcome of the act is unknown.
impl Store {
    /// All tokens, by number.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        list(&self.snapshot()?)
    }

    /// One token.
    pub fn token(&self, id: u32) -> Result<Option<Token>, StoreError> {
        find(&self.snapshot()?, id)
    }

    /// Keeps a new token; its `id` is given here and returned. `Exists` (the name), `NoSuchDomain`,
    /// `LimitReached`.
    pub async fn create_token(&self, token: Token) -> Result<u32, StoreError> {
        self.act(move |tx| {
            let all = list(&tx.tables)?;
            if all.iter().any(|known| known.name.eq_ignore_ascii_case(&token.name)) {
                return Err(StoreError::Exists);
            }
            if all.len() >= TOKENS_MAX {
                return Err(StoreError::LimitReached("tokens"));
            }
            for domain in token.domains.iter().flatten() {
                if !crate::directory::domain::exists(&tx.tables, domain)? {
                    return Err(StoreError::NoSuchDomain);
                }
            }
            // A number that was another token's must not open what that one opened; the hash sees to it.
            let id = all.last().map_or(0, |last| last.id).checked_add(1);
            let id = id.ok_or(StoreError::LimitReached("numbers of tokens"))?;
            put(tx, &Token { id, ..token.clone() })?;
            let rights = token.domains.as_ref().map_or_else(
                || "admin".to_owned(),
                |domains| domains.iter().map(DomainName::as_str).collect::<Vec<_>>().join(" "),
            );
            audit::note(
                tx,
                AuditEvent::new("token.create", &token.name).with("rights", "", rights),
            )?;
            Ok(id)
        })
        .await
    }

    /// Notes that a token was used. True if it is there.
    pub async fn touch_token(&self, id: u32, at: Timestamp) -> Result<bool, StoreError> {
        self.act(move |tx| {
            let row = tx.tables.get(T::Setting, &key(id))?;
            let Some(token) = row.map(|row| decode(&row)).transpose()? else { return Ok(false) };
            put(tx, &Token { last_used_at: Some(at), ..token })?;
            Ok(true)
        })
        .await
    }

    /// Takes a token away. True if it was there.
    pub async fn delete_token(&self, id: u32) -> Result<bool, StoreError> {
        self.act(move |tx| {
            let row = tx.tables.get(T::Setting, &key(id))?;
            let Some(token) = row.map(|row| decode(&row)).transpose()? else { return Ok(false) };
            tx.remove(T::Setting, &key(id))?;
            audit::note(tx, AuditEvent::new("token.delete", &token.name))?;
            Ok(true)
        })
        .await
    }
}
