//! A lost index is made again: the rows of an earlier time (`rows_file`), or none where the log still has its
//! beginning, then the log behind them, then the texts of the contents.
//!
//! It is made in a file of its own that gets its name when it is whole and durable; the old one is kept as
//! `index.broken`. Nothing of the log is cut: whatever stops this, it can be begun again.
//!
//! Never here: a guess. Behind a group of the log that cannot be read nothing is taken over; the place is noted
//! as `lost`, as at any opening.

#[cfg(test)]
mod tests;
mod texts;

use std::path::{Path, PathBuf};

use redb::Database;

use crate::index::{self, Snapshot, Tables};
use crate::segment::{self, Group, LogEnd, Scan, Segments, Tail};
use crate::{Options, StoreError, disk, meta, replay, rows_file, store};

const MAKING: &str = "index.making";
/// What could not be used, for whoever wants to look into it.
pub(crate) const BROKEN: &str = "index.broken";
/// Groups that one transaction takes over.
const GROUPS_PER_COMMIT: usize = 1_000;
/// Bytes of changes that one transaction takes over, about.
const BYTES_PER_COMMIT: usize = 16 * 1024 * 1024;

/// Makes the index again if it cannot be used; says in words what was done. The caller has no lock.
pub(crate) fn run(options: &Options) -> Result<Vec<String>, StoreError> {
    let (disk, dir) = (&*options.disk, options.dir.as_path());
    let _lock = disk::lock(disk, dir)?;
    let Some(fault) = fault(options)? else { return rows_are_whole(options) };
    tracing::warn!(fault, "the index is made again");
    let segments = Segments::new(std::sync::Arc::clone(&options.disk), &disk::segments_path(dir));
    let doing = "giving the new index its name";
    // Beside the new one nothing may be left that a stop had half made.
    let (database, origin) = beginning(options, &segments)?;
    let groups = take_over(&database, &segments)?;
    let replayed = replay::run(&database, &segments)?;
    let (contents, damaged) = texts::make(&database, &segments)?;
    index::checkpoint(&database)?;
    drop(database);
    let index = disk::index_path(dir);
    if disk::has_index(disk, dir).map_err(StoreError::io(doing))? {
        disk.rename(&index, &dir.join(BROKEN)).map_err(StoreError::io(doing))?;
    }
    disk.rename(&dir.join(MAKING), &index).map_err(StoreError::io(doing))?;
    disk.sync_dir(dir).map_err(StoreError::io(doing))?;
    let from = match origin {
        Origin::Rows(rows) => format!("the rows of group {} and the log behind them", rows.group),
        Origin::Log => "the whole log".to_owned(),
    };
    let mut done = vec![format!(
        "index.redb could not be used ({fault}): it was made again from {from}, up to group {} \
         ({groups} groups read, {contents} messages indexed); the old one, if there was any, is \
         {BROKEN}",
        replayed.group
    )];
    if damaged > 0 {
        done.push(format!("{damaged} messages are damaged in the log and have no structure now"));
    }
    done.extend(rows_are_whole(options)?);
    Ok(done)
}

/// Rows that are not whole would be of no help: they go, and the store writes them anew.
fn rows_are_whole(options: &Options) -> Result<Vec<String>, StoreError> {
    let (disk, dir) = (&*options.disk, options.dir.as_path());
    if !rows_file::is_there(disk, dir) {
        return Ok(Vec::new());
    }
    match rows_file::verify(disk, dir) {
        Ok(_) => Ok(Vec::new()),
        Err(StoreError::Damaged(why)) => {
            rows_file::remove(disk, dir)?;
            Ok(vec![format!("{why}: it is taken away and made anew when the store runs")])
        }
        Err(other) => Err(other),
    }
}

/// What is wrong with the index, so that it must be made again.
fn fault(options: &Options) -> Result<Option<String>, StoreError> {
    let (disk, dir) = (&*options.disk, options.dir.as_path());
    let path = disk::index_path(dir);
    if !disk::has_index(disk, dir).map_err(StoreError::io("looking for the index"))? {
        return Ok(Some("it is missing".to_owned()));
    }
    let file = disk.open(&path, false).map_err(StoreError::io("opening the index"))?;
    if file.is_empty().map_err(StoreError::io("opening the index"))? {
        return Ok(Some("it is empty".to_owned()));
    }
    let format = index::guarded(|| {
        let database = index::verified(file, options.cache_bytes)?;
        store::format(&database)
    });
    Ok(match format {
        Ok(Some(_)) => None,
        Ok(None) => Some("there is nothing in it".to_owned()),
        Err(e) => Some(e.to_string()),
    })
}

/// What a new index begins with.
enum Origin {
    Rows(rows_file::RowsFile),
    /// Nothing: the log is there from its first group on.
    Log,
}

fn empty(options: &Options) -> Result<Database, StoreError> {
    let path: PathBuf = options.dir.join(MAKING);
    let doing = "making a new index";
    let file = options.disk.open(&path, true).map_err(StoreError::io(doing))?;
    file.set_len(0).map_err(StoreError::io(doing))?;
    let database = index::open(file, options.cache_bytes)?;
    store::make_tables(&database)?;
    Ok(database)
}

fn beginning(options: &Options, segments: &Segments) -> Result<(Database, Origin), StoreError> {
    let (disk, dir) = (&*options.disk, options.dir.as_path());
    let database = empty(options)?;
    if rows_file::is_there(disk, dir) {
        match rows_file::load(disk, dir, &database) {
            Ok(rows) => return Ok((database, Origin::Rows(rows))),
            Err(StoreError::Damaged(why)) => tracing::warn!(why, "the rows cannot be used"),
            Err(other) => return Err(other),
        }
    }
    // A part of the rows may be in it.
    drop(database);
    if has_beginning(segments)? && !was_upgraded(options) {
        return Ok((empty(options)?, Origin::Log));
    }
    Err(StoreError::Open(format!(
        "the index cannot be made again: {} is not there or damaged, and the log's beginning was \
         cleaned up",
        rows_file::path(dir).display()
    )))
}

/// True if the first group of the store is still in the log.
fn has_beginning(segments: &Segments) -> Result<bool, StoreError> {
    let scan = Scan::passing_over(segments, LogEnd::default(), 0)?;
    // Segments that were never written to hold nothing of any log.
    Ok(scan.goes_on() || scan.tail()? == Tail::Unacknowledged)
}

/// The log of a store that was upgraded begins with changes of other rows than today's.
fn was_upgraded(options: &Options) -> bool {
    let is_old = |name: &String| name.starts_with("index.v");
    options.disk.list(&options.dir).is_ok_and(|names| names.iter().any(is_old))
}

/// Takes over all groups but the last: those were durable before the next was begun, so their contents need no
/// look. Returns how many.
fn take_over(database: &Database, segments: &Segments) -> Result<u64, StoreError> {
    let (from, group) = meta::log_end(&Snapshot::of(database)?)?;
    let mut scan = Scan::passing_over(segments, from, group)?;
    let (mut count, mut bytes) = (0, 0);
    let mut batch: Vec<Group> = Vec::new();
    while let Some(found) = scan.next()? {
        scan.accept(&found);
        if batch.len() >= GROUPS_PER_COMMIT || bytes >= BYTES_PER_COMMIT {
            if !apply(database, &batch)? {
                return Ok(count);
            }
            count += batch.len() as u64;
            (batch, bytes) = (Vec::new(), 0);
        }
        bytes += found.changes.len();
        batch.push(found);
    }
    batch.pop();
    if apply(database, &batch)? {
        count += batch.len() as u64;
    }
    Ok(count)
}

/// Makes the commits of some groups again; false, and nothing done, if one does not fit: the replay behind
/// this goes one by one and finds it.
fn apply(database: &Database, groups: &[Group]) -> Result<bool, StoreError> {
    let Some(last) = groups.last() else { return Ok(true) };
    let transaction = index::begin(database)?;
    let mut tables = Tables::open(&transaction);
    for group in groups {
        match tables.apply(&group.changes) {
            Ok(()) => {}
            Err(StoreError::Damaged(_)) => return Ok(false),
            Err(other) => return Err(other),
        }
    }
    meta::put_log_end(&mut tables, last.end, last.number)?;
    tables.flush()?;
    drop(tables);
    transaction.commit().map_err(StoreError::index("committing"))?;
    index::checkpoint(database)?;
    Ok(true)
}

/// True if a data directory has a store, with or without an index.
pub(crate) fn has_store(options: &Options) -> bool {
    let (disk, dir): (_, &Path) = (&*options.disk, &options.dir);
    disk::has_index(disk, dir).unwrap_or(false)
        || segment::list(disk, &disk::segments_path(dir)).is_ok_and(|list| !list.is_empty())
}
