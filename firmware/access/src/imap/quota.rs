//! GETQUOTA and GETQUOTAROOT. RFC 9208. One quota root per account, named by the empty string.

use base::AccountId;

use super::reply::{Fail, Outcome, no, no_mailbox, ok};
use super::session::Session;

impl Session {
    pub(super) fn get_quota(&mut self, account: AccountId, root: &[u8]) -> Outcome {
        if !root.is_empty() {
            return Err(no("[NONEXISTENT] There is no such quota root"));
        }
        self.write_quota(account)?;
        ok("GETQUOTA completed")
    }

    pub(super) fn get_quota_root(&mut self, account: AccountId, mailbox: &[u8]) -> Outcome {
        let name = self.name(mailbox)?;
        if self.store().mailbox_by_name(account, &name)?.is_none() {
            return Err(no_mailbox());
        }
        let mut line = b"* QUOTAROOT ".to_vec();
        self.push_name(&mut line, &name);
        line.extend_from_slice(b" \"\"\r\n");
        self.conn.write(&line);
        self.write_quota(account)?;
        ok("GETQUOTAROOT completed")
    }

    /// RFC 9208 §5.1: STORAGE counts units of 1024 bytes. §5.2: MESSAGE counts messages.
    fn write_quota(&mut self, account: AccountId) -> Result<(), Fail> {
        let quota = self.store().quota(account)?;
        let mut resources = Vec::new();
        if let Some(limit) = quota.limit_bytes {
            let used = quota.used_bytes.div_ceil(1024);
            resources.push(format!("STORAGE {used} {}", limit / 1024));
        }
        if let Some(limit) = quota.limit_messages {
            resources.push(format!("MESSAGE {} {limit}", quota.used_messages));
        }
        self.say(format_args!("QUOTA \"\" ({})", resources.join(" ")));
        Ok(())
    }
}
