//! STATUS. RFC 9051 §6.3.11, RFC 7162 §3.1.7, RFC 7889 §4, RFC 8438.

use store::{Mailbox, Rights};

use super::objectid::mailbox_id;
use super::parse::StatusItem;
use super::reply::{Outcome, ok};
use super::session::Session;

impl Session {
    pub(super) fn status(&mut self, mailbox: &[u8], items: &[StatusItem]) -> Outcome {
        let found = self.open(mailbox, Rights::READ)?;
        self.write_status(&found.name, &found.mailbox, items);
        ok("STATUS completed")
    }

    /// `* STATUS mailbox (…)`
    pub(super) fn write_status(&mut self, name: &str, mailbox: &Mailbox, items: &[StatusItem]) {
        // RFC 7162 §3.1: asking for HIGHESTMODSEQ turns CONDSTORE on.
        self.is_condstore |= items.contains(&StatusItem::HighestModSeq);
        let store = self.store();
        let limit = self.conn.ctx().budget.message_bytes_max;
        let told: Vec<String> = items
            .iter()
            .map(|item| match item {
                StatusItem::Messages => format!("MESSAGES {}", mailbox.exists),
                StatusItem::Recent => "RECENT 0".to_owned(),
                StatusItem::UidNext => format!("UIDNEXT {}", mailbox.uid_next),
                StatusItem::UidValidity => format!("UIDVALIDITY {}", mailbox.uid_validity),
                StatusItem::Unseen => format!("UNSEEN {}", mailbox.unseen),
                StatusItem::Deleted => format!("DELETED {}", mailbox.deleted),
                StatusItem::DeletedStorage => {
                    // A mailbox that went meanwhile has none.
                    let bytes = store.deleted_bytes(mailbox.id).unwrap_or_default();
                    format!("DELETED-STORAGE {bytes}")
                }
                StatusItem::Size => format!("SIZE {}", mailbox.bytes),
                StatusItem::HighestModSeq => format!("HIGHESTMODSEQ {}", mailbox.highest_modseq),
                StatusItem::MailboxId => format!("MAILBOXID ({})", mailbox_id(mailbox.id)),
                StatusItem::AppendLimit => format!("APPENDLIMIT {limit}"),
            })
            .collect();
        let mut line = b"* STATUS ".to_vec();
        self.push_name(&mut line, name);
        line.extend_from_slice(format!(" ({})\r\n", told.join(" ")).as_bytes());
        self.conn.write(&line);
    }
}
