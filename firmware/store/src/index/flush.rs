//! How rows that a group wrote go into the index: neighbours together, in one walk, all others one by one.
//!
//! Never here: which rows, or what they mean.

use std::cmp::Ordering;
use std::ops::Bound;

use redb::{ReadableTable, Table};

use super::redo::Redo;
use super::tables::Row;
use super::{Bytes, T};
use crate::StoreError;

/// Neighbouring rows that are worth being written together.
const RUN_MIN: usize = 4;

/// Writes rows: neighbours together, so that a page is written once, and full.
pub(super) fn rows(
    open: &mut Table<'_, Bytes, Bytes>,
    table: T,
    mut rows: &[Row],
    redo: &mut Redo,
) -> Result<(), StoreError> {
    while rows.len() >= RUN_MIN {
        let len = run_len(open, rows)?;
        let (first, rest) = rows.split_at(len.max(RUN_MIN));
        if len >= RUN_MIN {
            run(open, table, first, redo)?;
        } else {
            first.iter().try_for_each(|row| one(open, table, row, redo))?;
        }
        rows = rest;
    }
    rows.iter().try_for_each(|row| one(open, table, row, redo))
}

/// How many of the first rows are puts with no other row of the index between them.
fn run_len(open: &Table<'_, Bytes, Bytes>, rows: &[Row]) -> Result<usize, StoreError> {
    let Some((first, _)) = rows.first() else { return Ok(0) };
    let doing = "reading a range";
    let mut range = open.range(first.as_slice()..).map_err(StoreError::index(doing))?;
    let mut step = || range.next().transpose().map_err(StoreError::index(doing));
    let mut stored = step()?;
    for (len, (key, row)) in rows.iter().enumerate() {
        match stored.as_ref().map(|(at, _)| at.value().cmp(key)) {
            _ if row.value.is_none() => return Ok(len),
            Some(Ordering::Less) => return Ok(len),
            Some(Ordering::Equal) => stored = step()?,
            Some(Ordering::Greater) | None => {}
        }
    }
    Ok(rows.len())
}

/// Writes a run: the old rows go and the new ones come in one walk each.
fn run(
    open: &mut Table<'_, Bytes, Bytes>,
    table: T,
    rows: &[Row],
    redo: &mut Redo,
) -> Result<(), StoreError> {
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return Ok(()) };
    let doing = "writing rows";
    let mut note = |(key, row): &Row, old: Option<&[u8]>| {
        if let (Some(value), false) = (&row.value, row.is_derived) {
            redo.put(table, key, old, value);
        }
    };
    let mut noted = rows.iter().peekable();
    let range = (Bound::Included(first.as_slice()), Bound::Included(last.as_slice()));
    open.retain_in::<&[u8], _>(range, |key, old| {
        while let Some(row) = noted.next_if(|row| row.0.as_slice() <= key) {
            note(row, (row.0 == key).then_some(old));
        }
        false
    })
    .map_err(StoreError::index(doing))?;
    noted.for_each(|row| note(row, None));
    let mut cursor = open
        .lower_bound_mut(Bound::Included(first.as_slice()))
        .map_err(StoreError::index(doing))?;
    for (key, row) in rows {
        let Some(value) = &row.value else { continue };
        cursor.insert_before(key.as_slice(), value.as_slice()).map_err(StoreError::index(doing))?;
    }
    cursor.close().map_err(StoreError::index(doing))
}

fn one(
    open: &mut Table<'_, Bytes, Bytes>,
    table: T,
    (key, row): &Row,
    redo: &mut Redo,
) -> Result<(), StoreError> {
    let key = key.as_slice();
    match &row.value {
        Some(value) => {
            let old =
                open.insert(key, value.as_slice()).map_err(StoreError::index("writing a row"))?;
            if !row.is_derived {
                redo.put(table, key, old.as_ref().map(|old| old.value()), value);
            }
        }
        None => {
            let old = open.remove(key).map_err(StoreError::index("removing a row"))?;
            if old.is_some() {
                redo.remove(table, key);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::index::{self, T, Tables, View};

    /// Numbers below `n`, always the same.
    struct Dice(u64);
    impl Dice {
        fn roll(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % n
        }
    }

    fn shown(tables: &Tables<'_>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut rows = BTreeMap::new();
        let mut note = |key: &[u8], row: &[u8]| {
            rows.insert(key.to_vec(), row.to_vec());
            Ok(true)
        };
        tables.scan(T::Entry, &[], &[], &mut note).unwrap();
        rows
    }

    /// Runs of all kinds: new, old and mixed rows, with others between them, and some that go; a replay of
    /// the changes gives the same.
    #[test]
    fn what_is_flushed_is_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let disk = crate::Options::new(dir.path()).disk;
        let [database, copy] = ["index", "copy"].map(|name| {
            index::open(disk.open(&dir.path().join(name), true).unwrap(), 4 << 20).unwrap()
        });
        let mut dice = Dice(7);
        let mut model = BTreeMap::<Vec<u8>, Vec<u8>>::new();
        for _ in 0..60 {
            let transaction = index::begin(&database).unwrap();
            let mut tables = Tables::open(&transaction);
            for _ in 0..dice.roll(4) {
                let (first, step) = (dice.roll(4000), 1 + dice.roll(3));
                let (len, kind) = (dice.roll(300), dice.roll(8));
                let keys = (0..len).map(|n| (first + n * step).to_be_bytes());
                if kind == 0 {
                    let last = (first + len).to_be_bytes();
                    let first = first.to_be_bytes();
                    let mut taken = BTreeMap::new();
                    let mut take = |key: &[u8], row: &[u8]| {
                        taken.insert(key.to_vec(), row.to_vec());
                        Ok(())
                    };
                    tables.remove_range(T::Entry, &first, &last, &mut take).unwrap();
                    let gone = first.to_vec()..=last.to_vec();
                    let expected: BTreeMap<_, _> = model.extract_if(gone, |_, _| true).collect();
                    assert_eq!(taken, expected);
                    continue;
                }
                for key in keys {
                    if kind == 1 || dice.roll(40) == 0 {
                        let was_there = tables.remove(T::Entry, &key).unwrap();
                        assert_eq!(was_there, model.remove(key.as_slice()).is_some());
                    } else {
                        let value = vec![b'v'; usize::try_from(dice.roll(90)).unwrap()];
                        tables.put(T::Entry, &key, &value).unwrap();
                        model.insert(key.to_vec(), value);
                    }
                }
            }
            assert_eq!(shown(&tables), model);
            tables.flush().unwrap();
            assert_eq!(shown(&tables), model);
            assert_eq!(tables.len(T::Entry).unwrap(), model.len() as u64);

            let replay = index::begin(&copy).unwrap();
            let mut replayed = Tables::open(&replay);
            replayed.apply(tables.redo().unwrap()).unwrap();
            replayed.flush().unwrap();
            assert_eq!(shown(&replayed), model);
            drop((tables, replayed));
            transaction.commit().unwrap();
            replay.commit().unwrap();
        }
        assert!(model.len() > 500, "{}", model.len());
    }
}
