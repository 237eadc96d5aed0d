//! Deleted messages and accounts: blocks, their contents, their sums.

use std::collections::BTreeMap;

use base::AccountId;

use super::{Walk, rows_of};
use crate::acl::OFFICE;
use crate::codec::{In, account_key};
use crate::directory::account::{self, AccountRow};
use crate::index::{T, View};
use crate::recovery::accounts::Grave;
use crate::recovery::block::{self, Block};
use crate::recovery::{DeletedSum, age};
use crate::{StoreError, blob};

pub(super) fn walk(walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let view = walk.view;
    let age = walk.note(age::now(view)).unwrap_or(u64::MAX);
    let mut sums = BTreeMap::<AccountId, DeletedSum>::new();
    for (key, row) in rows_of(view, T::Expunged, &[])? {
        let Some((account, number)) = walk.note(block::decode_key(&key)) else { continue };
        let Some(block) = walk.note(Block::decode(&row)) else { continue };
        let has_account = account == OFFICE || walk.accounts.contains(&account);
        walk.expect(has_account, || format!("deleted messages {number} belong to no account"));
        let is_new = walk.deleted_blocks.insert(number);
        walk.expect(is_new, || format!("deleted messages {number} stand there twice"));
        check_block(walk, number, &block, age);
        let sum = sums.entry(account).or_default();
        sum.messages += block.messages.len() as u64;
        sum.bytes = sum.bytes.saturating_add(block.sum().bytes);
    }
    for (key, row) in rows_of(view, T::ExpungedSum, &[])? {
        let Some(id) = walk.note(In::plain(&key, "account id").u32()).map(AccountId) else {
            continue;
        };
        let Some(said) = walk.note(block::decode_sum(&row)) else { continue };
        let found = sums.remove(&id).unwrap_or_default();
        walk.expect(said == found, || {
            format!("account {id}: its deleted messages are {found:?}, not {said:?}")
        });
    }
    for id in sums.into_keys() {
        walk.problem(format!("account {id}: its deleted messages have no sum"));
    }
    check_accounts(walk)
}

fn check_block(walk: &mut Walk<'_>, number: u64, block: &Block, age: u64) {
    walk.expect(block.age <= age, || format!("deleted messages {number} are of tomorrow"));
    let is_sorted = block.messages.is_sorted_by(|a, b| a.slot < b.slot);
    walk.expect(is_sorted && !block.messages.is_empty(), || {
        format!("deleted messages {number} are none, or in no order")
    });
    let named = block.keywords.iter().fold(0u64, |bits, (bit, _)| bits | 1 << bit);
    for kept in &block.messages {
        walk.report.deleted_messages += 1;
        walk.link(kept.message.blob);
        let stored = blob::find(walk.view, kept.message.blob).ok().flatten();
        let size = stored.map(|blob| blob.place.size);
        walk.expect(size == Some(kept.message.size), || {
            format!("deleted messages {number}: {} bytes, the content {size:?}", kept.message.size)
        });
        walk.expect(kept.keywords & !named == 0, || {
            format!("deleted messages {number}: a keyword without a name")
        });
    }
}

/// Deleted accounts have a row each of what they were, and no others.
fn check_accounts(walk: &mut Walk<'_>) -> Result<(), StoreError> {
    let view = walk.view;
    for (key, row) in rows_of(view, T::DeletedAccount, &[])? {
        let Some(id) = walk.note(In::plain(&key, "account id").u32()).map(AccountId) else {
            continue;
        };
        walk.note(Grave::decode(&row).and_then(|grave| account::claims(view, &grave.entry)));
        let row = view.get(T::Account, &account_key(id))?;
        let row = row.map(|row| AccountRow::decode(&row)).transpose();
        let is_deleted =
            walk.note(row).is_some_and(|row| row.is_some_and(|row| row.deleted_at.is_some()));
        walk.expect(is_deleted, || format!("account {id} is deleted and is not"));
    }
    for id in walk.accounts.clone() {
        let Some(row) = view.get(T::Account, &account_key(id))? else { continue };
        let Some(row) = walk.note(AccountRow::decode(&row)) else { continue };
        let has_grave = view.has(T::DeletedAccount, &account_key(id))?;
        walk.expect(row.deleted_at.is_none() || has_grave, || {
            format!("account {id} is deleted and cannot be restored")
        });
    }
    Ok(())
}
