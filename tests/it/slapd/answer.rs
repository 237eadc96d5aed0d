//! What ldapsearch printed, in a form that can be compared.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use testkit::Loopback;

use super::server::{ADMIN, ADMIN_PASSWORD};
use super::table::Search;

/// LDAP's sizeLimitExceeded.
const SIZE_LIMIT: i32 = 4;
/// What each server says of itself or of its own time; that it is said is compared.
const OWN: [&str; 5] =
    ["entryUUID", "createTimestamp", "modifyTimestamp", "creatorsName", "modifiersName"];

/// Operational attributes that only one of them has.
const ALONE: [&str; 3] = ["entryCSN", "postroomId", "memberOf"];

/// One entry: its DN and its lines in alphabetical order.
type Entry = (String, Vec<String>);

#[derive(Debug)]
pub(super) struct Answer {
    code: i32,
    entries: Vec<Entry>,
    /// What the controls of the answer say.
    controls: Vec<String>,
}

/// A program of ldap-utils, bound as the admin.
pub(super) fn tool(name: &str, at: Loopback) -> Command {
    // A tool that waits for ever must not keep the test waiting.
    let mut command = Command::new("timeout");
    command.args(["60", name]).env("LDAPNOINIT", "1").args([
        "-x",
        "-D",
        ADMIN,
        "-w",
        ADMIN_PASSWORD,
    ]);
    command.args(["-H", &format!("ldap://{}:{}", at.address, 389 + at.port_offset)]);
    command
}

/// Asks one server.
pub(super) fn ask(search: &Search, at: Loopback) -> Answer {
    let mut command = tool("ldapsearch", at);
    command.args(["-LLL", "-o", "ldif-wrap=no"]).args(&search.arguments);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("ldap-utils are installed");
    // After a slice it asks for the next one, and without an end; what is no slice ends it.
    child.stdin.take().unwrap().write_all(b"no more\n").ok();
    let done = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    let code = done.status.code().unwrap_or(-1);
    let mut answer = Answer { code, entries: Vec::new(), controls: Vec::new() };
    for block in text.split("\n\n") {
        let (notes, lines): (Vec<&str>, Vec<&str>) =
            block.lines().partition(|line| line.starts_with('#'));
        answer.controls.extend(notes.into_iter().filter_map(control));
        let lines: Vec<&str> =
            lines.into_iter().filter(|line| !line.starts_with("Press [")).collect();
        let Some((dn, lines)) = lines.split_first() else { continue };
        let mut lines: Vec<String> = lines.iter().filter_map(|line| masked(line)).collect();
        lines.sort();
        answer.entries.push(((*dn).to_owned(), lines));
    }
    if !search.is_sorted {
        answer.entries.sort();
    }
    answer
}

/// Results of sorting and places of slices; cookies and contexts are a server's own affair.
fn control(note: &str) -> Option<String> {
    let note = note.trim_start_matches("# ");
    let is_result = note.starts_with("sortResult") || note.starts_with("vlvResult");
    let words = note.split(' ').filter(|word| !word.starts_with("context="));
    is_result.then(|| words.collect::<Vec<_>>().join(" "))
}

fn masked(line: &str) -> Option<String> {
    match line.split_once(':') {
        Some((name, _)) if ALONE.contains(&name) => None,
        Some((name, _)) if OWN.contains(&name) => Some(name.to_owned()),
        _ => Some(line.to_owned()),
    }
}

impl Answer {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn dns(&self) -> Vec<&str> {
        self.entries.iter().map(|(dn, _)| dn.as_str()).collect()
    }

    fn sorted(&self) -> Vec<&Entry> {
        let mut sorted: Vec<_> = self.entries.iter().collect();
        sorted.sort();
        sorted
    }

    /// In which ways two answers differ.
    pub(super) fn differences(&self, other: &Self, is_sorted: bool) -> BTreeSet<String> {
        let mut kinds = BTreeSet::new();
        let mut tell = |holds: bool, kind: &str| {
            if holds {
                kinds.insert(kind.to_owned());
            }
        };
        tell(self.code != other.code, "code");
        tell(self.controls != other.controls, "controls");
        // Which entries come first is open, unless they are sorted.
        if !is_sorted && self.code == SIZE_LIMIT && other.code == SIZE_LIMIT {
            tell(self.len() != other.len(), "entries");
            return kinds;
        }
        let (mut ours, mut theirs) = (self.dns(), other.dns());
        ours.sort_unstable();
        theirs.sort_unstable();
        tell(ours != theirs, "entries");
        tell(ours == theirs && self.dns() != other.dns(), "order");
        tell(ours == theirs && self.sorted() != other.sorted(), "attributes");
        kinds
    }

    /// For people: code, controls and what `other` has not.
    pub(super) fn beside(&self, other: &Self) -> String {
        let mut text =
            format!("  code {}, {} entries {:?}\n", self.code, self.len(), self.controls);
        let mut places = self.entries.iter().zip(&other.entries);
        if let Some(at) = places.position(|(one, there)| one.0 != there.0) {
            let first: Vec<_> = self.entries.iter().skip(at).take(3).collect();
            text.push_str(&format!("    from {at}: {first:?}\n"));
        }
        let new = self.entries.iter().filter(|entry| !other.entries.contains(entry));
        for (dn, lines) in new.take(4) {
            let there = other.entries.iter().find(|(known, _)| known == dn);
            let is_new = |line: &&String| there.is_none_or(|(_, known)| !known.contains(line));
            let lines: Vec<&String> = lines.iter().filter(is_new).take(6).collect();
            text.push_str(&format!("    {dn} {lines:?}\n"));
        }
        text
    }
}
