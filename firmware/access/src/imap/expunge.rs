//! EXPUNGE and UID EXPUNGE. RFC 9051 §6.4.3, RFC 4315 §2.1, RFC 7162 §3.2.7 and §3.2.9.

use store::Rights;

use super::parse::{Numbers, SequenceSet};
use super::reply::{Answer, Outcome, ok};
use super::session::Session;

/// How often EXPUNGE looks again for messages that were marked meanwhile.
const ROUNDS_MAX: usize = 3;

impl Session {
    pub(super) async fn expunge(&mut self, set: Option<&SequenceSet>) -> Outcome {
        self.needs(Rights::EXPUNGE)?;
        let store = self.store();
        let selected = self.writable()?;
        let mailbox = selected.mailbox;
        if let Some(set) = set {
            let uids = selected.view.find(set, Numbers::Uid);
            if uids.is_empty() || store.expunge(mailbox, Some(uids)).await?.0.is_empty() {
                return ok("UID EXPUNGE completed");
            }
            return Ok(Answer::Expunged("UID EXPUNGE completed"));
        }
        // Outlook marks messages in one connection while another expunges, and takes what is left
        // behind for a fault: what is marked until the end goes too.
        let mut is_any = false;
        for _ in 0..ROUNDS_MAX {
            is_any |= !store.expunge(mailbox, None).await?.0.is_empty();
            if store.mailbox(mailbox)?.is_none_or(|mailbox| mailbox.deleted == 0) {
                break;
            }
        }
        if is_any { Ok(Answer::Expunged("EXPUNGE completed")) } else { ok("EXPUNGE completed") }
    }
}
