//! COPY and MOVE: new rows that link the same contents.

use base::{MailboxId, Uid, UidRanges};

use super::adding::{Adding, Incoming};
use super::expunging::{self, Leaving};
use super::flags::{self, Marks};
use super::keywords::{self, Keywords};
use super::message_row::{self, MessageRow};
use super::row;
use crate::directory::account;
use crate::index::View;
use crate::writer::Tx;
use crate::{Copied, Rights, StoreError, blob};

/// Whether the messages stay in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Keep,
    /// RFC 6851.
    Expunge,
}

pub(crate) fn copy(
    tx: &mut Tx<'_, '_>,
    from: MailboxId,
    uids: &UidRanges,
    to: MailboxId,
    source: Source,
    rights: Rights,
) -> Result<Copied, StoreError> {
    let from_row = row::existing(&tx.tables, from)?;
    let to_row = row::existing(&tx.tables, to)?;
    let going = read(&tx.tables, from, uids)?;
    let bytes = going.iter().fold(0u64, |sum, one| sum.saturating_add(one.message.size));
    let union = going.iter().fold(0, |bits, one| bits | one.marks.keywords);
    let messages = going.len() as u64;
    // A move within one account changes no usage.
    if source == Source::Keep || from_row.account != to_row.account {
        account::check_quota(tx, to_row.account, messages, bytes)?;
    }
    // RFC 4314 §4: only flags that may be set in the target come along.
    let (system_mask, may_keywords) = rights.flags();
    let union = if may_keywords { union } else { 0 };
    let from_keywords = Keywords::load(&tx.tables, from)?;
    keywords::bits(tx, to, &from_keywords.flags(0, union))?;
    let to_keywords = Keywords::load(&tx.tables, to)?;
    let mut adding = Adding::begin(tx, to)?;
    let mut copied =
        Copied { uid_validity: to_row.uid_validity, source: Vec::new(), target: Vec::new() };
    // The links of messages that are moved move with them.
    if source == Source::Keep {
        blob::link_each(tx, going.iter().map(|one| one.message.blob).collect())?;
    }
    for Going { uid, marks, message } in going {
        let keywords = match marks.keywords {
            0 => 0,
            _ if !may_keywords => 0,
            bits => to_keywords.known_bits(&from_keywords.flags(0, bits)),
        };
        let incoming = Incoming {
            blob: message.blob,
            size: message.size,
            internal_date: message.internal_date,
            zone_minutes: message.zone_minutes,
            system: marks.system & system_mask,
            keywords,
        };
        copied.source.push(uid);
        copied.target.push(adding.add(tx, &incoming)?);
    }
    adding.end(tx)?;
    if source == Source::Expunge {
        let gone: UidRanges = copied.source.iter().copied().collect();
        expunging::remove(tx, from, &gone, Leaving::Moved)?;
    }
    Ok(copied)
}

/// A message that is copied, read once.
struct Going {
    uid: Uid,
    marks: Marks,
    message: MessageRow,
}

/// Those of `uids` that exist, ascending.
fn read(view: &impl View, from: MailboxId, uids: &UidRanges) -> Result<Vec<Going>, StoreError> {
    let mut rows = message_row::all(view, from, uids)?.into_iter();
    let mut going = Vec::with_capacity(rows.len());
    for number in flags::blocks_of(view, from, uids)? {
        for (slot, marks) in flags::load(view, from, number)? {
            let uid = flags::uid_at(number, slot);
            if uids.contains(uid) {
                let row = rows.next().filter(|row| row.0 == uid);
                let (_, message) = row.ok_or_else(|| message_row::missing(from, uid))?;
                going.push(Going { uid, marks, message });
            }
        }
    }
    Ok(going)
}
