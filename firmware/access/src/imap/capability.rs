//! CAPABILITY. RFC 9051 §6.1.1.

use super::session::Session;

/// Told before and after login. IDLE and ID stand here too: Outlook looks for them before it logs in
/// and polls if they are not there.
const ALWAYS: &str = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE";

/// Told after login.
const LOGGED_IN: &str = "NAMESPACE UIDPLUS MOVE SPECIAL-USE CREATE-SPECIAL-USE CHILDREN UNSELECT \
    CONDSTORE QRESYNC MULTIAPPEND CATENATE BINARY REPLACE PREVIEW SAVEDATE ESEARCH SEARCHRES WITHIN SORT \
    SORT=DISPLAY ESORT THREAD=REFERENCES THREAD=ORDEREDSUBJECT LIST-EXTENDED LIST-STATUS \
    STATUS=SIZE QUOTA QUOTA=RES-STORAGE";

/// Of rights, quotas and what is known of mailboxes.
const SHARING: &str = "QUOTA=RES-MESSAGE QUOTASET ACL RIGHTS=kxte LIST-MYRIGHTS OBJECTID METADATA \
    LIST-METADATA NOTIFY";

/// What the session may do now.
pub(super) fn list(of: &Session) -> String {
    let conn = &of.conn;
    if of.account.is_some() {
        let limit = conn.ctx().budget.message_bytes_max;
        let compress = if conn.is_compressed() { "" } else { " COMPRESS=DEFLATE" };
        return format!("{ALWAYS} {LOGGED_IN} {SHARING} UTF8=ACCEPT APPENDLIMIT={limit}{compress}");
    }
    let mut words = ALWAYS.to_owned();
    if !conn.is_tls() {
        words.push_str(" STARTTLS");
    }
    // RFC 9051 §6.2.3: no password in the clear.
    let mechanisms = session::sasl::mechanisms(conn);
    if mechanisms.is_empty() {
        words.push_str(" LOGINDISABLED");
    }
    for mechanism in mechanisms {
        words.push_str(&format!(" AUTH={}", mechanism.name()));
    }
    words
}
