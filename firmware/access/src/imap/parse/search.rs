//! SEARCH. RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731, RFC 7162 §3.1.5.

use store::Flags;

use super::{Bad, Input, Parsed, SequenceSet};

const DEPTH_MAX: usize = 32;
const KEYS_MAX: usize = 1000;

/// Which header fields a key looks into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderName(pub(crate) Vec<u8>);

/// `search-key`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// ALL, OLD.
    All,
    /// NEW, RECENT: nothing is ever `\Recent`, the flag left IMAP with RFC 9051.
    Never,
    /// A system flag that is set (true) or not.
    Flag(u8, bool),
    /// A keyword that is set (true) or not.
    Keyword(String, bool),
    /// INTERNALDATE before the day.
    Before(i64),
    /// INTERNALDATE on the day.
    On(i64),
    /// INTERNALDATE on or after the day.
    Since(i64),
    /// Date field before the day.
    SentBefore(i64),
    /// Date field on the day.
    SentOn(i64),
    /// Date field on or after the day.
    SentSince(i64),
    Larger(u64),
    Smaller(u64),
    /// RFC 7162 §3.1.5.
    ModSeq(u64),
    Uid(SequenceSet),
    Sequence(SequenceSet),
    /// A header field holds the text, in lower case; empty: the field is there.
    Header(HeaderName, String),
    /// The body holds the text.
    Body(String),
    /// Header or body hold the text.
    Text(String),
    Not(Box<Key>),
    Or(Box<Key>, Box<Key>),
    And(Vec<Key>),
}

impl Key {
    /// True if any part of the key fulfils `test`.
    pub(crate) fn any(&self, test: &impl Fn(&Self) -> bool) -> bool {
        test(self)
            || match self {
                Self::Not(key) => key.any(test),
                Self::Or(one, other) => one.any(test) || other.any(test),
                Self::And(keys) => keys.iter().any(|key| key.any(test)),
                _ => false,
            }
    }
}

/// `search-return-opt`, RFC 4731.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReturnOption {
    Min,
    Max,
    All,
    Count,
}

/// The arguments of SEARCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    /// `None`: the old `* SEARCH` answer.
    pub(crate) returns: Option<Vec<ReturnOption>>,
    /// False if CHARSET named one that is not known.
    pub(crate) is_charset_known: bool,
    pub(crate) key: Key,
}

/// How deep and how many keys there may be yet.
struct Budget {
    depth: usize,
    keys: usize,
}

/// The text to look for, in lower case. Without CHARSET some clients send 8-bit text as it is: UTF-8
/// if it is valid, else Latin-1.
fn needle(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|err| err.into_bytes().into_iter().map(char::from).collect());
    // As the text is folded: character by character.
    text.chars().flat_map(char::to_lowercase).collect()
}

impl Input<'_> {
    fn needle(&mut self) -> Parsed<String> {
        self.space()?;
        self.astring().map(needle)
    }

    fn header_key(&mut self, name: &str) -> Parsed<Key> {
        Ok(Key::Header(HeaderName(name.as_bytes().to_vec()), self.needle()?))
    }

    fn date_key(&mut self, key: fn(i64) -> Key) -> Parsed<Key> {
        self.space()?;
        self.date().map(key)
    }

    fn keyword_key(&mut self, is_set: bool) -> Parsed<Key> {
        self.space()?;
        let keyword = self.astring()?;
        Ok(Key::Keyword(String::from_utf8_lossy(&keyword).into_owned(), is_set))
    }

    /// `"MODSEQ" [search-modseq-ext] SP mod-sequence-valzer`; the entry (RFC 7162 §3.1.5) changes
    /// nothing: there is one modseq for all flags.
    fn modseq_key(&mut self) -> Parsed<Key> {
        self.space()?;
        if self.peek() == Some(b'"') {
            self.quoted()?;
            self.space()?;
            if !(self.word("priv") || self.word("shared") || self.word("all")) {
                return Err(Bad("unknown MODSEQ entry type"));
            }
            self.space()?;
        }
        self.number64().map(Key::ModSeq)
    }

    /// The keys that are one word: `ALL`, `SEEN`, `UNSEEN`, …
    fn flag_key(name: &str) -> Option<Key> {
        let (is_set, flag) = match name.strip_prefix("UN") {
            Some(flag) => (false, flag),
            None => (true, name),
        };
        let bit = match flag {
            "SEEN" => Flags::SEEN,
            "ANSWERED" => Flags::ANSWERED,
            "FLAGGED" => Flags::FLAGGED,
            "DELETED" => Flags::DELETED,
            "DRAFT" => Flags::DRAFT,
            _ => return None,
        };
        Some(Key::Flag(bit, is_set))
    }

    /// `search-key`
    fn search_key(&mut self, budget: &mut Budget) -> Parsed<Key> {
        budget.keys = budget.keys.checked_sub(1).ok_or(Bad("too many search keys"))?;
        match self.peek() {
            Some(b'(') => return self.nested(budget),
            Some(b'*' | b'0'..=b'9') => return self.sequence_set().map(Key::Sequence),
            _ => {}
        }
        let name = self.upper_atom()?;
        if let Some(key) = Self::flag_key(&name) {
            return Ok(key);
        }
        match name.as_str() {
            "ALL" | "OLD" => Ok(Key::All),
            "NEW" | "RECENT" => Ok(Key::Never),
            "KEYWORD" => self.keyword_key(true),
            "UNKEYWORD" => self.keyword_key(false),
            "BEFORE" => self.date_key(Key::Before),
            "ON" => self.date_key(Key::On),
            "SINCE" => self.date_key(Key::Since),
            "SENTBEFORE" => self.date_key(Key::SentBefore),
            "SENTON" => self.date_key(Key::SentOn),
            "SENTSINCE" => self.date_key(Key::SentSince),
            "LARGER" => self.space().and_then(|()| self.number64()).map(Key::Larger),
            "SMALLER" => self.space().and_then(|()| self.number64()).map(Key::Smaller),
            "MODSEQ" => self.modseq_key(),
            "UID" => self.space().and_then(|()| self.sequence_set()).map(Key::Uid),
            "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => self.header_key(&name),
            "HEADER" => {
                self.space()?;
                let field = self.astring()?;
                Ok(Key::Header(HeaderName(field), self.needle()?))
            }
            "BODY" => self.needle().map(Key::Body),
            "TEXT" => self.needle().map(Key::Text),
            "NOT" => Ok(Key::Not(Box::new(self.deeper(budget)?))),
            "OR" => {
                let one = self.deeper(budget)?;
                Ok(Key::Or(Box::new(one), Box::new(self.deeper(budget)?)))
            }
            _ => Err(Bad("unknown search key")),
        }
    }

    /// `SP search-key` one level deeper.
    fn deeper(&mut self, budget: &mut Budget) -> Parsed<Key> {
        self.space()?;
        budget.depth = budget.depth.checked_sub(1).ok_or(Bad("a search is nested too deeply"))?;
        let key = self.search_key(budget)?;
        budget.depth += 1;
        Ok(key)
    }

    /// `"(" search-key *(SP search-key) ")"`
    fn nested(&mut self, budget: &mut Budget) -> Parsed<Key> {
        budget.depth = budget.depth.checked_sub(1).ok_or(Bad("a search is nested too deeply"))?;
        let keys = self.list(KEYS_MAX, |input| input.search_key(budget))?;
        budget.depth += 1;
        if keys.is_empty() { Err(Bad("an empty search")) } else { Ok(Key::And(keys)) }
    }

    /// `search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"`
    fn search_returns(&mut self) -> Parsed<Vec<ReturnOption>> {
        self.space()?;
        let mut options = self.list(16, |input| match input.upper_atom()?.as_str() {
            "MIN" => Ok(ReturnOption::Min),
            "MAX" => Ok(ReturnOption::Max),
            "ALL" => Ok(ReturnOption::All),
            "COUNT" => Ok(ReturnOption::Count),
            _ => Err(Bad("unknown SEARCH return option")),
        })?;
        // RFC 4731 §3.1: an empty list means ALL.
        if options.is_empty() {
            options.push(ReturnOption::All);
        }
        Ok(options)
    }

    /// `search = "SEARCH" [search-return-opts] SP search-program`
    pub(super) fn search(&mut self) -> Parsed<Search> {
        self.space()?;
        let mut returns = None;
        if self.word("RETURN") {
            returns = Some(self.search_returns()?);
            self.space()?;
        }
        let mut is_charset_known = true;
        if self.word("CHARSET") {
            self.space()?;
            let charset = self.astring()?.to_ascii_uppercase();
            is_charset_known = matches!(charset.as_slice(), b"UTF-8" | b"US-ASCII");
            self.space()?;
        }
        let mut budget = Budget { depth: DEPTH_MAX, keys: KEYS_MAX };
        let mut keys = vec![self.search_key(&mut budget)?];
        while self.eat(b' ') {
            if matches!(self.peek(), None | Some(b' ' | b'\r' | b'\n')) {
                continue;
            }
            keys.push(self.search_key(&mut budget)?);
        }
        Ok(Search { returns, is_charset_known, key: Key::And(keys) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(text: &str) -> Parsed<Search> {
        let mut input = Input::new(text.as_bytes());
        let search = input.search()?;
        input.end()?;
        Ok(search)
    }

    #[test]
    fn keys_are_read() {
        let Key::And(keys) = search(" UNSEEN SINCE 1-Feb-1994 NOT FROM \"Smith\"").unwrap().key
        else {
            panic!()
        };
        assert_eq!(
            keys,
            [
                Key::Flag(Flags::SEEN, false),
                Key::Since(8797),
                Key::Not(Box::new(Key::Header(HeaderName(b"FROM".to_vec()), "smith".into()))),
            ]
        );
    }

    #[test]
    fn all_of_the_rfc_is_understood() {
        for text in [
            " ALL",
            " ANSWERED",
            " BCC x",
            " BEFORE 1-Jan-2000",
            " BODY \"a b\"",
            " CC x",
            " DELETED",
            " DRAFT",
            " FLAGGED",
            " FROM {3}\r\nabc",
            " HEADER Message-ID \"\"",
            " KEYWORD $Junk",
            " LARGER 10",
            " NEW",
            " NOT SEEN",
            " OLD",
            " ON 1-Jan-2000",
            " OR SEEN FLAGGED",
            " RECENT",
            " SEEN",
            " SENTBEFORE 1-Jan-2000",
            " SENTON 1-Jan-2000",
            " SENTSINCE 1-Jan-2000",
            " SINCE 1-Jan-2000",
            " SMALLER 10",
            " SUBJECT x",
            " TEXT x",
            " TO x",
            " UID 1:*",
            " UNANSWERED",
            " UNDELETED",
            " UNDRAFT",
            " UNFLAGGED",
            " UNKEYWORD x",
            " UNSEEN",
            " 1:3,7",
            " MODSEQ 12",
            " MODSEQ \"/flags/\\\\draft\" all 12",
            " (SEEN (FLAGGED DELETED)) 1",
            " CHARSET UTF-8 TEXT \"\u{e4}\"",
            " RETURN () ALL",
            " RETURN (MIN MAX COUNT ALL) CHARSET UTF-8 SEEN",
        ] {
            assert!(search(text).is_ok(), "{text}");
        }
        assert!(!search(" CHARSET KOI8-R ALL").unwrap().is_charset_known);
    }

    #[test]
    fn deep_and_long_searches_are_refused() {
        let deep = |count| format!(" {}SEEN{}", "(".repeat(count), ")".repeat(count));
        assert!(search(&deep(DEPTH_MAX)).is_ok() && search(&deep(DEPTH_MAX + 1)).is_err());
        let nots = |count| format!(" {}SEEN", "NOT ".repeat(count));
        assert!(search(&nots(DEPTH_MAX)).is_ok() && search(&nots(10_000)).is_err());
        assert!(search(&" SEEN".repeat(KEYS_MAX + 1)).is_err());
    }

    #[test]
    fn what_is_no_search_is_refused() {
        for text in [
            "",
            " ",
            " FOO",
            " ()",
            " OR SEEN",
            " NOT",
            " KEYWORD",
            " RETURN (FOO) ALL",
            " 0",
            " (SEEN",
        ] {
            assert!(search(text).is_err(), "{text}");
        }
    }
}
