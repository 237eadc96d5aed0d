//! What a search asks of a message, ordered by what an answer costs.
//!
//! An answer is yes, no, or open: a test is asked again as more of the message is known, and nothing is
//! read once it is decided.

use base::{Timestamp, UidRanges};
use store::Row;

use super::candidate::{Fields, Mail};
use crate::imap::parse::{EnvelopeField, HeaderName, Key, Needle, Numbers};
use crate::imap::view::View;
use crate::search::needles::{Hits, Needles};

/// What must be read of a message to decide a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cost {
    /// Its row.
    Row,
    /// The stored fields of ENVELOPE.
    Mail,
    /// Its header.
    Header,
    /// All of it.
    Content,
}

/// The Date field, as days since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    Before(i64),
    On(i64),
    Since(i64),
}

/// A search key with its sequence sets resolved and its times fixed; the cheap ones of an `And` stand
/// first.
#[derive(Debug)]
pub(super) enum Test {
    /// Answered by the row alone.
    Row(Key),
    /// INTERNALDATE at or before.
    Older(Timestamp),
    /// INTERNALDATE at or after.
    Younger(Timestamp),
    Uids(UidRanges),
    Sent(Sent),
    Envelope(EnvelopeField, Needle),
    Header(HeaderName, Needle),
    /// A text in the body, or anywhere in the message.
    Content {
        needle: usize,
        in_header: bool,
    },
    Not(Box<Test>),
    Or(Box<Test>, Box<Test>),
    And(Vec<Test>),
}

/// What is known of a message so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) row: &'a Row,
    pub(super) mail: Option<&'a Mail>,
    pub(super) fields: Option<&'a Fields>,
    pub(super) hits: Option<&'a Hits>,
}

impl Test {
    pub(super) fn of(key: Key, view: &View, now: Timestamp, needles: &mut Needles) -> Self {
        match key {
            Key::Uid(set) => Self::Uids(view.find(&set, Numbers::Uid)),
            Key::Sequence(set) => Self::Uids(view.find(&set, Numbers::Sequence)),
            Key::Older(secs) => Self::Older(now.plus_secs(-i64::from(secs))),
            Key::Younger(secs) => Self::Younger(now.plus_secs(-i64::from(secs))),
            Key::Not(key) => Self::Not(Box::new(Self::of(*key, view, now, needles))),
            Key::Or(one, other) => Self::Or(
                Box::new(Self::of(*one, view, now, needles)),
                Box::new(Self::of(*other, view, now, needles)),
            ),
            Key::And(keys) => {
                let mut tests: Vec<Self> =
                    keys.into_iter().map(|key| Self::of(key, view, now, needles)).collect();
                tests.sort_by_key(Self::cost);
                Self::And(tests)
            }
            Key::SentBefore(day) => Self::Sent(Sent::Before(day)),
            Key::SentOn(day) => Self::Sent(Sent::On(day)),
            Key::SentSince(day) => Self::Sent(Sent::Since(day)),
            Key::Envelope(field, needle) => Self::Envelope(field, needle),
            Key::Header(name, needle) => Self::Header(name, needle),
            // Every message holds the empty text.
            Key::Body(needle) | Key::Text(needle) if needle.is_empty() => Self::Row(Key::All),
            Key::Body(needle) => Self::Content { needle: needles.add(&needle), in_header: false },
            Key::Text(needle) => Self::Content { needle: needles.add(&needle), in_header: true },
            key => Self::Row(key),
        }
    }

    pub(super) fn cost(&self) -> Cost {
        match self {
            Self::Row(_) | Self::Uids(_) | Self::Older(_) | Self::Younger(_) => Cost::Row,
            Self::Sent(_) | Self::Envelope(..) => Cost::Mail,
            Self::Header(name, needle) if Mail::knows(name, needle) => Cost::Mail,
            Self::Header(..) => Cost::Header,
            Self::Content { .. } => Cost::Content,
            Self::Not(test) => test.cost(),
            Self::Or(one, other) => one.cost().max(other.cost()),
            Self::And(tests) => tests.iter().map(Self::cost).max().unwrap_or(Cost::Row),
        }
    }

    /// True if a part of the test is decided by just this much of a message.
    pub(super) fn needs(&self, cost: Cost) -> bool {
        match self {
            Self::Not(test) => test.needs(cost),
            Self::Or(one, other) => one.needs(cost) || other.needs(cost),
            Self::And(tests) => tests.iter().any(|test| test.needs(cost)),
            test => test.cost() == cost,
        }
    }

    /// Only messages among these can match.
    pub(super) fn narrow(&self, among: UidRanges) -> UidRanges {
        match self {
            Self::Uids(uids) => among.intersection(uids),
            Self::And(tests) => tests.iter().fold(among, |among, test| test.narrow(among)),
            _ => among,
        }
    }

    /// Whether the message passes; `None` while that is open.
    pub(super) fn ask(&self, facts: Facts<'_>) -> Option<bool> {
        match self {
            Self::Row(key) => Some(row_matches(facts.row, key)),
            Self::Older(at) => Some(facts.row.internal_date.secs() <= at.secs()),
            Self::Younger(at) => Some(facts.row.internal_date.secs() >= at.secs()),
            Self::Uids(uids) => Some(uids.contains(facts.row.uid)),
            Self::Sent(sent) => facts.mail.map(|mail| {
                mail.sent_day().is_some_and(|day| match sent {
                    Sent::Before(wanted) => day < *wanted,
                    Sent::On(wanted) => day == *wanted,
                    Sent::Since(wanted) => day >= *wanted,
                })
            }),
            Self::Envelope(field, needle) => facts.mail.map(|mail| mail.has(*field, needle)),
            Self::Header(name, needle) if Mail::knows(name, needle) => {
                facts.mail.map(|mail| mail.has_named(name, needle))
            }
            Self::Header(name, needle) => facts.fields.map(|fields| fields.has(name, needle)),
            Self::Content { needle, in_header } => {
                facts.hits.and_then(|hits| hits.has(*needle, *in_header))
            }
            Self::Not(test) => test.ask(facts).map(|passes| !passes),
            Self::Or(one, other) => match one.ask(facts) {
                Some(true) => Some(true),
                first => match (first, other.ask(facts)) {
                    (_, Some(true)) => Some(true),
                    (Some(false), second) => second,
                    _ => None,
                },
            },
            Self::And(tests) => {
                let mut all = Some(true);
                for test in tests {
                    match test.ask(facts) {
                        Some(true) => {}
                        Some(false) => return Some(false),
                        None => all = None,
                    }
                }
                all
            }
        }
    }
}

/// Keys that need nothing but the row.
fn row_matches(row: &Row, key: &Key) -> bool {
    // RFC 9051 §6.4.4: the day as it was given, whatever its zone.
    let day = || {
        let secs = row.internal_date.secs() + i64::from(row.zone_minutes) * 60;
        secs.div_euclid(86_400)
    };
    // RFC 8514 §4.3: where no save date is known, INTERNALDATE stands for it.
    let saved_day = || row.saved.map_or_else(day, |saved| saved.secs().div_euclid(86_400));
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
        Key::SavedBefore(wanted) => saved_day() < *wanted,
        Key::SavedOn(wanted) => saved_day() == *wanted,
        Key::SavedSince(wanted) => saved_day() >= *wanted,
        Key::EmailId(id) => row.blob.0 == *id,
        Key::Larger(size) => row.size > *size,
        Key::Smaller(size) => row.size < *size,
        Key::ModSeq(modseq) => row.modseq.0 >= *modseq,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use base::{BlobId, ModSeq, Uid};
    use store::Flags;

    use super::*;

    fn row() -> Row {
        Row {
            uid: Uid(7),
            flags: Flags { system: Flags::SEEN, keywords: vec!["$Junk".into()] },
            modseq: ModSeq(5),
            size: 100,
            internal_date: Timestamp::from_secs(86_400 - 3_600),
            // Its day is the next one there.
            zone_minutes: 120,
            saved: Some(Timestamp::from_secs(5 * 86_400)),
            blob: BlobId(1),
        }
    }

    fn test(key: Key, needles: &mut Needles) -> Test {
        Test::of(key, &View::default(), Timestamp::from_secs(86_400 - 3_600 + 55), needles)
    }

    fn ask(test: &Test, hits: Option<&Hits>) -> Option<bool> {
        test.ask(Facts { row: &row(), mail: None, fields: None, hits })
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
            (Key::SavedOn(5), true),
            (Key::SavedBefore(5), false),
            (Key::SavedSince(5), true),
            (Key::Larger(100), false),
            (Key::Larger(99), true),
            (Key::Smaller(101), true),
            (Key::ModSeq(5), true),
            (Key::ModSeq(6), false),
            // RFC 5032 §3: both ends count.
            (Key::Older(55), true),
            (Key::Older(56), false),
            (Key::Younger(55), true),
            (Key::Younger(54), false),
        ] {
            let asked = ask(&test(key.clone(), &mut Needles::default()), None);
            assert_eq!(asked, Some(want), "{key:?}");
        }
    }

    #[test]
    fn open_answers_stay_open() {
        let mut needles = Needles::default();
        let open = || Key::Body(b"x".to_vec());
        let [yes, no] = [Key::All, Key::Never];
        let or = |one: Key, other: Key| Key::Or(Box::new(one), Box::new(other));
        for (key, want) in [
            (open(), None),
            (Key::Not(Box::new(open())), None),
            (or(open(), yes.clone()), Some(true)),
            (or(open(), no.clone()), None),
            (or(no.clone(), open()), None),
            (Key::And(vec![open(), no.clone()]), Some(false)),
            (Key::And(vec![open(), yes.clone()]), None),
            (Key::Text(Vec::new()), Some(true)),
        ] {
            assert_eq!(ask(&test(key.clone(), &mut needles), None), want, "{key:?}");
        }
        let mut hits = Hits::new(&needles);
        assert_eq!(ask(&test(open(), &mut needles), Some(&hits)), None);
        hits.is_complete = true;
        assert_eq!(ask(&test(open(), &mut needles), Some(&hits)), Some(false));
    }
}
