//! Quick resynchronization: what went since a client last looked. RFC 7162 §3.2.

use base::{MailboxId, ModSeq, Uid, UidRanges};

use super::parse::Resync;
use super::reply::Fail;
use super::session::Session;
use super::view::{Sequence, subtract};

/// UID ranges in one VANISHED: clients read lines into buffers.
const RANGES_MAX: usize = 500;
/// Rows at once.
const SLICE: usize = 500;

/// The UIDs up to which the client's knowledge is proven: its n-th sequence number still stands for its n-th
/// UID, so nothing that it knows below is gone. RFC 7162 §3.2.5.2.
fn proven(view: &UidRanges, numbers: &UidRanges, uids: &UidRanges) -> Option<Uid> {
    let pairs = u32::try_from(numbers.len().min(uids.len())).unwrap_or(u32::MAX);
    let is_match = |nth: u32| {
        let (Some(number), Some(uid)) = (numbers.at_seq(nth), uids.at_seq(nth)) else {
            return false;
        };
        view.at_seq(number.0) == Some(uid)
    };
    // Where one pair matches all before it do: the number of messages up to a UID only falls.
    let (mut low, mut high) = (0, pairs);
    while low < high {
        let middle = high - (high - low) / 2;
        if is_match(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    uids.at_seq(low)
}

impl Session {
    /// `* VANISHED 1:3,7`, in lines of bounded length; nothing for an empty set.
    pub(super) async fn say_vanished(
        &mut self,
        uids: &UidRanges,
        is_earlier: bool,
    ) -> Result<(), Fail> {
        let word = if is_earlier { "VANISHED (EARLIER)" } else { "VANISHED" };
        for ranges in uids.ranges().chunks(RANGES_MAX) {
            let mut set = UidRanges::new();
            for &(first, last) in ranges {
                set.insert_range(Uid(first), Uid(last));
            }
            self.say(format_args!("{word} {set}"));
            self.flush_if_full().await?;
        }
        Ok(())
    }

    /// UID FETCH (CHANGEDSINCE … VANISHED): what of `among` went since. RFC 7162 §3.2.6.
    pub(super) async fn say_vanished_since(
        &mut self,
        since: ModSeq,
        among: &UidRanges,
    ) -> Result<(), Fail> {
        let store = self.store();
        let selected = self.selected()?;
        let changes = store.changes(selected.mailbox, since)?;
        // What still stands in the view is told without EARLIER, when its turn comes.
        let gone = subtract(&changes.expunged.intersection(among), selected.view.uids());
        self.say_vanished(&gone, true).await
    }

    /// SELECT (QRESYNC …), behind the usual answers: what went, then what changed.
    pub(super) async fn resync(&mut self, mailbox: MailboxId, resync: &Resync) -> Result<(), Fail> {
        let store = self.store();
        let view = self.selected()?.view.uids().clone();
        let changes = store.changes(mailbox, ModSeq(resync.modseq))?;
        let known = resync.known.as_ref().map(|set| set.uids(None));
        let mut gone = subtract(&changes.expunged, &view);
        let mut changed = changes.added;
        for (uid, ..) in &changes.flags {
            changed.insert(*uid);
        }
        if let Some(known) = &known {
            gone = gone.intersection(known);
            changed = changed.intersection(known);
        }
        // The log no longer reaches back: what the client can prove to know need not be told.
        if let (true, Some((numbers, uids))) = (changes.is_beyond_log, &resync.matches)
            && let Some(up_to) = proven(&view, &numbers.uids(None), &uids.uids(None))
        {
            let mut above = UidRanges::new();
            above.insert_range(Uid(up_to.0.saturating_add(1)), Uid(u32::MAX));
            gone = gone.intersection(&above);
        }
        self.say_vanished(&gone, true).await?;
        let changed = changed.intersection(&view);
        let mut sequence = Sequence::over(&view);
        for &(first, last) in changed.ranges() {
            let mut from = first;
            while from <= last {
                let rows = store.rows(mailbox, Uid(from), Uid(last), SLICE)?;
                for row in &rows {
                    if let Some(seq) = sequence.of(row.uid) {
                        self.write_flags(seq, Some(row.uid), Some(&row.flags), row.modseq);
                        self.flush_if_full().await?;
                    }
                }
                match rows.last() {
                    Some(row) if rows.len() == SLICE => from = row.uid.0.saturating_add(1),
                    _ => break,
                }
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(uids: &[u32]) -> UidRanges {
        uids.iter().copied().map(Uid).collect()
    }

    /// The words of RFC 7162 §3.2.5.2: number 4 is UID 8, number 12 is UID 24 for the client and 25 here.
    #[test]
    fn matching_pairs_prove_what_is_known() {
        let mut view = set(&[2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 25]);
        assert_eq!(proven(&view, &set(&[4, 12]), &set(&[8, 24])), Some(Uid(8)));
        assert_eq!(proven(&view, &set(&[1, 4, 11]), &set(&[2, 8, 22])), Some(Uid(22)));
        assert_eq!(proven(&view, &set(&[4, 12]), &set(&[9, 24])), None);
        assert_eq!(proven(&view, &set(&[]), &set(&[9])), None);
        view.remove(Uid(2));
        assert_eq!(proven(&view, &set(&[4, 12]), &set(&[8, 24])), None);
        let mut wide = UidRanges::new();
        wide.insert_range(Uid(1), Uid(u32::MAX));
        assert_eq!(proven(&view, &wide, &wide), None);
    }
}
