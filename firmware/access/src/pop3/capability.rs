//! CAPA. RFC 2449 §5.

use super::reply::{Answer, Outcome};
use super::session::Session;

/// The SASL mechanisms, the best first. LOGIN is obsolete and what Outlook looks for.
pub(super) const MECHANISMS: [&str; 2] = ["PLAIN", "LOGIN"];

/// Told in every state.
const ALWAYS: [&str; 7] = [
    "TOP",
    "UIDL",
    "RESP-CODES",
    "AUTH-RESP-CODE",
    "PIPELINING",
    "EXPIRE NEVER",
    "IMPLEMENTATION Postroom",
];

impl Session {
    pub(super) fn capa(&mut self) -> Outcome {
        self.say(format_args!("+OK Capability list follows"));
        for capability in ALWAYS {
            self.say(format_args!("{capability}"));
        }
        // RFC 2595 §4 and §5: no password in the clear.
        if self.conn.may_send_password() {
            self.say(format_args!("USER"));
            self.say(format_args!("SASL {}", MECHANISMS.join(" ")));
        }
        if !self.conn.is_tls() && self.maildrop.is_none() {
            self.say(format_args!("STLS"));
        }
        self.say(format_args!("."));
        Ok(Answer::Given)
    }
}
