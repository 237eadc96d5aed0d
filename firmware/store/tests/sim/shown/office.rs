//! What a store shows besides people and mail: where mail goes on to, groups, rights, annotations, credentials,
//! tokens, webhooks, and the audit log.

use std::collections::BTreeMap;

use base::{AccountId, Address, MailboxId};
use store::{AnnotationScope, AuditFilter, StoreError};

use super::Look;
use crate::office::FURTHER;

impl Look<'_> {
    pub(super) fn office(&mut self) -> Result<(), StoreError> {
        for domain in self.store.domains()? {
            let catch_all = domain.catch_all.map(|address| address.to_string());
            let line = format!("further {} to {catch_all:?}", !domain.further.is_empty());
            self.shown.insert("domain row".to_owned(), line);
        }
        for group in self.store.groups()? {
            let mut members: Vec<u32> = group.members.iter().map(|id| id.0).collect();
            members.sort_unstable();
            let outside: Vec<String> = group.outside.iter().map(ToString::to_string).collect();
            self.shown.insert(format!("group {}", group.name), format!("{members:?} {outside:?}"));
        }
        for token in self.store.tokens()? {
            self.shown.insert(format!("token {}", token.id), token.name);
        }
        let hooks = self.store.watch_webhooks().borrow().to_vec();
        for hook in hooks {
            let told = self.store.webhook_state(hook.id)?.map(|state| state.told);
            let line = format!("{} told {}", hook.name, told.unwrap_or(u64::MAX));
            self.shown.insert(format!("webhook {}", hook.id), line);
        }
        for row in self.store.audit_after(0, usize::MAX, &AuditFilter::default())?.rows {
            let (who, event) = (row.origin.who, row.event);
            let line = format!("{} {who} {} {}", row.at.0, event.action, event.target);
            self.shown.insert(format!("audit {:06}", row.seq), line);
        }
        Ok(())
    }

    /// What an account has besides mail.
    pub(super) fn extras(&mut self, id: AccountId) -> Result<(), StoreError> {
        let Some(account) = self.store.account(id)? else { return Ok(()) };
        let texts = |all: &[Address]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (forward, drops_copy) = (texts(&account.forward), !account.forward_keep);
        let send_as: Vec<String> = account.send_as.iter().map(ToString::to_string).collect();
        let known = self.store.credentials(id)?;
        let passwords: BTreeMap<u32, String> =
            known.app_passwords.into_iter().map(|app| (app.id, app.name)).collect();
        let totp = known.totp.map(|totp| totp.last_step);
        let messages_max = account.quota_messages;
        let line = format!(
            "forward {forward:?} {drops_copy} as {send_as:?} most {messages_max:?} {passwords:?} {totp:?}"
        );
        self.shown.insert(format!("account {id} extras"), line);
        let local = account.address.local();
        let further = Address::parse(&format!("{local}@{FURTHER}"))
            .map_err(|_| StoreError::Misuse("the simulation's address"))?;
        let found = self.store.account_by_address(&further)?.map(|account| account.id.to_string());
        let found = found.unwrap_or_else(|| "nobody".to_owned());
        self.shown.insert(format!("route {further}"), found);
        Ok(())
    }

    /// The list of a mailbox, and what accounts wrote about it.
    pub(super) fn rights(&mut self, id: MailboxId) -> Result<(), StoreError> {
        let list = self.store.acl(id)?;
        self.shown.insert(format!("mailbox {id} rights"), format!("{list:?}"));
        for account in self.store.accounts(AccountId(0), usize::MAX)? {
            let scope = AnnotationScope::Mailbox(id);
            for (name, value) in self.store.annotations(scope, account.id)? {
                let holder = if name.starts_with("/private/") { account.id.0 } else { 0 };
                let value = String::from_utf8_lossy(&value).into_owned();
                self.shown.insert(format!("mailbox {id} note {holder} {name}"), value);
            }
        }
        Ok(())
    }
}
