//! GETMETADATA and SETMETADATA. RFC 5464 §5.

use super::{Bad, Input, Parsed};

/// Entries named by one command.
const ENTRIES_MAX: usize = 128;
const ENTRY_BYTES_MAX: usize = 512;

/// How far below an entry GETMETADATA looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Depth {
    #[default]
    Zero,
    One,
    Infinity,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MetadataQuery {
    /// In lower case.
    pub(crate) entries: Vec<String>,
    pub(crate) depth: Depth,
    pub(crate) size_max: Option<u64>,
}

/// What a client asks of annotations; an empty mailbox name is the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MetadataCommand {
    Get { mailbox: Vec<u8>, query: MetadataQuery },
    Set { mailbox: Vec<u8>, values: Vec<(String, Option<Vec<u8>>)> },
}

impl Input<'_> {
    /// `entry = astring`: slash-separated, begins with `/private` or `/shared`; RFC 5464 §3.2.
    pub(super) fn metadata_entry(&mut self) -> Parsed<String> {
        const WHY: Bad = Bad("this is not the name of an annotation");
        let entry = String::from_utf8(self.astring()?).map_err(|_| WHY)?.to_ascii_lowercase();
        let is_in = |space: &str| {
            entry.strip_prefix(space).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_good = (is_in("/private") || is_in("/shared"))
            && entry.len() <= ENTRY_BYTES_MAX
            && !entry.contains("//")
            && !entry.ends_with('/')
            && entry.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*' && byte != b'%');
        if is_good { Ok(entry) } else { Err(WHY) }
    }

    /// `entries = entry / "(" entry *(SP entry) ")"`
    pub(super) fn metadata_entries(&mut self) -> Parsed<Vec<String>> {
        let entries = if self.peek() == Some(b'(') {
            self.list(ENTRIES_MAX, Self::metadata_entry)?
        } else {
            vec![self.metadata_entry()?]
        };
        if entries.is_empty() { Err(Bad("no annotation is named")) } else { Ok(entries) }
    }

    /// `"(" getmetadata-option *(SP getmetadata-option) ")"`; nothing is eaten of a list of entries.
    pub(super) fn metadata_options(&mut self, query: &mut MetadataQuery) -> Parsed<bool> {
        let begins_option = matches!(self.rest, [b'(', byte, ..] if byte.is_ascii_alphabetic());
        if !begins_option {
            return Ok(false);
        }
        self.list(4, |input| {
            match input.upper_atom()?.as_str() {
                "MAXSIZE" => {
                    input.space()?;
                    query.size_max = Some(input.number64()?);
                }
                "DEPTH" => {
                    input.space()?;
                    query.depth = match input.upper_atom()?.as_str() {
                        "0" => Depth::Zero,
                        "1" => Depth::One,
                        "INFINITY" => Depth::Infinity,
                        _ => return Err(Bad("DEPTH is 0, 1 or infinity")),
                    };
                }
                _ => return Err(Bad("unknown GETMETADATA option")),
            }
            Ok(())
        })?;
        Ok(true)
    }

    /// `getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries`; the RFC's examples
    /// have the options behind the mailbox.
    fn get_metadata(&mut self) -> Parsed<MetadataCommand> {
        let mut query = MetadataQuery::default();
        self.space()?;
        if self.metadata_options(&mut query)? {
            self.space()?;
        }
        let mailbox = self.astring()?;
        self.space()?;
        if self.metadata_options(&mut query)? {
            self.space()?;
        }
        query.entries = self.metadata_entries()?;
        Ok(MetadataCommand::Get { mailbox, query })
    }

    /// `value = nstring / literal8`
    fn metadata_value(&mut self) -> Parsed<Option<Vec<u8>>> {
        if matches!(self.rest, [b'~', b'{', ..]) {
            self.eat(b'~');
            return self.literal().map(Some);
        }
        self.nstring()
    }

    /// `setmetadata = "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")"`
    fn set_metadata(&mut self) -> Parsed<MetadataCommand> {
        let mailbox = self.mailbox_argument()?;
        self.space()?;
        let values = self.list(ENTRIES_MAX, |input| {
            let entry = input.metadata_entry()?;
            if entry.matches('/').count() < 2 {
                return Err(Bad("this is not the name of an annotation"));
            }
            input.space()?;
            Ok((entry, input.metadata_value()?))
        })?;
        let mut names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() || names.len() < values.len() {
            return Err(Bad("each annotation is set once, and one at least"));
        }
        Ok(MetadataCommand::Set { mailbox, values })
    }

    /// The command of that name; `None` if it is another.
    pub(super) fn metadata_command(&mut self, name: &str) -> Option<Parsed<MetadataCommand>> {
        match name {
            "GETMETADATA" => Some(self.get_metadata()),
            "SETMETADATA" => Some(self.set_metadata()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, command};
    use super::*;

    fn parsed(text: &str) -> Option<MetadataCommand> {
        match command(format!("a {text}\r\n").as_bytes()).ok()?.command {
            Command::Metadata(command) => Some(*command),
            _ => None,
        }
    }

    #[test]
    fn commands_of_the_rfc_are_read() {
        for text in [
            "GETMETADATA \"\" /shared/comment",
            "GETMETADATA \"INBOX\" (/shared/comment /private/comment)",
            "GETMETADATA \"INBOX\" /private",
            "SETMETADATA INBOX (/private/comment {33+}\r\nMy new comment across\r\ntwo lines. )",
            "SETMETADATA INBOX (/private/comment NIL)",
            "SETMETADATA INBOX (/private/comment \"My new\" /shared/comment ~{2}\r\n\0x)",
        ] {
            assert!(parsed(text).is_some(), "{text}");
        }
        for text in [
            "GETMETADATA \"INBOX\" (MAXSIZE 1024 DEPTH infinity) (/shared/Comment)",
            "GETMETADATA (DEPTH INFINITY MAXSIZE 1024) INBOX /SHARED/comment",
        ] {
            let Some(MetadataCommand::Get { query, .. }) = parsed(text) else { panic!("{text}") };
            assert_eq!((query.size_max, query.depth), (Some(1024), Depth::Infinity));
            assert_eq!(query.entries, ["/shared/comment"]);
        }
    }

    #[test]
    fn bad_commands_are_refused() {
        for text in [
            "GETMETADATA INBOX comment",
            "GETMETADATA INBOX /other/x",
            "GETMETADATA INBOX /private//x",
            "GETMETADATA INBOX /private/x/",
            "GETMETADATA INBOX \"/private/x*\"",
            "GETMETADATA INBOX ()",
            "GETMETADATA INBOX (DEPTH 2) /private/x",
            "GETMETADATA INBOX (FOO) /private/x",
            "SETMETADATA INBOX ()",
            "SETMETADATA INBOX (/private x)",
            "SETMETADATA INBOX (/private/a NIL /private/A NIL)",
            "SETMETADATA INBOX (/private/a)",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
