//! The walk over everything in a stopped store, for `postroomd check` and at the end of tests: links,
//! counts, quota, UIDNEXT, change logs, hashes, indexes. It says what is wrong in words and mends nothing.

mod acl;
mod audit;
mod contents;
mod entries;
mod mailboxes;
mod recovery;
mod segments;
mod spool;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use base::{AccountId, BlobId, MailboxId, Timestamp};

use crate::index::{Snapshot, View};
use crate::segment::Segments;
use crate::store::{self, Mode};
use crate::{CheckReport, Options, Store, StoreError, disk, rebuild, rows_file};

/// Findings that are listed; more are only counted.
const PROBLEMS_MAX: usize = 1_000;
/// redb's cache for the walk, bytes.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// What the parts of the walk share.
struct Walk<'v> {
    view: &'v Snapshot,
    report: CheckReport,
    unlisted: u64,
    /// Links of each content as found.
    links: BTreeMap<BlobId, u64>,
    /// Accounts with a row, live or deleted.
    accounts: BTreeSet<AccountId>,
    mailboxes: BTreeSet<MailboxId>,
    /// Numbers of the blocks of deleted messages.
    deleted_blocks: BTreeSet<u64>,
    /// Bytes of linked contents of each segment as found.
    live: BTreeMap<u32, u64>,
}

impl Walk<'_> {
    fn problem(&mut self, text: String) {
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(text);
        } else {
            self.unlisted += 1;
        }
    }

    /// Notes a problem unless `ok`.
    fn expect(&mut self, ok: bool, text: impl FnOnce() -> String) {
        if !ok {
            self.problem(text());
        }
    }

    /// The value, or its damage as a problem.
    fn note<V>(&mut self, outcome: Result<V, StoreError>) -> Option<V> {
        match outcome {
            Ok(value) => Some(value),
            Err(e) => {
                self.problem(e.to_string());
                None
            }
        }
    }

    fn link(&mut self, id: BlobId) {
        *self.links.entry(id).or_default() += 1;
    }
}

type KeyValue = (Vec<u8>, Vec<u8>);

/// All keys and values of a table, or of its part with a prefix.
fn rows_of(
    view: &impl View,
    table: crate::index::T,
    prefix: &[u8],
) -> Result<Vec<KeyValue>, StoreError> {
    let mut rows = Vec::new();
    view.scan_prefix(table, prefix, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        Ok(true)
    })?;
    Ok(rows)
}

impl Store {
    /// Walks everything in a stopped store.
    ///
    /// # Errors
    /// `Open` if there is no store or it runs; `Index` if the index cannot be read at all. What is merely
    /// wrong stands in the report.
    pub fn check(dir: &Path) -> Result<CheckReport, StoreError> {
        Self::check_with(&Options { cache_bytes: CACHE_BYTES, ..Options::new(dir) })
    }

    /// As [`Store::check`], on the disk of the options and with their cache.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub fn check_with(options: &Options) -> Result<CheckReport, StoreError> {
        let (disk, dir) = (&options.disk, options.dir.as_path());
        if !rebuild::has_store(options) {
            return Err(StoreError::Open(format!("{} holds no store", dir.display())));
        }
        let _lock = disk::lock(&**disk, dir)?;
        // What a killed process acknowledged and no checkpoint has seen belongs to the store.
        let segments = Segments::new(Arc::clone(disk), &disk::segments_path(dir));
        let (database, _) =
            store::open_index(options, &segments, Mode::Check, Timestamp::default())?;
        let view = Snapshot::of(&database)?;
        let mut walk = Walk {
            view: &view,
            report: CheckReport::default(),
            unlisted: 0,
            links: BTreeMap::new(),
            accounts: BTreeSet::new(),
            mailboxes: BTreeSet::new(),
            deleted_blocks: BTreeSet::new(),
            live: BTreeMap::new(),
        };
        entries::walk(&mut walk)?;
        mailboxes::walk(&mut walk)?;
        acl::walk(&mut walk)?;
        spool::walk(&mut walk)?;
        recovery::walk(&mut walk)?;
        audit::walk(&mut walk)?;
        webhooks::walk(&mut walk)?;
        contents::walk(&mut walk, &segments)?;
        segments::walk(&mut walk, &segments)?;
        if rows_file::is_there(&**disk, dir) {
            walk.note(rows_file::verify(&**disk, dir));
        }
        let Walk { mut report, unlisted, .. } = walk;
        if unlisted > 0 {
            report.problems.push(format!("{unlisted} further problems"));
        }
        Ok(report)
    }
}
