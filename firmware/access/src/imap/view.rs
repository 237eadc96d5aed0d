//! What a session knows of its selected mailbox: which messages there are, and up to which modseq.
//!
//! A view is a set of UID ranges, not a map of messages: a mailbox of 100,000 messages is a few dozen
//! bytes. It changes only when the client is told so, because sequence numbers are counted in it. Sessions
//! that know the same of a mailbox share one set.

use std::sync::Arc;

use base::{MailboxId, ModSeq, Uid, UidRanges};
use store::{Changes, Flags, Store};

use super::parse::{Bad, Numbers, SequenceSet};

/// Ranges from which on a set is shared.
const SHARE_FROM: usize = 8;

/// The messages of a mailbox as the client knows them.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    uids: Arc<UidRanges>,
    /// Expunged, but the client is not told yet (RFC 9051 §7.5.1).
    gone: UidRanges,
    /// The result of the last SEARCH with SAVE: what `$` means (RFC 5182). UIDs are never reused, so what
    /// went since is left out where the set is used.
    saved: UidRanges,
    /// Everything up to here is told or waits in `gone`.
    pub(crate) modseq: ModSeq,
    /// While something waits in `gone`: all changes up to here are told. RFC 7162 §3.2.
    pub(crate) told_up_to: Option<ModSeq>,
}

/// What the client is to be told, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Sequence numbers, descending: each is right when its turn comes.
    pub(crate) expunged: Vec<u32>,
    /// The same by UID.
    pub(crate) vanished: UidRanges,
    /// The new EXISTS.
    pub(crate) exists: Option<u64>,
    /// Sequence number, UID, flags and modseq of changed messages.
    pub(crate) flags: Vec<(u32, Uid, Flags, ModSeq)>,
}

/// What is in `all` and not in `without`.
pub(super) fn subtract(all: &UidRanges, without: &UidRanges) -> UidRanges {
    let mut rest = UidRanges::new();
    let mut holes = without.ranges().iter().peekable();
    for &(first, last) in all.ranges() {
        let mut from = first;
        while let Some(&&(hole_first, hole_last)) = holes.peek() {
            if hole_first > last {
                break;
            }
            if hole_last >= from {
                if hole_first > from {
                    rest.insert_range(Uid(from), Uid(hole_first - 1));
                }
                from = hole_last.saturating_add(1);
            }
            if hole_last > last {
                break;
            }
            holes.next();
        }
        if from <= last && from >= first {
            rest.insert_range(Uid(from), Uid(last));
        }
    }
    rest
}

/// Adds all of `more` to `set`.
fn unite(set: &mut UidRanges, more: &UidRanges) {
    for &(first, last) in more.ranges() {
        set.insert_range(Uid(first), Uid(last));
    }
}

impl View {
    pub(crate) fn new(uids: impl Into<Arc<UidRanges>>, modseq: ModSeq) -> Self {
        let uids = uids.into();
        Self { uids, gone: UidRanges::new(), saved: UidRanges::new(), modseq, told_up_to: None }
    }

    /// EXISTS.
    pub(crate) fn exists(&self) -> u64 {
        self.uids.len()
    }

    /// All UIDs, to be kept while the view goes on.
    pub(crate) fn shared(&self) -> Arc<UidRanges> {
        Arc::clone(&self.uids)
    }

    /// Takes the set that others have of the mailbox, if it is the same. Small ones are not worth it.
    pub(crate) fn share(&mut self, store: &Store, mailbox: MailboxId) {
        if self.uids.ranges().len() > SHARE_FROM && self.gone.is_empty() {
            self.uids = store.share_uids(mailbox, self.modseq, self.shared());
        }
    }

    /// All UIDs.
    pub(crate) fn uids(&self) -> &UidRanges {
        &self.uids
    }

    /// What `$` means from now on.
    pub(crate) fn save(&mut self, found: UidRanges) {
        self.saved = found;
    }

    /// The sequence numbers of ascending UIDs.
    pub(crate) fn sequence(&self) -> Sequence<'_> {
        Sequence::over(&self.uids)
    }

    /// The UIDs that a set names. RFC 9051 §6.4.9: UIDs that are not there are left out silently.
    ///
    /// # Errors
    /// A sequence number beyond EXISTS is refused (RFC 9051 §9 `seq-number`).
    pub(crate) fn resolve(&self, set: &SequenceSet, numbers: Numbers) -> Result<UidRanges, Bad> {
        let exists = u32::try_from(self.exists()).unwrap_or(u32::MAX);
        if numbers == Numbers::Sequence && exists > 0 && set.goes_beyond(exists) {
            return Err(Bad("there is no message of that number"));
        }
        Ok(self.find(set, numbers))
    }

    /// As [`View::resolve`], leaving out numbers that are not there.
    pub(crate) fn find(&self, set: &SequenceSet, numbers: Numbers) -> UidRanges {
        let mut found = self.find_numbers(set, numbers);
        if set.has_saved() {
            unite(&mut found, &self.uids.intersection(&self.saved));
        }
        found
    }

    fn find_numbers(&self, set: &SequenceSet, numbers: Numbers) -> UidRanges {
        if numbers == Numbers::Uid {
            return self.uids.intersection(&set.uids(self.uids.last().map(|uid| uid.0)));
        }
        let exists = u32::try_from(self.exists()).unwrap_or(u32::MAX);
        let wanted = set.ranges((exists > 0).then_some(exists));
        let mut found = UidRanges::new();
        let mut wanted = wanted.into_iter().peekable();
        let mut before = 0u32;
        for &(first, last) in self.uids.ranges() {
            let count = last - first + 1;
            // This range holds the sequence numbers before + 1 to before + count.
            while let Some(&(low, high)) = wanted.peek() {
                if low > before + count {
                    break;
                }
                let from = low.max(before + 1);
                let to = high.min(before + count);
                if from <= to {
                    found.insert_range(
                        Uid(first + (from - before - 1)),
                        Uid(first + (to - before - 1)),
                    );
                }
                if high > before + count {
                    break;
                }
                wanted.next();
            }
            before += count;
        }
        found
    }

    /// Takes over what happened in the mailbox; says what to tell. `may_expunge` is false while an
    /// EXPUNGE would shift the sequence numbers under the client (RFC 9051 §7.5.1).
    pub(crate) fn take(&mut self, changes: &Changes, may_expunge: bool) -> News {
        let mut news = News::default();
        let known = self.shared();
        let before = self.modseq;
        self.modseq = before.max(changes.highest_modseq);
        let lost = self.uids.intersection(&changes.expunged);
        unite(&mut self.gone, &lost);
        if may_expunge && !self.gone.is_empty() {
            let mut sequence = self.sequence();
            news.expunged = self.gone.iter().filter_map(|uid| sequence.of(uid)).collect();
            news.expunged.reverse();
            self.uids = Arc::new(subtract(&self.uids, &self.gone));
            self.saved = subtract(&self.saved, &self.gone);
            news.vanished = std::mem::take(&mut self.gone);
        }
        self.told_up_to = (!self.gone.is_empty())
            .then(|| self.told_up_to.map_or(before, |told| told.min(before)));
        let fresh = subtract(&subtract(&changes.added, &changes.expunged), &known);
        if !fresh.is_empty() {
            unite(Arc::make_mut(&mut self.uids), &fresh);
            news.exists = Some(self.exists());
        }
        let mut sequence = self.sequence();
        for (uid, flags, modseq) in &changes.flags {
            // What is new the client has yet to ask for; its flags come with the answer.
            if known.contains(*uid)
                && !self.gone.contains(*uid)
                && let Some(seq) = sequence.of(*uid)
            {
                news.flags.push((seq, *uid, flags.clone(), *modseq));
            }
        }
        news
    }
}

/// The sequence numbers of UIDs in any order. A walk over the ranges for each of 100,000 messages would be
/// a walk too many.
#[derive(Debug)]
pub(crate) struct Counted {
    /// First and last UID of a range, and how many stand before it.
    ranges: Vec<(u32, u32, u32)>,
}

impl Counted {
    pub(crate) fn over(uids: &UidRanges) -> Self {
        let mut before = 0;
        let counted = uids.ranges().iter().map(|&(first, last)| {
            let range = (first, last, before);
            before += last - first + 1;
            range
        });
        Self { ranges: counted.collect() }
    }

    /// The sequence number of `uid`, if it is there.
    pub(crate) fn of(&self, uid: Uid) -> Option<u32> {
        let at = self.ranges.partition_point(|range| range.1 < uid.0);
        let &(first, _, before) = self.ranges.get(at).filter(|range| range.0 <= uid.0)?;
        Some(before + (uid.0 - first) + 1)
    }
}

/// Counts along a view. UIDs must be asked for in ascending order.
#[derive(Clone, Debug)]
pub(crate) struct Sequence<'a> {
    ranges: &'a [(u32, u32)],
    before: u32,
}

impl<'a> Sequence<'a> {
    /// Counts along `uids`.
    pub(crate) fn over(uids: &'a UidRanges) -> Self {
        Self { ranges: uids.ranges(), before: 0 }
    }

    /// The sequence number of `uid`, if it is in the view.
    pub(crate) fn of(&mut self, uid: Uid) -> Option<u32> {
        while let Some((&(first, last), rest)) = self.ranges.split_first() {
            if uid.0 <= last {
                return (uid.0 >= first).then(|| self.before + (uid.0 - first) + 1);
            }
            self.before += last - first + 1;
            self.ranges = rest;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::imap::parse::{Command, command};

    fn ranges(uids: &[u32]) -> UidRanges {
        uids.iter().copied().map(Uid).collect()
    }

    fn set(text: &str) -> SequenceSet {
        let line = format!("a UID EXPUNGE {text}\r\n");
        match command(line.as_bytes()).map(|tagged| tagged.command) {
            Ok(Command::Expunge(Some(set))) => set,
            _ => panic!("{text}"),
        }
    }

    fn view(uids: &[u32]) -> View {
        View::new(ranges(uids), ModSeq(1))
    }

    #[test]
    fn sets_find_messages() {
        let view = view(&[3, 5, 6, 7, 20]);
        for (text, numbers, want) in [
            ("1:*", Numbers::Sequence, "3,5:7,20"),
            ("2:3", Numbers::Sequence, "5:6"),
            ("*", Numbers::Sequence, "20"),
            ("9:*", Numbers::Sequence, "20"),
            ("1,4:5", Numbers::Sequence, "3,7,20"),
            ("1:6", Numbers::Uid, "3,5:6"),
            ("100:*", Numbers::Uid, "20"),
            ("4", Numbers::Uid, ""),
        ] {
            assert_eq!(view.find(&set(text), numbers).to_string(), want, "{text}");
        }
        assert!(view.resolve(&set("6"), Numbers::Sequence).is_err());
        assert!(view.resolve(&set("6:*"), Numbers::Sequence).is_ok());
        assert!(View::default().resolve(&set("1:*"), Numbers::Sequence).unwrap().is_empty());
    }

    #[test]
    fn numbers_are_counted_in_any_order() {
        let uids = ranges(&[3, 5, 6, 7, 20]);
        let counted = Counted::over(&uids);
        for uid in [20, 3, 7, 4, 6, 5, 1, 21] {
            assert_eq!(counted.of(Uid(uid)), uids.seq_of(Uid(uid)), "{uid}");
        }
    }

    #[test]
    fn the_saved_result_forgets_what_went() {
        let mut view = view(&[3, 5, 6, 7, 20]);
        assert!(view.find(&set("$"), Numbers::Uid).is_empty());
        view.save(ranges(&[5, 6, 20]));
        assert_eq!(view.find(&set("$"), Numbers::Sequence).to_string(), "5:6,20");
        assert_eq!(view.find(&set("1,$"), Numbers::Sequence).to_string(), "3,5:6,20");
        view.take(&Changes { expunged: ranges(&[6]), ..Changes::default() }, true);
        assert_eq!(view.find(&set("$"), Numbers::Uid).to_string(), "5,20");
        assert_eq!(view.saved, ranges(&[5, 20]));
    }

    #[test]
    fn news_are_told_in_order() {
        let mut view = view(&[1, 2, 3, 4, 5]);
        let changes = Changes {
            highest_modseq: ModSeq(9),
            added: ranges(&[6, 7, 8]),
            flags: vec![
                (Uid(2), Flags::default(), ModSeq(4)),
                (Uid(5), Flags::default(), ModSeq(5)),
                (Uid(6), Flags::default(), ModSeq(6)),
            ],
            expunged: ranges(&[3, 4, 8, 99]),
            ..Changes::default()
        };
        let mut held = view.clone();
        let news = view.take(&changes, true);
        assert_eq!((news.expunged, news.exists), (vec![4, 3], Some(5)));
        assert_eq!(news.flags.iter().map(|f| f.0).collect::<Vec<_>>(), [2, 3]);
        assert_eq!((view.modseq, view.told_up_to), (ModSeq(9), None));
        assert_eq!(news.vanished.to_string(), "3:4");

        // The same with the numbers held still.
        let news = held.take(&changes, false);
        assert_eq!((news.expunged, news.exists), (vec![], Some(7)));
        assert_eq!(held.told_up_to, Some(ModSeq(1)));
        assert_eq!(news.flags.iter().map(|f| f.0).collect::<Vec<_>>(), [2, 5]);
        let news = held.take(&Changes { highest_modseq: ModSeq(9), ..Changes::default() }, true);
        assert_eq!((news.expunged, news.exists), (vec![4, 3], None));
        assert_eq!((held.uids().to_string(), held.told_up_to), (view.uids().to_string(), None));
    }

    #[test]
    fn nothing_is_told_twice() {
        let mut view = view(&[1, 2]);
        let changes =
            Changes { highest_modseq: ModSeq(3), added: ranges(&[2]), ..Changes::default() };
        assert_eq!(view.take(&changes, true), News::default());
    }

    proptest! {
        #[test]
        fn subtracting_is_what_it_says(
            all in proptest::collection::btree_set(1u32..60, 0..40),
            without in proptest::collection::btree_set(1u32..60, 0..40),
        ) {
            let to_ranges = |set: &std::collections::BTreeSet<u32>| set.iter().copied().map(Uid).collect::<UidRanges>();
            let want: UidRanges = all.difference(&without).copied().map(Uid).collect();
            prop_assert_eq!(subtract(&to_ranges(&all), &to_ranges(&without)), want);
        }
    }
}
