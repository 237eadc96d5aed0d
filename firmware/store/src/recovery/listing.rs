//! What of an account can be restored, a page at a time.

use base::AccountId;

use super::block::{self, Block};
use super::{DeletedFilter, DeletedPage};
use crate::StoreError;
use crate::codec::account_key;
use crate::index::{T, View};

/// Blocks that one page looks at; a filter that takes little gives a short page.
const BLOCKS_MAX: usize = 512;

impl DeletedFilter {
    fn takes(&self, block: &Block) -> bool {
        self.mailbox.as_ref().is_none_or(|name| *name == block.name)
            && self.from.is_none_or(|from| block.at >= from)
            && self.to.is_none_or(|to| block.at < to)
    }
}

/// Messages with an id of `from` or more, at most `limit`.
pub(crate) fn page(
    view: &impl View,
    account: AccountId,
    filter: &DeletedFilter,
    from: u64,
    limit: usize,
) -> Result<DeletedPage, StoreError> {
    let mut page = DeletedPage::default();
    let (first, slot) = block::place(from);
    let to = crate::codec::behind(&account_key(account));
    let mut blocks = 0;
    view.scan(T::Expunged, &block::key(account, first), &to, &mut |key, row| {
        let number = block::decode_key(key)?.1;
        if blocks >= BLOCKS_MAX {
            page.next = Some(block::id_at(number, 0));
            return Ok(false);
        }
        blocks += 1;
        let block = Block::decode(row)?;
        if !filter.takes(&block) {
            return Ok(true);
        }
        for kept in block.messages.iter().filter(|k| number > first || k.slot >= slot) {
            if page.messages.len() >= limit {
                page.next = Some(block::id_at(number, kept.slot));
                return Ok(false);
            }
            page.messages.push(block.show(number, kept));
        }
        Ok(true)
    })?;
    Ok(page)
}
