//! The search index of a mailbox: narrows a search to the messages that may match, and is brought up to
//! date behind the client's back.
//!
//! It never changes an answer: every message that it leaves is looked into, and messages it does not know
//! are searched as if it were not there.

use std::sync::LazyLock;

use base::{MailboxId, Uid, UidRanges};
use session::Shutdown;
use store::{Reading, Row, SearchIndexState, SearchSignatures, Store, StoreError};
use tokio::sync::Semaphore;

use super::run::{Job, for_rows};
use super::test::Test;
use crate::search::content::Bytes;
use crate::search::needles::Needles;
use crate::search::pool::{self, Slice};
use crate::search::trigrams::{self, Collector};
use crate::search::words::address_text;

/// A mailbox of fewer messages is searched as it is.
const MESSAGES_MIN: u64 = 200;
/// New messages that are worth a look at the index.
const NEW_MIN: u64 = 64;
/// Texts of one search that are looked up.
const LOOKUPS_MAX: usize = 64;
/// Rows at once.
const AT_ONCE: usize = 20;

/// One index at a time is brought up to date.
static BUILDING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(1));

/// Asks the index for one search.
struct Lookup<'a> {
    store: &'a Store,
    mailbox: MailboxId,
    needles: &'a Needles,
    left: usize,
}

impl Lookup<'_> {
    /// The messages that may hold a text; `None`: any.
    fn text(&mut self, needle: &[u8]) -> Result<Option<UidRanges>, StoreError> {
        let Some(asked) = trigrams::asked(needle).filter(|_| self.left > 0) else {
            return Ok(None);
        };
        self.left -= 1;
        Ok(Some(self.store.search_candidates(self.mailbox, &asked)?.0))
    }

    /// The messages that may pass a test; `None`: any.
    fn test(&mut self, test: &Test) -> Result<Option<UidRanges>, StoreError> {
        Ok(match test {
            Test::Envelope(_, needle) | Test::Header(_, needle) => self.text(needle)?,
            Test::Content { needle, .. } => self.text(self.needles.text(*needle))?,
            Test::And(tests) => {
                let mut all: Option<UidRanges> = None;
                for test in tests {
                    if let Some(some) = self.test(test)? {
                        all = Some(all.map_or_else(|| some.clone(), |all| all.intersection(&some)));
                    }
                }
                all
            }
            Test::Or(one, other) => match (self.test(one)?, self.test(other)?) {
                (Some(mut one), Some(other)) => {
                    for &(first, last) in other.ranges() {
                        one.insert_range(Uid(first), Uid(last));
                    }
                    Some(one)
                }
                _ => None,
            },
            _ => None,
        })
    }
}

/// Of `among` what may pass.
pub(super) fn narrow(job: &Job, among: &UidRanges) -> Result<UidRanges, StoreError> {
    let Job { store, mailbox, test, needles } = job;
    let state = store.search_index(*mailbox)?;
    let mut lookup = Lookup { store, mailbox: *mailbox, needles, left: LOOKUPS_MAX };
    if state.up_to == Uid(0) {
        return Ok(among.clone());
    }
    let Some(mut candidates) = lookup.test(test)? else { return Ok(among.clone()) };
    candidates.insert_range(Uid(state.up_to.0.saturating_add(1)), Uid(u32::MAX));
    Ok(among.intersection(&candidates))
}

/// True if a search among so many messages may gain from an index.
pub(super) fn is_worth_it(job: &Job, view: &UidRanges) -> bool {
    job.store.has_search_index() && view.len() >= MESSAGES_MIN && asks_texts(&job.test)
}

fn asks_texts(test: &Test) -> bool {
    match test {
        Test::Envelope(..) | Test::Header(..) | Test::Content { .. } => true,
        Test::Not(test) => asks_texts(test),
        Test::Or(one, other) => asks_texts(one) || asks_texts(other),
        Test::And(tests) => tests.iter().any(asks_texts),
        _ => false,
    }
}

/// Brings the index up to date, in the background, if enough came since.
pub(super) fn keep_up(store: Store, mailbox: MailboxId, view: UidRanges, shutdown: Shutdown) {
    let Ok(permit) = BUILDING.try_acquire() else { return };
    tokio::spawn(async move {
        let _permit = permit;
        if let Err(why) = build(&store, mailbox, view, &shutdown).await {
            // The index is a help, not a duty.
            tracing::info!(%mailbox, why, "a search index stays as it is");
        }
    });
}

/// How many of `view` are above a UID.
fn above(view: &UidRanges, uid: Uid) -> u64 {
    let mut behind = UidRanges::new();
    behind.insert_range(Uid(uid.0.saturating_add(1)), Uid(u32::MAX));
    view.intersection(&behind).len()
}

/// Where to begin; `None` if it is not worth the work yet. Most of the index may be of messages that are
/// gone: then it is begun anew.
fn begin(store: &Store, mailbox: MailboxId, view: &UidRanges) -> Result<Option<Uid>, StoreError> {
    let state: SearchIndexState = store.search_index(mailbox)?;
    let new = above(view, state.up_to);
    let old = view.len() - new;
    if state.messages as u64 > 2 * old + 1024 {
        store.search_index_drop(mailbox)?;
        return Ok(Some(Uid(1)));
    }
    // A small last file is made again with what is new: at most four times the work.
    let is_enough = new >= NEW_MIN.max(state.again as u64 / 4);
    if is_enough {
        store.search_index_sweep()?;
    }
    Ok(is_enough.then_some(state.begin))
}

/// A part of the index in the making.
struct Build {
    store: Store,
    mailbox: MailboxId,
    view: UidRanges,
    /// The UIDs of the signatures begin here.
    first: Uid,
    signatures: SearchSignatures,
    collector: Collector,
}

impl Build {
    fn take(&mut self, reading: &mut Reading, row: &Row) {
        match trigrams_of(reading, row, &mut self.collector) {
            Ok(trigrams) => self.signatures.add(row.uid, &trigrams),
            Err(err) => {
                tracing::warn!(uid = %row.uid, %err, "a message cannot be indexed");
                self.collector.take();
                self.signatures.add_unknown(row.uid);
            }
        }
    }

    /// One slice; where to go on.
    fn slice(&mut self, from: Uid, time: &Slice) -> Result<Option<Uid>, StoreError> {
        let store = self.store.clone();
        let mut reading = store.reading()?;
        let view = std::mem::take(&mut self.view);
        let mailbox = self.mailbox;
        let take = &mut |reading: &mut Reading, row: &Row| self.take(reading, row);
        let next = for_rows(&mut reading, mailbox, &view, from, AT_ONCE, time, take);
        self.view = view;
        let next = next?;
        if next.is_none() || self.signatures.is_full() {
            // All up to here is known: what is not in the view is not there any more.
            let last = match next {
                Some(next) => Uid(next.0 - 1),
                None => self.view.last().unwrap_or(self.first),
            };
            let signatures = std::mem::take(&mut self.signatures);
            store.search_index_add(self.mailbox, (self.first, last), &signatures)?;
            self.first = Uid(last.0.saturating_add(1));
        }
        Ok(next)
    }
}

async fn build(
    store: &Store,
    mailbox: MailboxId,
    view: UidRanges,
    shutdown: &Shutdown,
) -> Result<(), String> {
    let text = |err: StoreError| err.to_string();
    let broken = |_| "internal error".to_owned();
    let begun = {
        let (store, view) = (store.clone(), view.clone());
        pool::run(move |_| begin(&store, mailbox, &view)).await.map_err(broken)?.map_err(text)?
    };
    let Some(first) = begun else { return Ok(()) };
    let mut build = Build {
        store: store.clone(),
        mailbox,
        view,
        first,
        signatures: SearchSignatures::default(),
        collector: Collector::default(),
    };
    let mut from = Some(first);
    while let Some(start) = from {
        if shutdown.is_cancelled() {
            return Ok(());
        }
        let work = move |time: &Slice| {
            let next = build.slice(start, time);
            (next, build)
        };
        let (next, back) = pool::run(work).await.map_err(broken)?;
        build = back;
        from = next.map_err(text)?;
    }
    tracing::debug!(%mailbox, "a search index is up to date");
    Ok(())
}

/// The trigrams of all that a search may ask of a message.
fn trigrams_of(
    reading: &mut Reading,
    row: &Row,
    collector: &mut Collector,
) -> Result<Vec<u32>, StoreError> {
    let mut texts = Vec::new();
    let structure = reading.structure(row.blob, &mut texts)?;
    Bytes::new(reading, row).texts(&structure, collector)?;
    // FROM and its like look into addresses as they are written out.
    let mail = &structure.header;
    for list in [&mail.from, &mail.to, &mail.cc, &mail.bcc] {
        collector.whole(&address_text(list));
    }
    Ok(collector.take())
}

#[cfg(test)]
pub(super) mod tests;
