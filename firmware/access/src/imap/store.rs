//! STORE. RFC 9051 §6.4.6, RFC 7162 §3.1.3.

use base::{MailboxId, ModSeq, Uid, UidRanges};
use store::{FlagOp, FlagOutcome, Flags, Rights};

use super::parse::{Numbers, StoreFlags};
use super::reply::{Answer, Fail, GONE, Outcome, no, ok};
use super::rights::{allowed_flags, no_permission};
use super::session::Session;

/// The flags of the change that may be made. RFC 4314 §4: NO only where none may.
fn within(wanted: &StoreFlags, rights: Rights) -> Result<Flags, Fail> {
    let asked = &wanted.flags;
    let flags = allowed_flags(asked, rights);
    let is_refused = match wanted.op {
        FlagOp::Replace => rights.flags() == (0, false),
        FlagOp::Add | FlagOp::Remove => flags == Flags::default() && *asked != flags,
    };
    if is_refused { Err(no_permission()) } else { Ok(flags) }
}

/// Messages marked in one act.
const SLICE: u64 = 16 * 1024;

/// A set in pieces of at most `most` messages.
fn slices(uids: &UidRanges, most: u64) -> Vec<UidRanges> {
    let (mut all, mut slice, mut room) = (Vec::new(), UidRanges::new(), most);
    for &(mut first, last) in uids.ranges() {
        while first <= last {
            let count = u64::from(last - first) + 1;
            let end = match u32::try_from(room) {
                Ok(room) if u64::from(room) < count => first + room - 1,
                _ => last,
            };
            slice.insert_range(Uid(first), Uid(end));
            room -= u64::from(end - first) + 1;
            if room == 0 {
                all.push(std::mem::take(&mut slice));
                room = most;
            }
            let Some(next) = end.checked_add(1) else { break };
            first = next;
        }
    }
    if !slice.is_empty() {
        all.push(slice);
    }
    all
}

impl Session {
    pub(super) async fn store_flags(&mut self, wanted: StoreFlags, numbers: Numbers) -> Outcome {
        self.is_condstore |= wanted.unchanged_since.is_some();
        if wanted.is_silent {
            // What others changed is told now: afterwards it could not be told from our own change,
            // which the client does not want to hear of.
            self.tell_news(false).await?;
        }
        let rights = self.rights_here()?;
        let flags = within(&wanted, rights)?;
        let selected = self.writable()?;
        let mailbox = selected.mailbox;
        let uids = selected.view.resolve(&wanted.set, numbers)?;
        if uids.is_empty() {
            return ok("STORE completed");
        }
        let marking = (wanted.op, flags, wanted.unchanged_since.map(ModSeq), rights);
        let (mut modified, mut marked) = (UidRanges::new(), 0);
        // RFC 9051 does not ask for all or nothing: the writer has time for others in between, and the
        // answers of a slice are all that is in memory.
        for slice in slices(&uids, SLICE) {
            let outcome =
                self.store_slice(mailbox, slice, &marking, numbers, wanted.is_silent).await?;
            marked += outcome.rows.len() as u64;
            for &(first, last) in outcome.modified.ranges() {
                modified.insert_range(Uid(first), Uid(last));
            }
        }
        let is_gone = numbers == Numbers::Sequence && marked + modified.len() < uids.len();
        // RFC 2180 §4.2.2.
        if is_gone && marked == 0 && modified.is_empty() && !wanted.is_silent {
            return Err(no(GONE));
        }
        if modified.is_empty() {
            return ok(if is_gone { GONE } else { "STORE completed" });
        }
        let modified = self.as_asked(&modified, numbers)?;
        Ok(Answer::Ok(format!("[MODIFIED {modified}] Conditional STORE failed for some").into()))
    }

    /// Marks one slice and tells what became of it.
    async fn store_slice(
        &mut self,
        mailbox: MailboxId,
        uids: UidRanges,
        (op, flags, unchanged_since, rights): &(FlagOp, Flags, Option<ModSeq>, Rights),
        numbers: Numbers,
        is_silent: bool,
    ) -> Result<FlagOutcome, Fail> {
        let before = self.selected()?.view.modseq;
        let outcome = self
            .store()
            .store_flags_within_rights(mailbox, uids, *op, flags.clone(), *unchanged_since, *rights)
            .await?;
        let since = if unchanged_since.is_some() { ModSeq(0) } else { before };
        // Nothing happened but this: what is told now is all there is, and need not be looked up again.
        let is_all = outcome.before == before;
        self.tell_stored(&outcome, numbers, is_silent, since, is_all).await?;
        if is_all {
            self.selected()?.view.modseq = outcome.modseq;
        }
        Ok(outcome)
    }

    /// The untagged answers. A silent one tells MODSEQ only, to those who asked for it (RFC 7162 §3.1.3), of
    /// what changed after `before`.
    async fn tell_stored(
        &mut self,
        outcome: &FlagOutcome,
        numbers: Numbers,
        is_silent: bool,
        before: ModSeq,
        is_all: bool,
    ) -> Result<(), Fail> {
        let uids = self.selected()?.view.shared();
        let mut sequence = super::view::Sequence::over(&uids);
        if outcome.rows.iter().any(|(_, flags, _)| !flags.keywords.is_empty()) {
            self.tell_keywords();
        }
        let is_condstore = self.is_condstore;
        for (uid, flags, modseq) in &outcome.rows {
            let Some(seq) = sequence.of(*uid) else { continue };
            if !is_all {
                self.selected()?.told.push((*uid, *modseq));
            }
            let uid = (numbers == Numbers::Uid || is_condstore).then_some(*uid);
            if !is_silent {
                self.write_flags(seq, uid, Some(flags), *modseq);
            } else if is_condstore && *modseq > before {
                self.write_flags(seq, uid, None, *modseq);
            }
            self.flush_if_full().await?;
        }
        Ok(())
    }

    /// The messages that were left alone, in the numbers that the client used.
    fn as_asked(&mut self, modified: &UidRanges, numbers: Numbers) -> Result<String, Fail> {
        if numbers == Numbers::Uid {
            return Ok(modified.to_string());
        }
        let mut sequence = self.selected()?.view.sequence();
        let seqs: UidRanges = modified.iter().filter_map(|uid| sequence.of(uid)).map(Uid).collect();
        Ok(seqs.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_cut_into_pieces() {
        let mut uids = UidRanges::new();
        for (first, last) in [(1, 3), (5, 5), (10, 21), (u32::MAX - 1, u32::MAX)] {
            uids.insert_range(Uid(first), Uid(last));
        }
        let pieces: Vec<String> = slices(&uids, 5).iter().map(ToString::to_string).collect();
        assert_eq!(pieces, ["1:3,5,10", "11:15", "16:20", "21,4294967294:4294967295"]);
        assert_eq!(slices(&uids, 18), [uids]);
        assert!(slices(&UidRanges::new(), 5).is_empty());
    }
}
