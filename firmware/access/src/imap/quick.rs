//! The quick way of FETCH: what stands in the index goes from its page straight into the write buffer.
//!
//! One snapshot for a slice, bounded in bytes and messages; between slices others have their turn. A
//! message that cannot be read ends the quick way, and the long one says what is to be said of it.

use base::{MailboxId, ModSeq, Uid};
use store::{Flags, Row, TextsRef};

use super::emit;
use super::fetch::Plan;
use super::parse::FetchItem;
use super::reply::Fail;
use super::session::Session;
use super::view::Sequence;

/// Bytes of answers before they are sent and others have a turn.
const SLICE_BYTES: usize = 32 * 1024;
/// Messages of a slice that are looked at, shown or not.
const SLICE_MESSAGES: u32 = 2000;

/// How a FETCH can be answered from the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quick {
    /// From the blocks of flags.
    Flags,
    /// From the rows of the messages.
    Rows,
    /// From the rows and the texts made at arrival.
    Texts,
}

impl Quick {
    /// The least that `items` need; `None` if a message must be read.
    pub(super) fn of(items: &[FetchItem]) -> Option<Self> {
        let mut way = Self::Flags;
        for item in items {
            way = match item {
                FetchItem::Uid | FetchItem::Flags | FetchItem::ModSeq => way,
                FetchItem::Size | FetchItem::InternalDate | FetchItem::SaveDate => match way {
                    Self::Flags => Self::Rows,
                    way => way,
                },
                FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure => Self::Texts,
                _ => return None,
            };
        }
        Some(way)
    }
}

/// `UID n`, `FLAGS (…)`, `MODSEQ (n)`.
fn push_marks(out: &mut Vec<u8>, item: &FetchItem, uid: Uid, flags: &Flags, modseq: ModSeq) {
    match item {
        FetchItem::Uid => {
            out.extend_from_slice(b"UID ");
            emit::push_number(out, uid.0.into());
        }
        FetchItem::Flags => {
            out.extend_from_slice(b"FLAGS ");
            emit::push_flags(out, flags);
        }
        FetchItem::ModSeq => {
            out.extend_from_slice(b"MODSEQ (");
            emit::push_number(out, modseq.0);
            out.push(b')');
        }
        _ => {}
    }
}

/// Whatever a message's row tells.
pub(super) fn push_row(out: &mut Vec<u8>, item: &FetchItem, row: &Row) {
    let date = emit::date_time;
    match item {
        FetchItem::Size => {
            out.extend_from_slice(b"RFC822.SIZE ");
            emit::push_number(out, row.size);
        }
        FetchItem::InternalDate => {
            out.extend_from_slice(b"INTERNALDATE ");
            out.extend_from_slice(date(row.internal_date, row.zone_minutes).as_bytes());
        }
        FetchItem::SaveDate => {
            out.extend_from_slice(b"SAVEDATE ");
            match row.saved {
                Some(at) => out.extend_from_slice(date(at, 0).as_bytes()),
                None => out.extend_from_slice(b"NIL"),
            }
        }
        _ => push_marks(out, item, row.uid, &row.flags, row.modseq),
    }
}

/// Whatever its texts tell.
fn push_text(out: &mut Vec<u8>, item: &FetchItem, row: &Row, texts: &TextsRef<'_>) {
    let (label, text): (&[u8], _) = match item {
        FetchItem::Envelope => (b"ENVELOPE ", texts.envelope()),
        FetchItem::Body => (b"BODY ", texts.body()),
        FetchItem::BodyStructure => (b"BODYSTRUCTURE ", texts.bodystructure()),
        _ => return push_row(out, item, row),
    };
    out.extend_from_slice(label);
    out.extend_from_slice(text);
}

/// `* n FETCH (…)` with an item each.
fn push_line(
    out: &mut Vec<u8>,
    seq: u32,
    items: &[FetchItem],
    push: impl Fn(&mut Vec<u8>, &FetchItem),
) {
    out.extend_from_slice(b"* ");
    emit::push_number(out, seq.into());
    out.extend_from_slice(b" FETCH (");
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(b' ');
        }
        push(out, item);
    }
    out.extend_from_slice(b")\r\n");
}

impl Session {
    /// Answers for UIDs from `first` to `last`; gives the UID from which the long way has to go on, and
    /// how many messages were told.
    pub(super) async fn fetch_quick(
        &mut self,
        mailbox: MailboxId,
        (first, last): (u32, u32),
        plan: &Plan,
        way: Quick,
        sequence: &mut Sequence<'_>,
    ) -> Result<(u32, u64), Fail> {
        let (mut next, mut told) = (first, 0);
        loop {
            let from = next;
            let is_over =
                self.quick_slice(mailbox, (&mut next, last), plan, way, sequence, &mut told);
            self.flush_if_full().await?;
            match is_over {
                Ok(true) => return Ok((last.saturating_add(1), told)),
                Ok(false) if next > from => tokio::task::yield_now().await,
                // Whatever is wrong here, the long way finds it again and has words for it.
                _ => return Ok((next, told)),
            }
        }
    }

    /// One slice; true when all is told.
    fn quick_slice(
        &mut self,
        mailbox: MailboxId,
        (next, last): (&mut u32, u32),
        plan: &Plan,
        way: Quick,
        sequence: &mut Sequence<'_>,
        told: &mut u64,
    ) -> Result<bool, store::StoreError> {
        let store = self.store();
        let conn = &mut self.conn;
        let (from, to) = (Uid(*next), Uid(last));
        let (mut looked, mut is_over) = (0, true);
        // What came after the view was taken has no number yet.
        let mut number = |uid: Uid, modseq: ModSeq| {
            *next = uid.0.saturating_add(1);
            looked += 1;
            let seq = if plan.is_wanted(modseq) { sequence.of(uid) } else { None };
            *told += u64::from(seq.is_some());
            (seq, looked < SLICE_MESSAGES)
        };
        let items = plan.items.as_slice();
        match way {
            Quick::Flags => store.walk_flags(mailbox, from, to, &mut |uid, flags, modseq| {
                let (seq, goes_on) = number(uid, modseq);
                if let Some(seq) = seq {
                    conn.write_with(|out| {
                        push_line(out, seq, items, |out, item| {
                            push_marks(out, item, uid, flags, modseq);
                        });
                    });
                }
                is_over = goes_on && conn.pending_out() < SLICE_BYTES;
                is_over
            })?,
            Quick::Rows => {
                for row in store.rows(mailbox, from, to, 500)? {
                    is_over = false;
                    if let (Some(seq), _) = number(row.uid, row.modseq) {
                        let push = |out: &mut Vec<u8>, item: &_| push_row(out, item, &row);
                        conn.write_with(|out| push_line(out, seq, items, push));
                    }
                }
            }
            Quick::Texts => store.walk_texts(mailbox, from, to, &mut |row, texts| {
                let (seq, goes_on) = number(row.uid, row.modseq);
                if let Some(seq) = seq {
                    let push = |out: &mut Vec<u8>, item: &_| push_text(out, item, &row, &texts);
                    conn.write_with(|out| push_line(out, seq, items, push));
                }
                is_over = goes_on && conn.pending_out() < SLICE_BYTES;
                is_over
            })?,
        }
        Ok(is_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_that_is_needed() {
        use FetchItem::{Envelope, Flags as F, ModSeq as M, Preview, Size, Uid as U};
        assert_eq!(Quick::of(&[U, F, M]), Some(Quick::Flags));
        assert_eq!(Quick::of(&[U, Size, F]), Some(Quick::Rows));
        assert_eq!(Quick::of(&[Envelope, Size]), Some(Quick::Texts));
        assert_eq!(Quick::of(&[Size, Envelope]), Some(Quick::Texts));
        assert_eq!(Quick::of(&[U, Preview]), None);
    }
}
