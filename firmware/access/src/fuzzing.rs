//! Doors for `tests/fuzz`: what the grammars must do with any bytes. Nothing else may use them.
//!
//! # Panics
//! Where a grammar does not keep what it promises: that is what the fuzzer looks for.

use crate::imap::fuzzing;
use crate::pop3;

/// One whole IMAP command with its literals.
pub fn imap_command(bytes: &[u8]) {
    fuzzing::command(bytes);
    fuzzing::names(bytes);
}

/// One POP3 line.
pub fn pop3_command(bytes: &[u8]) {
    if let Err(bad) = pop3::parse::command(bytes) {
        assert!(!bad.0.is_empty(), "a refusal has words");
    }
}
