//! Threads as RFC 5256 §3 makes them, small enough to be read.

use proptest::prelude::*;

use super::*;

fn written(forest: &Forest) -> String {
    let mut text = String::new();
    for token in forest.tokens() {
        match token {
            Token::Open if text.ends_with(|last: char| last.is_ascii_digit()) => {
                text.push_str(" (");
            }
            Token::Open => text.push('('),
            Token::Close => text.push(')'),
            Token::Message(uid) => {
                if !text.is_empty() && !text.ends_with('(') {
                    text.push(' ');
                }
                text.push_str(&uid.to_string());
            }
        }
    }
    text
}

/// (id, references, subject) of messages 1, 2, 3, … a second apart.
fn threads(messages: &[(&str, &str, &str)]) -> Threads {
    let numbers = Numbers::default();
    let mut threads = Threads::default();
    for (uid, (id, references, subject)) in (1u32..).zip(messages) {
        let ids = |text: &str| {
            let ids: Vec<String> = text.split_whitespace().map(|id| format!("<{id}@x>")).collect();
            (!ids.is_empty()).then(|| ids.join(" "))
        };
        let mail = MailHeader {
            subject: Some((*subject).to_owned()),
            message_id: ids(id),
            references: ids(references),
            ..MailHeader::default()
        };
        threads.add(&numbers.links(uid, i64::from(uid), &mail, true));
    }
    threads
}

#[test]
fn references_make_threads() {
    for (messages, want) in [
        (&[][..], ""),
        (&[("a", "", "s")], "(1)"),
        (&[("a", "", "s"), ("b", "a", "Re: s"), ("c", "a b", "Re: s")], "(1 2 3)"),
        (&[("a", "", "s"), ("b", "a", "Re: s"), ("c", "a", "Re: s")], "(1 (2)(3))"),
        // The parent comes later; the root is not there at all.
        (&[("b", "a", "x"), ("a", "", "y")], "(2 1)"),
        (&[("b", "a", "x"), ("c", "a", "y")], "((1)(2))"),
        (&[("b", "gone", "x")], "(1)"),
        (&[("c", "gone lost", "x"), ("d", "gone lost", "y"), ("e", "gone", "z")], "((1)(2)(3))"),
        // A loop is not followed.
        (&[("a", "b", "x"), ("b", "a", "y")], "(2 1)"),
        (&[("a", "a", "x")], "(1)"),
        // A truncated list of references is mended by the message's own.
        (&[("c", "a", "x"), ("d", "a c", "x"), ("c2", "b", "y")], "(1 2)(3)"),
        // Two messages with one id: the first has it.
        (&[("a", "", "x"), ("a", "", "y"), ("b", "a", "z")], "(1 3)(2)"),
        // No id, no reference.
        (&[("", "", ""), ("", "", "")], "(1)(2)"),
    ] {
        assert_eq!(written(&threads(messages).by_references()), want, "{messages:?}");
    }
}

#[test]
fn subjects_join_threads() {
    for (messages, want) in [
        (&[("a", "", "s"), ("b", "", "Re: s")][..], "(1 2)"),
        (&[("a", "", "Re: s"), ("b", "", "s")], "(2 1)"),
        (&[("a", "", "s"), ("b", "", "s")], "((1)(2))"),
        (&[("a", "", "s"), ("b", "", "s"), ("c", "", "s")], "((1)(2)(3))"),
        (&[("a", "", "s"), ("b", "", "s"), ("c", "", "Re: s")], "((1)(2)(3))"),
        (&[("a", "", "Re: s"), ("b", "", "Re: s")], "((1)(2))"),
        // A dummy takes the others in.
        (&[("a", "g", "s"), ("b", "g", "t"), ("c", "", "s")], "((1)(2)(3))"),
        (&[("a", "g", "s"), ("b", "g", "t"), ("c", "h", "s"), ("d", "h", "u")], "((1)(2)(3)(4))"),
    ] {
        assert_eq!(written(&threads(messages).by_references()), want, "{messages:?}");
    }
}

#[test]
fn ordered_subject_is_poor_mans_threading() {
    let all = [("a", "", "s"), ("b", "", "t"), ("c", "", "Re: s"), ("d", "", "[fwd: s]")];
    assert_eq!(written(&threads(&all).by_subject()), "(1 (3)(4))(2)");
    assert_eq!(written(&threads(&all[..3]).by_subject()), "(1 3)(2)");
}

#[test]
fn ids_are_read_as_they_mean() {
    let ids = |text: &str| -> Vec<String> {
        message_ids(text).map(|id| String::from_utf8(id).unwrap()).collect()
    };
    assert_eq!(ids("<a@b> junk <\"c\\d e\"@f><g> < h@i >"), ["a@b", "cd e@f", "h@i"]);
    assert_eq!(ids("<a@b <c@d>"), ["c@d"]);
    assert!(ids("a@b").is_empty() && ids("<").is_empty());
}

#[test]
fn a_deep_thread_needs_no_stack() {
    let mut threads = Threads::default();
    for uid in 1..=100_000u32 {
        let id = u64::from(uid);
        let references = if uid > 1 { vec![id - 1] } else { Vec::new() };
        threads.add(&Links { uid, id, references, ..Links::default() });
    }
    assert_eq!(threads.by_references().tokens().count(), 100_002);
}

proptest! {
    /// Whatever refers to whatever, each message is told once.
    #[test]
    fn nothing_is_lost_or_doubled(
        links in proptest::collection::vec(
            (0u64..12, proptest::collection::vec(1u64..14, 0..5), 0u64..4, any::<bool>(), -3i64..3),
            0..40,
        ),
    ) {
        let mut by_references = Threads::default();
        let mut by_subject = Threads::default();
        let count = u32::try_from(links.len()).unwrap();
        for (uid, (id, references, subject, is_reply, secs)) in (1u32..).zip(links) {
            let mut links = Links { uid, secs, id, references, subject, is_reply };
            by_references.add(&links);
            links.references.clear();
            links.id = 0;
            by_subject.add(&links);
        }
        for forest in [by_references.by_references(), by_subject.by_subject()] {
            let mut uids: Vec<u32> = forest
                .tokens()
                .filter_map(|token| match token {
                    Token::Message(uid) => Some(uid),
                    _ => None,
                })
                .collect();
            uids.sort_unstable();
            prop_assert_eq!(uids, (1..=count).collect::<Vec<_>>());
            let opened = forest.tokens().filter(|token| *token == Token::Open).count();
            let closed = forest.tokens().filter(|token| *token == Token::Close).count();
            prop_assert_eq!(opened, closed);
        }
    }
}
