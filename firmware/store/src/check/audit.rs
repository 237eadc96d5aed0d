//! The audit log: each row can be read and has a number that was given.

use super::{Walk, rows_of};
use crate::StoreError;
use crate::audit::rows;
use crate::index::T;
use crate::meta;

pub(super) fn walk(walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let next = meta::audit_next(walk.view)?;
    for (key, value) in rows_of(walk.view, T::Audit, &[])? {
        let Some(row) = walk.note(rows::decode(&key, &value)) else { continue };
        walk.expect((1..next).contains(&row.seq), || {
            format!("audit row {} has a number that was not given", row.seq)
        });
    }
    Ok(())
}
