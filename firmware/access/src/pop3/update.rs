//! DELE, RSET and QUIT. RFC 1939 §5 and §6.

use base::UidRanges;

use super::listing::gone;
use super::reply::{Answer, Fail, Outcome, text_of};
use super::session::Session;

impl Session {
    pub(super) fn dele(&mut self, message: u32) -> Outcome {
        let store = self.store();
        let maildrop = self.maildrop()?;
        let uid = maildrop.uid(message)?;
        let row = maildrop.row(&store, uid)?.ok_or_else(gone)?;
        maildrop.deleted.insert(uid);
        maildrop.deleted_octets = maildrop.deleted_octets.saturating_add(row.octets);
        Ok(Answer::Ok(format!("Message {message} is deleted").into()))
    }

    pub(super) fn rset(&mut self) -> Outcome {
        let maildrop = self.maildrop()?;
        maildrop.deleted = UidRanges::new();
        maildrop.deleted_octets = 0;
        Ok(Answer::Ok(format!("{} messages", maildrop.uids.len()).into()))
    }

    /// The UPDATE state: what is answered `+OK` is durable, and the next session may come.
    pub(super) async fn quit(&mut self) -> Outcome {
        let Some(maildrop) = self.maildrop.take() else {
            self.answer(&Answer::Ok("Goodbye".into()))?;
            return Err(Fail::End);
        };
        let deleted = maildrop.deleted.clone();
        let seen: UidRanges = maildrop.seen.iter().filter(|uid| !deleted.contains(*uid)).collect();
        let count = deleted.len();
        if !seen.is_empty() || count > 0 {
            let updated = self.store().update_maildrop(maildrop.mailbox, seen, deleted).await;
            if let Err(refused) = updated {
                let session = self.conn.session();
                tracing::warn!(session, err = %refused, "a maildrop was not updated");
                // RFC 1939 §6: some or none were removed; here none.
                self.say(format_args!("-ERR {}, nothing was deleted", text_of(&refused)));
                return Err(Fail::End);
            }
        }
        drop(maildrop);
        tracing::debug!(session = self.conn.session(), deleted = count, "pop3 quit");
        self.answer(&Answer::Ok(format!("Goodbye, {count} messages deleted").into()))?;
        Err(Fail::End)
    }
}
