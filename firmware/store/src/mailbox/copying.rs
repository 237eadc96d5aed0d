//! COPY and MOVE: new rows that link the same contents.

use base::{MailboxId, UidRanges};

use super::adding::{Adding, Incoming};
use super::expunging::{self, Leaving};
use super::keywords::{self, Keywords};
use super::{flags, message_row, row};
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
    let blocks = flags::blocks_of(&tx.tables, from, uids)?;
    let (messages, bytes, union) = survey(&tx.tables, from, uids, &blocks)?;
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
    for number in blocks {
        for (slot, marks) in flags::load(&tx.tables, from, number)? {
            let uid = flags::uid_at(number, slot);
            if !uids.contains(uid) {
                continue;
            }
            let message = message_row::existing(&tx.tables, from, uid)?;
            let keywords = match marks.keywords {
                0 => 0,
                _ if !may_keywords => 0,
                bits => to_keywords.known_bits(&from_keywords.flags(0, bits)),
            };
            blob::link(tx, message.blob, 1)?;
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
    }
    adding.end(tx)?;
    if source == Source::Expunge {
        let gone: UidRanges = copied.source.iter().copied().collect();
        expunging::remove(tx, from, &gone, Leaving::Gone)?;
    }
    Ok(copied)
}

/// How many messages, their bytes, and all keyword bits that one of them has.
fn survey(
    view: &impl View,
    from: MailboxId,
    uids: &UidRanges,
    blocks: &[u32],
) -> Result<(u64, u64, u64), StoreError> {
    let (mut messages, mut bytes, mut union) = (0u64, 0u64, 0);
    for &number in blocks {
        for (slot, marks) in flags::load(view, from, number)? {
            let uid = flags::uid_at(number, slot);
            if uids.contains(uid) {
                messages += 1;
                bytes = bytes.saturating_add(message_row::existing(view, from, uid)?.size);
                union |= marks.keywords;
            }
        }
    }
    Ok((messages, bytes, union))
}
