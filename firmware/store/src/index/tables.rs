//! The writer's view of the tables: rows that its group wrote stand in memory until the group ends, so
//! that a row that many acts of a group change goes into the index, and into the log, once.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};

use super::redo::{self, Change, Redo};
use super::{Bytes, T, TABLES, View, Visit, definition, flush};
use crate::StoreError;

/// Bytes of rows in memory beyond which they go into the index at once.
const PENDING_MAX: usize = 4 * 1024 * 1024;

/// A row that is not in the index yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// `None`: it is to go.
    pub(super) value: Option<Vec<u8>>,
    /// A replay makes it again from the contents in the log.
    pub(super) is_derived: bool,
}

pub(super) type Row = (Vec<u8>, Pending);
type Rows = BTreeMap<Vec<u8>, Pending>;

/// What [`Tables::remove_range`] does with a row that it removes.
pub(crate) type Taken<'v> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'v;

/// All tables, for writing.
pub(crate) struct Tables<'t> {
    transaction: &'t WriteTransaction,
    tables: [OnceCell<Table<'t, Bytes, Bytes>>; TABLES.len()],
    pending: [Rows; TABLES.len()],
    pending_bytes: usize,
    redo: Redo,
    writes: u64,
}

impl<'t> Tables<'t> {
    /// The tables are opened when they are used.
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Self {
        Self {
            transaction,
            tables: std::array::from_fn(|_| OnceCell::new()),
            pending: std::array::from_fn(|_| Rows::default()),
            pending_bytes: 0,
            redo: Redo::default(),
            writes: 0,
        }
    }

    /// Makes all tables of a new store.
    pub(crate) fn make_all(&self) -> Result<(), StoreError> {
        for at in 0..TABLES.len() {
            self.table_at(at)?;
        }
        Ok(())
    }

    fn table_at(&self, at: usize) -> Result<&Table<'t, Bytes, Bytes>, StoreError> {
        let cell = &self.tables[at];
        if let Some(open) = cell.get() {
            return Ok(open);
        }
        let open = self
            .transaction
            .open_table(definition(at))
            .map_err(StoreError::index("opening a table"))?;
        Ok(cell.get_or_init(|| open))
    }

    fn table(&self, table: T) -> Result<&Table<'t, Bytes, Bytes>, StoreError> {
        self.table_at(table as usize)
    }

    fn table_mut(&mut self, table: T) -> Result<&mut Table<'t, Bytes, Bytes>, StoreError> {
        self.table(table)?;
        self.tables[table as usize].get_mut().ok_or(StoreError::Closed)
    }

    /// How many rows were written; an act that failed with none written left nothing behind.
    pub(crate) fn writes(&self) -> u64 {
        self.writes
    }

    pub(crate) fn put(&mut self, table: T, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.put_row(table, key, value.to_vec())
    }

    /// As [`Tables::put`], of a row that was made for it: nothing is copied.
    pub(crate) fn put_row(
        &mut self,
        table: T,
        key: &[u8],
        value: Vec<u8>,
    ) -> Result<(), StoreError> {
        self.set(table, key, Some(value), false)
    }

    /// Puts a row that a replay makes again from the contents in the log.
    pub(crate) fn put_derived(
        &mut self,
        table: T,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        self.set(table, key, Some(value.to_vec()), true)
    }

    /// Removes a row; true if it was there.
    pub(crate) fn remove(&mut self, table: T, key: &[u8]) -> Result<bool, StoreError> {
        let was_there = self.has(table, key)?;
        self.set(table, key, None, false)?;
        Ok(was_there)
    }

    fn set(
        &mut self,
        table: T,
        key: &[u8],
        value: Option<Vec<u8>>,
        is_derived: bool,
    ) -> Result<(), StoreError> {
        self.writes += 1;
        self.pending_bytes += key.len() + value.as_ref().map_or(0, Vec::capacity);
        self.pending[table as usize].insert(key.to_vec(), Pending { value, is_derived });
        if self.pending_bytes > PENDING_MAX { self.flush() } else { Ok(()) }
    }

    /// Removes all rows that begin with `prefix`.
    pub(crate) fn remove_prefix(&mut self, table: T, prefix: &[u8]) -> Result<(), StoreError> {
        self.writes += 1;
        self.pending[table as usize].retain(|key, _| !key.starts_with(prefix));
        self.redo.remove_prefix(table, prefix);
        remove_range(self.table_mut(table)?, prefix)
    }

    /// Removes the rows `first..=last`, each shown to `visit` as it goes. One walk: for neighbours far
    /// cheaper than removing each.
    pub(crate) fn remove_range(
        &mut self,
        table: T,
        first: &[u8],
        last: &[u8],
        visit: &mut Taken<'_>,
    ) -> Result<(), StoreError> {
        let range = (Bound::Included(first), Bound::Included(last));
        if self.pending[table as usize].range::<[u8], _>(range).next().is_some() {
            self.flush()?;
        }
        self.writes += 1;
        self.table(table)?;
        let Some(open) = self.tables[table as usize].get_mut() else { return Ok(()) };
        let redo = &mut self.redo;
        let mut visited = Ok(());
        open.retain_in::<&[u8], _>(range, |key, value| {
            redo.remove(table, key);
            if visited.is_ok() {
                visited = visit(key, value);
            }
            false
        })
        .map_err(StoreError::index("removing rows"))?;
        visited
    }

    /// Writes what is pending into the index, and into the changes of the group.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        for (at, (table, _)) in TABLES.into_iter().enumerate() {
            let rows = std::mem::take(&mut self.pending[at]);
            if rows.is_empty() {
                continue;
            }
            self.table(table)?;
            let Some(open) = self.tables[at].get_mut() else { continue };
            let rows: Vec<Row> = rows.into_iter().collect();
            flush::rows(open, table, &rows, &mut self.redo)?;
        }
        self.pending_bytes = 0;
        Ok(())
    }

    /// The changes that [`Tables::flush`] wrote; `None` if they are too large for the log.
    pub(crate) fn redo(&self) -> Option<&[u8]> {
        self.redo.bytes()
    }

    /// Applies changes of the log.
    pub(crate) fn apply(&mut self, changes: &[u8]) -> Result<(), StoreError> {
        let mut changes = redo::Changes::new(changes);
        while let Some(change) = changes.next()? {
            match change {
                Change::Put { table, key, value } => self.put(table, key, value)?,
                Change::Patch { table, key, prefix, suffix, middle } => {
                    let old = self.get(table, key)?.unwrap_or_default();
                    let new = redo::patched(&old, prefix, suffix, middle)?;
                    self.set(table, key, Some(new), false)?;
                }
                Change::Remove { table, key } => self.set(table, key, None, false)?,
                Change::RemovePrefix { table, prefix } => self.remove_prefix(table, prefix)?,
            }
        }
        Ok(())
    }
}

fn remove_range(table: &mut Table<'_, Bytes, Bytes>, prefix: &[u8]) -> Result<(), StoreError> {
    let end = crate::codec::behind(prefix);
    let to = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end.as_slice()) };
    table
        .retain_in::<&[u8], _>((Bound::Included(prefix), to), |_, _| false)
        .map_err(StoreError::index("removing rows"))
}

impl View for Tables<'_> {
    fn get(&self, table: T, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(row) = self.pending[table as usize].get(key) {
            return Ok(row.value.clone());
        }
        let value = self.table(table)?.get(key).map_err(StoreError::index("reading a row"))?;
        Ok(value.map(|v| v.value().to_vec()))
    }

    /// The rows of the index and the pending ones, merged.
    fn scan(
        &self,
        table: T,
        from: &[u8],
        to: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let end = if to.is_empty() { Bound::Unbounded } else { Bound::Excluded(to) };
        if !to.is_empty() && from >= to {
            return Ok(());
        }
        let range = (Bound::Included(from), end);
        let mut pending = self.pending[table as usize].range::<[u8], _>(range).peekable();
        let stored = self
            .table(table)?
            .range::<&[u8]>(range)
            .map_err(StoreError::index("reading a range"))?;
        for row in stored {
            let (key, value) = row.map_err(StoreError::index("reading a range"))?;
            let (key, mut value) = (key.value(), Some(value.value()));
            while let Some((at, row)) = pending.next_if(|(at, _)| at.as_slice() <= key) {
                if at.as_slice() == key {
                    value = row.value.as_deref();
                } else if let Some(new) = &row.value
                    && !visit(at, new)?
                {
                    return Ok(());
                }
            }
            if let Some(value) = value
                && !visit(key, value)?
            {
                return Ok(());
            }
        }
        for (at, row) in pending {
            if let Some(new) = &row.value
                && !visit(at, new)?
            {
                break;
            }
        }
        Ok(())
    }

    fn len(&self, table: T) -> Result<u64, StoreError> {
        let open = self.table(table)?;
        let mut len = open.len().map_err(StoreError::index("counting rows"))?;
        for (key, row) in &self.pending[table as usize] {
            let is_stored =
                open.get(key.as_slice()).map_err(StoreError::index("reading a row"))?.is_some();
            match (is_stored, row.value.is_some()) {
                (false, true) => len += 1,
                (true, false) => len = len.saturating_sub(1),
                _ => {}
            }
        }
        Ok(len)
    }

    fn has(&self, table: T, key: &[u8]) -> Result<bool, StoreError> {
        if let Some(row) = self.pending[table as usize].get(key) {
            return Ok(row.value.is_some());
        }
        let value = self.table(table)?.get(key).map_err(StoreError::index("reading a row"))?;
        Ok(value.is_some())
    }
}
