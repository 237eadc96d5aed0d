//! The changes of a group as they stand in the log: row writes in order, small because a row that was
//! there before is written as what differs.
//!
//! Never here: what a row means, or when changes are written and read.

use super::T;
use crate::StoreError;

/// Changes beyond this are not collected: their group commits the index durably instead.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a key or value that a change may claim.
const FIELD_MAX: u64 = 64 * 1024 * 1024;

const PUT: u8 = 0;
const PATCH: u8 = 1;
const REMOVE: u8 = 2;
const REMOVE_PREFIX: u8 = 3;

/// The changes of a group, being collected.
#[derive(Debug, Default)]
pub(crate) struct Redo {
    bytes: Vec<u8>,
    is_too_large: bool,
}

/// One change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// The row is this.
    Put { table: T, key: &'a [u8], value: &'a [u8] },
    /// The row keeps `prefix` bytes at its beginning and `suffix` at its end.
    Patch { table: T, key: &'a [u8], prefix: usize, suffix: usize, middle: &'a [u8] },
    /// The row goes.
    Remove { table: T, key: &'a [u8] },
    /// All rows go whose keys begin so.
    RemovePrefix { table: T, prefix: &'a [u8] },
}

impl Redo {
    /// The collected changes; `None` if they are too large for the log.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        (!self.is_too_large).then_some(self.bytes.as_slice())
    }

    /// Bytes of what is collected.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// A row is `value` now and was `old` before.
    pub(crate) fn put(&mut self, table: T, key: &[u8], old: Option<&[u8]>, value: &[u8]) {
        let Some(old) = old else {
            self.begin(PUT, table, key);
            self.field(value);
            return self.end();
        };
        let prefix = old.iter().zip(value).take_while(|(a, b)| a == b).count();
        let (old_rest, rest) = (&old[prefix..], &value[prefix..]);
        let same = old_rest.iter().rev().zip(rest.iter().rev()).take_while(|(a, b)| a == b);
        let suffix = same.count();
        self.begin(PATCH, table, key);
        self.number(prefix as u64);
        self.number(suffix as u64);
        self.field(&rest[..rest.len() - suffix]);
        self.end();
    }

    pub(crate) fn remove(&mut self, table: T, key: &[u8]) {
        self.begin(REMOVE, table, key);
        self.end();
    }

    pub(crate) fn remove_prefix(&mut self, table: T, prefix: &[u8]) {
        self.begin(REMOVE_PREFIX, table, prefix);
        self.end();
    }

    fn begin(&mut self, kind: u8, table: T, key: &[u8]) {
        if !self.is_too_large {
            self.bytes.extend_from_slice(&[kind, table as u8]);
            self.field(key);
        }
    }

    fn end(&mut self) {
        if self.bytes.len() > BYTES_MAX {
            self.is_too_large = true;
            self.bytes = Vec::new();
        }
    }

    fn field(&mut self, bytes: &[u8]) {
        if !self.is_too_large {
            self.number(bytes.len() as u64);
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// LEB128.
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }
}

/// Reads changes back.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    rest: &'a [u8],
}

fn damaged() -> StoreError {
    StoreError::Damaged("changes in the log that cannot be read".to_owned())
}

impl<'a> Changes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next change; `None` behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<Change<'a>>, StoreError> {
        let Some((&[kind, table], rest)) = self.rest.split_first_chunk::<2>() else {
            return if self.rest.is_empty() { Ok(None) } else { Err(damaged()) };
        };
        self.rest = rest;
        let table = T::of_number(table).ok_or_else(damaged)?;
        let key = self.field()?;
        Ok(Some(match kind {
            PUT => Change::Put { table, key, value: self.field()? },
            PATCH => {
                let (prefix, suffix) = (self.number()?, self.number()?);
                let size =
                    |n: u64| usize::try_from(n).ok().filter(|_| n <= FIELD_MAX).ok_or_else(damaged);
                let (prefix, suffix) = (size(prefix)?, size(suffix)?);
                Change::Patch { table, key, prefix, suffix, middle: self.field()? }
            }
            REMOVE => Change::Remove { table, key },
            REMOVE_PREFIX => Change::RemovePrefix { table, prefix: key },
            _ => return Err(damaged()),
        }))
    }

    fn number(&mut self) -> Result<u64, StoreError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or_else(damaged)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damaged())
    }

    fn field(&mut self) -> Result<&'a [u8], StoreError> {
        let len = usize::try_from(self.number()?).map_err(|_| damaged())?;
        let (field, rest) = self.rest.split_at_checked(len).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(field)
    }
}

/// The row that a patch makes of the one that is there.
pub(crate) fn patched(
    old: &[u8],
    prefix: usize,
    suffix: usize,
    middle: &[u8],
) -> Result<Vec<u8>, StoreError> {
    if prefix.saturating_add(suffix) > old.len() {
        return Err(StoreError::Damaged("a change in the log does not fit its row".to_owned()));
    }
    let mut new = Vec::with_capacity(prefix + middle.len() + suffix);
    new.extend_from_slice(&old[..prefix]);
    new.extend_from_slice(middle);
    new.extend_from_slice(&old[old.len() - suffix..]);
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_collected_is_read_back() {
        let rows: [(&[u8], &[u8]); 7] = [
            (b"", b"new"),
            (b"abcdef", b"abXdef"),
            (b"aaaa", b"aaaaaa"),
            (b"aaaaaa", b"aa"),
            (b"same", b"same"),
            (b"left", b""),
            (b"", b""),
        ];
        let mut redo = Redo::default();
        for (old, new) in rows {
            redo.put(T::Flags, b"key", Some(old), new);
        }
        redo.put(T::Meta, &[7; 300], None, &[9; 20_000]);
        redo.remove(T::Queue, b"gone");
        redo.remove_prefix(T::Segment, b"");
        let bytes = redo.bytes().unwrap().to_vec();
        let mut changes = Changes::new(&bytes);
        for (old, new) in rows {
            let Some(Change::Patch { table: T::Flags, key, prefix, suffix, middle }) =
                changes.next().unwrap()
            else {
                panic!("no patch");
            };
            assert_eq!(
                (key, patched(old, prefix, suffix, middle).unwrap()),
                (&b"key"[..], new.to_vec())
            );
        }
        let (key, value) = (&[7; 300][..], &[9; 20_000][..]);
        assert_eq!(changes.next().unwrap(), Some(Change::Put { table: T::Meta, key, value }));
        assert_eq!(changes.next().unwrap(), Some(Change::Remove { table: T::Queue, key: b"gone" }));
        let all = Change::RemovePrefix { table: T::Segment, prefix: b"" };
        assert_eq!(changes.next().unwrap(), Some(all));
        assert_eq!(changes.next().unwrap(), None);
        // Cut anywhere, it is read up to there and then refused, never a panic.
        for len in 0..bytes.len() {
            let mut changes = Changes::new(&bytes[..len]);
            while let Ok(Some(_)) = changes.next() {}
        }
        assert!(patched(b"short", 3, 3, b"").is_err());
    }

    #[test]
    fn too_much_is_not_collected() {
        let mut redo = Redo::default();
        for n in 0..5u64 {
            redo.put(T::Entry, &n.to_be_bytes(), None, &vec![0; 2 << 20]);
        }
        assert_eq!(redo.bytes(), None);
    }
}
