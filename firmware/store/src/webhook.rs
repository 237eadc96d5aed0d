//! Webhooks: whom the box tells of what was done, or asks before it is done. What is set, and how far each of
//! them was told; the telling is not done here.
//!
//! Limits: [`WEBHOOKS_MAX`], [`ATTEMPTS_BYTES_MAX`].

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::{self, settings::differences};
use crate::codec::{In, Out, from_postcard, to_postcard};
use crate::index::{T, View};
use crate::writer::Tx;
use crate::{AuditEvent, StoreError, meta};

/// Webhooks of one box: each is a task that reads the audit log, or a question before an act.
const WEBHOOKS_MAX: usize = 20;
/// Parts of the key behind the number: what is set, and how far it was told; these two each webhook has. Then
/// the secret before this one, and the last attempts.
const SET: u8 = 0;
const STATE: u8 = 1;
const OLD_SECRET: u8 = 2;
const ATTEMPTS: u8 = 3;
/// Bytes of the last attempts of one webhook.
const ATTEMPTS_BYTES_MAX: usize = 64 * 1024;
/// So long the secret before this one counts as well, seconds: the other side has a day to learn the new one.
const OLD_SECRET_SECS: i64 = 24 * 3_600;

/// When a webhook is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookMode {
    /// It is asked before an act and may refuse it.
    Before,
    /// It is told of what was done.
    #[default]
    After,
}

/// What becomes of an act when a webhook does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It goes on.
    Allow,
    /// It is refused.
    #[default]
    Refuse,
}

/// A webhook as it is set.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its number; the store gives it.
    pub id: u32,
    /// Name for people.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Actions, families or `*`.
    pub events: Vec<String>,
    /// When it is called.
    pub mode: WebhookMode,
    /// Of [`WebhookMode::Before`].
    pub on_failure: OnFailure,
    /// It is called at all.
    pub enabled: bool,
    /// Key of the signature. Never logged, shown once.
    pub secret: Vec<u8>,
    /// When it was made; the store says it.
    pub created_at: Timestamp,
    /// What it had before; the store says it.
    #[serde(skip)]
    pub old_secret: Option<OldSecret>,
}

/// A secret that was replaced.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldSecret {
    /// Key of the signature. Never logged, never shown.
    pub secret: Vec<u8>,
    /// It counts until then.
    pub until: Timestamp,
}

impl std::fmt::Debug for OldSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OldSecret").field("until", &self.until).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// The secret before this one, as long as it counts.
    #[must_use]
    pub fn old_secret(&self, now: Timestamp) -> Option<&OldSecret> {
        self.old_secret.as_ref().filter(|old| now < old.until)
    }

    /// True if it wants to hear of an event.
    #[must_use]
    pub fn wants(&self, event: &AuditEvent) -> bool {
        self.events.iter().any(|kind| event.is_of(kind))
    }
}

/// How far a webhook was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookState {
    /// Number of the last row of the audit log that it was told of, or did not want to hear of.
    pub told: u64,
    /// Since when it does not take what it is told.
    pub failing_since: Option<Timestamp>,
    /// When the box gave up telling it.
    pub gave_up_at: Option<Timestamp>,
    /// When it took something last.
    pub last_ok_at: Option<Timestamp>,
    /// What was wrong last.
    pub last_error: Option<String>,
    /// Rows that had left the audit log before it was told of them.
    pub missed: u64,
}

fn key(id: u32, part: u8) -> Vec<u8> {
    Out::default().u32(id).0.into_iter().chain([part]).collect()
}

/// All webhooks by number.
pub(crate) fn list(view: &impl View) -> Result<Vec<Webhook>, StoreError> {
    let mut found = Vec::<Webhook>::new();
    view.scan(T::Webhook, &[], &[], &mut |key, row| {
        match (key.last(), found.last_mut()) {
            (Some(&SET), _) => found.push(from_postcard(row, "webhook")?),
            // It comes right behind what it is of.
            (Some(&OLD_SECRET), Some(hook)) => hook.old_secret = Some(old_secret(row)?),
            _ => {}
        }
        Ok(true)
    })?;
    Ok(found)
}

fn old_secret(row: &[u8]) -> Result<OldSecret, StoreError> {
    from_postcard(row, "old secret of a webhook")
}

/// One of them.
pub(crate) fn find(view: &impl View, id: u32) -> Result<Option<Webhook>, StoreError> {
    let Some(row) = view.get(T::Webhook, &key(id, SET))? else { return Ok(None) };
    let mut hook: Webhook = from_postcard(&row, "webhook")?;
    let old = view.get(T::Webhook, &key(id, OLD_SECRET))?;
    hook.old_secret = old.map(|row| old_secret(&row)).transpose()?;
    Ok(Some(hook))
}

/// The last attempts, as they were given; `None`: there were none.
pub(crate) fn attempts(view: &impl View, id: u32) -> Result<Option<String>, StoreError> {
    let row = view.get(T::Webhook, &key(id, ATTEMPTS))?;
    row.map(|row| In::versioned(&row, "attempts of a webhook")?.text()).transpose()
}

/// Keeps the last attempts: text of who makes them, of no meaning here. Of a webhook that is gone nothing is kept.
pub(crate) fn put_attempts(tx: &mut Tx<'_, '_>, id: u32, text: &str) -> Result<(), StoreError> {
    if text.len() > ATTEMPTS_BYTES_MAX {
        return Err(StoreError::LimitReached("bytes of the attempts of a webhook"));
    }
    if !tx.has(T::Webhook, &key(id, SET))? {
        return Ok(());
    }
    tx.put(T::Webhook, &key(id, ATTEMPTS), &Out::versioned().bytes(text.as_bytes()).0)
}

/// How far it was told; `None`: there is no such webhook.
pub(crate) fn state(view: &impl View, id: u32) -> Result<Option<WebhookState>, StoreError> {
    let row = view.get(T::Webhook, &key(id, STATE))?;
    row.map(|row| from_postcard(&row, "state of a webhook")).transpose()
}

fn put(tx: &mut Tx<'_, '_>, hook: &Webhook, state: &WebhookState) -> Result<(), StoreError> {
    tx.put(T::Webhook, &key(hook.id, SET), &to_postcard(hook)?)?;
    tx.put(T::Webhook, &key(hook.id, STATE), &to_postcard(state)?)?;
    match &hook.old_secret {
        Some(old) => tx.put(T::Webhook, &key(hook.id, OLD_SECRET), &to_postcard(old)?)?,
        None => drop(tx.remove(T::Webhook, &key(hook.id, OLD_SECRET))?),
    }
    changed(tx)
}

fn changed(tx: &mut Tx<'_, '_>) -> Result<(), StoreError> {
    tx.effects.webhooks = Some(list(&tx.tables)?.into());
    Ok(())
}

/// The number of the last row of the audit log.
fn now(view: &impl View) -> Result<u64, StoreError> {
    Ok(meta::audit_next(view)?.saturating_sub(1))
}

/// Adds a webhook; it is told of what comes from now on.
pub(crate) fn create(tx: &mut Tx<'_, '_>, new: &Webhook) -> Result<Webhook, StoreError> {
    if list(&tx.tables)?.len() >= WEBHOOKS_MAX {
        return Err(StoreError::LimitReached("webhooks"));
    }
    let (id, created_at) = (meta::next_webhook(tx)?, tx.now);
    let hook = Webhook { id, created_at, old_secret: None, ..new.clone() };
    note(tx, "webhook.create", None, Some(&hook))?;
    let told = now(&tx.tables)?;
    put(tx, &hook, &WebhookState { told, ..Default::default() })?;
    Ok(hook)
}

/// Changes one; false if there is none. One that the box had given up is told again from where it was, one
/// that was switched off from now on. The secret that it had counts for a while beside a new one.
pub(crate) fn change(tx: &mut Tx<'_, '_>, hook: &Webhook) -> Result<bool, StoreError> {
    let Some(before) = find(&tx.tables, hook.id)? else { return Ok(false) };
    let Some(mut state) = state(&tx.tables, hook.id)? else { return Ok(false) };
    let created_at = before.created_at;
    let old_secret = if hook.secret == before.secret {
        before.old_secret.clone()
    } else {
        let until = Timestamp::from_secs(tx.now.secs().saturating_add(OLD_SECRET_SECS));
        Some(OldSecret { secret: before.secret.clone(), until })
    };
    let hook = Webhook { created_at, old_secret, ..hook.clone() };
    note(tx, "webhook.change", Some(&before), Some(&hook))?;
    (state.failing_since, state.gave_up_at, state.last_error) = (None, None, None);
    if hook.enabled && !before.enabled {
        state.told = now(&tx.tables)?;
    }
    put(tx, &hook, &state)?;
    Ok(true)
}

/// Removes one; false if there is none.
pub(crate) fn delete(tx: &mut Tx<'_, '_>, id: u32) -> Result<bool, StoreError> {
    let Some(before) = find(&tx.tables, id)? else { return Ok(false) };
    for part in [SET, STATE, OLD_SECRET, ATTEMPTS] {
        tx.remove(T::Webhook, &key(id, part))?;
    }
    note(tx, "webhook.delete", Some(&before), None)?;
    changed(tx)?;
    Ok(true)
}

/// Says how far one was told; nothing happens if it is gone or was changed meanwhile.
pub(crate) fn put_state(
    tx: &mut Tx<'_, '_>,
    hook: &Webhook,
    state: &WebhookState,
) -> Result<(), StoreError> {
    if find(&tx.tables, hook.id)?.as_ref() != Some(hook) {
        return Ok(());
    }
    tx.put(T::Webhook, &key(hook.id, STATE), &to_postcard(state)?)
}

fn note(
    tx: &mut Tx<'_, '_>,
    action: &str,
    before: Option<&Webhook>,
    after: Option<&Webhook>,
) -> Result<(), StoreError> {
    let name = after.or(before).map(|hook| hook.name.clone()).unwrap_or_default();
    let told = |hook: &Webhook| {
        // What stands in a query may be a secret of the other side.
        let url = hook.url.split('?').next().unwrap_or_default().to_owned();
        Webhook { url, ..hook.clone() }
    };
    let (before, after) = (before.map(told), after.map(told));
    let mut event = AuditEvent::new(action, name);
    event.changes =
        differences(before.as_ref(), after.as_ref(), &audit::secrets::is_open_in_webhook);
    audit::note(tx, event)
}

/// The number in a key, whether each webhook has such a row, and that the row can be read.
pub(crate) fn decode(key: &[u8], row: &[u8]) -> Result<(u32, bool), StoreError> {
    let mut fields = In::plain(key, "key of a webhook");
    let (id, part) = (fields.u32()?, fields.u8()?);
    match part {
        SET => drop(from_postcard::<Webhook>(row, "webhook")?),
        STATE => drop(from_postcard::<WebhookState>(row, "state of a webhook")?),
        OLD_SECRET => drop(old_secret(row)?),
        ATTEMPTS => drop(In::versioned(row, "attempts of a webhook")?.text()?),
        _ => return Err(StoreError::Damaged("a part of a webhook that is none".to_owned())),
    }
    Ok((id, matches!(part, SET | STATE)))
}
