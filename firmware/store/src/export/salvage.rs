//! Mail out of the log alone: its records say to which mailboxes a content was delivered. What came by
//! COPY, was moved, renamed or deleted later is not known here; a message can come out that was gone.

use std::collections::BTreeSet;

use base::{AccountId, MailboxId, Uid};

use super::Export;
use super::files::Letter;
use crate::segment::{Header, LoggedDelivery, Place, RECORD_HEADER_BYTES, decode_delivery};
use crate::{DiskFile, Flags, StoreError};

/// Bytes read at once while looking for a record.
const PIECE: usize = 256 * 1024;
const MAGIC: &[u8; 4] = b"PRec";
/// Bytes of a delivery record and frame table that can be.
const TAIL_MAX: u64 = 64 * 1024 * 1024;

/// A record that is what was written.
struct Found {
    header: Header,
    delivery: LoggedDelivery,
    place: Place,
}

/// Where the next record may begin, from `at` on.
fn next_magic(file: &dyn DiskFile, mut at: u64, len: u64) -> Option<u64> {
    while at < len {
        let count = (len - at).min(PIECE as u64);
        let mut piece = vec![0; usize::try_from(count).ok()?];
        if file.read_at(&mut piece, at).is_err() {
            // A sector that cannot be read: behind it the next may.
            at += 512;
            continue;
        }
        if let Some(found) = piece.windows(MAGIC.len()).position(|four| four == MAGIC) {
            return Some(at + found as u64);
        }
        if count < PIECE as u64 {
            return None;
        }
        // The next piece begins within this one: a magic may lie across.
        at += count - (MAGIC.len() as u64 - 1);
    }
    None
}

/// The content record at `at`, if there is a whole one; `None` is no damage, it may be something else.
fn record(file: &dyn DiskFile, segment: u32, at: u64) -> Option<Found> {
    let mut head = [0; RECORD_HEADER_BYTES];
    file.read_at(&mut head, at).ok()?;
    let header = Header::decode(&head).ok()?;
    let tail_len = header.tail_len();
    if tail_len > TAIL_MAX {
        return None;
    }
    let mut tail = vec![0; usize::try_from(tail_len).ok()?];
    file.read_at(&mut tail, at + RECORD_HEADER_BYTES as u64).ok()?;
    if !Header::verify(&head, &tail) {
        return None;
    }
    let meta = tail.get(..usize::try_from(header.meta_len).ok()?)?;
    let (_, delivery) = decode_delivery(meta).ok()?;
    let place = Place {
        segment,
        offset: at,
        table_at: u32::try_from(RECORD_HEADER_BYTES).ok()? + header.meta_len,
        data_len: header.data_len,
        size: header.size,
    };
    Some(Found { header, delivery, place })
}

impl Export<'_> {
    /// What went to the account by the log, or to all accounts if it is not known, and is not yet out.
    pub(super) fn by_log(&mut self, account: Option<AccountId>) -> Result<(), StoreError> {
        let segments = self.segments;
        let Some(numbers) = self.report.note("the log", segments.numbers()) else { return Ok(()) };
        let mut seen = BTreeSet::new();
        for number in numbers {
            let what = format!("segment {number}");
            let Some(file) = self.report.note(&what, segments.file(number)) else { continue };
            let len = file.len().map_err(StoreError::io("reading a segment"));
            let Some(len) = self.report.note(&what, len) else { continue };
            let mut at = 0;
            while let Some(found) = next_magic(&*file, at, len) {
                match record(&*file, number, found) {
                    Some(record) => {
                        at = record.place.end().min(len);
                        self.salvage(&record, account, &mut seen)?;
                    }
                    None => at = found + MAGIC.len() as u64,
                }
            }
        }
        Ok(())
    }

    fn salvage(
        &mut self,
        record: &Found,
        account: Option<AccountId>,
        seen: &mut BTreeSet<(MailboxId, Uid)>,
    ) -> Result<(), StoreError> {
        if self.written.contains(&record.header.hash) {
            return Ok(());
        }
        for copy in &record.delivery.copies {
            if account.is_some_and(|id| id != copy.account)
                || !seen.insert((copy.mailbox, copy.uid))
            {
                continue;
            }
            let mailbox = match account {
                Some(_) => format!("recovered/mailbox-{}", copy.mailbox),
                None => format!("recovered/account-{}/mailbox-{}", copy.account, copy.mailbox),
            };
            let what = format!("{mailbox}, UID {}", copy.uid);
            let flags = Flags { system: copy.system_flags, keywords: copy.keywords.clone() };
            let (uid, internal_date) = (copy.uid, copy.internal_date);
            let letter = Letter { mailbox: &mailbox, uid, flags: &flags, internal_date };
            let segments = self.segments;
            let read = |offset, len| segments.read(&record.place, offset, len);
            let size = record.place.size;
            if self.files.put(&letter, size, &what, &read, &mut self.report)? {
                self.report.messages += 1;
                self.report.salvaged += 1;
            }
        }
        Ok(())
    }
}
