//! At open: what is in the log and not yet in the index goes into it, group by group, so that the index
//! is again what the last acknowledged act left.
//!
//! Never here: a guess. A group counts whole or not at all, and none behind one that does not.

use redb::Database;

use crate::StoreError;
use crate::codec::blob_key;
use crate::index::{self, Snapshot, T, Tables};
use crate::meta::{self, Lost};
use crate::segment::{Group, LogEnd, Scan, Segments, Tail};

/// Where the log goes on.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) end: LogEnd,
    /// The number of the last group.
    pub(crate) group: u64,
    /// The highest segment number in use.
    pub(crate) last_number: u32,
    /// Segments that the log left since, with their bytes.
    pub(crate) left: Vec<(u32, u64)>,
    /// Behind the end stands what was acknowledged and cannot be replayed: it stays.
    pub(crate) must_stay: bool,
}

/// Replays the log behind what the index knows.
pub(crate) fn run(database: &Database, segments: &Segments) -> Result<Replayed, StoreError> {
    let (begin, mut group) = meta::log_end(&Snapshot::of(database)?)?;
    // The index must not know what the log may still lose; and a commit that is not durable becomes so when
    // the database is closed, also after an error.
    segments.harden(begin)?;
    let mut scan = Scan::new(segments, begin, group)?;
    let mut replayed = 0u64;
    let mut fits = true;
    while let Some(found) = scan.next()? {
        match apply(database, &found) {
            Ok(()) => {}
            Err(e @ StoreError::Damaged(_)) => {
                tracing::error!(err = %e, group = found.number, "the log does not fit the index");
                fits = false;
                break;
            }
            Err(other) => return Err(other),
        }
        scan.accept(&found);
        group = found.number;
        replayed += 1;
    }
    if replayed > 0 {
        index::checkpoint(database)?;
        tracing::info!(groups = replayed, "acts were taken over from the log");
    }
    let end = scan.end();
    let must_stay = !fits || scan.tail()? == Tail::Acknowledged;
    let last_number = scan.last_number();
    if must_stay {
        report_lost(database, Lost { from: end, to_segment: last_number })?;
    }
    Ok(Replayed { end, group, last_number, left: scan.left(), must_stay })
}

/// Makes the commit of a group again.
pub(crate) fn apply(database: &Database, group: &Group) -> Result<(), StoreError> {
    let transaction = index::begin(database)?;
    let mut tables = Tables::open(&transaction);
    for content in &group.contents {
        if let Some(texts) = &content.texts {
            tables.put_derived(T::Text, &blob_key(content.id), texts)?;
        }
    }
    tables.apply(&group.changes)?;
    meta::put_log_end(&mut tables, group.end, group.number)?;
    tables.flush()?;
    drop(tables);
    transaction.commit().map_err(StoreError::index("committing"))
}

/// Notes what could not be replayed, for `check` and for whoever mends it.
fn report_lost(database: &Database, lost: Lost) -> Result<(), StoreError> {
    tracing::error!(
        segment = lost.from.segment,
        offset = lost.from.offset,
        "acknowledged mail in the log is damaged and was left there"
    );
    if meta::lost(&Snapshot::of(database)?)? == Some(lost) {
        return Ok(());
    }
    let mut transaction = index::begin(database)?;
    index::make_durable(&mut transaction)?;
    let mut tables = Tables::open(&transaction);
    meta::put_lost(&mut tables, lost)?;
    tables.flush()?;
    drop(tables);
    transaction.commit().map_err(StoreError::index("committing"))
}
