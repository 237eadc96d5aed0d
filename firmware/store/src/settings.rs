//! The box's settings, one record.

use std::sync::Arc;

use base::box_link::Network;
use serde::{Deserialize, Serialize};

use crate::codec::{In, Out, from_postcard, to_postcard};
use crate::index::{T, Tables, View};
use crate::writer::Tx;
use crate::{StoreError, audit};

const SETTINGS_KEY: &[u8] = b"settings";
const TLS_KEY: &[u8] = b"tls_identity";
/// Bytes of the settings record.
const SETTINGS_BYTES_MAX: usize = 1024 * 1024;

/// TLS towards a smarthost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmarthostTls {
    /// Plain text; refused with a password outside the loopback.
    None,
    /// STARTTLS, required.
    #[default]
    Starttls,
    /// TLS from the first byte (465).
    Implicit,
}

/// How mail goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Outbound {
    /// By MX lookup.
    #[default]
    Direct,
    /// All to one relay.
    Smarthost {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// TLS.
        tls: SmarthostTls,
        /// Login, if it wants one.
        user: Option<String>,
        /// Password. Never logged, never in an API's answer.
        password: Option<String>,
    },
}

/// Where people may say that their own mail goes on to. What an admin says of it is not asked this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnForwarding {
    /// Nowhere: it is the admin's to set.
    No,
    /// To addresses of the box's domains: no mail leaves the house because of it.
    #[default]
    Office,
    /// To every address.
    Anywhere,
}

/// Everything the wizard and the admin pages set that is not the directory.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Fully qualified host name; empty until set.
    pub hostname: String,
    /// Language of the box (`en fr de it es`).
    pub language: String,
    /// PHC string of the password of the login `admin`.
    pub admin_password_hash: Option<String>,
    /// What must be typed into the wizard; stands on the console.
    pub setup_code: String,
    /// The wizard is over.
    pub setup_complete: bool,
    /// What the wizard remembers for a browser that was closed; JSON, at most 64 KB.
    pub wizard: String,
    /// How mail goes out.
    pub outbound: Outbound,
    /// Name servers `address:port`; empty: what the system says.
    pub dns_servers: Vec<String>,
    /// Network of the appliance.
    pub network: Network,
    /// BLAKE3 (hex) of the provisioning file that was applied last.
    pub provisioned: String,
    /// Makes up what unknown names are told in SCRAM, the same at each try. Never in an API's answer.
    pub login_secret: String,
    /// Days that expunged mail and deleted accounts stay; `None`: 14.
    pub retention_days: Option<u16>,
    /// Quota of the accounts that have none of their own, bytes; `None`: without limit.
    pub default_quota_bytes: Option<u64>,
    /// The same for messages.
    pub default_quota_messages: Option<u64>,
    /// Who does not say who it is may look people up by LDAP, from the office's own network.
    pub lan_lookup: bool,
    /// Where people may say that their own mail goes on to.
    pub own_forwarding: OwnForwarding,
}

impl Settings {
    /// Days that expunged mail and deleted accounts stay.
    #[must_use]
    pub fn retention_days(&self) -> u16 {
        let days = self.retention_days.unwrap_or(crate::recovery::RETENTION_DAYS_DEFAULT);
        days.min(crate::recovery::RETENTION_DAYS_MAX)
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("hostname", &self.hostname).finish_non_exhaustive()
    }
}

/// Certificate chain and key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsIdentity {
    /// PEM, leaf first.
    pub chain_pem: String,
    /// PEM, PKCS#8. Never logged.
    pub key_pem: String,
}

impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsIdentity")
    }
}

/// The stored settings, or the defaults. The record is JSON behind the version byte: fields that a later
/// version adds take their default when it reads an older record.
pub(crate) fn load(view: &impl View) -> Result<Settings, StoreError> {
    let Some(row) = view.get(T::Setting, SETTINGS_KEY)? else { return Ok(Settings::default()) };
    let text = In::versioned(&row, "settings")?.rest();
    serde_json::from_slice(text).map_err(|e| StoreError::Damaged(format!("settings: {e}")))
}

pub(crate) fn put(tables: &mut Tables<'_>, settings: &Settings) -> Result<(), StoreError> {
    let text = serde_json::to_vec(settings)
        .map_err(|_| StoreError::Misuse("settings that cannot be written"))?;
    if text.len() > SETTINGS_BYTES_MAX {
        return Err(StoreError::LimitReached("bytes of the settings"));
    }
    tables.put(T::Setting, SETTINGS_KEY, &Out::versioned().bytes(&text).0)
}

/// Changes the settings; returns what they are then.
pub(crate) fn change(
    tx: &mut Tx<'_, '_>,
    change: impl FnOnce(&mut Settings),
) -> Result<Arc<Settings>, StoreError> {
    let mut new = Settings::clone(&tx.effects.settings);
    change(&mut new);
    put(tx, &new)?;
    let before = Arc::clone(&tx.effects.settings);
    audit::settings::note_change(tx, &before, &new)?;
    tx.effects.settings = Arc::new(new);
    Ok(Arc::clone(&tx.effects.settings))
}

pub(crate) fn tls_identity(view: &impl View) -> Result<Option<TlsIdentity>, StoreError> {
    view.get(T::Setting, TLS_KEY)?.map(|row| from_postcard(&row, "TLS identity")).transpose()
}

pub(crate) fn put_tls_identity(
    tables: &mut Tables<'_>,
    identity: &TlsIdentity,
) -> Result<(), StoreError> {
    tables.put(T::Setting, TLS_KEY, &to_postcard(identity)?)
}
