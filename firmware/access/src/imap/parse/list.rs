//! LIST, LSUB, XLIST and STATUS. RFC 9051 §6.3.9 and §6.3.11, RFC 5258, RFC 5819, RFC 6154.

use super::{Bad, Input, MetadataQuery, Parsed};

const PATTERNS_MAX: usize = 32;
const PATTERN_BYTES_MAX: usize = 1024;

/// The command that was given; the answer repeats its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    List,
    Lsub,
    /// Gmail's forerunner of RFC 6154.
    Xlist,
}

/// `status-att`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    /// RFC 9208 §4.1.4.
    DeletedStorage,
    Size,
    HighestModSeq,
    AppendLimit,
    /// RFC 8474 §4.3.
    MailboxId,
}

/// The arguments of LIST, LSUB and XLIST.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option word of RFC 5258")]
pub(crate) struct List {
    pub(crate) kind: ListKind,
    pub(crate) reference: Vec<u8>,
    pub(crate) patterns: Vec<Vec<u8>>,
    /// Select SUBSCRIBED.
    pub(crate) only_subscribed: bool,
    /// Select SPECIAL-USE.
    pub(crate) only_special_use: bool,
    /// Select RECURSIVEMATCH.
    pub(crate) is_recursive: bool,
    /// RETURN (SUBSCRIBED).
    pub(crate) shows_subscribed: bool,
    /// RETURN (MYRIGHTS), RFC 8440.
    pub(crate) shows_rights: bool,
    /// RETURN (METADATA (…)), RFC 9590.
    pub(crate) metadata: Option<Box<MetadataQuery>>,
    /// RETURN (STATUS (…)).
    pub(crate) status: Option<Vec<StatusItem>>,
    /// RFC 5258 in the request: then `LIST "" ""` is a pattern like any other.
    pub(crate) is_extended: bool,
}

impl Input<'_> {
    /// `status-att-list = "(" status-att *(SP status-att) ")"`
    pub(super) fn status_items(&mut self) -> Parsed<Vec<StatusItem>> {
        let items = self.list(32, |input| {
            Ok(match input.upper_atom()?.as_str() {
                "MESSAGES" => StatusItem::Messages,
                "RECENT" => StatusItem::Recent,
                "UIDNEXT" => StatusItem::UidNext,
                "UIDVALIDITY" => StatusItem::UidValidity,
                "UNSEEN" => StatusItem::Unseen,
                "DELETED-STORAGE" => StatusItem::DeletedStorage,
                "DELETED" => StatusItem::Deleted,
                "SIZE" => StatusItem::Size,
                "HIGHESTMODSEQ" => StatusItem::HighestModSeq,
                "MAILBOXID" => StatusItem::MailboxId,
                "APPENDLIMIT" => StatusItem::AppendLimit,
                _ => return Err(Bad("unknown STATUS item")),
            })
        })?;
        if items.is_empty() { Err(Bad("no STATUS items")) } else { Ok(items) }
    }

    /// `list-select-opts = "(" [list-select-opt *(SP list-select-opt)] ")"`
    fn select_options(&mut self, list: &mut List) -> Parsed<()> {
        self.list(16, |input| {
            match input.upper_atom()?.as_str() {
                "SUBSCRIBED" => list.only_subscribed = true,
                "SPECIAL-USE" => list.only_special_use = true,
                "RECURSIVEMATCH" => list.is_recursive = true,
                // All mailboxes are here, those of others are listed anyway: none is remote.
                "REMOTE" => {}
                _ => return Err(Bad("unknown LIST selection option")),
            }
            Ok(())
        })?;
        // RFC 5258 §3.1: RECURSIVEMATCH alone, or with REMOTE only, is an error.
        if list.is_recursive && !list.only_subscribed && !list.only_special_use {
            return Err(Bad("RECURSIVEMATCH needs another selection option"));
        }
        list.shows_subscribed |= list.only_subscribed;
        Ok(())
    }

    /// `list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"`
    fn return_options(&mut self, list: &mut List) -> Parsed<()> {
        if !self.word("RETURN") {
            return Err(Bad("unexpected text after the mailbox pattern"));
        }
        list.is_extended = true;
        self.space()?;
        self.list(16, |input| {
            match input.upper_atom()?.as_str() {
                "SUBSCRIBED" => list.shows_subscribed = true,
                "MYRIGHTS" => list.shows_rights = true,
                "METADATA" => {
                    // RFC 9590 §5: "METADATA" [SP getmetadata-options] SP entries
                    let mut query = MetadataQuery::default();
                    input.space()?;
                    if input.metadata_options(&mut query)? {
                        input.space()?;
                    }
                    query.entries = input.metadata_entries()?;
                    list.metadata = Some(Box::new(query));
                }
                // Both are always told.
                "CHILDREN" | "SPECIAL-USE" => {}
                "STATUS" => {
                    input.space()?;
                    list.status = Some(input.status_items()?);
                }
                _ => return Err(Bad("unknown LIST return option")),
            }
            Ok(())
        })?;
        Ok(())
    }

    fn pattern(&mut self) -> Parsed<Vec<u8>> {
        let pattern = self.list_mailbox()?;
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(Bad("a pattern is too long"));
        }
        Ok(pattern)
    }

    /// `list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`
    pub(super) fn list_command(&mut self, kind: ListKind) -> Parsed<List> {
        let mut list = List {
            kind,
            reference: Vec::new(),
            patterns: Vec::new(),
            only_subscribed: false,
            only_special_use: false,
            is_recursive: false,
            shows_subscribed: false,
            shows_rights: false,
            metadata: None,
            status: None,
            is_extended: false,
        };
        self.space()?;
        let may_extend = kind == ListKind::List;
        if may_extend && self.peek() == Some(b'(') {
            list.is_extended = true;
            self.select_options(&mut list)?;
            self.space()?;
        }
        list.reference = self.astring()?;
        if list.reference.len() > PATTERN_BYTES_MAX {
            return Err(Bad("a reference name is too long"));
        }
        self.space()?;
        if may_extend && self.peek() == Some(b'(') {
            list.is_extended = true;
            list.patterns = self.list(PATTERNS_MAX, Self::pattern)?;
        } else {
            list.patterns.push(self.pattern()?);
        }
        while self.eat(b' ') {}
        if may_extend && !matches!(self.peek(), None | Some(b'\r' | b'\n')) {
            self.return_options(&mut list)?;
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Parsed<List> {
        let mut input = Input::new(text.as_bytes());
        let list = input.list_command(ListKind::List)?;
        input.end()?;
        Ok(list)
    }

    #[test]
    fn all_forms_are_read() {
        let plain = list(" \"\" *").unwrap();
        assert_eq!((plain.patterns, plain.is_extended), (vec![b"*".to_vec()], false));
        let full = list(" (SUBSCRIBED RECURSIVEMATCH) \"\" (\"INBOX\" \"a/%\") RETURN (CHILDREN STATUS (MESSAGES SIZE) SPECIAL-USE)").unwrap();
        assert_eq!(full.patterns.len(), 2);
        assert!(full.only_subscribed && full.shows_subscribed && full.is_recursive);
        assert_eq!(full.status, Some(vec![StatusItem::Messages, StatusItem::Size]));
        // Thunderbird.
        assert!(list(" (subscribed) \"\" \"*\" return (special-use)").unwrap().only_subscribed);
    }

    #[test]
    fn bad_forms_are_refused() {
        for text in [
            "",
            " \"\"",
            " (RECURSIVEMATCH) \"\" *",
            " (FOO) \"\" *",
            " \"\" * RETURN (FOO)",
            " \"\" * x",
            " \"\" * RETURN (STATUS ())",
        ] {
            assert!(list(text).is_err(), "{text}");
        }
        assert!(list(&format!(" \"\" {}", "%".repeat(2000))).is_err());
    }
}
