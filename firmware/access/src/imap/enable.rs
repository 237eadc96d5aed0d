//! ENABLE. RFC 5161, RFC 7162 §3.2.3.

use super::reply::{Outcome, ok};
use super::session::Session;

/// What the client turned on and nothing turns off again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Enabled {
    /// VANISHED instead of EXPUNGE. RFC 7162 §3.2.10.
    pub(super) qresync: bool,
    /// UTF-8 in quoted strings and names. RFC 6855.
    pub(super) utf8: bool,
}

impl Session {
    /// What is not known is ignored (RFC 5161 §3.1).
    pub(super) fn enable(&mut self, names: &[String]) -> Outcome {
        let mut told = String::new();
        for name in names {
            match name.as_str() {
                "CONDSTORE" => self.is_condstore = true,
                "QRESYNC" => {
                    self.is_condstore = true;
                    self.enabled.qresync = true;
                }
                _ => continue,
            }
            told.push(' ');
            told.push_str(name);
        }
        self.say(format_args!("ENABLED{told}"));
        ok("ENABLE completed")
    }
}
