//! STORE. RFC 9051 §6.4.6, RFC 7162 §3.1.3.

use base::ModSeq;
use store::{FlagOp, FlagOutcome, Flags, Rights};

use super::parse::{Numbers, StoreFlags};
use super::reply::{Answer, Fail, Outcome, ok};
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

impl Session {
    pub(super) async fn store_flags(&mut self, wanted: StoreFlags, numbers: Numbers) -> Outcome {
        let store = self.store();
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
        let before = selected.view.modseq;
        let unchanged_since = wanted.unchanged_since.map(ModSeq);
        let outcome = store
            .store_flags_within_rights(mailbox, uids, wanted.op, flags, unchanged_since, rights)
            .await?;
        let since = if unchanged_since.is_some() { ModSeq(0) } else { before };
        self.tell_stored(&outcome, numbers, wanted.is_silent, since).await?;
        if outcome.modified.is_empty() {
            return ok("STORE completed");
        }
        let modified = self.as_asked(&outcome, numbers)?;
        Ok(Answer::Ok(format!("[MODIFIED {modified}] Conditional STORE failed for some").into()))
    }

    /// The untagged answers. A silent one tells MODSEQ only, to those who asked for it (RFC 7162 §3.1.3), of
    /// what changed after `before`.
    async fn tell_stored(
        &mut self,
        outcome: &FlagOutcome,
        numbers: Numbers,
        is_silent: bool,
        before: ModSeq,
    ) -> Result<(), Fail> {
        let uids = self.selected()?.view.uids().clone();
        let mut sequence = super::view::Sequence::over(&uids);
        if outcome.rows.iter().any(|(_, flags, _)| !flags.keywords.is_empty()) {
            self.tell_keywords();
        }
        let is_condstore = self.is_condstore;
        for (uid, flags, modseq) in &outcome.rows {
            let Some(seq) = sequence.of(*uid) else { continue };
            self.selected()?.told.push((*uid, *modseq));
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
    fn as_asked(&mut self, outcome: &FlagOutcome, numbers: Numbers) -> Result<String, Fail> {
        if numbers == Numbers::Uid {
            return Ok(outcome.modified.to_string());
        }
        let mut sequence = self.selected()?.view.sequence();
        let seqs: base::UidRanges =
            outcome.modified.iter().filter_map(|uid| sequence.of(uid)).map(base::Uid).collect();
        Ok(seqs.to_string())
    }
}
