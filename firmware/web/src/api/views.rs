//! What the API shows of things.

use serde::Serialize;
use session::rules::Role;
use store::{Account, AccountState, Alias, QueueEntry, QueueRecipient, RecipientState};

use crate::Web;
use crate::error::ApiError;
use crate::guard::Identity;
use crate::rules::MB;

/// Who is signed in.
#[derive(Debug, Serialize)]
pub(crate) struct SignedIn {
    role: &'static str,
    login: String,
    address: Option<String>,
    name: String,
    language: Option<String>,
    /// With the role `domain-admin`: which domains.
    manages: Vec<String>,
}

impl SignedIn {
    pub(crate) fn of(web: &Web, identity: &Identity) -> Self {
        let role = match identity.role() {
            Role::Admin => "admin",
            Role::DomainAdmin => "domain-admin",
            _ => "user",
        };
        let manages = match identity.role() {
            Role::DomainAdmin => identity.manages.iter().map(|d| d.as_str().to_owned()).collect(),
            _ => Vec::new(),
        };
        match &identity.account {
            Some(account) => Self {
                role,
                login: identity.login(),
                address: Some(account.address.to_string()),
                name: account.name.clone(),
                language: account.language.clone(),
                manages,
            },
            None => {
                let language = web.settings().language.clone();
                let language = (!language.is_empty()).then_some(language);
                let (address, name) = (None, String::new());
                Self { role, login: identity.login(), address, name, language, manages }
            }
        }
    }
}

/// An account.
#[derive(Debug, Serialize)]
pub(crate) struct AccountView {
    id: u32,
    address: String,
    name: String,
    aliases: Vec<String>,
    quota_mb: Option<u64>,
    quota_messages: Option<u64>,
    used_bytes: u64,
    used_messages: u64,
    limit_mb: Option<u64>,
    limit_messages: Option<u64>,
    state: AccountState,
    is_admin: bool,
    manages: Vec<String>,
    send_as: Vec<String>,
    forward: Vec<String>,
    forward_keep: bool,
    language: Option<String>,
    password_set: bool,
    source: Option<String>,
}

impl AccountView {
    pub(crate) fn of(web: &Web, account: &Account) -> Result<Self, ApiError> {
        let quota = web.store().quota(account.id)?;
        Ok(Self {
            id: account.id.0,
            address: account.address.to_string(),
            name: account.name.clone(),
            aliases: account.aliases.iter().map(ToString::to_string).collect(),
            quota_mb: account.quota_bytes.map(|bytes| bytes / MB),
            quota_messages: account.quota_messages,
            used_bytes: quota.used_bytes,
            used_messages: quota.used_messages,
            limit_mb: quota.limit_bytes.map(|bytes| bytes / MB),
            limit_messages: quota.limit_messages,
            state: account.state,
            is_admin: account.is_admin,
            manages: account.manages.iter().map(|name| name.as_str().to_owned()).collect(),
            send_as: account.send_as.iter().map(ToString::to_string).collect(),
            forward: account.forward.iter().map(ToString::to_string).collect(),
            forward_keep: account.forward_keep,
            language: account.language.clone(),
            password_set: account.password_hash.is_some(),
            source: account.source.as_ref().map(|source| source.domain.clone()),
        })
    }
}

/// An alias.
#[derive(Debug, Serialize)]
pub(crate) struct AliasView {
    address: String,
    targets: Vec<String>,
}

impl From<&Alias> for AliasView {
    fn from(alias: &Alias) -> Self {
        Self {
            address: alias.address.to_string(),
            targets: alias.targets.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A queue entry.
#[derive(Debug, Serialize)]
pub(crate) struct QueueView {
    /// A text: JavaScript's numbers end at 2^53.
    id: String,
    sender: Option<String>,
    size: u64,
    queued_at: String,
    hold: bool,
    recipients: Vec<RecipientView>,
}

#[derive(Debug, Serialize)]
struct RecipientView {
    address: String,
    state: &'static str,
    attempts: u32,
    next_attempt_at: String,
    last_reply: Option<String>,
    last_host: Option<String>,
}

impl From<&QueueRecipient> for RecipientView {
    fn from(recipient: &QueueRecipient) -> Self {
        Self {
            address: recipient.address.to_string(),
            state: match recipient.state {
                RecipientState::Pending => "pending",
                RecipientState::Delivered => "delivered",
                RecipientState::Failed => "failed",
            },
            attempts: recipient.attempts,
            next_attempt_at: recipient.next_attempt_at.rfc3339(),
            last_reply: recipient.last_reply.clone(),
            last_host: recipient.last_host.clone(),
        }
    }
}

impl From<&QueueEntry> for QueueView {
    fn from(entry: &QueueEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            sender: entry.envelope.reverse_path.as_ref().map(ToString::to_string),
            size: entry.size.saturating_sub(u64::from(entry.skip)),
            queued_at: entry.queued_at.rfc3339(),
            hold: entry.hold,
            recipients: entry.recipients.iter().map(RecipientView::from).collect(),
        }
    }
}
