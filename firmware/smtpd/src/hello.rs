//! EHLO, HELO, LHLO. RFC 5321 §4.1.1.1, RFC 2033 §4.1.

use session::sasl::Mechanism;
use smtp::{HelloKind, Reply};

use crate::session::{Hello, Session};
use crate::{Role, replies};

impl Session {
    pub(crate) fn hello(&mut self, kind: HelloKind, name: String) -> Reply {
        // RFC 2033 §4.1: LHLO there, and HELO and EHLO nowhere but here.
        if (kind == HelloKind::Lhlo) != (self.role == Role::Lmtp) {
            return replies::NOT_HERE;
        }
        // RFC 5321 §4.1.4: EHLO in the middle ends the transaction as RSET would.
        self.transaction = None;
        let reply = match kind {
            HelloKind::Helo => Reply::plain(250, self.hostname.clone()),
            HelloKind::Ehlo | HelloKind::Lhlo => Reply::plain(250, self.offers()),
        };
        self.hello = Some(Hello { kind, name });
        reply
    }

    /// Our name and what we offer, a line each.
    fn offers(&self) -> String {
        let mut lines = vec![
            self.hostname.clone(),
            format!("SIZE {}", self.conn.ctx().budget.message_bytes_max),
            "8BITMIME".to_owned(),
            "SMTPUTF8".to_owned(),
            "PIPELINING".to_owned(),
            "CHUNKING".to_owned(),
            "ENHANCEDSTATUSCODES".to_owned(),
            "DSN".to_owned(),
        ];
        if !self.conn.is_tls() && self.account.is_none() {
            lines.push("STARTTLS".to_owned());
        }
        if self.role.offers_auth() && self.conn.may_send_password() && self.account.is_none() {
            let mechanisms = session::sasl::mechanisms(&self.conn);
            let names: Vec<&str> = mechanisms.into_iter().map(Mechanism::name).collect();
            lines.push(format!("AUTH {}", names.join(" ")));
        }
        lines.push("HELP".to_owned());
        lines.join("\n")
    }
}
