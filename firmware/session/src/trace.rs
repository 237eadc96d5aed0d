//! The wire trace: `C: ` and `S: ` lines in the format of the test transcripts, secrets masked.
//!
//! Off unless an admin turns it on. Content of messages is never shown.

use std::sync::atomic::{AtomicBool, Ordering};

static ON: AtomicBool = AtomicBool::new(false);

/// Longest line shown, bytes.
const SHOWN_MAX: usize = 500;

/// Turns the trace on or off for the whole daemon.
pub fn set(on: bool) {
    ON.store(on, Ordering::Relaxed);
}

/// True while the trace is on.
#[must_use]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Shows a line of the client.
pub(crate) fn client(session: &str, line: &[u8], secret: bool) {
    if !is_on() {
        return;
    }
    let text = if secret { "<secret>".to_owned() } else { mask(&shown(line)) };
    tracing::info!(target: "wire", session, "C: {text}");
}

/// Shows what the server writes, line by line.
pub(crate) fn server(session: &str, bytes: &[u8]) {
    if !is_on() {
        return;
    }
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        tracing::info!(target: "wire", session, "S: {}", shown(line));
    }
}

/// Shows what a message of a protocol without lines says.
pub(crate) fn words(session: &str, side: char, words: impl FnOnce() -> String) {
    if is_on() {
        tracing::info!(target: "wire", session, "{side}: {}", shown(words().as_bytes()));
    }
}

fn shown(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let cut = line.get(..SHOWN_MAX).unwrap_or(line);
    String::from_utf8_lossy(cut)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Hides what follows LOGIN, PASS and AUTH(ENTICATE) MECHANISM, with or without an IMAP tag before it.
fn mask(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    for at in 0..words.len().min(2) {
        let word = words.get(at).map(|w| w.to_ascii_uppercase()).unwrap_or_default();
        let kept = match word.as_str() {
            "LOGIN" | "PASS" => at + 1,
            "AUTH" | "AUTHENTICATE" => at + 2,
            _ => continue,
        };
        if words.len() > kept {
            return format!("{} <secret>", words.get(..kept).unwrap_or_default().join(" "));
        }
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn passwords_are_masked() {
        for (line, seen) in [
            ("a1 LOGIN anna \"se cret\"", "a1 LOGIN <secret>"),
            ("a1 login {4}", "a1 login <secret>"),
            ("a1  LOGIN anna secret", "a1 LOGIN <secret>"),
            ("AUTH PLAIN AGFubmE=", "AUTH PLAIN <secret>"),
            ("AUTH PLAIN", "AUTH PLAIN"),
            ("x AUTHENTICATE PLAIN AGFubmE=", "x AUTHENTICATE PLAIN <secret>"),
            ("PASS secret", "PASS <secret>"),
            ("a2 SELECT INBOX", "a2 SELECT INBOX"),
        ] {
            assert_eq!(mask(line), seen);
        }
    }
}
