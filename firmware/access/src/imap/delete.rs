//! DELETE. RFC 9051 §6.3.5.

use store::{Found, Rights};

use super::reply::{Outcome, no, ok};
use super::session::Session;

impl Session {
    /// A mailbox with children is not deleted: it would have to stay as a name that holds no mail.
    pub(super) async fn delete(&mut self, mailbox: &[u8]) -> Outcome {
        let Found { mailbox, name, .. } = self.open(mailbox, Rights::DELETE)?;
        if mailbox.name == "INBOX" {
            return Err(no("[CANNOT] INBOX cannot be deleted"));
        }
        self.store().delete_mailbox(mailbox.account, mailbox.name).await?;
        self.note_own_names(&[&name]);
        if self.selected.as_ref().is_some_and(|selected| selected.mailbox == mailbox.id) {
            self.selected = None;
        }
        ok("DELETE completed")
    }
}
