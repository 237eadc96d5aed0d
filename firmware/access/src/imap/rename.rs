//! RENAME. RFC 9051 §6.3.6.

use base::AccountId;

use super::reply::{Outcome, no, no_mailbox, ok};
use super::session::Session;

impl Session {
    /// Children go with it; INBOX gives its messages away and stays.
    pub(super) async fn rename(&mut self, account: AccountId, from: &[u8], to: &[u8]) -> Outcome {
        let from = self.name(from)?;
        let to = self.new_name(to)?;
        if to == "INBOX" {
            return Err(no("[ALREADYEXISTS] INBOX exists"));
        }
        let is_inside = to.strip_prefix(from.as_str()).is_some_and(|rest| rest.starts_with('/'));
        if is_inside && from != "INBOX" {
            return Err(no("[CANNOT] A mailbox cannot go into itself"));
        }
        let store = self.store();
        if store.mailbox_by_name(account, &from)?.is_none() {
            return Err(no_mailbox());
        }
        store.rename_mailbox(account, from, to).await?;
        ok("RENAME completed")
    }
}
