//! SEARCH. RFC 9051 §6.4.4, RFC 4731 (ESEARCH), RFC 7162 §3.1.5.
//!
//! Keys that a row answers are asked first. What needs the content of messages runs away from the
//! runtime's threads, a few messages at a time.

use std::cell::OnceCell;
use std::sync::Arc;

use base::clock::Civil;
use base::{MailboxId, ModSeq, Uid, UidRanges};
use mail_parser::parsers::MessageStream;
use message::{Structure, header_fields};
use store::{Row, Store, StoreError};

use super::parse::{HeaderName, Key, Numbers, ReturnOption, Search};
use super::reply::{Fail, Outcome, no, ok};
use super::session::Session;
use super::text;
use super::view::{Sequence, View};

/// Rows at once where rows suffice, and where messages are read.
const SLICE: usize = 500;
const SLICE_OF_CONTENTS: usize = 25;

/// A search key with its sequence sets resolved; the cheap ones of an `And` stand first.
#[derive(Debug)]
enum Test {
    /// Answered by the row alone.
    Row(Key),
    Uids(UidRanges),
    SentDay(Key),
    Header(HeaderName, String),
    Body(String),
    Text(String),
    Not(Box<Test>),
    Or(Box<Test>, Box<Test>),
    And(Vec<Test>),
}

impl Test {
    fn of(key: Key, view: &View) -> Self {
        match key {
            Key::Uid(set) => Self::Uids(view.find(&set, Numbers::Uid)),
            Key::Sequence(set) => Self::Uids(view.find(&set, Numbers::Sequence)),
            Key::Not(key) => Self::Not(Box::new(Self::of(*key, view))),
            Key::Or(one, other) => {
                Self::Or(Box::new(Self::of(*one, view)), Box::new(Self::of(*other, view)))
            }
            Key::And(keys) => {
                let mut tests: Vec<Self> =
                    keys.into_iter().map(|key| Self::of(key, view)).collect();
                tests.sort_by_key(Self::cost);
                Self::And(tests)
            }
            Key::Header(name, needle) => Self::Header(name, needle),
            Key::Body(needle) => Self::Body(needle),
            Key::Text(needle) => Self::Text(needle),
            key @ (Key::SentBefore(_) | Key::SentOn(_) | Key::SentSince(_)) => Self::SentDay(key),
            key => Self::Row(key),
        }
    }

    /// 0: the row; 1: the header; 2: the whole message.
    fn cost(&self) -> u8 {
        match self {
            Self::Row(_) | Self::Uids(_) => 0,
            Self::SentDay(_) | Self::Header(..) => 1,
            Self::Body(_) | Self::Text(_) => 2,
            Self::Not(test) => test.cost(),
            Self::Or(one, other) => one.cost().max(other.cost()),
            Self::And(tests) => tests.iter().map(Self::cost).max().unwrap_or(0),
        }
    }

    /// Only messages among these can match.
    fn narrow(&self, among: UidRanges) -> UidRanges {
        match self {
            Self::Uids(uids) => among.intersection(uids),
            Self::And(tests) => tests.iter().fold(among, |among, test| test.narrow(among)),
            _ => among,
        }
    }
}

/// One message under test; what is read of it is read once.
struct Candidate<'a> {
    store: &'a Store,
    row: &'a Row,
    structure: OnceCell<Option<Structure>>,
    header: OnceCell<Vec<u8>>,
}

impl<'a> Candidate<'a> {
    fn new(store: &'a Store, row: &'a Row) -> Self {
        Self { store, row, structure: OnceCell::new(), header: OnceCell::new() }
    }

    /// A message that cannot be read matches nothing that needs its content.
    fn readable<T>(&self, read: Result<T, StoreError>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(err) => {
                tracing::error!(uid = %self.row.uid, %err, "a message cannot be searched");
                None
            }
        }
    }

    fn structure(&self) -> Option<&Structure> {
        self.structure.get_or_init(|| self.readable(self.store.structure(&self.row.blob))).as_ref()
    }

    fn header(&self) -> &[u8] {
        self.header.get_or_init(|| {
            let root = self.structure().map(|structure| &structure.root);
            root.and_then(|root| self.readable(text::header_of(self.store, self.row, root)))
                .unwrap_or_default()
        })
    }

    /// RFC 9051 §6.4.4: the field is there and holds the text.
    fn has_field(&self, name: &[u8], needle: &str) -> bool {
        header_fields(self.header())
            .any(|field| field.is(name) && text::field_text(&field).contains(needle))
    }

    /// The day of the Date field as it is written, whatever its zone.
    fn sent_day(&self) -> Option<i64> {
        let field = header_fields(self.header()).find(|field| field.is(b"Date"))?;
        let mut line = field.unfolded();
        line.push(b'\n');
        let date = MessageStream::new(&line).parse_date().into_datetime()?;
        let (month, day) = (date.month, date.day);
        let civil = Civil {
            year: i64::from(date.year),
            month,
            day,
            hour: 0,
            minute: 0,
            second: 0,
            weekday: 0,
        };
        let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
        is_date.then(|| civil.to_secs().div_euclid(86_400))
    }

    fn is_in_body(&self, needle: &str) -> bool {
        let root = self.structure().map(|structure| &structure.root);
        root.and_then(|root| self.readable(text::is_in_body(self.store, self.row, root, needle)))
            .unwrap_or(false)
    }

    fn passes(&self, test: &Test) -> bool {
        match test {
            Test::Row(key) => row_matches(self.row, key),
            Test::Uids(uids) => uids.contains(self.row.uid),
            Test::SentDay(key) => self.sent_day().is_some_and(|day| match key {
                Key::SentBefore(wanted) => day < *wanted,
                Key::SentOn(wanted) => day == *wanted,
                Key::SentSince(wanted) => day >= *wanted,
                _ => false,
            }),
            Test::Header(HeaderName(name), needle) => self.has_field(name, needle),
            Test::Body(needle) => self.is_in_body(needle),
            Test::Text(needle) => {
                text::is_in_header(self.header(), needle) || self.is_in_body(needle)
            }
            Test::Not(test) => !self.passes(test),
            Test::Or(one, other) => self.passes(one) || self.passes(other),
            Test::And(tests) => tests.iter().all(|test| self.passes(test)),
        }
    }
}

/// Keys that need nothing but the row.
fn row_matches(row: &Row, key: &Key) -> bool {
    let day = || row.internal_date.secs().div_euclid(86_400);
    let has = |keyword: &String| {
        row.flags.keywords.iter().any(|known| known.eq_ignore_ascii_case(keyword))
    };
    match key {
        Key::All => true,
        Key::Flag(bit, is_set) => (row.flags.system & bit != 0) == *is_set,
        Key::Keyword(keyword, is_set) => has(keyword) == *is_set,
        Key::Before(wanted) => day() < *wanted,
        Key::On(wanted) => day() == *wanted,
        Key::Since(wanted) => day() >= *wanted,
        Key::Larger(size) => row.size > *size,
        Key::Smaller(size) => row.size < *size,
        Key::ModSeq(modseq) => row.modseq.0 >= *modseq,
        _ => false,
    }
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    uids: UidRanges,
    first_modseq: ModSeq,
    last_modseq: ModSeq,
    highest_modseq: ModSeq,
}

impl Found {
    fn add(&mut self, uid: Uid, modseq: ModSeq) {
        if self.uids.is_empty() {
            self.first_modseq = modseq;
        }
        self.last_modseq = modseq;
        self.highest_modseq = self.highest_modseq.max(modseq);
        self.uids.insert(uid);
    }

    /// RFC 7162 §3.1.10: of what is returned.
    fn modseq(&self, returns: &[ReturnOption]) -> ModSeq {
        let only = |option| returns.iter().all(|known| *known == option);
        let is_ends = returns.iter().all(|o| matches!(o, ReturnOption::Min | ReturnOption::Max));
        if only(ReturnOption::Min) {
            self.first_modseq
        } else if only(ReturnOption::Max) {
            self.last_modseq
        } else if is_ends {
            self.first_modseq.max(self.last_modseq)
        } else {
            self.highest_modseq
        }
    }
}

/// Tests rows, in the thread that calls.
fn test_rows(store: &Store, rows: &[Row], test: &Test) -> Vec<(Uid, ModSeq)> {
    rows.iter()
        .filter(|row| Candidate::new(store, row).passes(test))
        .map(|row| (row.uid, row.modseq))
        .collect()
}

/// Tests the messages of `among`.
async fn find(
    store: &Store,
    mailbox: MailboxId,
    among: &UidRanges,
    test: Test,
) -> Result<Found, Fail> {
    let reads_contents = test.cost() > 0;
    let slice = if reads_contents { SLICE_OF_CONTENTS } else { SLICE };
    let test = Arc::new(test);
    let mut found = Found::default();
    for &(first, last) in among.ranges() {
        let mut from = first;
        while from <= last {
            let rows = store.rows(mailbox, Uid(from), Uid(last), slice)?;
            let Some(end) = rows.last().map(|row| row.uid.0) else { break };
            let is_full = rows.len() == slice;
            let matching = if reads_contents {
                let (store, test) = (store.clone(), Arc::clone(&test));
                let testing = tokio::task::spawn_blocking(move || test_rows(&store, &rows, &test));
                testing.await.map_err(|_| no("[SERVERBUG] Internal error"))?
            } else {
                tokio::task::yield_now().await;
                test_rows(store, &rows, &test)
            };
            for (uid, modseq) in matching {
                found.add(uid, modseq);
            }
            if !is_full {
                break;
            }
            from = end.saturating_add(1);
        }
    }
    Ok(found)
}

impl Session {
    pub(super) async fn search(&mut self, tag: &str, search: Search, numbers: Numbers) -> Outcome {
        if !search.is_charset_known {
            return Err(no("[BADCHARSET (US-ASCII UTF-8)] This charset is not known"));
        }
        let wants_modseq = search.key.any(&|key| matches!(key, Key::ModSeq(_)));
        self.is_condstore |= wants_modseq;
        let store = self.store();
        let selected = self.selected()?;
        let test = Test::of(search.key, &selected.view);
        let among = test.narrow(selected.view.uids().clone());
        let found = find(&store, selected.mailbox, &among, test).await?;
        let numbered = match numbers {
            Numbers::Uid => found.uids.clone(),
            Numbers::Sequence => {
                let view = selected.view.uids().clone();
                let mut sequence = Sequence::over(&view);
                found.uids.iter().filter_map(|uid| sequence.of(uid)).map(Uid).collect()
            }
        };
        match search.returns {
            Some(returns) => {
                let modseq = wants_modseq.then(|| found.modseq(&returns));
                let line = esearch(tag, numbers, &numbered, &returns, modseq);
                self.conn.write(line.as_bytes());
            }
            None => {
                let modseq = wants_modseq.then_some(found.highest_modseq);
                self.write_search(&numbered, modseq).await?;
            }
        }
        ok("SEARCH completed")
    }

    /// `* SEARCH 2 84 882`
    async fn write_search(
        &mut self,
        numbered: &UidRanges,
        modseq: Option<ModSeq>,
    ) -> Result<(), Fail> {
        self.conn.write(b"* SEARCH");
        for number in numbered.iter() {
            self.conn.write(format!(" {number}").as_bytes());
            self.flush_if_full().await?;
        }
        // RFC 7162 §3.1.6: not with an empty result.
        if let Some(modseq) = modseq
            && !numbered.is_empty()
        {
            self.conn.write(format!(" (MODSEQ {modseq})").as_bytes());
        }
        self.conn.write(b"\r\n");
        Ok(())
    }
}

/// RFC 4731 §3.1: `* ESEARCH (TAG "a1") UID MIN 2 COUNT 3`.
fn esearch(
    tag: &str,
    numbers: Numbers,
    numbered: &UidRanges,
    returns: &[ReturnOption],
    modseq: Option<ModSeq>,
) -> String {
    let mut line = format!("* ESEARCH (TAG \"{tag}\")");
    if numbers == Numbers::Uid {
        line.push_str(" UID");
    }
    let has = |option| returns.contains(&option);
    if let (Some(first), Some(last)) = (numbered.first(), numbered.last()) {
        if has(ReturnOption::Min) {
            line.push_str(&format!(" MIN {first}"));
        }
        if has(ReturnOption::Max) {
            line.push_str(&format!(" MAX {last}"));
        }
        if has(ReturnOption::All) {
            line.push_str(&format!(" ALL {numbered}"));
        }
    }
    if has(ReturnOption::Count) {
        line.push_str(&format!(" COUNT {}", numbered.len()));
    }
    if let Some(modseq) = modseq.filter(|_| !numbered.is_empty()) {
        line.push_str(&format!(" MODSEQ {modseq}"));
    }
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use base::{BlobId, Timestamp};
    use store::Flags;

    use super::*;

    fn row() -> Row {
        Row {
            uid: Uid(7),
            flags: Flags { system: Flags::SEEN, keywords: vec!["$Junk".into()] },
            modseq: ModSeq(5),
            size: 100,
            internal_date: Timestamp::from_secs(86_400 + 5),
            zone_minutes: 0,
            saved: None,
            blob: BlobId(1),
        }
    }

    #[test]
    fn rows_answer_what_they_can() {
        for (key, want) in [
            (Key::All, true),
            (Key::Never, false),
            (Key::Flag(Flags::SEEN, true), true),
            (Key::Flag(Flags::DELETED, false), true),
            (Key::Flag(Flags::SEEN, false), false),
            (Key::Keyword("$junk".into(), true), true),
            (Key::Keyword("x".into(), false), true),
            (Key::On(1), true),
            (Key::Before(1), false),
            (Key::Since(1), true),
            (Key::Since(2), false),
            (Key::Larger(100), false),
            (Key::Larger(99), true),
            (Key::Smaller(101), true),
            (Key::ModSeq(5), true),
            (Key::ModSeq(6), false),
        ] {
            assert_eq!(row_matches(&row(), &key), want, "{key:?}");
        }
    }

    #[test]
    fn esearch_is_written() {
        let found: UidRanges = [2, 3, 9].into_iter().map(Uid).collect();
        let all = [ReturnOption::Min, ReturnOption::Max, ReturnOption::All, ReturnOption::Count];
        assert_eq!(
            esearch("a1", Numbers::Uid, &found, &all, Some(ModSeq(4))),
            "* ESEARCH (TAG \"a1\") UID MIN 2 MAX 9 ALL 2:3,9 COUNT 3 MODSEQ 4\r\n"
        );
        assert_eq!(
            esearch("a1", Numbers::Sequence, &UidRanges::new(), &all, None),
            "* ESEARCH (TAG \"a1\") COUNT 0\r\n"
        );
    }
}
