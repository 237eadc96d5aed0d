//! The age of the store: milliseconds that really passed, as far as it can know. Retention is counted in
//! it, so that no jump of the clock ends anything early.
//!
//! While the store runs only monotonic time counts. At a start the time since the last look counts by the
//! clock, but never more than a day: a box that is switched off for a week keeps its mail longer, one
//! whose clock leaps ten years loses nothing.

use std::time::Duration;

use base::Timestamp;

use crate::StoreError;
use crate::codec::{In, Out};
use crate::index::{T, Tables, View};

const KEY: &[u8] = b"age";
/// What the time between two runs counts at most.
const OFF_MAX_MS: u64 = 24 * 3600 * 1000;

/// The stored state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Age {
    ms: u64,
    /// The clock at the last look.
    seen: Timestamp,
}

fn load(view: &impl View) -> Result<Option<Age>, StoreError> {
    let Some(row) = view.get(T::Meta, KEY)? else { return Ok(None) };
    let mut row = In::versioned(&row, "age")?;
    Ok(Some(Age { ms: row.u64()?, seen: Timestamp(row.u64()?.cast_signed()) }))
}

/// The age now, milliseconds, as of the last look.
pub(crate) fn now(view: &impl View) -> Result<u64, StoreError> {
    Ok(load(view)?.unwrap_or_default().ms)
}

/// Adds what passed since the last look. `is_first`: the first look of this run, so the time before it
/// counts by the clock.
pub(crate) fn advance(
    tables: &mut Tables<'_>,
    passed: Duration,
    clock: Timestamp,
    is_first: bool,
) -> Result<(), StoreError> {
    let old = load(tables)?.unwrap_or(Age { ms: 0, seen: clock });
    let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
    let mut ms = old.ms.saturating_add(passed);
    if is_first {
        let gap = u64::try_from(clock.0.saturating_sub(old.seen.0)).unwrap_or(0);
        ms = ms.saturating_add(gap.saturating_sub(passed).min(OFF_MAX_MS));
    }
    let row = Out::versioned().u64(ms).u64(clock.0.cast_unsigned());
    tables.put(T::Meta, KEY, &row.0)
}
