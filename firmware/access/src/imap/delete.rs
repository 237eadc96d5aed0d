//! DELETE. RFC 9051 §6.3.5.

use base::AccountId;

use super::reply::{Outcome, no, no_mailbox, ok};
use super::session::Session;

impl Session {
    /// A mailbox with children is not deleted: it would have to stay as a name that holds no mail.
    pub(super) async fn delete(&mut self, account: AccountId, mailbox: &[u8]) -> Outcome {
        let name = self.name(mailbox)?;
        if name == "INBOX" {
            return Err(no("[CANNOT] INBOX cannot be deleted"));
        }
        let store = self.store();
        let mailbox = store.mailbox_by_name(account, &name)?.ok_or_else(no_mailbox)?;
        store.delete_mailbox(account, name).await?;
        if self.selected.as_ref().is_some_and(|selected| selected.mailbox == mailbox.id) {
            self.selected = None;
        }
        ok("DELETE completed")
    }
}
