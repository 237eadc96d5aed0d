//! Ids that stay: MAILBOXID, EMAILID and THREADID. RFC 8474.

use base::{BlobId, MailboxId};

/// MAILBOXID: the store's id, which is never given twice and survives a rename.
pub(crate) fn mailbox_id(id: MailboxId) -> String {
    format!("F{id}")
}

/// EMAILID: the number of the content, which the store keeps once. The same bytes have the same id
/// wherever they are (RFC 8474 §5.1 wants that of copies, and allows it otherwise).
pub(crate) fn email_id(content: BlobId) -> String {
    format!("E{content}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_the_rfc() {
        assert_eq!(mailbox_id(MailboxId(7)), "F7");
        assert_eq!(email_id(BlobId(12)), "E12");
    }
}
