//! SEARCH, and the search program that SORT and THREAD share with it. RFC 9051 §6.4.4, RFC 3501 §6.4.4,
//! RFC 4731, RFC 5032 (WITHIN), RFC 5182 (SAVE), RFC 7162 §3.1.5, RFC 8514 §4.3.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use store::Flags;

use super::{Bad, Input, Parsed, SequenceSet};
use crate::search::fold::fold;

const DEPTH_MAX: usize = 32;
const KEYS_MAX: usize = 1000;

/// The fields of ENVELOPE that have a key of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnvelopeField {
    From,
    To,
    Cc,
    Bcc,
    Subject,
}

/// Which header field HEADER looks into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderName(pub(crate) Vec<u8>);

/// A folded text to look for.
pub(crate) type Needle = Vec<u8>;

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
    /// RFC 8514: save date before the day.
    /// EMAILID; an id that is none of ours is 0, which no content has.
    EmailId(u64),
    SavedBefore(i64),
    SavedOn(i64),
    SavedSince(i64),
    Larger(u64),
    Smaller(u64),
    /// RFC 5032: INTERNALDATE is at least these seconds ago.
    Older(u32),
    /// RFC 5032: INTERNALDATE is at most these seconds ago.
    Younger(u32),
    /// RFC 7162 §3.1.5.
    ModSeq(u64),
    Uid(SequenceSet),
    Sequence(SequenceSet),
    /// FROM, TO, CC, BCC, SUBJECT; empty: the field is there.
    Envelope(EnvelopeField, Needle),
    /// A header field holds the text; empty: the field is there.
    Header(HeaderName, Needle),
    /// The body holds the text.
    Body(Needle),
    /// Header or body hold the text.
    Text(Needle),
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

/// `search-return-opt`, RFC 4731, RFC 5182.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReturnOption {
    Min,
    Max,
    All,
    Count,
    /// The result becomes `$`.
    Save,
}

/// The charset of the texts of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// None named, UTF-8 or US-ASCII: UTF-8 where it is that, else what old clients send.
    Usual,
    Named(&'static Encoding),
    /// RFC 9051 §6.4.4: BADCHARSET.
    Unknown,
}

impl Charset {
    fn of(label: &[u8]) -> Self {
        match Encoding::for_label_no_replacement(label) {
            Some(encoding) if encoding == UTF_8 => Self::Usual,
            _ if label.eq_ignore_ascii_case(b"US-ASCII") => Self::Usual,
            Some(encoding) => Self::Named(encoding),
            None => Self::Unknown,
        }
    }

    /// The text to look for, as it is compared.
    fn needle(self, bytes: &[u8]) -> Needle {
        let encoding = match self {
            Self::Named(encoding) => encoding,
            // Some clients send 8-bit text as it is.
            _ if std::str::from_utf8(bytes).is_err() => WINDOWS_1252,
            _ => UTF_8,
        };
        fold(&encoding.decode(bytes).0)
    }
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) charset: Charset,
    pub(crate) key: Key,
}

/// The arguments of SEARCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    /// `None`: the old `* SEARCH` answer.
    pub(crate) returns: Option<Vec<ReturnOption>>,
    pub(crate) program: Program,
    /// CHARSET was given.
    pub(crate) names_charset: bool,
}

/// How deep and how many keys there may be yet, and in which charset their texts are.
struct Budget {
    depth: usize,
    keys: usize,
    charset: Charset,
}

impl Input<'_> {
    fn needle(&mut self, charset: Charset) -> Parsed<Needle> {
        self.space()?;
        self.astring().map(|bytes| charset.needle(&bytes))
    }

    /// `interval = nz-number`, RFC 5032.
    fn interval(&mut self) -> Parsed<u32> {
        self.space()?;
        self.nz_number()
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

    /// `objectid = 1*255(ALPHA / DIGIT / "_" / "-")`
    fn object_id_key(&mut self) -> Parsed<Key> {
        self.space()?;
        let id = self.astring()?;
        let is_good = (1..=255).contains(&id.len())
            && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte));
        if !is_good {
            return Err(Bad("an object id is not valid"));
        }
        let text = String::from_utf8_lossy(&id);
        let number = text.strip_prefix('E').filter(|text| !text.starts_with('0'));
        Ok(Key::EmailId(number.and_then(|text| text.parse().ok()).unwrap_or(0)))
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
            Some(b'*' | b'$' | b'0'..=b'9') => return self.sequence_set().map(Key::Sequence),
            _ => {}
        }
        let name = self.upper_atom()?;
        if let Some(key) = Self::flag_key(&name) {
            return Ok(key);
        }
        match name.as_str() {
            // RFC 8514 §4.3: every mailbox keeps save dates.
            "ALL" | "OLD" | "SAVEDATESUPPORTED" => Ok(Key::All),
            "NEW" | "RECENT" => Ok(Key::Never),
            "KEYWORD" => self.keyword_key(true),
            "UNKEYWORD" => self.keyword_key(false),
            "BEFORE" => self.date_key(Key::Before),
            "ON" => self.date_key(Key::On),
            "SINCE" => self.date_key(Key::Since),
            "SENTBEFORE" => self.date_key(Key::SentBefore),
            "SENTON" => self.date_key(Key::SentOn),
            "SENTSINCE" => self.date_key(Key::SentSince),
            "SAVEDBEFORE" => self.date_key(Key::SavedBefore),
            // RFC 8474 §6.
            "EMAILID" => self.object_id_key(),
            "THREADID" => self.object_id_key().map(|_| Key::Never),
            "SAVEDON" => self.date_key(Key::SavedOn),
            "SAVEDSINCE" => self.date_key(Key::SavedSince),
            "LARGER" => self.space().and_then(|()| self.number64()).map(Key::Larger),
            "SMALLER" => self.space().and_then(|()| self.number64()).map(Key::Smaller),
            "MODSEQ" => self.modseq_key(),
            "UID" => self.space().and_then(|()| self.sequence_set()).map(Key::Uid),
            "OLDER" => self.interval().map(Key::Older),
            "YOUNGER" => self.interval().map(Key::Younger),
            "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => {
                let field = match name.as_str() {
                    "FROM" => EnvelopeField::From,
                    "TO" => EnvelopeField::To,
                    "CC" => EnvelopeField::Cc,
                    "BCC" => EnvelopeField::Bcc,
                    _ => EnvelopeField::Subject,
                };
                Ok(Key::Envelope(field, self.needle(budget.charset)?))
            }
            "HEADER" => {
                self.space()?;
                let field = self.astring()?;
                Ok(Key::Header(HeaderName(field), self.needle(budget.charset)?))
            }
            "BODY" => self.needle(budget.charset).map(Key::Body),
            "TEXT" => self.needle(budget.charset).map(Key::Text),
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
    pub(super) fn search_returns(&mut self) -> Parsed<Vec<ReturnOption>> {
        self.space()?;
        let mut options = self.list(16, |input| match input.upper_atom()?.as_str() {
            "MIN" => Ok(ReturnOption::Min),
            "MAX" => Ok(ReturnOption::Max),
            "ALL" => Ok(ReturnOption::All),
            "COUNT" => Ok(ReturnOption::Count),
            "SAVE" => Ok(ReturnOption::Save),
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
        let mut charset = Charset::Usual;
        let names_charset = self.word("CHARSET");
        if names_charset {
            self.space()?;
            charset = Charset::of(&self.astring()?);
            self.space()?;
        }
        Ok(Search { returns, program: self.search_keys(charset)?, names_charset })
    }

    /// `search-key *(SP search-key)`
    fn search_keys(&mut self, charset: Charset) -> Parsed<Program> {
        let mut budget = Budget { depth: DEPTH_MAX, keys: KEYS_MAX, charset };
        let mut keys = vec![self.search_key(&mut budget)?];
        while self.eat(b' ') {
            if matches!(self.peek(), None | Some(b' ' | b'\r' | b'\n')) {
                continue;
            }
            keys.push(self.search_key(&mut budget)?);
        }
        Ok(Program { charset, key: Key::And(keys) })
    }

    /// `charset 1*(SP search-key)`: RFC 5256 §5 `search-criteria` behind its charset.
    pub(super) fn charset_and_keys(&mut self) -> Parsed<Program> {
        self.space()?;
        let charset = Charset::of(&self.astring()?);
        self.space()?;
        self.search_keys(charset)
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
        let found = search(" UNSEEN SINCE 1-Feb-1994 NOT FROM \"Smith\"").unwrap();
        let Key::And(keys) = found.program.key else { panic!() };
        assert_eq!(
            keys,
            [
                Key::Flag(Flags::SEEN, false),
                Key::Since(8797),
                Key::Not(Box::new(Key::Envelope(EnvelopeField::From, b"smith".to_vec()))),
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
            " SAVEDBEFORE 1-Jan-2000 SAVEDON 1-Jan-2000 SAVEDSINCE 1-Jan-2000 SAVEDATESUPPORTED",
            " OLDER 5 YOUNGER 4294967295",
            " $",
            " UID $",
            " NOT $ UID 1,$",
            " RETURN (SAVE) ALL",
            " RETURN () ALL",
            " RETURN (MIN MAX COUNT ALL) CHARSET UTF-8 SEEN",
        ] {
            assert!(search(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn texts_are_read_in_their_charset() {
        for (charset, bytes, want) in [
            ("UTF-8", "PR\u{dc}FUNG".as_bytes(), Some("prufung")),
            ("us-ascii", b"A", Some("a")),
            ("KOI8-R", b"\xf0\xd2\xc9\xd7\xc5\xd4", Some("привет")),
            ("iso-8859-1", b"K\xd6LN", Some("koln")),
            ("ISO-2022-JP", b"\x1b$BF|K\\8l\x1b(B", Some("日本語")),
            ("utf-16", b"\xfe\xff\0H\0i", Some("hi")),
            ("x-unheard-of", b"A", None),
            ("iso-2022-cn", b"A", None),
        ] {
            let charset_of = Charset::of(charset.as_bytes());
            let needle = (charset_of != Charset::Unknown).then(|| charset_of.needle(bytes));
            assert_eq!(needle.as_deref(), want.map(str::as_bytes), "{charset}");
        }
        assert_eq!(Charset::Usual.needle(b"K\xf6ln"), b"koln");
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
            " OLDER 0",
            " YOUNGER -1",
            " $1",
            " 0",
            " (SEEN",
        ] {
            assert!(search(text).is_err(), "{text}");
        }
    }
}
