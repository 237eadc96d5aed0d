//! COPY and MOVE. RFC 9051 §6.4.7 and §6.4.8, RFC 4315 (COPYUID), RFC 6851.

use base::UidRanges;
use store::{Copied, Rights, StoreError};

use super::parse::{Numbers, SequenceSet};
use super::reply::{Answer, Fail, GONE, Outcome, no, ok, try_create};
use super::session::Session;

/// `COPYUID uidvalidity from to`; both sets ascend, so that the n-th UIDs belong together.
fn copyuid(copied: &Copied) -> String {
    let source: UidRanges = copied.source.iter().copied().collect();
    let target: UidRanges = copied.target.iter().copied().collect();
    format!("[COPYUID {} {source} {target}]", copied.uid_validity)
}

impl Session {
    pub(super) async fn copy(
        &mut self,
        set: &SequenceSet,
        to: &[u8],
        numbers: Numbers,
        is_move: bool,
    ) -> Outcome {
        let wanted = Rights::MARK_DELETED.and(Rights::EXPUNGE);
        self.needs(if is_move { wanted } else { Rights::NONE })?;
        let selected = if is_move { self.writable()? } else { self.selected()? };
        let from = selected.mailbox;
        let uids = selected.view.resolve(set, numbers)?;
        let to = self.open_target(to)?;
        let done = if is_move { "MOVE completed" } else { "COPY completed" };
        if uids.is_empty() {
            return ok(done);
        }
        let store = self.store();
        let copied = store.copy_within_rights(from, uids, to.mailbox.id, is_move, to.rights).await;
        let copied = match copied {
            Err(StoreError::NoSuchMailbox) => return Err(try_create()),
            copied => copied.map_err(Fail::Store)?,
        };
        if self.selected()?.mailbox == to.mailbox.id {
            self.note_own_change();
        }
        if copied.source.is_empty() {
            // RFC 2180 §4.4.1; by UID what is not there is no mistake (RFC 9051 §6.4.9).
            return if numbers == Numbers::Sequence { Err(no(GONE)) } else { ok(done) };
        }
        let code = copyuid(&copied);
        if is_move {
            // RFC 6851 §4.3: COPYUID goes before the EXPUNGEs.
            self.say(format_args!("OK {code} Moved"));
            return Ok(Answer::Expunged(done));
        }
        Ok(Answer::Ok(format!("{code} {done}").into()))
    }
}
