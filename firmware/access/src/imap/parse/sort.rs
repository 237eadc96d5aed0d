//! SORT and THREAD. RFC 5256 §5, RFC 5957 (DISPLAY), RFC 5267 §3 (RETURN).

use super::{Bad, Input, Parsed, Program, ReturnOption};

/// There are eleven keys; more of them say nothing.
const KEYS_MAX: usize = 32;

/// `sort-key`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortKey {
    Arrival,
    Cc,
    Date,
    From,
    Size,
    Subject,
    To,
    /// RFC 5957.
    DisplayFrom,
    DisplayTo,
}

/// `sort-criterion = ["REVERSE" SP] sort-key`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SortCriterion {
    pub(crate) key: SortKey,
    pub(crate) is_reverse: bool,
}

/// The arguments of SORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    /// `None`: the old `* SORT` answer.
    pub(crate) returns: Option<Vec<ReturnOption>>,
    pub(crate) criteria: Vec<SortCriterion>,
    pub(crate) program: Program,
}

/// `thread-alg`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    OrderedSubject,
    References,
}

/// The arguments of THREAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    pub(crate) algorithm: Algorithm,
    pub(crate) program: Program,
}

impl Input<'_> {
    /// `sort-criterion`
    fn sort_criterion(&mut self) -> Parsed<SortCriterion> {
        let mut name = self.upper_atom()?;
        let is_reverse = name == "REVERSE";
        if is_reverse {
            self.space()?;
            name = self.upper_atom()?;
        }
        let key = match name.as_str() {
            "ARRIVAL" => SortKey::Arrival,
            "CC" => SortKey::Cc,
            "DATE" => SortKey::Date,
            "FROM" => SortKey::From,
            "SIZE" => SortKey::Size,
            "SUBJECT" => SortKey::Subject,
            "TO" => SortKey::To,
            "DISPLAYFROM" => SortKey::DisplayFrom,
            "DISPLAYTO" => SortKey::DisplayTo,
            _ => return Err(Bad("unknown sort key")),
        };
        Ok(SortCriterion { key, is_reverse })
    }

    /// `sort = "SORT" [search-return-opts] SP sort-criteria SP search-criteria`
    pub(super) fn sort(&mut self) -> Parsed<Sort> {
        self.space()?;
        let mut returns = None;
        if self.word("RETURN") {
            returns = Some(self.search_returns()?);
            self.space()?;
        }
        let mut criteria: Vec<SortCriterion> = Vec::new();
        for criterion in self.list(KEYS_MAX, Self::sort_criterion)? {
            // What was compared once is equal when it is compared again.
            if criteria.iter().all(|known| known.key != criterion.key) {
                criteria.push(criterion);
            }
        }
        if criteria.is_empty() {
            return Err(Bad("a sort key is missing"));
        }
        Ok(Sort { returns, criteria, program: self.charset_and_keys()? })
    }

    /// `thread = "THREAD" SP thread-alg SP search-criteria`
    pub(super) fn thread(&mut self) -> Parsed<Thread> {
        self.space()?;
        let algorithm = match self.upper_atom()?.as_str() {
            "ORDEREDSUBJECT" => Algorithm::OrderedSubject,
            "REFERENCES" => Algorithm::References,
            _ => return Err(Bad("unknown threading algorithm")),
        };
        Ok(Thread { algorithm, program: self.charset_and_keys()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(text: &str) -> Parsed<Sort> {
        let mut input = Input::new(text.as_bytes());
        let sort = input.sort()?;
        input.end()?;
        Ok(sort)
    }

    #[test]
    fn sorts_are_read() {
        // RFC 5256 §3.
        for text in [
            " (SUBJECT) UTF-8 SINCE 1-Feb-1994",
            " (SUBJECT REVERSE DATE) UTF-8 ALL",
            " (SUBJECT) US-ASCII TEXT \"not in mailbox\"",
            " (ARRIVAL CC DATE FROM SIZE SUBJECT TO DISPLAYFROM DISPLAYTO) UTF-8 ALL",
            " RETURN (COUNT MIN) (reverse arrival) utf-8 UNSEEN",
            " RETURN () (DATE) UTF-8 1:* UNSEEN",
        ] {
            assert!(sort(text).is_ok(), "{text}");
        }
        let read = sort(" (DATE REVERSE SIZE REVERSE DATE) UTF-8 ALL").unwrap();
        let criterion = |key, is_reverse| SortCriterion { key, is_reverse };
        assert_eq!(
            read.criteria,
            [criterion(SortKey::Date, false), criterion(SortKey::Size, true)]
        );
        for text in [
            "",
            " () UTF-8 ALL",
            " (REVERSE) UTF-8 ALL",
            " (FOO) UTF-8 ALL",
            " (DATE) UTF-8",
            " (DATE)",
            " DATE UTF-8 ALL",
        ] {
            assert!(sort(text).is_err(), "{text}");
        }
    }

    #[test]
    fn threads_are_read() {
        let thread = |text: &str| Input::new(text.as_bytes()).thread();
        for text in [" ORDEREDSUBJECT UTF-8 SINCE 5-MAR-2000", " references US-ASCII TEXT \"gewp\""]
        {
            assert!(thread(text).is_ok(), "{text}");
        }
        for text in ["", " REFS UTF-8 ALL", " REFERENCES ALL", " REFERENCES UTF-8"] {
            assert!(thread(text).is_err(), "{text}");
        }
    }
}
