//! ENABLE. RFC 5161.

use super::reply::{Outcome, ok};
use super::session::Session;

impl Session {
    /// Only CONDSTORE can be enabled; what is not known is ignored (RFC 5161 §3.1).
    pub(super) fn enable(&mut self, names: &[String]) -> Outcome {
        let is_asked = names.iter().any(|name| name == "CONDSTORE");
        self.is_condstore |= is_asked;
        self.say(format_args!("ENABLED{}", if is_asked { " CONDSTORE" } else { "" }));
        ok("ENABLE completed")
    }
}
