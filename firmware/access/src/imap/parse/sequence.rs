//! Sequence sets. RFC 9051 §9 `sequence-set`.

use std::fmt;

use base::{Uid, UidRanges};

use super::{Bad, Input, Parsed};

/// Most elements of a set.
const ELEMENTS_MAX: usize = 10_000;

/// `seq-number = nz-number / "*"`; `None` is `*`, the highest number in use.
pub(super) type Bound = Option<u32>;

/// `sequence-set = (seq-number / seq-range) ["," sequence-set] / seq-last-command`, as the client wrote
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SequenceSet {
    elements: Vec<(Bound, Bound)>,
    /// `$`: the saved result, RFC 5182.
    has_saved: bool,
}

impl SequenceSet {
    /// The set of one number.
    pub(super) fn one(number: Bound) -> Self {
        Self { elements: vec![(number, number)], has_saved: false }
    }

    /// All from one number on.
    pub(crate) fn from(first: u32) -> Self {
        Self { elements: vec![(Some(first), Some(u32::MAX))], has_saved: false }
    }

    /// True if `$` is among the elements.
    pub(crate) fn has_saved(&self) -> bool {
        self.has_saved
    }

    /// The numbers as ascending, disjoint, non-adjacent ranges. `highest` stands for `*`; in an empty
    /// mailbox (`None`) an element with `*` stands for nothing.
    pub(crate) fn ranges(&self, highest: Option<u32>) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = self
            .elements
            .iter()
            .filter_map(|(one, other)| {
                let (one, other) = (one.or(highest)?, other.or(highest)?);
                Some((one.min(other), one.max(other)))
            })
            .collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last)
                }
                _ => merged.push((first, last)),
            }
        }
        merged
    }

    /// The numbers as UIDs.
    pub(crate) fn uids(&self, highest: Option<u32>) -> UidRanges {
        let mut uids = UidRanges::new();
        for (first, last) in self.ranges(highest) {
            uids.insert_range(Uid(first), Uid(last));
        }
        uids
    }

    /// True if `*` stands in the set.
    pub(crate) fn has_star(&self) -> bool {
        self.elements.iter().any(|bounds| bounds.0.is_none() || bounds.1.is_none())
    }

    /// True if the set names, without `*`, a number above `highest`.
    pub(crate) fn goes_beyond(&self, highest: u32) -> bool {
        self.elements
            .iter()
            .any(|bounds| matches!(bounds, (Some(one), Some(other)) if *one.max(other) > highest))
    }
}

impl fmt::Display for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound =
            |bound: Bound| bound.map_or_else(|| "*".to_owned(), |number| number.to_string());
        for (n, (one, other)) in self.elements.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            if one == other {
                write!(f, "{comma}{}", bound(*one))?;
            } else {
                write!(f, "{comma}{}:{}", bound(*one), bound(*other))?;
            }
        }
        if self.has_saved {
            f.write_str(if self.elements.is_empty() { "$" } else { ",$" })?;
        }
        Ok(())
    }
}

impl Input<'_> {
    /// `seq-number = nz-number / "*"`
    pub(super) fn seq_number(&mut self) -> Parsed<Bound> {
        if self.eat(b'*') { Ok(None) } else { self.nz_number().map(Some) }
    }

    /// `sequence-set`
    pub(super) fn sequence_set(&mut self) -> Parsed<SequenceSet> {
        let mut set = SequenceSet::default();
        loop {
            if set.elements.len() == ELEMENTS_MAX {
                return Err(Bad("a sequence set is too long"));
            }
            if self.eat(b'$') {
                set.has_saved = true;
            } else {
                let one = self.seq_number()?;
                let other = if self.eat(b':') { self.seq_number()? } else { one };
                set.elements.push((one, other));
            }
            if !self.eat(b',') {
                return Ok(set);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> SequenceSet {
        let mut input = Input::new(text.as_bytes());
        let set = input.sequence_set().unwrap();
        input.end().unwrap();
        set
    }

    #[test]
    fn sets_become_ranges() {
        for (text, highest, want) in [
            ("1:*", Some(4), vec![(1, 4)]),
            ("105:*", Some(104), vec![(104, 105)]),
            ("*", Some(7), vec![(7, 7)]),
            ("1:*", None, vec![]),
            ("*:3", Some(9), vec![(3, 9)]),
            ("5,1:2,3,9:8,8:12", Some(1), vec![(1, 3), (5, 5), (8, 12)]),
            ("4294967295,1:4294967295", Some(1), vec![(1, u32::MAX)]),
        ] {
            assert_eq!(set(text).ranges(highest), want, "{text}");
        }
    }

    #[test]
    fn numbers_beyond_the_highest_are_known() {
        assert!(set("1:5").goes_beyond(4) && set("5").goes_beyond(4));
        assert!(!set("5:*").goes_beyond(4) && !set("1:4").goes_beyond(4));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["0", "1:0", "", ",1", "1,", "1:", "a", "4294967296", "-1", "$:3", "3:$", "$1"]
        {
            let mut input = Input::new(text.as_bytes());
            let read = input.sequence_set().and_then(|_| input.end());
            assert!(read.is_err(), "{text}");
        }
        let long = vec!["1"; ELEMENTS_MAX + 1].join(",");
        assert!(Input::new(long.as_bytes()).sequence_set().is_err());
    }

    proptest! {
        #[test]
        fn sets_are_written_as_they_were_read(
            bounds in proptest::collection::vec((1u32.., 1u32.., 0u8..4), 1..50),
        ) {
            let elements = bounds.into_iter().map(|(one, other, star)| match star {
                0 => (None, Some(other)),
                1 => (Some(one), None),
                2 => (Some(one), Some(one)),
                _ => (Some(one), Some(other)),
            });
            let written = SequenceSet { elements: elements.collect(), has_saved: false };
            prop_assert_eq!(set(&written.to_string()), written);
        }
    }
}
