//! GETMETADATA and SETMETADATA. RFC 5464, and RFC 6154 §4 for `/private/specialuse`.
//!
//! Shared entries of a mailbox are for who may read and change flags there (`l`, `r`, `w`); the RFC asks
//! for less, but a reader should not write on everybody's wall. Shared entries of the server are the
//! admins'. `/shared/admin` is where the postmaster reads.

use base::AccountId;
use store::{AnnotationScope, Found, Rights, SpecialUse, Store, StoreError};

use super::emit;
use super::parse::{Depth, MetadataCommand, MetadataQuery};
use super::reply::{Answer, Fail, Outcome, no, ok};
use super::rights::no_permission;
use super::session::Session;

/// RFC 5464 §3.3: one of these beside `l`.
const ONE_OF: Rights =
    Rights::READ.and(Rights::SEEN).and(Rights::WRITE).and(Rights::INSERT).and(Rights::POST);

const SPECIAL_USE: &str = "/private/specialuse";
const SERVER_ADMIN: &str = "/shared/admin";

/// What entries are about, with the name in the answer.
struct Subject {
    scope: AnnotationScope,
    name: String,
    found: Option<Found>,
}

/// True if the rights allow annotations of the mailbox to be seen.
pub(super) fn shows_annotations(rights: Rights) -> bool {
    rights.has(Rights::LOOKUP) && rights.has_any(ONE_OF)
}

/// RFC 5464 §4.3: no value may have more than `max` bytes.
pub(super) fn value_too_large(max: usize) -> Answer {
    Answer::No(format!("[METADATA MAXSIZE {max}] The value is too large").into())
}

/// The answer of a command that told annotations; RFC 5464 §4.2.1: `longest` was left out for its size.
pub(super) fn told(longest: Option<usize>, done: &'static str) -> Outcome {
    match longest {
        Some(size) => Ok(Answer::Ok(format!("[METADATA LONGENTRIES {size}] {done}").into())),
        None => ok(done),
    }
}

fn special_use_name(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Archive => "\\Archive",
    }
}

fn special_use_of(value: &[u8]) -> Option<SpecialUse> {
    let all = [
        SpecialUse::Drafts,
        SpecialUse::Sent,
        SpecialUse::Trash,
        SpecialUse::Junk,
        SpecialUse::Archive,
    ];
    let value = value.trim_ascii();
    all.into_iter().find(|known| special_use_name(*known).as_bytes().eq_ignore_ascii_case(value))
}

/// True if `entry` is `asked` or as far below it as `depth` says.
fn is_asked(entry: &str, asked: &str, depth: Depth) -> bool {
    let Some(rest) = entry.strip_prefix(asked) else { return false };
    match (rest.strip_prefix('/'), depth) {
        _ if rest.is_empty() => true,
        (None, _) | (_, Depth::Zero) => false,
        (Some(below), Depth::One) => !below.contains('/'),
        (Some(_), Depth::Infinity) => true,
    }
}

/// `nstring / literal8`: never an atom.
fn push_value(out: &mut Vec<u8>, value: &[u8]) {
    let is_quotable = |byte: &u8| *byte >= b' ' && *byte < 0x7f;
    if value.iter().all(is_quotable) && value.len() < 1024 {
        out.push(b'"');
        for byte in value {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        out.push(b'"');
        return;
    }
    let mark = if value.contains(&0) { "~" } else { "" };
    out.extend_from_slice(format!("{mark}{{{}}}\r\n", value.len()).as_bytes());
    out.extend_from_slice(value);
}

impl Session {
    pub(super) async fn metadata(&mut self, command: MetadataCommand) -> Outcome {
        let account = self.account()?;
        match command {
            MetadataCommand::Get { mailbox, query } => {
                let subject = self.subject(&mailbox)?;
                let entries = self.annotations(account, &subject)?;
                let longest = self.write_metadata(&subject.name, &entries, &query);
                told(longest, "GETMETADATA completed")
            }
            MetadataCommand::Set { mailbox, values } => {
                let subject = self.subject(&mailbox)?;
                self.set_metadata(account, &subject, values).await
            }
        }
    }

    fn subject(&self, mailbox: &[u8]) -> Result<Subject, Fail> {
        if mailbox.is_empty() {
            let scope = AnnotationScope::Server;
            return Ok(Subject { scope, name: String::new(), found: None });
        }
        let name = self.name(mailbox)?;
        let found = self.open_named(&name, shows_annotations)?;
        let scope = AnnotationScope::Mailbox(found.mailbox.id);
        Ok(Subject { scope, name: found.name.clone(), found: Some(found) })
    }

    /// The entries of a mailbox that an account sees, computed ones too.
    pub(super) fn mailbox_annotations(
        &self,
        account: AccountId,
        mailbox: &store::Mailbox,
    ) -> Result<Vec<(String, Vec<u8>)>, Fail> {
        let scope = AnnotationScope::Mailbox(mailbox.id);
        let mut entries = self.store().annotations(scope, account)?;
        if let Some(special_use) = mailbox.special_use {
            let value = special_use_name(special_use).as_bytes().to_vec();
            entries.push((SPECIAL_USE.to_owned(), value));
        }
        Ok(entries)
    }

    fn annotations(
        &self,
        account: AccountId,
        subject: &Subject,
    ) -> Result<Vec<(String, Vec<u8>)>, Fail> {
        if let Some(found) = &subject.found {
            return self.mailbox_annotations(account, &found.mailbox);
        }
        let store = self.store();
        let mut entries = store.annotations(subject.scope, account)?;
        if let Some(domain) = store.domains()?.first() {
            let uri = format!("mailto:postmaster@{}", domain.name.as_str());
            entries.push((SERVER_ADMIN.to_owned(), uri.into_bytes()));
        }
        Ok(entries)
    }

    /// `* METADATA mailbox (entry value …)`; the size of the longest value that was left out.
    pub(super) fn write_metadata(
        &mut self,
        name: &str,
        entries: &[(String, Vec<u8>)],
        query: &MetadataQuery,
    ) -> Option<usize> {
        let mut longest = None;
        let mut told: Vec<(&str, Option<&[u8]>)> = Vec::new();
        for asked in &query.entries {
            let before = told.len();
            let mut is_long = false;
            for (entry, value) in entries.iter().filter(|e| is_asked(&e.0, asked, query.depth)) {
                if query.size_max.is_some_and(|max| value.len() as u64 > max) {
                    longest = longest.max(Some(value.len()));
                    is_long = true;
                } else if !told.iter().any(|known| known.0 == entry) {
                    told.push((entry, Some(value)));
                }
            }
            let is_one = query.depth == Depth::Zero && !is_long && told.len() == before;
            if is_one && !told.iter().any(|known| known.0 == asked) {
                told.push((asked, None));
            }
        }
        if told.is_empty() {
            return longest;
        }
        let mut line = b"* METADATA ".to_vec();
        self.push_name(&mut line, name);
        for (n, (entry, value)) in told.into_iter().enumerate() {
            line.extend_from_slice(if n == 0 { b" (" } else { b" " });
            emit::push_astring(&mut line, entry.as_bytes());
            line.push(b' ');
            match value {
                Some(value) => push_value(&mut line, value),
                None => line.extend_from_slice(b"NIL"),
            }
        }
        line.extend_from_slice(b")\r\n");
        self.conn.write(&line);
        longest
    }

    /// Refuses what the account may not set; takes the special use out of the values.
    fn check_values(
        &self,
        subject: &Subject,
        values: &mut Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<Option<Option<SpecialUse>>, Fail> {
        let is_shared = values.iter().any(|(entry, _)| entry.starts_with("/shared/"));
        match &subject.found {
            None if is_shared && !self.is_admin()? => return Err(no_permission()),
            None if values.iter().any(|(entry, _)| entry == SERVER_ADMIN) => {
                return Err(no("[CANNOT] This entry is read-only"));
            }
            Some(found) if is_shared && !found.rights.has(Rights::READ.and(Rights::WRITE)) => {
                return Err(no_permission());
            }
            _ => {}
        }
        let Some(at) = values.iter().position(|(entry, _)| entry == SPECIAL_USE) else {
            return Ok(None);
        };
        let (_, value) = values.remove(at);
        let is_own =
            subject.found.as_ref().is_some_and(|f| Some(f.mailbox.account) == self.account);
        if !is_own {
            return Err(no("[CANNOT] Only your own mailboxes have special uses"));
        }
        match value {
            None => Ok(Some(None)),
            Some(value) => match special_use_of(&value) {
                Some(special_use) => Ok(Some(Some(special_use))),
                None => Err(no("[USEATTR] This special use is not known here")),
            },
        }
    }

    async fn set_metadata(
        &mut self,
        account: AccountId,
        subject: &Subject,
        mut values: Vec<(String, Option<Vec<u8>>)>,
    ) -> Outcome {
        let max = Store::annotation_bytes_max();
        if values.iter().any(|(_, value)| value.as_ref().is_some_and(|v| v.len() > max)) {
            return Err(Fail::Answer(value_too_large(max)));
        }
        let special_use = self.check_values(subject, &mut values)?;
        let origin = self.listener_number();
        let store = self.store();
        match store.set_annotations(subject.scope, account, values, special_use, origin).await {
            Ok(()) => ok("SETMETADATA completed"),
            Err(StoreError::LimitReached(_)) => {
                Err(no("[METADATA TOOMANY] There are too many annotations"))
            }
            Err(StoreError::Exists) => Err(no("[USEATTR] Another mailbox has this special use")),
            Err(err) => Err(err.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_reaches_as_far_as_it_says() {
        for (entry, asked, depth, want) in [
            ("/private/a", "/private/a", Depth::Zero, true),
            ("/private/a/b", "/private/a", Depth::Zero, false),
            ("/private/a/b", "/private/a", Depth::One, true),
            ("/private/a/b/c", "/private/a", Depth::One, false),
            ("/private/a/b/c", "/private/a", Depth::Infinity, true),
            ("/private/ab", "/private/a", Depth::Infinity, false),
            ("/private/ab", "/private", Depth::One, true),
        ] {
            assert_eq!(is_asked(entry, asked, depth), want, "{entry} {asked} {depth:?}");
        }
    }

    #[test]
    fn values_are_strings() {
        for (value, want) in [
            (&b"x"[..], "\"x\""),
            (b"a\"b", "\"a\\\"b\""),
            (b"a\r\nb", "{4}\r\na\r\nb"),
            (b"\0", "~{1}\r\n\0"),
        ] {
            let mut out = Vec::new();
            push_value(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
        assert_eq!(special_use_of(b"\\sent"), Some(SpecialUse::Sent));
        assert_eq!(special_use_of(b"\\All"), None);
    }
}
