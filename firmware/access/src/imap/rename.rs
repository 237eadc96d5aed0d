//! RENAME. RFC 9051 §6.3.6.

use store::{Found, Rights};

use super::reply::{Outcome, no, ok};
use super::session::Session;

impl Session {
    /// Children go with it; INBOX gives its messages away and stays.
    pub(super) async fn rename(&mut self, from: &[u8], to: &[u8]) -> Outcome {
        let Found { mailbox, name: old_name, .. } = self.open(from, Rights::DELETE)?;
        let new_name = self.new_name(to)?;
        let (owner, to) = self.new_place(&new_name)?;
        if owner != mailbox.account {
            return Err(no("[CANNOT] A mailbox stays with its owner"));
        }
        let from = mailbox.name;
        if from == "INBOX" && Some(owner) != self.account {
            return Err(no("[CANNOT] Only its owner can rename an INBOX"));
        }
        if to == "INBOX" {
            return Err(no("[ALREADYEXISTS] INBOX exists"));
        }
        let is_inside = to.strip_prefix(from.as_str()).is_some_and(|rest| rest.starts_with('/'));
        if is_inside && from != "INBOX" {
            return Err(no("[CANNOT] A mailbox cannot go into itself"));
        }
        self.store().rename_mailbox(owner, from, to).await?;
        self.note_own_names(&[&old_name, &new_name]);
        ok("RENAME completed")
    }
}
