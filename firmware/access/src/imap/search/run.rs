//! Runs a search over a mailbox, slice by slice.

use std::sync::Arc;

use base::{MailboxId, ModSeq, Uid, UidRanges};
use store::{Reading, Row, Store, StoreError};

use super::candidate::Asker;
use super::index;
use super::test::{Cost, Test};
use crate::imap::reply::{Fail, no};
use crate::search::needles::Needles;
use crate::search::pool::{self, Broken, Slice};

/// Rows at once where rows suffice, where stored texts are read, and where messages are.
fn rows_at_once(cost: Cost) -> usize {
    match cost {
        Cost::Row => 500,
        Cost::Mail => 100,
        Cost::Header | Cost::Content => 64,
    }
}

/// A search ready to run.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) store: Store,
    pub(super) mailbox: MailboxId,
    pub(super) test: Arc<Test>,
    pub(super) needles: Arc<Needles>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) uids: UidRanges,
    pub(crate) first_modseq: ModSeq,
    pub(crate) last_modseq: ModSeq,
    pub(crate) highest_modseq: ModSeq,
}

impl Found {
    fn add(&mut self, uid: Uid, modseq: ModSeq) {
        if self.uids.is_empty() {
            self.first_modseq = modseq;
        }
        self.last_modseq = modseq;
        self.highest_modseq = self.highest_modseq.max(modseq);
        self.uids.insert(uid);
    }
}

impl From<Broken> for Fail {
    fn from(_: Broken) -> Self {
        no("[SERVERBUG] Internal error")
    }
}

/// Calls `visit` with the rows of `ranges` from UID `from` on until the slice is over; gives the UID where
/// to go on.
pub(crate) fn for_rows(
    reading: &mut Reading,
    mailbox: MailboxId,
    ranges: &UidRanges,
    from: Uid,
    at_once: usize,
    slice: &Slice,
    visit: &mut dyn FnMut(&mut Reading, &Row),
) -> Result<Option<Uid>, StoreError> {
    let first = ranges.ranges().partition_point(|range| range.1 < from.0);
    for &(low, high) in ranges.ranges().get(first..).unwrap_or_default() {
        let mut low = low.max(from.0);
        loop {
            let rows = reading.rows(mailbox, Uid(low), Uid(high), at_once)?;
            for row in &rows {
                visit(reading, row);
                if slice.is_over() {
                    return Ok(Some(Uid(row.uid.0.saturating_add(1))));
                }
            }
            match rows.last() {
                Some(row) if rows.len() == at_once && row.uid.0 < high => low = row.uid.0 + 1,
                _ => break,
            }
        }
        // Many holes are many reads, with or without messages.
        if slice.is_over() {
            return Ok(Some(Uid(high.saturating_add(1))));
        }
    }
    Ok(None)
}

/// Messages that pass, with their modseqs.
type Passed = Vec<(Uid, ModSeq)>;

/// One slice: the messages that pass, and where to go on.
fn slice(
    job: &Job,
    among: &UidRanges,
    from: Uid,
    slice: &Slice,
) -> Result<(Passed, Option<Uid>), StoreError> {
    let mut passed = Vec::new();
    let mut reading = job.store.reading()?;
    let mut asker = Asker::new(&job.test, &job.needles);
    let at_once = rows_at_once(job.test.cost());
    let next =
        for_rows(&mut reading, job.mailbox, among, from, at_once, slice, &mut |reading, row| {
            if asker.passes(reading, row) {
                passed.push((row.uid, row.modseq));
            }
        })?;
    Ok((passed, next))
}

/// Tests the messages of `among`, with the help of the index if `by_index`.
pub(super) async fn find(job: Job, mut among: UidRanges, by_index: bool) -> Result<Found, Fail> {
    if by_index {
        let job = job.clone();
        among = pool::run(move |_| {
            index::narrow(&job, &among).unwrap_or_else(|err| {
                tracing::info!(mailbox = %job.mailbox, %err, "a search goes without its index");
                among
            })
        })
        .await?;
    }
    let among = Arc::new(among);
    let mut found = Found::default();
    let mut from = among.first();
    while let Some(start) = from {
        let (job, among) = (job.clone(), Arc::clone(&among));
        let (passed, next) = pool::run(move |time| slice(&job, &among, start, time)).await??;
        for (uid, modseq) in passed {
            found.add(uid, modseq);
        }
        from = next;
    }
    Ok(found)
}
