//! The table of segments: how much of each is live, so that the clean-up knows where space comes back.
//!
//! Live are the records of contents that something links. All else (contents without links, changes,
//! heads) is dead once the index is durable beyond it.

use crate::StoreError;
use crate::codec::{In, Out};
use crate::index::{T, Tables, View};
use crate::segment::Place;

/// A segment's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentRow {
    /// Bytes of records whose content has a link.
    pub(crate) live: u64,
    /// Bytes up to the end of its last record; 0 while the log goes on in it.
    pub(crate) total: u64,
}

impl SegmentRow {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let mut row = In::versioned(row, "segment row")?;
        Ok(Self { live: row.u64()?, total: row.u64()? })
    }
}

pub(crate) fn of(view: &impl View, segment: u32) -> Result<SegmentRow, StoreError> {
    match view.get(T::Segment, &segment.to_be_bytes())? {
        Some(row) => SegmentRow::decode(&row),
        None => Ok(SegmentRow::default()),
    }
}

pub(crate) fn put(
    tables: &mut Tables<'_>,
    segment: u32,
    row: SegmentRow,
) -> Result<(), StoreError> {
    let bytes = Out::versioned().u64(row.live).u64(row.total).0;
    tables.put(T::Segment, &segment.to_be_bytes(), &bytes)
}

/// The content at `place` is linked now.
pub(crate) fn add_live(tables: &mut Tables<'_>, place: &Place) -> Result<(), StoreError> {
    let mut row = of(tables, place.segment)?;
    row.live = row.live.saturating_add(place.record_len());
    put(tables, place.segment, row)
}

/// The content at `place` is linked no more.
pub(crate) fn take_live(tables: &mut Tables<'_>, place: &Place) -> Result<(), StoreError> {
    let mut row = of(tables, place.segment)?;
    let short = || StoreError::Damaged(format!("segment {} has too few live bytes", place.segment));
    row.live = row.live.checked_sub(place.record_len()).ok_or_else(short)?;
    put(tables, place.segment, row)
}

/// The log has left a segment, which has `total` bytes.
pub(crate) fn leave(tables: &mut Tables<'_>, segment: u32, total: u64) -> Result<(), StoreError> {
    let row = of(tables, segment)?;
    put(tables, segment, SegmentRow { total, ..row })
}

/// The segment is gone.
pub(crate) fn remove(tables: &mut Tables<'_>, segment: u32) -> Result<(), StoreError> {
    tables.remove(T::Segment, &segment.to_be_bytes()).map(|_| ())
}
