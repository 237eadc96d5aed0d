//! Webhooks: each row can be read, each has both its rows and a number that was given.

use std::collections::BTreeMap;

use super::{Walk, rows_of};
use crate::index::T;
use crate::{StoreError, meta, webhook};

pub(super) fn walk(walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let next = meta::webhook_next(walk.view)?;
    let mut parts = BTreeMap::<u32, u32>::new();
    for (key, value) in rows_of(walk.view, T::Webhook, &[])? {
        let Some((id, is_due)) = walk.note(webhook::decode(&key, &value)) else { continue };
        *parts.entry(id).or_default() += u32::from(is_due);
    }
    for (id, count) in parts {
        walk.expect(count == 2 && (1..next).contains(&u64::from(id)), || {
            format!("webhook {id} is not whole")
        });
    }
    Ok(())
}
