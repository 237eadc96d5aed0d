//! EXPORT: the mail of an account out of a stopped store, whatever state that is in. It writes nothing
//! into the store, skips what cannot be read, says so, and never gives up as long as something can be.
//!
//! First by the index, mailbox by mailbox. Where the index fails, the log's own records say which content
//! went to which mailbox: what was not found by the index comes out of them, deleted mail too.

mod files;
mod salvage;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use base::{AccountId, Address, BlobHash, Uid};

use crate::disk::Overlay;
use crate::index::{Snapshot, guarded};
use crate::mailbox::reads;
use crate::mailbox::row;
use crate::segment::Segments;
use crate::{Options, Row, StoreError, blob, disk, store};
use files::{Files, Letter};

pub use files::ExportFormat;

/// redb's cache, bytes.
const CACHE_BYTES: usize = 16 * 1024 * 1024;
/// Findings that are listed; more are only counted.
const SKIPPED_MAX: usize = 1_000;
/// Rows read at once.
const ROWS: usize = 1_000;

/// Whose mail is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportAccount {
    /// By one of its addresses; needs an index that can be read.
    Address(Address),
    /// By its number.
    Id(AccountId),
}

/// What an export gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Messages that were written.
    pub messages: u64,
    /// Those of them that only the log knew, flags as they were when they came.
    pub salvaged: u64,
    /// What could not be read, in words.
    pub skipped: Vec<String>,
    /// How many things could not be read.
    pub skipped_count: u64,
}

impl ExportReport {
    fn skip(&mut self, text: String) {
        self.skipped_count += 1;
        if self.skipped.len() < SKIPPED_MAX {
            self.skipped.push(text);
        }
    }

    /// The value, or what was in its way.
    fn note<V>(&mut self, what: &str, outcome: Result<V, StoreError>) -> Option<V> {
        match outcome {
            Ok(value) => Some(value),
            Err(e) => {
                self.skip(format!("{what}: {e}"));
                None
            }
        }
    }
}

/// What an export goes along with.
struct Export<'e> {
    segments: &'e Segments,
    files: Files,
    report: ExportReport,
    /// Contents that were written, so that the log's records do not give them again.
    written: BTreeSet<BlobHash>,
}

impl crate::Store {
    /// Writes the mail of an account into the folder `to`, which must be empty or absent.
    ///
    /// # Errors
    /// `Open` if another process has the store or there is none; `NoSuchAccount`; `Io` if `to` cannot be
    /// written. What cannot be read of the store is in the report.
    pub fn export(
        dir: &Path,
        account: &ExportAccount,
        to: &Path,
        format: ExportFormat,
    ) -> Result<ExportReport, StoreError> {
        let mut options = Options { cache_bytes: CACHE_BYTES, ..Options::new(dir) };
        options.disk = Arc::new(Overlay(Arc::clone(&options.disk)));
        let segments_path = disk::segments_path(dir);
        if options.disk.list(dir).is_err() {
            return Err(StoreError::Open(format!("{} holds no store", dir.display())));
        }
        let _lock = disk::lock(&*options.disk, dir)?;
        let segments = Segments::new(Arc::clone(&options.disk), &segments_path);
        let mut export = Export {
            segments: &segments,
            files: Files::new(to, format)?,
            report: ExportReport::default(),
            written: BTreeSet::new(),
        };
        let database = guarded(|| store::open_to_read(&options, &segments));
        let mut id = match account {
            ExportAccount::Id(id) => Some(*id),
            ExportAccount::Address(_) => None,
        };
        let mut is_whole = false;
        if let Some(database) = export.report.note("the index", database)
            && let Some(view) = export.report.note("the index", guarded(|| Snapshot::of(&database)))
        {
            if let ExportAccount::Address(address) = account {
                let found = guarded(|| id_of_address(&view, address));
                match export.report.note("the directory", found) {
                    Some(Some(found)) => id = Some(found),
                    Some(None) => return Err(StoreError::NoSuchAccount),
                    None => {}
                }
            }
            if let Some(id) = id {
                is_whole = export.by_index(&view, id)?;
            }
        }
        if !is_whole {
            export.by_log(id)?;
        }
        Ok(export.report)
    }
}

fn id_of_address(view: &Snapshot, address: &Address) -> Result<Option<AccountId>, StoreError> {
    use crate::directory::address_index::{self, Owner};
    use crate::directory::domain_alias;
    match address_index::find(view, &domain_alias::canonical(view, address)?)? {
        Some(Owner::Primary(id) | Owner::Further(id)) => Ok(Some(id)),
        Some(Owner::Alias(_) | Owner::Group(_)) => Ok(None),
        None => deleted_id(view, address),
    }
}

/// A deleted account is found by the address it had.
fn deleted_id(view: &Snapshot, address: &Address) -> Result<Option<AccountId>, StoreError> {
    let deleted = crate::recovery::accounts::list(view, AccountId(0), usize::MAX)?;
    Ok(deleted.into_iter().find(|a| a.address.key() == address.key()).map(|a| a.id))
}

impl Export<'_> {
    /// All that the index knows; true if it could be read from end to end.
    fn by_index(&mut self, view: &Snapshot, id: AccountId) -> Result<bool, StoreError> {
        let listed = guarded(|| row::list(view, id));
        let Some(mailboxes) = self.report.note("the list of mailboxes", listed) else {
            return Ok(false);
        };
        let mut is_whole = true;
        for (mailbox, name) in mailboxes {
            let mut from = Uid(1);
            loop {
                let rows = guarded(|| reads::rows(view, mailbox, from, Uid(u32::MAX), ROWS));
                let Some(rows) = self.report.note(&name, rows) else {
                    is_whole = false;
                    break;
                };
                for row in &rows {
                    is_whole &= self.message(view, &name, row)?;
                }
                match rows.last().and_then(|last| last.uid.0.checked_add(1)) {
                    Some(next) if rows.len() == ROWS => from = Uid(next),
                    _ => break,
                }
            }
        }
        Ok(is_whole)
    }

    /// One message of a mailbox; false if the index does not know its content.
    fn message(&mut self, view: &Snapshot, mailbox: &str, row: &Row) -> Result<bool, StoreError> {
        let what = format!("{mailbox}, UID {}", row.uid);
        let content = guarded(|| blob::linked(view, row.blob));
        let Some(content) = self.report.note(&what, content) else { return Ok(false) };
        let letter =
            Letter { mailbox, uid: row.uid, flags: &row.flags, internal_date: row.internal_date };
        let segments = self.segments;
        let read = |offset, len| segments.read(&content.place, offset, len);
        if self.files.put(&letter, content.place.size, &what, &read, &mut self.report)? {
            self.report.messages += 1;
            self.written.insert(content.hash);
        }
        Ok(true)
    }
}
