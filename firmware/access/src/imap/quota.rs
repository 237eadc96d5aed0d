//! GETQUOTA, GETQUOTAROOT and SETQUOTA. RFC 9208.
//!
//! One quota root per account. One's own is the empty string; another's, which shows with a mailbox of
//! his, is his address. What the office owns has no quota.

use base::{AccountId, Address};
use store::{AccountChange, OFFICE, Rights};

use super::emit;
use super::reply::{Fail, Outcome, no, ok};
use super::session::Session;

fn no_root() -> Fail {
    no("[NONEXISTENT] There is no such quota root")
}

impl Session {
    /// The account of a root, as far as the account that asks may see it.
    fn account_of_root(&self, root: &[u8]) -> Result<AccountId, Fail> {
        let account = self.account()?;
        if root.is_empty() {
            return Ok(account);
        }
        let address = std::str::from_utf8(root).ok().and_then(|text| Address::parse(text).ok());
        let store = self.store();
        let owner = match address {
            Some(address) => store.account_by_address(&address)?.ok_or_else(no_root)?.id,
            None => return Err(no_root()),
        };
        // Who may put messages there may know how full it is.
        let may_see = owner == account
            || self.is_admin()?
            || store
                .shown_mailboxes(account)?
                .iter()
                .any(|f| f.mailbox.account == owner && f.rights.has(Rights::INSERT));
        if may_see { Ok(owner) } else { Err(no_root()) }
    }

    pub(super) fn is_admin(&self) -> Result<bool, Fail> {
        let account = self.store().account(self.account()?)?;
        Ok(account.is_some_and(|account| account.is_admin))
    }

    pub(super) fn get_quota(&mut self, root: &[u8]) -> Outcome {
        let owner = self.account_of_root(root)?;
        self.write_quota(root, owner)?;
        ok("GETQUOTA completed")
    }

    /// RFC 9208 §4.1.3: what is not named has no limit any more.
    pub(super) async fn set_quota(&mut self, root: &[u8], limits: &[(String, u64)]) -> Outcome {
        if !self.is_admin()? {
            return Err(no("[NOPERM] Quotas are set by the administrator"));
        }
        let owner = self.account_of_root(root)?;
        // 0 in the store is without limit; the least that can be said is one byte, one message.
        let mut change = AccountChange {
            quota_bytes: Some(Some(0)),
            quota_messages: Some(Some(0)),
            ..AccountChange::default()
        };
        for (name, limit) in limits {
            match name.as_str() {
                "STORAGE" => change.quota_bytes = Some(Some(limit.saturating_mul(1024).max(1))),
                "MESSAGE" => change.quota_messages = Some(Some((*limit).max(1))),
                _ => return Err(no("[CANNOT] Only STORAGE and MESSAGE can be limited")),
            }
        }
        self.store().update_account(owner, change).await?;
        tracing::info!(session = self.conn.session(), account = %owner, ?limits, "quota set");
        self.write_quota(root, owner)?;
        ok("SETQUOTA completed")
    }

    pub(super) fn get_quota_root(&mut self, mailbox: &[u8]) -> Outcome {
        let found = self.open(mailbox, Rights::READ)?;
        let owner = found.mailbox.account;
        let mut line = b"* QUOTAROOT ".to_vec();
        self.push_name(&mut line, &found.name);
        let root = if Some(owner) == self.account {
            Some(Vec::new())
        } else if owner == OFFICE {
            None
        } else {
            let owner = self.store().account(owner)?;
            owner.map(|owner| owner.address.to_string().into_bytes())
        };
        if let Some(root) = &root {
            line.push(b' ');
            emit::push_astring(&mut line, root);
        }
        line.extend_from_slice(b"\r\n");
        self.conn.write(&line);
        if let Some(root) = root {
            self.write_quota(&root, owner)?;
        }
        ok("GETQUOTAROOT completed")
    }

    /// RFC 9208 §5.1: STORAGE counts units of 1024 bytes. §5.2: MESSAGE counts messages.
    fn write_quota(&mut self, root: &[u8], account: AccountId) -> Result<(), Fail> {
        let quota = self.store().quota(account)?;
        let mut resources = Vec::new();
        if let Some(limit) = quota.limit_bytes {
            let used = quota.used_bytes.div_ceil(1024);
            resources.push(format!("STORAGE {used} {}", limit / 1024));
        }
        if let Some(limit) = quota.limit_messages {
            resources.push(format!("MESSAGE {} {limit}", quota.used_messages));
        }
        let mut line = b"* QUOTA ".to_vec();
        emit::push_astring(&mut line, root);
        line.extend_from_slice(format!(" ({})\r\n", resources.join(" ")).as_bytes());
        self.conn.write(&line);
        Ok(())
    }
}
