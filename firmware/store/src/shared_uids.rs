//! Which messages a mailbox has, shared between the sessions that have it open.
//!
//! A mailbox out of which every other message was deleted has as many ranges as messages; twenty
//! connections of an Outlook would keep twenty copies. Whoever comes to the same set at the same modseq
//! gets the one that is there. Never here: what is in a mailbox; a set comes from its reader.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use base::{MailboxId, ModSeq, UidRanges};

/// Mailboxes before those that nobody has open are looked for.
const PRUNE_FROM: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct SharedUids {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    sets: BTreeMap<MailboxId, (ModSeq, Weak<UidRanges>)>,
    prune_at: usize,
}

impl SharedUids {
    /// The set of `mailbox` at `modseq`: the one that others have, if it is the same.
    pub(crate) fn share(
        &self,
        mailbox: MailboxId,
        modseq: ModSeq,
        uids: Arc<UidRanges>,
    ) -> Arc<UidRanges> {
        // A panic leaves at most a set that nobody finds.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, set)) = known.sets.get(&mailbox)
            && *at == modseq
            && let Some(set) = set.upgrade()
            && set == uids
        {
            return set;
        }
        if known.sets.len() >= known.prune_at.max(PRUNE_FROM) {
            known.sets.retain(|_, (_, set)| set.strong_count() > 0);
            known.prune_at = known.sets.len() * 2;
        }
        known.sets.insert(mailbox, (modseq, Arc::downgrade(&uids)));
        uids
    }
}

#[cfg(test)]
mod tests {
    use base::Uid;

    use super::*;

    fn set(uids: &[u32]) -> Arc<UidRanges> {
        Arc::new(uids.iter().copied().map(Uid).collect())
    }

    #[test]
    fn the_same_set_is_there_once() {
        let shared = SharedUids::default();
        let share = |modseq, uids: &[u32]| shared.share(MailboxId(7), ModSeq(modseq), set(uids));
        let first = share(3, &[1, 3, 5]);
        assert!(Arc::ptr_eq(&first, &share(3, &[1, 3, 5])));
        assert!(!Arc::ptr_eq(&first, &share(3, &[1, 3])), "never another set");
        let later = share(4, &[1, 5]);
        assert!(Arc::ptr_eq(&later, &share(4, &[1, 5])));
        drop((first, later));
        assert_eq!(*share(4, &[1, 5]), *set(&[1, 5]));
    }

    #[test]
    fn mailboxes_that_nobody_has_open_are_forgotten() {
        let shared = SharedUids::default();
        for n in 0..5000 {
            shared.share(MailboxId(n), ModSeq(1), set(&[1, 3]));
        }
        assert!(shared.known.lock().unwrap().sets.len() <= PRUNE_FROM + 1);
    }
}
