//! CAPA. RFC 2449 §5.

use session::sasl::{Mechanism, mechanisms};

use super::reply::{Answer, Outcome};
use super::session::Session;

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
            let names: Vec<&str> =
                mechanisms(&self.conn).into_iter().map(Mechanism::name).collect();
            self.say(format_args!("SASL {}", names.join(" ")));
        }
        if !self.conn.is_tls() && self.maildrop.is_none() {
            self.say(format_args!("STLS"));
        }
        self.say(format_args!("."));
        Ok(Answer::Given)
    }
}
