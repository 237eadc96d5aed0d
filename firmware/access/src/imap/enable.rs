//! ENABLE and what it turns on. RFC 5161, RFC 7162 §3.2.3, RFC 6855, RFC 9051 §6.3.1.

use super::names::{self, Pattern};
use super::reply::{Fail, Outcome, bad_name, ok};
use super::session::Session;

/// What the client turned on and nothing turns off again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Enabled {
    /// VANISHED instead of EXPUNGE. RFC 7162 §3.2.10.
    pub(super) qresync: bool,
    /// Untagged METADATA when others change annotations. RFC 5464 §4.4.
    pub(super) metadata: bool,
    /// UTF-8 in quoted strings and names. RFC 6855.
    pub(super) utf8: bool,
    /// The answers of IMAP4rev2: no RECENT, LIST in SELECT, ESEARCH for SEARCH. RFC 9051 appendix E.
    pub(super) rev2: bool,
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
                // RFC 6855 §3, RFC 9051 §6.3.1: not while a mailbox is selected.
                "UTF8=ACCEPT" if self.selected.is_none() => self.enabled.utf8 = true,
                "IMAP4REV2" if self.selected.is_none() => {
                    self.enabled.rev2 = true;
                    self.enabled.utf8 = true;
                }
                // RFC 5464 §4.1.
                "METADATA" => {
                    if self.account.is_none() {
                        continue;
                    }
                    self.enabled.metadata = true;
                    self.listen();
                }
                _ => continue,
            }
            told.push(' ');
            told.push_str(if name == "IMAP4REV2" { "IMAP4rev2" } else { name });
        }
        self.say(format_args!("ENABLED{told}"));
        ok("ENABLE completed")
    }

    fn decoded(&self, wire: &[u8]) -> Option<String> {
        if self.enabled.utf8 { names::decode_utf8(wire) } else { names::decode(wire) }
    }

    /// A mailbox name from the wire.
    pub(super) fn name(&self, wire: &[u8]) -> Result<String, Fail> {
        self.decoded(wire).ok_or_else(bad_name)
    }

    /// A name that a mailbox is to get.
    pub(super) fn new_name(&self, wire: &[u8]) -> Result<String, Fail> {
        names::new_name(self.decoded(wire)).ok_or_else(bad_name)
    }

    /// A LIST pattern from the wire; `None` matches nothing.
    pub(super) fn pattern(&self, reference: &[u8], pattern: &[u8]) -> Option<Pattern> {
        if self.enabled.utf8 {
            Pattern::new_utf8(reference, pattern)
        } else {
            Pattern::new(reference, pattern)
        }
    }

    /// Puts a name into an answer.
    pub(super) fn push_name(&self, out: &mut Vec<u8>, name: &str) {
        if self.enabled.utf8 {
            names::push_utf8(out, name);
        } else {
            names::push(out, name);
        }
    }
}
