//! The audit log: who did what, by which way, and what was before and after. A row is written in the
//! transaction of its act, so there is no act without its row and no row without its act.
//!
//! Append-only: nothing changes a row, and rows go only by [`trim`], the oldest first. Values of secrets are
//! never in a row: [`secrets`] names them.
//!
//! Limits: [`ROWS_MAX`] rows, [`EVENT_BYTES_MAX`] bytes of changes in one, [`VALUES_MAX`] values of a side,
//! [`VALUE_CHARS_MAX`] characters of a value.

pub(crate) mod entries;
pub(crate) mod rows;
pub(crate) mod secrets;
pub(crate) mod settings;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::writer::Tx;
use crate::{Origin, StoreError, Via};

/// Rows that are kept: years of a small office, and at most 1.6 GB of the largest ones.
pub(crate) const ROWS_MAX: u64 = 100_000;
/// Bytes of names and values in one row.
const EVENT_BYTES_MAX: usize = 16 * 1024;
/// Values of one attribute on one side.
const VALUES_MAX: usize = 32;
/// Characters of a value.
const VALUE_CHARS_MAX: usize = 256;
/// Bytes of a target, an action, a name.
const NAME_BYTES_MAX: usize = 1024;
/// What stands in the place of a secret.
pub(crate) const SECRET: &str = "(secret)";

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// What kind of act: `account.create`. A family and a verb.
    pub action: String,
    /// On what: an address, a DN, a name; empty for the box itself.
    pub target: String,
    /// What is another now.
    pub changes: Vec<AuditChange>,
}

/// One thing that is another now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChange {
    /// Name of the attribute or setting.
    pub name: String,
    /// Values that went; all that stood there, for a thing with one value.
    pub before: Vec<String>,
    /// Values that came.
    pub after: Vec<String>,
}

/// A row of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number; given once, ascending.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub origin: Origin,
    /// What.
    pub event: AuditEvent,
}

/// Which rows are wanted; the default wants all.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Part of who did it; case does not matter.
    pub who: String,
    /// Part of the target; case does not matter.
    pub target: String,
    /// An action, or a family of them.
    pub action: String,
    /// From then on.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
}

/// Rows that fit a filter.
#[derive(Clone, Debug, Default)]
pub struct AuditPage {
    /// The rows.
    pub rows: Vec<AuditRow>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<u64>,
}

impl AuditEvent {
    /// An event without changes.
    #[must_use]
    pub fn new(action: impl Into<String>, target: impl Into<String>) -> Self {
        Self { action: action.into(), target: target.into(), changes: Vec::new() }
    }

    /// With one thing that is another now; an empty text is no value.
    #[must_use]
    pub fn with(mut self, name: &str, before: impl Into<String>, after: impl Into<String>) -> Self {
        let values = |text: String| if text.is_empty() { Vec::new() } else { vec![text] };
        let (before, after) = (values(before.into()), values(after.into()));
        self.changes.push(AuditChange { name: name.to_owned(), before, after });
        self
    }

    /// True if this is of a kind: an action, a family (`account`, `account.*`), or `*`.
    #[must_use]
    pub fn is_of(&self, kind: &str) -> bool {
        let family = kind.strip_suffix(".*").unwrap_or(kind);
        kind == "*"
            || self.action == family
            || self.action.strip_prefix(family).is_some_and(|rest| rest.starts_with('.'))
    }

    /// No larger than a row may be: what is too much is said to be.
    fn bounded(mut self) -> Self {
        let mut room = EVENT_BYTES_MAX;
        self.target = shortened(&self.target, NAME_BYTES_MAX);
        self.action = shortened(&self.action, NAME_BYTES_MAX);
        for change in &mut self.changes {
            change.name = shortened(&change.name, NAME_BYTES_MAX);
            for values in [&mut change.before, &mut change.after] {
                if values.len() > VALUES_MAX {
                    let more = values.len() - VALUES_MAX;
                    values.truncate(VALUES_MAX);
                    values.push(format!("… ({more} more)"));
                }
                for value in values.iter_mut() {
                    *value = shortened(value, VALUE_CHARS_MAX * 4);
                }
                let size: usize = values.iter().map(String::len).sum();
                match room.checked_sub(size) {
                    Some(left) => room = left,
                    None => *values = vec!["…".to_owned()],
                }
            }
            room = room.saturating_sub(change.name.len());
        }
        let kept = self.changes.iter().scan(0, |sum: &mut usize, change| {
            *sum += change.name.len() + 2;
            Some(*sum)
        });
        let kept = kept.take_while(|sum| *sum <= EVENT_BYTES_MAX).count();
        self.changes.truncate(kept);
        self
    }
}

/// At most so many bytes of a text.
fn shortened(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// A value as people read it: text on one line, of others their size.
fn shown(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if !text.contains('\0') => {
            let mut cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
            if cut.len() < text.len() {
                cut.push('…');
            }
            cut
        }
        _ => format!("({} bytes)", value.len()),
    }
}

/// Writes the row of an act, and keeps it for the gate.
pub(crate) fn note(tx: &mut Tx<'_, '_>, event: AuditEvent) -> Result<(), StoreError> {
    let event = event.bounded();
    if let Some(noted) = &mut tx.noted {
        noted.push(event.clone());
    }
    rows::append(tx, event)
}

/// Writes the row of what follows from an act; nobody is asked about it.
pub(crate) fn note_consequence(tx: &mut Tx<'_, '_>, event: AuditEvent) -> Result<(), StoreError> {
    rows::append(tx, event.bounded())
}

/// Who does what nobody in particular does.
pub(crate) fn the_box() -> Origin {
    Origin::new("box", Via::Box, None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::SystemClock;

    use super::*;
    use crate::index::{T, View};
    use crate::{AccountChange, NewAccount, Options, Outbound, Settings, Store, TlsIdentity};

    #[test]
    fn a_row_stays_small() {
        let long = "ä".repeat(5_000);
        let mut event = AuditEvent::new("entry.change", long.clone());
        for n in 0..10_000 {
            event = event.with(&format!("name{n}"), long.clone(), "x");
        }
        let many = AuditChange { name: "a".into(), before: vec!["v".into(); 50], after: vec![] };
        event.changes.insert(0, many);
        let event = event.bounded();
        assert_eq!(event.changes[0].before.len(), VALUES_MAX + 1);
        assert_eq!(event.changes[0].before[VALUES_MAX], "… (18 more)");
        assert!(event.changes[1].before[0].ends_with('…'));
        let size = postcard::to_extend(&event, Vec::new()).unwrap().len();
        assert!(size < 4 * EVENT_BYTES_MAX, "{size}");
    }

    #[test]
    fn kinds_are_actions_and_families() {
        let event = AuditEvent::new("account.create", "");
        for kind in ["account.create", "account", "account.*", "*"] {
            assert!(event.is_of(kind), "{kind}");
        }
        for kind in ["account.change", "acc", "group.*", "account.create.x", ""] {
            assert!(!event.is_of(kind), "{kind}");
        }
    }

    async fn filled(dir: &std::path::Path) -> Store {
        let store = Store::open(Options::new(dir), Arc::new(SystemClock)).unwrap();
        store.create_domain(base::DomainName::parse("x.test").unwrap()).await.unwrap();
        store
    }

    /// Every secret of the settings, of an account and of the certificate, before and after a change.
    #[tokio::test]
    async fn no_secret_is_in_the_bytes_of_a_row() {
        let dir = tempfile::tempdir().unwrap();
        let store = filled(dir.path()).await;
        for round in ["before", "after"] {
            let marked = |name: &str| format!("S3CRET-{name}-{round}");
            let hash = Some(format!("{} {}", marked("hash"), marked("verifier")));
            let texts = ["admin", "code", "login", "outbound", "wizard"].map(marked);
            let change = move |settings: &mut Settings| {
                let [admin, code, login, outbound, wizard] = texts;
                settings.admin_password_hash = Some(admin);
                (settings.setup_code, settings.login_secret) = (code, login);
                settings.wizard = wizard;
                settings.outbound = Outbound::Smarthost {
                    host: format!("{round}.test"),
                    port: 587,
                    tls: crate::SmarthostTls::Starttls,
                    user: Some("u".into()),
                    password: Some(outbound),
                };
            };
            store.update_settings(Box::new(change)).await.unwrap();
            let identity = TlsIdentity { chain_pem: round.into(), key_pem: marked("key") };
            store.set_tls_identity(identity).await.unwrap();
            let address = base::Address::parse("anna@x.test").unwrap();
            match store.account_by_address(&address).unwrap() {
                Some(anna) => {
                    let change = AccountChange { password_hash: hash, ..Default::default() };
                    store.update_account(anna.id, change).await.unwrap();
                }
                None => {
                    let new = NewAccount {
                        address,
                        name: String::new(),
                        aliases: Vec::new(),
                        quota_bytes: None,
                        is_admin: false,
                        password_hash: hash,
                    };
                    store.create_account(new).await.unwrap();
                }
            }
        }
        let view = store.snapshot().unwrap();
        let (mut rows, mut secrets) = (0, 0);
        view.scan(T::Audit, &[], &[], &mut |key, row| {
            let text = String::from_utf8_lossy(row);
            assert!(!text.contains("S3CRET"), "{:?}", rows::decode(key, row));
            rows += 1;
            secrets += text.matches(SECRET).count();
            Ok(true)
        })
        .unwrap();
        assert_eq!(rows, 7);
        // One in each of the settings that are set at first and two where they change; the same of the key
        // and of the password.
        assert_eq!(secrets, 4 * 3 + 3 + 3);
    }

    #[tokio::test]
    async fn the_oldest_rows_go_when_there_are_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let store = filled(dir.path()).await;
        for n in 0..30 {
            store.audit(AuditEvent::new("box.reboot", n.to_string())).await.unwrap();
        }
        let targets = || -> Vec<String> {
            let page = store.audit_after(0, 100, &AuditFilter::default()).unwrap();
            page.rows.into_iter().map(|row| row.event.target).collect()
        };
        store.act(|tx| rows::trim(tx, 31)).await.unwrap();
        assert_eq!(targets().len(), 31);
        store.act(|tx| rows::trim(tx, 3)).await.unwrap();
        assert_eq!(targets(), ["27", "28", "29"]);
        store.audit(AuditEvent::new("box.reboot", "30")).await.unwrap();
        assert_eq!(targets(), ["27", "28", "29", "30"]);
    }
}
