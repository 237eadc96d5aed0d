//! Segments: their rows against their contents and files, and what of the log could not be replayed.

use super::{Walk, rows_of};
use crate::codec::In;
use crate::index::T;
use crate::segment::Segments;
use crate::segment_row::SegmentRow;
use crate::{StoreError, meta};

pub(super) fn walk(walk: &mut Walk<'_>, segments: &Segments) -> Result<(), StoreError> {
    let view = walk.view;
    let (end, _) = meta::log_end(view)?;
    for (key, row) in rows_of(view, T::Segment, &[])? {
        let Some(segment) = walk.note(In::plain(&key, "segment number").u32()) else { continue };
        let Some(row) = walk.note(SegmentRow::decode(&row)) else { continue };
        let live = walk.live.remove(&segment).unwrap_or(0);
        walk.expect(row.live == live, || {
            format!("segment {segment} says it has {} live bytes, it has {live}", row.live)
        });
        let is_left = segment != end.segment;
        walk.expect(is_left == (row.total > 0), || {
            format!("segment {segment} says it has {} bytes; the log is at {end:?}", row.total)
        });
        // A file that is missing or cut shows in its contents, one by one.
        if let Ok(len) = segments.len(segment) {
            walk.expect(row.total <= len || live == 0, || {
                format!("segment {segment} says it has {} bytes, its file has {len}", row.total)
            });
        }
    }
    for (segment, live) in std::mem::take(&mut walk.live) {
        walk.problem(format!("segment {segment} has {live} live bytes and no row"));
    }
    if let Some(Some(lost)) = walk.note(meta::lost(view)) {
        walk.problem(format!(
            "acknowledged mail in the log could not be taken over: segment {} from byte {}, up to \
             segment {}",
            lost.from.segment, lost.from.offset, lost.to_segment
        ));
    }
    Ok(())
}
