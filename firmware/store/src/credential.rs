//! What an account can log in with besides its password: app passwords and the second factor (TOTP). Account 0
//! stands for the login `admin`.
//!
//! Never here: how a verifier or a code is computed. No secret is in a debug text.
//!
//! Limits: 50 app passwords an account, 100 characters a name, 16 recovery codes.

use std::fmt;
use std::net::IpAddr;

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::acl::OFFICE;
use crate::codec::{In, Out, account_key, from_postcard, to_postcard};
use crate::directory::account;
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{AuditEvent, StoreError, audit};

/// App passwords of one account.
const APP_PASSWORDS_MAX: usize = 50;
/// Characters of the name of one.
const NAME_MAX: usize = 100;
/// Bytes of a verifier.
const VERIFIER_BYTES_MAX: usize = 512;
/// Bytes of a secret of TOTP.
const SECRET_BYTES_MAX: usize = 64;
const RECOVERY_CODES_MAX: usize = 16;
/// Stands for TOTP where the key has the number of an app password: those begin at 1.
const TOTP: u32 = 0;
/// How exactly the last use is known: more would make every login a write.
const USE_PRECISION_MS: u64 = 3600 * 1000;

/// An app password.
#[derive(Clone, PartialEq, Eq)]
pub struct AppPassword {
    /// Its number, from 1, within the account.
    pub id: u32,
    /// What its owner calls it.
    pub name: String,
    /// Bits of the protocols it is for.
    pub protocols: u8,
    /// What checks it. Never logged, never in an API's answer.
    pub verifier: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to about an hour.
    pub last_used_at: Option<Timestamp>,
    /// From where.
    pub last_address: Option<IpAddr>,
}

impl fmt::Debug for AppPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppPassword").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A second factor that is on (RFC 6238).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// The shared secret. Never logged, never in an API's answer once it is on.
    pub secret: Vec<u8>,
    /// The step of the last code that was taken: no code is good twice.
    pub last_step: u64,
    /// Hashes of the recovery codes that are left.
    pub recovery_codes: Vec<[u8; 32]>,
}

impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Totp")
    }
}

/// All of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The second factor, if it is on.
    pub totp: Option<Totp>,
    /// By number.
    pub app_passwords: Vec<AppPassword>,
}

/// A row.
#[derive(Serialize, Deserialize)]
pub(crate) enum Row {
    Totp(Totp),
    AppPassword {
        name: String,
        protocols: u8,
        verifier: String,
        created_at: Timestamp,
        last_used_at: Option<Timestamp>,
        last_address: Option<IpAddr>,
    },
}

impl Row {
    fn of(app: &AppPassword) -> Self {
        Self::AppPassword {
            name: app.name.clone(),
            protocols: app.protocols,
            verifier: app.verifier.clone(),
            created_at: app.created_at,
            last_used_at: app.last_used_at,
            last_address: app.last_address,
        }
    }
}

pub(crate) fn decode(row: &[u8]) -> Result<Row, StoreError> {
    from_postcard(row, "credential")
}

fn key(account: AccountId, id: u32) -> Vec<u8> {
    Out::default().u32(account.0).u32(id).0
}

/// Whose row it is, and its number.
pub(crate) fn of_key(key: &[u8]) -> Result<(AccountId, u32), StoreError> {
    let mut key = In::plain(key, "key of a credential");
    Ok((AccountId(key.u32()?), key.u32()?))
}

pub(crate) fn load(view: &impl View, id: AccountId) -> Result<Credentials, StoreError> {
    let mut found = Credentials::default();
    view.scan_prefix(T::Credential, &account_key(id), &mut |key, row| {
        match (of_key(key)?.1, decode(row)?) {
            (TOTP, Row::Totp(totp)) => found.totp = Some(totp),
            (
                id,
                Row::AppPassword {
                    name,
                    protocols,
                    verifier,
                    created_at,
                    last_used_at,
                    last_address,
                },
            ) if id != TOTP => found.app_passwords.push(AppPassword {
                id,
                name,
                protocols,
                verifier,
                created_at,
                last_used_at,
                last_address,
            }),
            _ => return Err(StoreError::Damaged("a credential of another kind".to_owned())),
        }
        Ok(true)
    })?;
    Ok(found)
}

fn put(tx: &mut Tx<'_, '_>, account: AccountId, id: u32, row: &Row) -> Result<(), StoreError> {
    tx.put(T::Credential, &key(account, id), &to_postcard(row)?)
}

/// Whose it is, for the audit log: an address, or `admin`. `NoSuchAccount`.
fn name_of(view: &impl View, id: AccountId) -> Result<String, StoreError> {
    if id == OFFICE {
        return Ok("admin".to_owned());
    }
    let account = account::find(view, id)?.ok_or(StoreError::NoSuchAccount)?;
    Ok(account.address.to_string())
}

/// Adds an app password; its number.
pub(crate) fn add(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    name: &str,
    protocols: u8,
    verifier: &str,
) -> Result<u32, StoreError> {
    let whose = name_of(&tx.tables, account)?;
    if name.chars().count() > NAME_MAX || verifier.len() > VERIFIER_BYTES_MAX {
        return Err(StoreError::Misuse("an app password that is too long"));
    }
    let known = load(&tx.tables, account)?.app_passwords;
    if known.len() >= APP_PASSWORDS_MAX {
        return Err(StoreError::LimitReached("app passwords"));
    }
    let id = known.last().map_or(1, |last| last.id.saturating_add(1));
    let row = Row::AppPassword {
        name: name.to_owned(),
        protocols,
        verifier: verifier.to_owned(),
        created_at: tx.now,
        last_used_at: None,
        last_address: None,
    };
    put(tx, account, id, &row)?;
    let event = AuditEvent::new("credential.create", whose).with("appPassword", "", name);
    audit::note(tx, event)?;
    Ok(id)
}

/// Takes an app password away; its name, if it was there.
pub(crate) fn remove(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    id: u32,
) -> Result<Option<String>, StoreError> {
    if id == TOTP {
        return Ok(None);
    }
    let Some(row) = tx.tables.get(T::Credential, &key(account, id))? else { return Ok(None) };
    let whose = name_of(&tx.tables, account)?;
    tx.remove(T::Credential, &key(account, id))?;
    let name = match decode(&row)? {
        Row::AppPassword { name, .. } => name,
        Row::Totp(_) => String::new(),
    };
    let event = AuditEvent::new("credential.delete", whose).with("appPassword", &name, "");
    audit::note(tx, event)?;
    Ok(Some(name))
}

/// True if the use of an app password is worth a write.
#[must_use]
pub(crate) fn is_news(app: &AppPassword, now: Timestamp) -> bool {
    // Another address alone is none: two phones would write in turns.
    app.last_used_at.is_none_or(|at| now.0.abs_diff(at.0) >= USE_PRECISION_MS)
}

/// Notes a use.
pub(crate) fn note_use(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    id: u32,
    address: IpAddr,
) -> Result<(), StoreError> {
    let known = load(&tx.tables, account)?.app_passwords;
    let Some(mut app) = known.into_iter().find(|app| app.id == id) else { return Ok(()) };
    if is_news(&app, tx.now) {
        app.last_used_at = Some(tx.now);
        app.last_address = Some(address);
        put(tx, account, id, &Row::of(&app))?;
    }
    Ok(())
}

/// Turns the second factor on.
pub(crate) fn set_totp(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    totp: &Totp,
) -> Result<(), StoreError> {
    let whose = name_of(&tx.tables, account)?;
    if totp.secret.len() > SECRET_BYTES_MAX || totp.recovery_codes.len() > RECOVERY_CODES_MAX {
        return Err(StoreError::Misuse("a second factor that is too long"));
    }
    if load(&tx.tables, account)?.totp.is_some() {
        return Err(StoreError::Exists);
    }
    put(tx, account, TOTP, &Row::Totp(totp.clone()))?;
    let event = AuditEvent::new("credential.create", whose).with("totp", "", audit::SECRET);
    audit::note(tx, event)
}

/// Turns it off; true if it was on.
pub(crate) fn remove_totp(tx: &mut Tx<'_, '_>, account: AccountId) -> Result<bool, StoreError> {
    if !tx.tables.has(T::Credential, &key(account, TOTP))? {
        return Ok(false);
    }
    let whose = name_of(&tx.tables, account)?;
    tx.remove(T::Credential, &key(account, TOTP))?;
    let event = AuditEvent::new("credential.delete", whose).with("totp", audit::SECRET, "");
    audit::note(tx, event)?;
    Ok(true)
}

/// Takes a code of `step`; false if one of it, or of a later step, was taken before.
pub(crate) fn take_step(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    step: u64,
) -> Result<bool, StoreError> {
    let Some(mut totp) = load(&tx.tables, account)?.totp else { return Ok(false) };
    if step <= totp.last_step {
        return Ok(false);
    }
    totp.last_step = step;
    put(tx, account, TOTP, &Row::Totp(totp))?;
    Ok(true)
}

/// Uses a recovery code up; false if there is none of that hash.
pub(crate) fn take_recovery_code(
    tx: &mut Tx<'_, '_>,
    account: AccountId,
    hash: &[u8; 32],
) -> Result<bool, StoreError> {
    let Some(mut totp) = load(&tx.tables, account)?.totp else { return Ok(false) };
    let before = totp.recovery_codes.len();
    totp.recovery_codes.retain(|known| known != hash);
    if totp.recovery_codes.len() == before {
        return Ok(false);
    }
    put(tx, account, TOTP, &Row::Totp(totp))?;
    Ok(true)
}
