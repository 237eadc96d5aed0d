//! The spool: entries, their contents, their due times.

use base::QueueId;

use super::{Walk, rows_of};
use crate::codec::In;
use crate::index::T;
use crate::{RecipientState, StoreError, blob, queue};

pub(super) fn walk(walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let view = walk.view;
    let mut due = std::collections::BTreeMap::new();
    for (key, _) in rows_of(view, T::QueueDue, &[])? {
        let Some((at, id)) = walk.note(queue::decode_due(&key)) else { continue };
        let before = due.insert(id, at);
        walk.expect(before.is_none(), || format!("queue entry {id} is due twice"));
    }
    for (key, row) in rows_of(view, T::Queue, &[])? {
        walk.report.queue_entries += 1;
        let Some(id) = walk.note(In::plain(&key, "queue id").u64()).map(QueueId) else { continue };
        let Some(entry) = walk.note(queue::decode(&row)) else { continue };
        walk.link(entry.blob);
        let size = blob::find(view, entry.blob).ok().flatten().map(|b| b.place.size);
        walk.expect(entry.id == id && size == Some(entry.size), || {
            format!("queue entry {id} does not fit its key or content")
        });
        let is_pending = entry.recipients.iter().any(|r| r.state == RecipientState::Pending);
        walk.expect(is_pending, || format!("queue entry {id} has no pending recipient"));
        let stored = due.remove(&id);
        let expected = queue::due_of(&entry);
        walk.expect(stored == expected, || {
            format!("queue entry {id} is due {expected:?}, the table says {stored:?}")
        });
    }
    for id in due.into_keys() {
        walk.problem(format!("queue entry {id} is due but not there"));
    }
    Ok(())
}
