//! What `tests/fuzz` asks of the grammar: any bytes are a command or are refused with words, and a name
//! that was taken comes back as it went out.

use base::UidRanges;

use super::names::{self, Pattern};
use super::parse::{self, Command, Numbers};
use super::view::View;

/// Bytes as a command, as the head of APPEND and as a line with a literal.
pub(crate) fn command(bytes: &[u8]) {
    if let Some(mark) = parse::literal_mark(bytes) {
        assert!(mark.at < bytes.len(), "the mark stands in the line");
    }
    let _tag = parse::tag_of(bytes);
    if let Some(Err((tag, bad))) = parse::append_head(bytes) {
        assert!(!tag.is_empty() && !bad.0.is_empty(), "a refusal has words");
    }
    match parse::command(bytes) {
        Err(rejected) => assert!(!rejected.why.0.is_empty(), "a refusal has words"),
        Ok(tagged) => {
            // The tag stands at the start of our answer's line.
            assert!(
                !tagged.tag.bytes().any(|byte| byte <= b' ' || byte == 0x7f),
                "{:?}",
                tagged.tag
            );
            if let Command::Fetch(fetch, numbers) = &tagged.command {
                resolve(&fetch.set, *numbers);
            }
        }
    }
}

/// A set against a mailbox with holes.
fn resolve(set: &parse::SequenceSet, numbers: Numbers) {
    let mut uids = UidRanges::new();
    for (first, last) in [(3, 7), (9, 9), (100, 4_000), (4_294_967_294, 4_294_967_295)] {
        uids.insert_range(base::Uid(first), base::Uid(last));
    }
    let view = View::new(uids.clone(), base::ModSeq(1));
    let found = view.find(set, numbers);
    assert_eq!(found.intersection(&uids), found, "only what is there is found");
}

/// Bytes as a mailbox name and as a pattern.
pub(crate) fn names(bytes: &[u8]) {
    if let Some(name) = names::decode(bytes) {
        let mut wire = Vec::new();
        names::push(&mut wire, &name);
        assert!(!wire.contains(&0), "a name on the wire holds no NUL");
        // Short enough that the work, which grows with the product of both, stays small.
        if let Some(pattern) = Pattern::new(b"", bytes.get(..200).unwrap_or(bytes)) {
            let _matched = pattern.matches(&name);
        }
    }
}
